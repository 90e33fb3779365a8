/** A result as one page that needs nothing from anywhere else. */

import { ArgumentError } from "../generated/errors.js";
import { type Chart, chartsOf } from "./charts.js";
import { drawChart } from "./draw.js";
import { FitResult } from "./result.js";
import { parameterTable, statisticsTable } from "./text.js";

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

const style = `
:root { color-scheme: light; --ink: #1f2937; --pale: #6b7280; --line: #e5e7eb; --accent: #c2410c; }
* { box-sizing: border-box; }
body { margin: 0; background: #f3f4f6; color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 16px 48px; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
.source { color: var(--pale); margin: 4px 0 16px; overflow-wrap: anywhere; }
.model { font: 14px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #fff;
  border: 1px solid var(--line); border-left: 4px solid var(--accent); border-radius: 6px;
  padding: 10px 14px; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 16px 0; padding: 0; list-style: none; }
.facts li, section { background: #fff; border: 1px solid var(--line); border-radius: 8px; }
.facts li { padding: 10px 14px; }
.facts b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.facts span, figcaption { color: var(--pale); font-size: 13px; }
section { padding: 16px 18px; margin: 0 0 16px; overflow-x: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 16px; }
.pair section { min-width: 0; }
figure { margin: 0; }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { font-weight: 600; color: var(--pale); border-bottom: 2px solid var(--line); white-space: nowrap; }
td { border-bottom: 1px solid var(--line); white-space: nowrap; }
th, td { text-align: right; padding: 6px 10px; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
td:first-child { font-weight: 600; }
.statistics { width: auto; min-width: 60%; }
.statistics td:first-child { font-weight: 400; color: var(--pale); }
.warning { background: #fffbeb; border-color: #fcd34d; margin: 0 0 12px; padding: 10px 14px; }
footer { color: var(--pale); font-size: 13px; }
@media print { body { background: #fff; } section, .facts li { break-inside: avoid; } }
`;

function table(
  rows: readonly (readonly string[])[],
  head: readonly string[] = [],
  name = "",
): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const top = head.length === 0 ? "" : `<thead>${cells("th", head)}</thead>`;
  const body = rows.map((row) => cells("td", row)).join("\n");
  return `<table class="${name}">${top}<tbody>\n${body}\n</tbody></table>`;
}

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
  const title = String(options.title ?? `Fit of ${result.response}`);
  const [head, ...rows] = parameterTable(result);
  const statistics = statisticsTable(result);
  const facts = statistics
    .filter(([name]) => shown.includes(name))
    .map(([name, value]) => {
      const text = name === "iterations" ? String(result.statistics.iterations) : value;
      return `<li><b>${escapeHtml(text)}</b><span>${escapeHtml(name)}</span></li>`;
    });
  const warnings = result.warnings.map(
    (warning) => `<section class="warning" role="note">${escapeHtml(warning)}</section>`,
  );
  const source =
    options.source === undefined
      ? ""
      : `<p class="source">${escapeHtml(String(options.source))}</p>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="adjoint">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${source}
<p class="model">${escapeHtml(`${result.response} ~ ${result.model}`)}</p>
<ul class="facts">
${facts.join("\n")}
</ul>
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
</section>
<footer>Fitted by adjoint: Levenberg-Marquardt with exact Jacobians.</footer>
</main>
</body>
</html>
`;
}
