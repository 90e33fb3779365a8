/** Pictures of sparse patterns and their colorings, as pages. */
import { completed, here, outOfMemory } from "../fail.js";
import { ArgumentError, IndexError, ShapeError } from "../generated/errors.js";
import { escapeHtml, facts, page, table } from "../html.js";
import { describe, oneOf, optionsOf } from "../numbers.js";
import { type Coloring, type ColoringMethod, isOfSymmetric, methods, orders } from "./coloring.js";
import { type Compressed, rowsOf, wholeRowsOf } from "./compress.js";
import { type Grouping, grouped, unpainted } from "./groups.js";
import { paintOf, paletteSize } from "./marks.js";
import type { SparseMatrix } from "./matrix.js";
import { type AnyPattern, isPattern, type PatternRange } from "./pattern.js";
import { picture } from "./picture.js";
import { type PatternArrays, patternFrom } from "./places.js";

export interface SpyOptions {
  /** What `colorPattern` found for this pattern; none by default. */
  readonly coloring?: Coloring;
  /** "Sparsity pattern" by default. */
  readonly title?: string;
  /** Where the matrix is from. */
  readonly source?: string;
}

const style = `
:root { color-scheme: light dark; --mixed: #8a919e; }
main { max-width: 1240px; }
svg { margin: 0 auto; font: 11px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.panel { fill: none; stroke: var(--pale); stroke-width: 1; }
.edge { fill: none; stroke: var(--ink); stroke-width: .7; stroke-dasharray: 3 2; opacity: .7; }
.heading { fill: var(--ink); font-size: 13px; font-weight: 600; }
.range { fill: var(--ink); text-anchor: middle; }
.tick { fill: var(--pale); font-size: 10px; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 12px 0 0; padding: 0; list-style: none;
  font-size: 13px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px;
  vertical-align: -1px; }
figcaption { margin-top: 8px; }
table { width: auto; min-width: 40%; }
td:nth-child(2), th:nth-child(2) { text-align: left; }
@media (prefers-color-scheme: dark) {
  :root { --page: #111827; --card: #1f2937; --ink: #f3f4f6; --pale: #9ca3af; --line: #374151;
    --mixed: #7a8290; }
}
@media print { :root { color-scheme: light; } }
`;

const meaning: Readonly<Record<ColoringMethod, string>> = {
  columns:
    "Columns of one color share no row, so every entry can be read from the columns that are added.",
  rows: "Rows of one color share no column, so every entry can be read from the rows that are added.",
  rowsAndColumns:
    "Every entry can be read where columns of one color are added, or where rows of one color are.",
  distanceTwo:
    "Columns of one color share no row, so every entry can be read from the columns that are added.",
  star: "Of two mirrored entries one can be read from the columns that are added.",
  acyclic: "Entries are computed from the columns that are added, by substitution.",
};

const names: Readonly<Record<ColoringMethod, string>> = {
  columns: "columns",
  rows: "rows",
  rowsAndColumns: "rows and columns",
  distanceTwo: "distance two",
  star: "star",
  acyclic: "acyclic",
};

/** Groups and ranges that are named one by one. */
const mostListed = 36;

function checkColors(name: string, colors: unknown, count: number, mayBeNone: boolean): Int32Array {
  if (!ArrayBuffer.isView(colors) || !(colors instanceof Int32Array)) {
    throw new ArgumentError(`spyHtml: ${name} is an Int32Array, got ${describe(colors)}`, here());
  }
  const copy = new Int32Array(colors);
  if (copy.length !== count && !(mayBeNone && copy.length === 0)) {
    throw new ShapeError(`spyHtml: expected ${count} ${name}, got ${copy.length}`, here());
  }
  const at = copy.findIndex((color) => color < -1 || color >= count);
  if (at < 0) return copy;
  throw new IndexError(`spyHtml: ${name}[${at}] is ${copy[at]}, no color of ${count}`, here());
}

