/** A result as one page that needs nothing from anywhere else. */

import { ArgumentError } from "../generated/errors.js";
import { escapeHtml, facts, page, table } from "../html.js";
import { type Chart, chartsOf } from "./charts.js";
import { drawChart } from "./draw.js";
import { FitResult } from "./result.js";
import { parameterTable, statisticsTable } from "./text.js";

const style = `
.model { font: 14px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #fff;
  border: 1px solid var(--line); border-left: 4px solid var(--accent); border-radius: 6px;
  padding: 10px 14px; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 16px; }
.pair section { min-width: 0; }
.statistics { width: auto; min-width: 60%; }
.statistics td:first-child { font-weight: 400; color: var(--pale); }
.warning { background: #fffbeb; border-color: #fcd34d; margin: 0 0 12px; padding: 10px 14px; }
`;

const shown = ["observations", "residual std. error", "R squared", "AIC", "iterations"];

/** What a report is called and where its data is from. */
export interface ReportOptions {
  readonly title?: string;
  readonly source?: string;
}

async function drawAll(charts: readonly Chart[]): Promise<string> {
  const sections = charts.map(async (chart) => {
    const svg = await drawChart(chart);
    const label = escapeHtml(`${chart.title}. ${chart.caption}`);
    return (
      `<section><h2>${escapeHtml(chart.title)}</h2>` +
      `<figure role="img" aria-label="${label}">${svg}` +
      `<figcaption>${escapeHtml(chart.caption)}</figcaption></figure></section>`
    );
  });
  return (await Promise.all(sections)).join("\n");
}

/**
 * The result as an HTML page: charts (drawn to SVG with Vega), the table of parameters, the statistics.
 * It loads nothing and runs no script.
 * @throws ArgumentError when the packages vega and vega-lite are not installed
 */
export async function htmlReport(result: FitResult, options: ReportOptions = {}): Promise<string> {
  if (!(result instanceof FitResult)) {
    throw new ArgumentError("htmlReport: expected the result of a fit");
  }
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError("htmlReport: expected options");
  }
  const charts = chartsOf(result);
  const wide = await drawAll(charts.filter(({ isWide }) => isWide));
  const narrow = await drawAll(charts.filter(({ isWide }) => !isWide));
  const [head, ...rows] = parameterTable(result);
  const statistics = statisticsTable(result);
  const most = statistics
    .filter(([name]) => shown.includes(name))
    .map(([name, value]): [string, string] => [
      name,
      name === "iterations" ? String(result.statistics.iterations) : value,
    ]);
  const warnings = result.warnings.map(
    (warning) => `<section class="warning" role="note">${escapeHtml(warning)}</section>`,
  );
  return page({
    title: String(options.title ?? `Fit of ${result.response}`),
    source: options.source === undefined ? undefined : String(options.source),
    style,
    body: `<p class="model">${escapeHtml(`${result.response} ~ ${result.model}`)}</p>
${facts(most)}
${warnings.join("\n")}
${wide}
<section><h2>Parameters</h2>
${table(rows, head)}
</section>
<div class="pair">
${narrow}
</div>
<section><h2>Statistics</h2>
${table(statistics, [], "statistics")}
</section>`,
    footer: "Fitted by adjoint: Levenberg-Marquardt with exact Jacobians.",
  });
}
