/** The drawings of a report, as Vega-Lite specifications. */
import type { FitResult } from "./result.js";

/** More marks than this would only make a drawing slow to show. */
const maxPoints = 2500;
const maxCurve = 4000;

export interface Chart {
  readonly title: string;
  readonly caption: string;
  /** As wide as the page; the others stand beside each other. */
  readonly isWide: boolean;
  readonly spec: object;
}

type Row = Readonly<Record<string, number>>;

const dotColor = "#3b6ea8";
const lineColor = "#c2410c";
const bandColor = "#eab197";

/** Numbers of at most `most` of n, evenly spread, the ends among them. */
function thin(n: number, most = maxPoints): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1)));
}

/** Where these are from low to high. */
function within(values: Float64Array, low: number, high: number): number[] {
  const found: number[] = [];
  for (const [i, value] of values.entries()) if (value >= low && value <= high) found.push(i);
  return found;
}

const drawn = (n: number) => (n > maxPoints ? ` ${maxPoints} of ${n} points are drawn.` : "");

function quantitative(field: string, title: string, more: object = {}): object {
  return { field, type: "quantitative", title, scale: { zero: false, nice: true }, ...more };
}

/** An axis that ends a little beyond the data. */
const tight = { zero: false, nice: false, padding: 10 };

/** Years are not grouped in thousands. */
const along = (isDate: boolean) => ({
  scale: tight,
  ...(isDate ? { axis: { format: "d", tickMinStep: 1 } } : {}),
});

const dots = (n: number) => ({
  type: "circle",
  size: n > 1000 ? 10 : n > 200 ? 18 : 34,
  opacity: n > 1000 ? 0.5 : 0.75,
  color: dotColor,
});

/** Least and greatest. */
function extent(values: Iterable<number>): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** From the least to the greatest, but not so far beyond the data, as near a pole, that it would look flat. */
function heightsOf(points: readonly Row[], line: readonly Row[]): [number, number] {
  const [low, high] = extent(points.map(({ y }) => y!));
  const [from, to] = extent(line.flatMap((at) => [at.low!, at.high!]));
  const room = (high - low || Math.abs(high) || 1) / 2;
  return [Math.max(Math.min(low, from), low - room), Math.min(Math.max(high, to), high + room)];
}

/** The fitted curve with its band at so many places from `low` to `high`. */
function curveRows(result: FitResult, low: number, high: number, count: number): Row[] {
  const { name, values } = result.predictors[0]!;
  const even = (_: unknown, i: number) => low + ((high - low) * i) / (count - 1);
  // A model of all observations at once has values at them only.
  const grid = result.isPointwise ? Float64Array.from({ length: count }, even) : values;
  // The last one is the end but for rounding, where a model may not be defined beyond the data.
  if (result.isPointwise) grid[count - 1] = high;
  const curve = result.predict({ [name]: grid });
  const rows: Row[] = [];
  for (const [i, at] of grid.entries()) {
    const [fit, from, to] = [curve.values[i]!, curve.low[i]!, curve.high[i]!];
    if (!Number.isFinite(fit) || at < low || at > high) continue;
    const hasBand = Number.isFinite(from) && Number.isFinite(to);
    rows.push({ x: at, fit, low: hasBand ? from : fit, high: hasBand ? to : fit });
  }
  rows.sort((one, other) => one.x! - other.x!);
  return thin(rows.length, maxCurve).map((i) => rows[i]!);
}

/** Data and fitted curve from `low` to `high` of the one predictor, with the confidence band of the curve. */
function curveChart(result: FitResult, low: number, high: number, heading = "Data and fit"): Chart {
  const { name, column, isDate, values } = result.predictors[0]!;
  const inside = within(values, low, high);
  const shown = thin(inside.length).map((i) => inside[i]!);
  const line = curveRows(result, low, high, Math.min(maxCurve, Math.max(400, 4 * shown.length)));
  const points: Row[] = shown.map((i) => ({ x: values[i]!, y: result.observed[i]! }));
  const title = name === column ? name : `${column}${isDate ? "" : ` (${name})`}`;
  const x = quantitative("x", title, along(isDate));
  const heights = { scale: { domain: heightsOf(points, line), nice: true, zero: false } };
  const y = (field: string) => quantitative(field, result.response, heights);
  const band = `${Number((100 * result.confidence).toPrecision(6))}% confidence band`;
  const names = ["observations", "fitted curve", band];
  const scale = { domain: names, range: [dotColor, lineColor, bandColor] };
  const color = (datum: string) => ({ datum, scale, legend: { symbolType: "circle" } });
  return {
    title: heading,
    caption: `The band is that of the curve, not of single observations.${drawn(inside.length)}`,
    isWide: true,
    spec: {
      width: 860,
      height: 360,
      layer: [
        {
          data: { values: line },
          mark: { type: "area", opacity: 0.8, clip: true },
          encoding: { x, y: y("low"), y2: { field: "high" }, color: color(band) },
        },
        {
          data: { values: points },
          mark: { ...dots(shown.length), color: undefined },
          encoding: { x, y: y("y"), color: color("observations") },
        },
        {
          data: { values: line },
          mark: { type: "line", strokeWidth: 1.2, clip: true },
          encoding: { x, y: y("fit"), color: color("fitted curve") },
        },
      ],
    },
  };
}