function coloringOf(given: unknown, { rows, columns }: AnyPattern): Omit<Coloring, "count"> {
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError(
      `spyHtml: coloring is what colorPattern found, got ${describe(given)}`,
      here(),
    );
  }
  const coloring = given as { readonly [K in keyof Coloring]?: unknown };
  const method = oneOf("spyHtml", "method", coloring.method, methods);
  const order = oneOf("spyHtml", "order", coloring.order, orders);
  const [byRows, byColumns] = [method === "rows", method !== "rows" && method !== "rowsAndColumns"];
  const columnColors = checkColors("columnColors", coloring.columnColors, columns, !byColumns);
  const rowColors = checkColors("rowColors", coloring.rowColors, rows, !byRows);
  return { method, order, columnColors, rowColors };
}

/** "x[3]", or "column 3" where ranges have no names. */
function nameOf(ranges: readonly PatternRange[], index: number, line: "row" | "column"): string {
  const range = ranges.find(({ start, count }) => index >= start && index < start + count);
  return range === undefined || range.path === ""
    ? `${line} ${index}`
    : `${range.path}[${index - range.start}]`;
}

const plural = (count: number, name: string) => `${count} ${name}${count === 1 ? "" : "s"}`;

function sizesOf(colors: Int32Array, count: number): number[] {
  const sizes = new Array<number>(count).fill(0);
  for (const color of colors) if (color >= 0) sizes[color]!++;
  return sizes;
}

/** A legend of the groups, columns' first. */
function legend(grouping: Grouping, { columnColors, rowColors }: Omit<Coloring, "count">): string {
  const sizes = [
    ...sizesOf(columnColors, grouping.columnGroups).map((size) => plural(size, "column")),
    ...sizesOf(rowColors, grouping.rowGroups).map((size) => plural(size, "row")),
  ];
  const swatch = (group: number, words: string) =>
    `<li><i style="background:${paintOf(group)}"></i>${escapeHtml(words)}</li>`;
  const items = sizes.slice(0, mostListed).map((size, group) => {
    const { columnGroups } = grouping;
    return swatch(group, `${group < columnGroups ? group : group - columnGroups}: ${size}`);
  });
  const painted = [grouping.matrix, grouping.byColumns, grouping.byRows];
  if (painted.some((matrix) => matrix?.groups.includes(-1))) {
    items.push(swatch(-1, "sums of several entries, and what has no color"));
  }
  const left = sizes.length - mostListed;
  if (left > 0) items.push(`<li>and ${left} more</li>`);
  return `<ul class="legend" aria-label="colors">${items.join("\n")}</ul>`;
}

function rangeTable({ outputs, inputs }: AnyPattern): string {
  if (outputs.length + inputs.length === 2 && outputs[0]?.path === "" && inputs[0]?.path === "") {
    return "";
  }
  const rows = [
    ...outputs.map((range) => ({ ...range, kind: "rows" })),
    ...inputs.map((range) => ({ ...range, kind: "columns" })),
  ];
  const cells = rows
    .slice(0, mostListed)
    .map(({ path, kind, start, count }) => [path, kind, String(start), String(count)]);
  const left = rows.length - mostListed;
  const more = left > 0 ? `<p>and ${left} more</p>` : "";
  const head = ["name", "of", "first", "number"];
  return `<section><h2>Rows and columns</h2>${table(cells, head)}${more}</section>`;
}

interface Subject {
  readonly pattern: AnyPattern;
  readonly byRow: Compressed;
  readonly coloring: Omit<Coloring, "count"> | undefined;
  readonly title: string;
  readonly source: string | undefined;
}

/** What is added by these colors. */
function summedBy(pattern: AnyPattern, method: ColoringMethod, byRow: Compressed): Compressed {
  return isOfSymmetric(method) ? wholeRowsOf(pattern) : byRow;
}

