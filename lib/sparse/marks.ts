/** What pictures of matrices are made of: squares, strips of colors, names and numbers along the sides. */
import { escapeHtml } from "../html.js";
import { type Bins, binned, levels } from "./bins.js";
import type { Painted } from "./groups.js";
import type { PatternRange } from "./pattern.js";

/** Seen on white as on black; then they begin again. */
const palette = [
  ...["#2b7ad6", "#c25600", "#299236", "#c74a51", "#915dc5", "#009597"],
  ...["#9f7300", "#b54d98", "#6f8700", "#6a6bdc", "#00895f", "#d83c7c"],
];

export const paletteSize = palette.length;

/** The color of a group; of none, what is mixed. */
export const paintOf = (group: number): string =>
  group < 0 ? "var(--mixed)" : palette[group % palette.length]!;

/** Pixels. */
const strip = 8;
const characterWidth = 6.2;
const headingWidth = 8;
/** Smaller ranges are not shown. */
const thinnestRange = 4;
/** From a panel to what is written beside it. */
export const margin = strip + 8;

/** A place on the picture. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Side = "top" | "left";

const round = (value: number) => String(Math.round(value * 100) / 100);

const text = (x: number, y: number, content: string, attributes: string): string =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeHtml(content)}</text>`;

export function heading(x: number, y: number, content: string): { mark: string; width: number } {
  return { mark: text(x, y, content, 'class="heading"'), width: content.length * headingWidth };
}

/** A border around what it frames, above none of it. */
const frame = ({ x, y, width, height }: Box) =>
  `<rect class="panel" x="${round(x - 1)}" y="${round(y - 1)}" width="${round(width + 2)}" height="${round(height + 2)}"/>`;

/** Paths in units of squares, so many to a side. */
function scaled(box: Box, { rows, columns }: Pick<Bins, "rows" | "columns">, paths: string[]) {
  const [across, down] = [box.width / Math.max(columns, 1), box.height / Math.max(rows, 1)];
  const sharp = Math.min(across, down) < 4 ? ' shape-rendering="crispEdges"' : "";
  const place = `translate(${round(box.x)} ${round(box.y)}) scale(${across} ${down})`;
  return `${frame(box)}<g transform="${place}"${sharp}>${paths.join("\n")}</g>`;
}

const titled = (attributes: string, title: string) =>
  `<path ${attributes}><title>${escapeHtml(title)}</title></path>`;

export function squares(box: Box, bins: Bins, titleOf: (group: number) => string): string {
  const paths = [...bins.paths]
    .sort(([a], [b]) => a - b)
    .flatMap(([group, byLevel]) =>
      [...byLevel].map(([level, path]) => {
        const opacity = (0.4 + (0.6 * level) / levels).toFixed(2);
        const pale = level === levels ? "" : ` fill-opacity="${opacity}"`;
        return titled(`fill="${paintOf(group)}"${pale} d="${path}"`, titleOf(group));
      }),
    );
  return scaled(box, bins, paths);
}

/** The same where each entry says what it is. */
export function entries(box: Box, matrix: Painted, titleOf: (entry: number) => string): string {
  const { rowIndices, columnIndices } = matrix;
  const paths = Array.from(matrix.groups, (group, k) => {
    const corner = `${columnIndices[k]! + 0.06} ${rowIndices[k]! + 0.06}`;
    return titled(`fill="${paintOf(group)}" d="M${corner}h.88v.88h-.88z"`, titleOf(k));
  });
  return scaled(box, matrix, paths);
}

/** The colors of rows or columns, along a side. */
export function colorStrip(box: Box, groups: Int32Array, linesEach: number, side: Side): string {
  const isTop = side === "top";
  const zeros = new Int32Array(groups.length);
  const lines = zeros.map((_, line) => line);
  const line = isTop
    ? { rows: 1, columns: groups.length, rowIndices: zeros, columnIndices: lines, groups }
    : { rows: groups.length, columns: 1, rowIndices: lines, columnIndices: zeros, groups };
  const bins = isTop ? binned(line, 1, linesEach, 0) : binned(line, linesEach, 1, 0);
  const own = isTop
    ? { ...box, y: box.y - strip - 3, height: strip }
    : { ...box, x: box.x - strip - 3, width: strip };
  return squares(own, bins, (group) => (group < 0 ? "no color" : "a color"));
}

/** A text cut to so many pixels; "" where there is no room. */
function fitted(content: string, pixels: number): string {
  const most = Math.floor(pixels / characterWidth);
  if (content.length <= most) return content;
  return most < 3 ? "" : `${content.slice(0, most - 1)}…`;
}

/** Where ranges of rows or columns are, and what they are called. */
export function ranges(box: Box, list: readonly PatternRange[], total: number, side: Side): string {
  const { x, y, width, height } = box;
  const isTop = side === "top";
  const lines = isTop ? "columns" : "rows";
  const each = (isTop ? width : height) / Math.max(total, 1);
  return list
    .filter(({ count }) => list.length === 1 || each * count >= thinnestRange)
    .map(({ path, start, count }) => {
      const [from, pixels] = [each * start, each * count];
      const name = path === "" ? lines : path;
      const label = list.length === 1 ? name : fitted(name, pixels - 2);
      const middle = from + pixels / 2;
      const [cx, cy] = isTop ? [x + middle, y - margin] : [x - margin, y + middle];
      const turn = isTop ? "" : ` transform="rotate(-90 ${round(cx)} ${round(cy)})"`;
      const line = isTop
        ? `M${round(x + from)} ${round(y - margin + 4)}V${round(y + height)}`
        : `M${round(x - margin + 4)} ${round(y + from)}H${round(x + width)}`;
      const edge = start === 0 ? "" : `<path class="edge" d="${line}"/>`;
      const title = escapeHtml(`${name}: ${count} ${lines} from ${start} on`);
      return `<g><title>${title}</title>${edge}${text(cx, cy, label, `class="range"${turn}`)}</g>`;
    })
    .join("\n");
}

/** The first and the last number of rows and columns, and the pixels that they take at the right. */
export function ticks({ x, y, width, height }: Box, rows: number, columns: number) {
  const [below, right] = [y + height + 13, x + width + 5];
  const tick = 'class="tick"';
  const marks = [
    columns > 0 ? text(x, below, "0", tick) : "",
    columns > 1 ? text(x + width, below, String(columns - 1), `${tick} text-anchor="end"`) : "",
    rows > 0 ? text(right, y + 9, "0", tick) : "",
    rows > 1 ? text(right, y + height, String(rows - 1), tick) : "",
  ];
  return { mark: marks.join(""), width: 5 + characterWidth * String(rows).length };
}
