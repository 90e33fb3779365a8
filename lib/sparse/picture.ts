/** A pattern as SVG: its entries in the colors of their groups, and the compressed matrices beside it. */
import { escapeHtml } from "../html.js";
import { type Bins, binned, linesEach } from "./bins.js";
import type { Colors, Grouping, Painted } from "./groups.js";
import {
  type Box,
  colorStrip,
  entries,
  heading,
  margin,
  ranges,
  type Side,
  squares,
  ticks,
} from "./marks.js";
import type { PatternRange } from "./pattern.js";

/** Pixels. */
const widest = 560;
const thinnest = 36;
const largestSquare = 22;
const between = 28;
/** From a heading to its panel, with names of ranges between them or without. */
const aboveNames = margin + 24;
const aboveNone = 14;
/** Squares of this size and larger are apart. */
const apart = 5;
/** So few entries say each what it is. */
const mostSaid = 1000;

export interface Drawing {
  readonly outputs: readonly PatternRange[];
  readonly inputs: readonly PatternRange[];
  readonly colors: Colors | undefined;
  readonly grouping: Grouping | { readonly matrix: Painted };
  /** What an entry of the matrix is. */
  readonly titleOf: (entry: number) => string;
}

export interface Picture {
  readonly svg: string;
  /** How many rows and columns of the matrix a square is. */
  readonly rowsEach: number;
  readonly columnsEach: number;
}

/** Pixels of a side of the matrix. */
function sideOf(lines: number, others: number): number {
  const each = Math.min(largestSquare, widest / Math.max(lines, others, 1));
  return Math.min(widest, Math.max(thinnest, lines * each));
}

/** Pixels of the side of a compressed matrix: as many a line as the matrix has, or what can be seen. */
function compressedSide(groups: number, each: number): number {
  return Math.min(widest, Math.max(thinnest, groups * Math.max(each, Math.min(14, 260 / groups))));
}

/** Groups one after another. */
const sequence = (count: number, first: number) => new Int32Array(count).map((_, k) => first + k);

/** Colors as groups, of which `first` are others. */
const groupsOf = (colors: Int32Array, first: number) =>
  colors.map((color) => (color < 0 ? -1 : first + color));

class Canvas {
  private readonly parts: string[] = [];
  private right = 0;
  private bottom = 0;

  add(...marks: string[]): void {
    this.parts.push(...marks);
  }

  /** A matrix with its heading, numbers and colors; returns the pixels to the right that it takes. */
  panel(box: Box, matrix: Painted, title: string, marks: string, above: number): number {
    const { mark, width } = heading(box.x, box.y - above, title);
    const numbers = ticks(box, matrix.rows, matrix.columns);
    this.parts.push(mark, marks, numbers.mark);
    const taken = Math.max(box.width + numbers.width, width);
    this.right = Math.max(this.right, box.x + taken);
    this.bottom = Math.max(this.bottom, box.y + box.height + 20);
    return box.x + taken;
  }

  get end(): number {
    return this.bottom;
  }

  svg(title: string, description: string): string {
    const [width, height] = [Math.ceil(this.right) + 4, Math.ceil(this.bottom)];
    return `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="picture-title picture-description">
<title id="picture-title">${escapeHtml(title)}</title>
<desc id="picture-description">${escapeHtml(description)}</desc>
${this.parts.join("\n")}
</svg>`;
  }
}

/** What the squares of a group say. */
function titles(columnGroups: number, isColored: boolean): (group: number) => string {
  return (group) => {
    if (group < 0) return "sums of several entries, or what has no color";
    if (!isColored) return "entries";
    return group < columnGroups
      ? `from columns of color ${group}`
      : `from rows of color ${group - columnGroups}`;
  };
}

export function picture(drawing: Drawing): Picture {
  const { outputs, inputs, colors, grouping, titleOf } = drawing;
  const { matrix } = grouping;
  const { rows, columns } = matrix;
  const count = matrix.groups.length;
  const [rowsEach, columnsEach] = [linesEach(rows, count), linesEach(columns, count)];
  const main: Box = {
    ...{ x: margin + 14, y: 16 + aboveNames },
    ...{ width: sideOf(columns, rows), height: sideOf(rows, columns) },
  };
  const [across, down] = [main.width / Math.max(columns, 1), main.height / Math.max(rows, 1)];
  const isLarge = Math.min(across, down) >= apart;
  const isColored = colors !== undefined && "columnGroups" in grouping;
  const columnGroups = isColored ? grouping.columnGroups : 0;
  const groupTitle = titles(columnGroups, isColored);
  const draw = (box: Box, painted: Painted, rowsTo: number, columnsTo: number) => {
    const bins: Bins = binned(painted, rowsTo, columnsTo, isLarge ? 0.06 : 0);
    return squares(box, bins, groupTitle);
  };
  const canvas = new Canvas();
  const all =
    isLarge && count <= mostSaid
      ? entries(main, matrix, titleOf)
      : draw(main, matrix, rowsEach, columnsEach);
  const strips = (box: Box, groups: Int32Array, each: number, side: Side) =>
    groups.some((group) => group >= 0) ? colorStrip(box, groups, each, side) : "";
  const right = canvas.panel(main, matrix, `A: ${rows} × ${columns}`, all, aboveNames);
  if (isColored) {
    const { byColumns, byRows, rowGroups } = grouping;
    const bottom = canvas.end;
    canvas.add(
      strips(main, groupsOf(colors.columnColors, 0), columnsEach, "top"),
      strips(main, groupsOf(colors.rowColors, columnGroups), rowsEach, "left"),
    );
    if (byColumns !== undefined && columnGroups > 0) {
      const box = { ...main, x: right + between, width: compressedSide(columnGroups, across) };
      const each = linesEach(columnGroups, count);
      const title = `A by columns: ${rows} × ${columnGroups}`;
      canvas.panel(box, byColumns, title, draw(box, byColumns, rowsEach, each), aboveNames);
      canvas.add(strips(box, sequence(columnGroups, 0), each, "top"));
    }
    if (byRows !== undefined && rowGroups > 0) {
      const y = bottom + aboveNone + 24;
      const box = { ...main, y, height: compressedSide(rowGroups, down) };
      const each = linesEach(rowGroups, count);
      const title = `A by rows: ${rowGroups} × ${columns}`;
      canvas.panel(box, byRows, title, draw(box, byRows, each, columnsEach), aboveNone);
      canvas.add(strips(box, sequence(rowGroups, columnGroups), each, "left"));
    }
  }
  canvas.add(ranges(main, inputs, columns, "top"), ranges(main, outputs, rows, "left"));
  const svg = canvas.svg(
    `A matrix of ${rows} rows and ${columns} columns with ${count} entries`,
    isColored
      ? "Its entries in the colors of their groups, and beside them the compressed matrix."
      : "A square for every entry.",
  );
  return { svg, rowsEach, columnsEach };
}
