/** The drawings of a report, as Vega-Lite specifications, and their SVG. */
import { AdjointError } from "../error.js";
import { ArgumentError } from "../generated/errors.js";
import type { FitResult } from "./result.js";

/** More marks than this would only make a drawing slow to show. */
const maxPoints = 4000;

export interface Chart {
  readonly title: string;
  readonly caption: string;
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

/** Years are not grouped in thousands. */
const dateAxis = (isDate: boolean) => (isDate ? { axis: { format: "d", tickMinStep: 1 } } : {});

const dots = (n: number) => ({
  type: "circle",
  size: n > 1000 ? 10 : n > 200 ? 18 : 34,
  opacity: n > 1000 ? 0.5 : 0.75,
  color: dotColor,
});

/** Data and fitted curve over the one predictor, with the confidence band of the curve. */
function curveChart(result: FitResult): Chart {
  const { name, column, isDate, values: x } = result.predictors[0]!;
  const n = x.length;
  let [low, high] = [x[0]!, x[0]!];
  for (const value of x) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const count = Math.min(maxPoints, Math.max(400, 4 * n));
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
  const points: Row[] = thin(n).map((i) => ({ x: x[i]!, y: result.observed[i]! }));
  const title = name === column ? name : `${column}${isDate ? "" : ` (${name})`}`;
  const xAxis = quantitative("x", title, dateAxis(isDate));
  const percent = `${Number((100 * result.confidence).toPrecision(6))}%`;
  return {
    title: "Data and fit",
    caption: `Observations, the fitted curve and its ${percent} confidence band.${drawn(n)}`,
    spec: {
      width: 860,
      height: 380,
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
  const ends = [...result.fitted, ...result.observed].reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)] as [number, number],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as [number, number],
  );
  const x = quantitative("fit", `fitted ${result.response}`);
  return {
    title: "Observed against fitted",
    caption: `On the line, the model meets the observation.${drawn(n)}`,
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
  const along = result.predictors.length === 1 ? result.predictors[0] : undefined;
  const x = along?.values ?? result.fitted;
  const n = x.length;
  const points: Row[] = thin(n).map((i) => ({ x: x[i]!, r: result.standardized[i]! }));
  const title = along === undefined ? `fitted ${result.response}` : along.column;
  return {
    title: "Residuals",
    caption:
      "Standardized residuals; a pattern means that the model misses something, " +
      `a funnel that weights are due.${drawn(n)}`,
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
            x: quantitative("x", title, dateAxis(along?.isDate ?? false)),
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

/** The drawings of a report: the large one, then two that stand beside each other. */
export function chartsOf(result: FitResult): Chart[] {
  const charts = [result.predictors.length === 1 ? curveChart(result) : agreementChart(result)];
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
