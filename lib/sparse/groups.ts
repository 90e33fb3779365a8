/** What a coloring makes of a matrix: which group each entry is read from, and the compressed matrices. */
import { type Compressed, compress, expanded } from "./compress.js";

/** Colors of rows and columns, -1 for those that have none. */
export interface Colors {
  /** By column, or none. */
  readonly columnColors: Int32Array;
  /** By row, or none. */
  readonly rowColors: Int32Array;
}

/** A matrix whose entries have a group each: a color of columns, or after those one of rows. */
export interface Painted {
  readonly rows: number;
  readonly columns: number;
  readonly rowIndices: Int32Array;
  readonly columnIndices: Int32Array;
  /** -1: none; of a compressed matrix, what is the sum of several entries. */
  readonly groups: Int32Array;
}

export interface Grouping {
  readonly columnGroups: number;
  readonly rowGroups: number;
  readonly matrix: Painted;
  /** Rows by colors of columns. */
  readonly byColumns: Painted | undefined;
  /** Colors of rows by columns. */
  readonly byRows: Painted | undefined;
}

export function colorsOf(colors: Int32Array): number {
  return colors.reduce((most, color) => Math.max(most, color), -1) + 1;
}

/** Lines whose entries are added where their colors are the same: a list of sums, with how many entries each has. */
function compressedLines({ starts, indices }: Compressed, colors: Int32Array, count: number) {
  const lines = new Int32Array(indices.length);
  const groups = new Int32Array(indices.length);
  const terms = new Int32Array(indices.length);
  const place = new Int32Array(count).fill(-1);
  let sums = 0;
  for (let line = 0; line + 1 < starts.length; line++) {
    const first = sums;
    for (let k = starts[line]!; k < starts[line + 1]!; k++) {
      const color = colors[indices[k]!]!;
      if (color < 0) continue;
      // Sums of earlier lines have places before this line's first.
      if (place[color]! < first) {
        place[color] = sums;
        lines[sums] = line;
        groups[sums++] = color;
      }
      terms[place[color]!]!++;
    }
  }
  return {
    lines: lines.subarray(0, sums),
    colors: groups.subarray(0, sums),
    terms: terms.subarray(0, sums),
  };
}

/** Groups of sums: those of one entry have that of their color. */
const groupsOf = ({ colors, terms }: ReturnType<typeof compressedLines>, first: number) =>
  colors.map((color, k) => (terms[k] === 1 ? first + color : -1));

/** Whether each entry is alone in its row among those of its column's color. */
function isAlone({ starts, indices }: Compressed, colors: Int32Array, count: number): Uint8Array {
  const result = new Uint8Array(indices.length);
  const seen = new Int32Array(count);
  for (let line = 0; line + 1 < starts.length; line++) {
    const [first, end] = [starts[line]!, starts[line + 1]!];
    for (let k = first; k < end; k++) {
      const color = colors[indices[k]!]!;
      if (color >= 0) seen[color]!++;
    }
    for (let k = first; k < end; k++) {
      const color = colors[indices[k]!]!;
      result[k] = color >= 0 && seen[color] === 1 ? 1 : 0;
    }
    for (let k = first; k < end; k++) {
      const color = colors[indices[k]!]!;
      if (color >= 0) seen[color] = 0;
    }
  }
  return result;
}

/** The group of every entry: its column's color where it can be read there, else its row's. */
function paint(byRow: Compressed, rowIndices: Int32Array, colors: Colors, columnGroups: number) {
  const { columnColors, rowColors } = colors;
  const columnIndices = byRow.indices;
  if (rowColors.length === 0) {
    // Of mirrored entries the one in a column with a color is read.
    return columnIndices.map((column, k) => {
      const color = columnColors[column]!;
      return color >= 0 ? color : (columnColors[rowIndices[k]!] ?? -1);
    });
  }
  const rowGroup = (row: number) => {
    const color = rowColors[row]!;
    return color < 0 ? -1 : columnGroups + color;
  };
  if (columnColors.length === 0) return rowIndices.map(rowGroup);
  const isRead = isAlone(byRow, columnColors, columnGroups);
  return columnIndices.map((column, k) =>
    isRead[k] === 1 ? columnColors[column]! : rowGroup(rowIndices[k]!),
  );
}

/** The entries without groups. */
export function unpainted(rows: number, columns: number, { starts, indices }: Compressed): Painted {
  const groups = new Int32Array(indices.length);
  return { rows, columns, rowIndices: expanded(starts), columnIndices: indices, groups };
}

/**
 * What a coloring makes of these entries.
 * @param summed the entries that are added where rows or columns are: of a triangle all of the symmetric matrix
 */
export function grouped(
  rows: number,
  columns: number,
  byRow: Compressed,
  colors: Colors,
  summed = byRow,
): Grouping {
  const { columnColors, rowColors } = colors;
  const [columnGroups, rowGroups] = [colorsOf(columnColors), colorsOf(rowColors)];
  const shape = { rows, columns, rowIndices: expanded(byRow.starts), columnIndices: byRow.indices };
  const matrix = { ...shape, groups: paint(byRow, shape.rowIndices, colors, columnGroups) };
  let byColumns: Painted | undefined;
  let byRows: Painted | undefined;
  if (columnColors.length > 0) {
    const sums = compressedLines(summed, columnColors, columnGroups);
    byColumns = {
      ...{ rows, columns: columnGroups, groups: groupsOf(sums, 0) },
      ...{ rowIndices: sums.lines, columnIndices: sums.colors },
    };
  }
  if (rowColors.length > 0) {
    const byColumn = compress(shape, new Float64Array(0), "columns");
    const sums = compressedLines(byColumn, rowColors, rowGroups);
    byRows = {
      ...{ rows: rowGroups, columns, groups: groupsOf(sums, columnGroups) },
      ...{ rowIndices: sums.colors, columnIndices: sums.lines },
    };
  }
  return { columnGroups, rowGroups, matrix, byColumns, byRows };
}