/** Observed against fitted, when there is not one predictor to draw along. */
function agreementChart(result: FitResult): Chart {
  const n = result.fitted.length;
  const points: Row[] = thin(n).map((i) => ({ fit: result.fitted[i]!, y: result.observed[i]! }));
  const [fitted, observed] = [extent(result.fitted), extent(result.observed)];
  const ends = [Math.min(fitted[0], observed[0]), Math.max(fitted[1], observed[1])];
  const x = quantitative("fit", `fitted ${result.response}`);
  return {
    title: "Observed against fitted",
    caption: `On the line, the model meets the observation.${drawn(n)}`,
    isWide: true,
    spec: {
      width: 860,
      height: 380,
      layer: [
        {
          data: { values: ends.map((end) => ({ fit: end, y: end })) },
          mark: { type: "line", color: lineColor, strokeWidth: 1.5 },
          encoding: { x, y: quantitative("y", `observed ${result.response}`) },
        },
        {
          data: { values: points },
          mark: dots(n),
          encoding: { x, y: quantitative("y", `observed ${result.response}`) },
        },
      ],
    },
  };
}

function residualChart(result: FitResult): Chart {
  const one = result.predictors.length === 1 ? result.predictors[0] : undefined;
  const x = one?.values ?? result.fitted;
  const n = x.length;
  const points: Row[] = thin(n).map((i) => ({ x: x[i]!, r: result.standardized[i]! }));
  const title = one === undefined ? `fitted ${result.response}` : one.column;
  return {
    title: "Residuals",
    caption:
      "Standardized residuals; a pattern means that the model misses something, " +
      `a funnel that weights are due.${drawn(n)}`,
    isWide: false,
    spec: {
      width: 400,
      height: 260,
      layer: [
        {
          data: { values: [{ r: 0 }] },
          mark: { type: "rule", color: lineColor, strokeWidth: 1.2 },
          encoding: { y: { field: "r", type: "quantitative" } },
        },
        {
          data: { values: points },
          mark: dots(n),
          encoding: {
            x: quantitative("x", title, along(one?.isDate ?? false)),
            y: quantitative("r", "standardized residual"),
          },
        },
      ],
    },
  };
}

function quantileChart(result: FitResult): Chart {
  const sorted = result.standardized.slice().sort();
  const n = sorted.length;
  const points: Row[] = thin(n).map((i) => ({ p: (i + 0.5) / n, r: sorted[i]! }));
  const toQuantile = [{ calculate: "quantileNormal(datum.p)", as: "q" }];
  const x = quantitative("q", "normal quantile");
  return {
    title: "Normal quantiles",
    caption: `Normally distributed residuals follow the line.${drawn(n)}`,
    isWide: false,
    spec: {
      width: 400,
      height: 260,
      layer: [
        {
          data: { values: [points[0]!, points[points.length - 1]!] },
          transform: toQuantile,
          mark: { type: "line", color: lineColor, strokeWidth: 1.2 },
          encoding: { x, y: quantitative("q", "standardized residual") },
        },
        {
          data: { values: points },
          transform: toQuantile,
          mark: dots(n),
          encoding: { x, y: quantitative("r", "standardized residual") },
        },
      ],
    },
  };
}

/** With more observations than this, a close-up shows the last of them. */
const many = 300;
const closeUp = 60;

/** The drawings of a report, in their order. */
export function chartsOf(result: FitResult): Chart[] {
  const charts: Chart[] = [];
  const one = result.predictors.length === 1 ? result.predictors[0]!.values : undefined;
  if (one === undefined) {
    charts.push(agreementChart(result));
  } else {
    const [low, high] = extent(one);
    charts.push(curveChart(result, low, high));
    const from = one.slice().sort()[one.length - closeUp] ?? high;
    const last = within(one, from, high).length; // more where values are equal
    if (one.length > many && from < high && last <= many) {
      const { column, isDate } = result.predictors[0]!;
      const heading = isDate
        ? `The last ${last} observations`
        : `The ${last} observations of greatest ${column}`;
      charts.push(curveChart(result, from, high, heading));
    }
  }
  if (result.standardized.every(Number.isFinite)) {
    charts.push(residualChart(result), quantileChart(result));
  }
  return charts;
}
