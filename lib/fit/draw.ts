/** Charts to SVG, with Vega, which may not be installed. */
import { AdjointError } from "../error.js";
import { ArgumentError } from "../generated/errors.js";
import type { Chart } from "./charts.js";

const ink = "#1f2937";
const pale = "#6b7280";

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
  legend: { orient: "top", title: null, labelColor: ink, labelFontSize: 12, labelLimit: 0 },
};

type Vega = typeof import("vega");
type VegaLite = typeof import("vega-lite");

/** @throws ArgumentError when the packages are not installed */
export async function loadVega(): Promise<[Vega, VegaLite]> {
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
