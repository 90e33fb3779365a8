/** The drawings of a report, as Vega-Lite specifications, and their SVG. */
import { AdjointError } from "../error.js";
import { ArgumentError } from "../generated/errors.js";
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

const ink = "#1f2937";
const pale = "#6b7280";
const dotColor = "#3b6ea8";
const lineColor = "#c2410c";

const config = {
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
  background: "transparent",
  view: { stroke: null },
  axis: {
    labelColor: pale,
    titleColor: ink,
    titleFontWeight: 500,
    titleFontSize: 12,
    labelFontSize: 11,
    gridColor: "#e5e7eb",
    domainColor: "#9ca3af",
    tickColor: "#9ca3af",
    labelFlush: false,
    titlePadding: 8,
  },
};

/** Positions of at most `maxPoints` of n, evenly spread, the ends among them. */
function thin(n: number): number[] {
  if (n <= maxPoints) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: maxPoints }, (_, i) => Math.round((i * (n - 1)) / (maxPoints - 1)));
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
function extent(values: Float64Array): [number, number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** Data and fitted curve from `low` to `high` of the one predictor, with the confidence band of the curve. */
function curveChart(result: FitResult, low: number, high: number): Chart {
  const { name, column, isDate, values } = result.predictors[0]!;
  const inside = thin(values.length).filter((i) => values[i]! >= low && values[i]! <= high);
  const n = inside.length;
  const count = Math.min(maxCurve, Math.max(400, 4 * n));
  const grid = Float64Array.from(
    { length: count },
    (_, i) => low + ((high - low) * i) / (count - 1),
  );
  // The last one is the end but for rounding, where a model may not be defined beyond the data.
  grid[count - 1] = high;
  const curve = result.predict({ [name]: grid });
  const line: Row[] = [];
  for (const [i, at] of grid.entries()) {
    const [fit, from, to] = [curve.values[i]!, curve.low[i]!, curve.high[i]!];
    if (!Number.isFinite(fit)) continue;
    const hasBand = Number.isFinite(from) && Number.isFinite(to);
    line.push({ x: at, fit, low: hasBand ? from : fit, high: hasBand ? to : fit });
  }
  const points: Row[] = inside.map((i) => ({ x: values[i]!, y: result.observed[i]! }));
  const title = name === column ? name : `${column}${isDate ? "" : ` (${name})`}`;
  const xAxis = quantitative("x", title, along(isDate));
  const percent = `${Number((100 * result.confidence).toPrecision(6))}%`;
  return {
    title: "Data and fit",
    caption: `Observations, the fitted curve and its ${percent} confidence band.${drawn(values.length)}`,
    isWide: true,
    spec: {
      width: 860,
      height: 360,
      layer: [
        {
          data: { values: points },
          mark: dots(n),
          encoding: { x: xAxis, y: quantitative("y", result.response) },
        },
        {
          data: { values: line },
          mark: { type: "area", color: lineColor, opacity: 0.22 },
          encoding: { x: xAxis, y: quantitative("low", result.response), y2: { field: "high" } },
        },
        {
          data: { values: line },
          mark: { type: "line", color: lineColor, strokeWidth: n > 400 ? 1.1 : 1.8, clip: true },
          encoding: { x: xAxis, y: quantitative("fit", result.response) },
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
    const from = one.slice().sort()[one.length - closeUp];
    if (one.length > many && from !== undefined && from < high) {
      charts.push({ ...curveChart(result, from, high), title: `The last ${closeUp} observations` });
    }
  }
  if (result.standardized.every(Number.isFinite)) {
    charts.push(residualChart(result), quantileChart(result));
  }
  return charts;
}

type Vega = typeof import("vega");
type VegaLite = typeof import("vega-lite");

async function loadVega(): Promise<[Vega, VegaLite]> {
  try {
    return await Promise.all([import("vega"), import("vega-lite")]);
  } catch (cause) {
    throw new ArgumentError(
      "a report needs the packages vega and vega-lite, which are not installed: npm install vega vega-lite",
      { cause },
    );
  }
}

/**
 * A chart as SVG text, drawn here and now, without a browser.
 * @throws ArgumentError when the drawing packages are not installed
 */
export async function drawChart(chart: Chart): Promise<string> {
  const [vega, vegaLite] = await loadVega();
  try {
    const { spec } = vegaLite.compile({ ...chart.spec, config } as never);
    const view = new vega.View(vega.parse(spec), { renderer: "none" });
    try {
      return await view.toSVG();
    } finally {
      view.finalize();
    }
  } catch (error) {
    if (error instanceof AdjointError) throw error;
    throw new ArgumentError(`the chart "${chart.title}" can not be drawn: ${String(error)}`, {
      cause: error,
    });
  }
}
