/** Entries as shapes: each a square, or many of them one. */
import type { Painted } from "./groups.js";

/** Squares to draw, in units of `rows` by `columns` of them. */
export interface Bins {
  readonly rows: number;
  readonly columns: number;
  /** How many rows and columns of the matrix one of them is. */
  readonly rowsEach: number;
  readonly columnsEach: number;
  /** SVG path data by group, which may be -1, and by how full the squares are, from 1 to `levels`. */
  readonly paths: ReadonlyMap<number, ReadonlyMap<number, string>>;
}

export const levels = 4;

/** Above so many entries an axis has at most `fewLines` squares, and `mostLines` in any case. */
const mostEntries = 100_000;
const fewLines = 300;
const mostLines = 600;

/** Lines of a matrix to a square. */
export function linesEach(lines: number, entries: number): number {
  return Math.max(1, Math.ceil(lines / (entries > mostEntries ? fewLines : mostLines)));
}

const square = (row: number, column: number, width: number, gap: number) =>
  gap === 0
    ? `M${column} ${row}h${width}v1h-${width}z`
    : `M${column + gap} ${row + gap}h${1 - 2 * gap}v${1 - 2 * gap}h-${1 - 2 * gap}z`;

/**
 * The squares of a matrix. One that has several entries has the group that most of them are of, where there is one (R. S.
 * Boyer and J S. Moore, MJRTY, 1991), else one of theirs.
 * @param gap between squares, which are one where there is none
 */
export function binned(
  { rows, columns, rowIndices, columnIndices, groups }: Painted,
  rowsEach: number,
  columnsEach: number,
  gap: number,
): Bins {
  const [binRows, binColumns] = [Math.ceil(rows / rowsEach), Math.ceil(columns / columnsEach)];
  const counts = new Int32Array(binRows * binColumns);
  const group = new Int32Array(counts.length);
  const votes = new Int32Array(counts.length);
  for (let k = 0; k < groups.length; k++) {
    const row = Math.floor(rowIndices[k]! / rowsEach);
    const bin = row * binColumns + Math.floor(columnIndices[k]! / columnsEach);
    counts[bin]!++;
    if (votes[bin] === 0) group[bin] = groups[k]!;
    votes[bin]! += group[bin] === groups[k] ? 1 : -1;
  }
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const levelOf = (bin: number) => Math.ceil(levels * Math.sqrt(counts[bin]! / most));
  const parts = new Map<number, Map<number, string[]>>();
  for (let row = 0; row < binRows; row++) {
    for (let column = 0; column < binColumns; column++) {
      const bin = row * binColumns + column;
      if (counts[bin] === 0) continue;
      const level = levelOf(bin);
      let width = 1;
      const isSame = (other: number) =>
        counts[other]! > 0 && group[other] === group[bin] && levelOf(other) === level;
      while (gap === 0 && column + width < binColumns && isSame(bin + width)) width++;
      const ofGroup = parts.get(group[bin]!) ?? new Map<number, string[]>();
      parts.set(group[bin]!, ofGroup);
      const ofLevel = ofGroup.get(level) ?? [];
      ofGroup.set(level, ofLevel);
      ofLevel.push(square(row, column, width, gap));
      column += width - 1;
    }
  }
  const paths = new Map(
    [...parts].map(([key, ofGroup]) => [
      key,
      new Map([...ofGroup].map(([level, list]) => [level, list.join("")])),
    ]),
  );
  return { rows: binRows, columns: binColumns, rowsEach, columnsEach, paths };
}
