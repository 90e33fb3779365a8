/** Pages that need nothing from anywhere else: their frame, style, tables and facts. */

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
:root { color-scheme: light; --page: #f3f4f6; --card: #fff; --ink: #1f2937; --pale: #6b7280;
  --line: #e5e7eb; --accent: #c2410c; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 16px 48px; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
.source { color: var(--pale); margin: 4px 0 16px; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 16px 0; padding: 0; list-style: none; }
.facts li, section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.facts li { padding: 10px 14px; }
.facts b { display: block; font-size: 19px; font-variant-numeric: tabular-nums; }
.facts span, figcaption { color: var(--pale); font-size: 13px; }
section { padding: 16px 18px; margin: 0 0 16px; overflow-x: auto; }
figure { margin: 0; }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th { font-weight: 600; color: var(--pale); border-bottom: 2px solid var(--line); white-space: nowrap; }
td { border-bottom: 1px solid var(--line); white-space: nowrap; }
th, td { text-align: right; padding: 6px 10px; }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
td:first-child { font-weight: 600; }
footer { color: var(--pale); font-size: 13px; }
@media print { body { background: #fff; } section, .facts li { break-inside: avoid; } }
`;

export function table(
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

/** Cards with a name and a value each. */
export function facts(list: readonly (readonly [name: string, value: string])[]): string {
  const items = list.map(
    ([name, value]) => `<li><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></li>`,
  );
  return `<ul class="facts">\n${items.join("\n")}\n</ul>`;
}

export interface Page {
  readonly title: string;
  /** Where it is from. */
  readonly source: string | undefined;
  /** Styles beside those of all pages. */
  readonly style: string;
  /** HTML. */
  readonly body: string;
  readonly footer: string;
}

/** The page as a text. It runs no script, and what it may load is nothing. */
export function page({ title, source, style: own, body, footer }: Page): string {
  const from = source === undefined ? "" : `<p class="source">${escapeHtml(source)}</p>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="adjoint">
<title>${escapeHtml(title)}</title>
<style>${style}${own}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${from}
${body}
<footer>${escapeHtml(footer)}</footer>
</main>
</body>
</html>
`;
}
