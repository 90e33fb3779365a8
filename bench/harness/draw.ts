import { writeFileSync } from "node:fs";
import type { Report, Row } from "./report.js";

/**
 * Every derivative in units of the hand-written C++ primal: a line for each problem, a point for each tool. Of a tool
 * with several rows, the fastest in double precision counts.
 */
function points(rows: readonly Row[]) {
  const fastest = new Map<string, { problem: string; tool: string; primals: number }>();
  for (const { problem, size, tool, dtype, computes, unit, primals } of rows) {
    if (primals === null || unit !== "primal") continue;
    if (dtype !== "f64" || computes !== "derivative") continue;
    const point = { problem: `${problem}, ${size}`, tool, primals };
    const key = `${point.problem} ${tool}`;
    if (primals < (fastest.get(key)?.primals ?? Number.POSITIVE_INFINITY)) fastest.set(key, point);
  }
  return [...fastest.values()];
}

function chart(report: Report) {
  const values = points(report.rows);
  const tools = [...new Set(values.map(({ tool }) => tool))];
  const problems = [...new Set(values.map(({ problem }) => problem))];
  const y = { field: "problem", type: "nominal", sort: problems, title: null };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    width: 560,
    height: { step: 24 },
    background: "white",
    data: { values },
    layer: [
      {
        mark: { type: "rule", color: "#d1d5db" },
        encoding: {
          y,
          x: { field: "primals", aggregate: "min", type: "quantitative" },
          x2: { field: "primals", aggregate: "max" },
        },
      },
      {
        mark: { type: "rule", color: "#6b7280", strokeDash: [4, 3] },
        encoding: { x: { datum: 1, type: "quantitative" } },
      },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 0.9 },
        encoding: {
          y,
          x: {
            field: "primals",
            type: "quantitative",
            scale: { type: "log" },
            title: "time of value and derivative / time of the function alone in hand-written C++",
          },
          color: { field: "tool", type: "nominal", sort: tools, title: null },
          shape: { field: "tool", type: "nominal", sort: tools, title: null },
        },
      },
    ],
    config: {
      font: "system-ui, sans-serif",
      view: { stroke: null },
      axis: { labelLimit: 400, gridColor: "#f3f4f6" },
      legend: { orient: "top", columns: 5 },
    },
  };
}

/** Draws the report as SVG, without a browser. Says why not, if it can not be. */
export async function draw(file: string, report: Report): Promise<string | undefined> {
  try {
    const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
    const { spec } = vegaLite.compile(chart(report) as never);
    const view = new vega.View(vega.parse(spec), { renderer: "none" });
    writeFileSync(file, `${await view.toSVG()}\n`);
    view.finalize();
    return undefined;
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    return "the drawing: not installed; npm install vega vega-lite";
  }
}