function draw({ pattern, byRow, coloring, title, source }: Subject): string {
  const { rows, columns } = pattern;
  const grouping =
    coloring === undefined
      ? { matrix: unpainted(rows, columns, byRow) }
      : grouped(rows, columns, byRow, coloring, summedBy(pattern, coloring.method, byRow));
  const ofColumns = "columnGroups" in grouping ? grouping.columnGroups : 0;
  const colorName = (group: number) =>
    group < ofColumns ? `color ${group} of columns` : `color ${group - ofColumns} of rows`;
  const entries = byRow.indices.length;
  const titleOf = (entry: number) => {
    const { rowIndices, columnIndices, groups } = grouping.matrix;
    const row = nameOf(pattern.outputs, rowIndices[entry]!, "row");
    const column = nameOf(pattern.inputs, columnIndices[entry]!, "column");
    const value = byRow.values.length === 0 ? "" : `: ${byRow.values[entry]}`;
    const group = groups[entry]!;
    const color = coloring === undefined || group < 0 ? "" : `, ${colorName(group)}`;
    return `${row}, ${column}${value}${color}`;
  };
  const { svg, rowsEach, columnsEach } = picture({
    ...pattern,
    colors: coloring,
    grouping,
    titleOf,
  });
  const density = rows * columns === 0 ? 0 : (100 * entries) / (rows * columns);
  const list: [string, string][] = [
    ["rows", String(rows)],
    ["columns", String(columns)],
    ["nonzeros", String(entries)],
    ["of all places", `${Number(density.toPrecision(3))}%`],
  ];
  const words = [];
  if (rowsEach * columnsEach > 1) {
    words.push(
      `A square stands for ${plural(rowsEach, "row")} by ${plural(columnsEach, "column")}, stronger where more of ` +
        "its places are entries, in a color that is frequent there.",
    );
  }
  let key = "";
  if (coloring !== undefined && "columnGroups" in grouping) {
    const { columnGroups, rowGroups } = grouping;
    list.push(
      ["colors", String(columnGroups + rowGroups)],
      ["method", names[coloring.method]],
      ["order", coloring.order],
    );
    words.unshift(meaning[coloring.method]);
    if (columnGroups + rowGroups > paletteSize) {
      words.push(`After ${paletteSize} colors the picture's begin again.`);
    }
    key = legend(grouping, coloring);
  }
  if (pattern.triangle !== "full") {
    words.push(`The entries are the ${pattern.triangle} triangle of a symmetric matrix.`);
  }
  return page({
    title,
    source,
    style,
    body: `${facts(list)}
<section><figure>
${svg}
${key}
<figcaption>${escapeHtml(words.join(" "))}</figcaption>
</figure></section>
${rangeTable(pattern)}`,
    footer: "Drawn by adjoint.",
  });
}

const isMatrix = (of: unknown): of is SparseMatrix =>
  typeof of === "object" &&
  of !== null &&
  "pattern" in of &&
  isPattern(of.pattern as object) &&
  "values" in of;

/**
 * A picture of a pattern as one HTML page that loads nothing and runs no script: its entries, and with a coloring the group of
 * each, the compressed matrix and a legend. Patterns of more than 600 rows or columns, or 100,000 entries, are drawn with
 * squares that stand for several.
 * @throws ArgumentError for what is no pattern or coloring, and malformed options; ShapeError and IndexError for a pattern whose
 * arrays do not fit each other, or a coloring that does not fit the pattern.
 */
export function spyHtml(of: PatternArrays | SparseMatrix, options?: SpyOptions): string {
  const given = optionsOf("spyHtml", options, ["coloring", "title", "source"]);
  for (const name of ["title", "source"] as const) {
    const text = given[name];
    if (text === undefined || typeof text === "string") continue;
    throw new ArgumentError(`spyHtml: ${name} is a text, got ${describe(text)}`, here());
  }
  try {
    const matrix = isMatrix(of) ? of : undefined;
    const pattern = patternFrom("spyHtml", matrix === undefined ? of : matrix.pattern);
    const { coloring } = given;
    return draw({
      pattern,
      byRow: rowsOf(pattern, matrix?.values),
      coloring: coloring === undefined ? undefined : coloringOf(coloring, pattern),
      title: (given.title as string | undefined) ?? "Sparsity pattern",
      source: given.source as string | undefined,
    });
  } catch (error) {
    throw completed(outOfMemory(error), "spyHtml");
  }
}
