/** Sparse matrices in the Matrix Market exchange format: reading. */
import { completed, here, outOfMemory } from "../fail.js";
import { ArgumentError, type DataError } from "../generated/errors.js";
import { allocate, describe, oneOf, optionsOf, shown } from "../numbers.js";
import { type Coordinates, compress } from "./compress.js";
import { type Header, Reader, readHeader } from "./market-lines.js";
import { SparseMatrix } from "./matrix.js";
import {
  formats,
  type PatternOf,
  patternIn,
  type SparseFormat,
  type Triangle,
  triangles,
  wholeRanges,
} from "./pattern.js";
import { maxIndex } from "./places.js";

export interface MarketOptions<F extends SparseFormat = SparseFormat> {
  /** "csr" by default; "coo" has the entries in the order of the text. */
  readonly format?: F;
  /** "full" by default; of a symmetric matrix it may be a half, as the text has it. */
  readonly triangle?: Triangle;
  /** What messages call the text: a file's name. */
  readonly source?: string;
}

/** Entries in the order of the text, both of mirrored ones one after the other. */
interface Entries extends Coordinates {
  readonly values: Float64Array;
}

/** Collects entries, and with them those that mirror them. */
class Collector {
  private readonly rowIndices: Int32Array;
  private readonly columnIndices: Int32Array;
  private readonly values: Float64Array;
  private count = 0;

  constructor(
    private readonly shape: { readonly rows: number; readonly columns: number },
    entries: number,
    private readonly sign: -1 | 0 | 1,
  ) {
    const room = sign === 0 ? entries : 2 * entries;
    this.rowIndices = new Int32Array(room);
    this.columnIndices = new Int32Array(room);
    this.values = allocate(room, "parseMatrixMarket");
  }

  add(row: number, column: number, value: number): void {
    this.put(row, column, value);
    if (this.sign !== 0 && row !== column) this.put(column, row, this.sign * value);
  }

  private put(row: number, column: number, value: number): void {
    this.rowIndices[this.count] = row;
    this.columnIndices[this.count] = column;
    this.values[this.count++] = value;
  }

  entries(): Entries {
    return {
      ...this.shape,
      rowIndices: this.rowIndices.slice(0, this.count),
      columnIndices: this.columnIndices.slice(0, this.count),
      values: this.values.slice(0, this.count),
    };
  }
}

function checkSquare(reader: Reader, { symmetry }: Header, rows: number, columns: number): void {
  if (symmetry === "general" || rows === columns) return;
  throw reader.fail(`a ${symmetry} matrix is square, not ${rows} x ${columns}`);
}

function readCoordinates(reader: Reader, kind: Header, sign: -1 | 0 | 1): Entries {
  const [rows, columns, count] = reader.sizes(["rows", "columns", "entries"]) as [
    ...[number, number, number],
  ];
  checkSquare(reader, kind, rows, columns);
  const { field, symmetry } = kind;
  const isPattern = field === "pattern";
  // As many as there is text for: no more memory for a number that is too large.
  const room = Math.min(count, reader.room(isPattern ? 4 : 6));
  if (sign !== 0 && 2 * room > maxIndex) {
    throw reader.limit(`${2 * room} entries with the mirrored ones are more than ${maxIndex}`);
  }
  const entries = new Collector({ rows, columns }, room, sign);
  for (let k = 0; k < count; k++) {
    const words = reader.words();
    if (words === undefined) {
      throw reader.fail(`the text ends after ${k} of ${count} entries`);
    }
    if (words.length !== (isPattern ? 2 : 3)) {
      const expected = `row, column${isPattern ? "" : " and value"}`;
      throw reader.fail(`expected ${expected}, got ${shown(words.join(" "))}`);
    }
    const row = reader.index(words[0]!, "the row", rows);
    const column = reader.index(words[1]!, "the column", columns);
    if (symmetry !== "general" && column > row) {
      throw reader.fail(`an entry of a ${symmetry} matrix is not above its diagonal`);
    }
    if (symmetry === "skew-symmetric" && column === row) {
      throw reader.fail("a skew-symmetric matrix has no entries on its diagonal");
    }
    entries.add(row, column, isPattern ? 1 : reader.number(words[2]!, field));
  }
  reader.expectEnd(count, "entries");
  return entries.entries();
}

function readArray(reader: Reader, kind: Header, sign: -1 | 0 | 1): Entries {
  const [rows, columns] = reader.sizes(["rows", "columns"]) as [number, number];
  checkSquare(reader, kind, rows, columns);
  const { field, symmetry } = kind;
  const off = { general: undefined, symmetric: 0, "skew-symmetric": 1 }[symmetry];
  const count = off === undefined ? rows * columns : (rows * (rows + 1)) / 2 - off * rows;
  const room = Math.min(count, reader.room(2));
  if ((sign === 0 ? 1 : 2) * room > maxIndex) {
    throw reader.limit(`${count} values are more than ${maxIndex}`);
  }
  const entries = new Collector({ rows, columns }, room, sign);
  let read = 0;
  for (let column = 0; column < columns; column++) {
    for (let row = off === undefined ? 0 : column + off; row < rows; row++, read++) {
      const words = reader.words();
      if (words === undefined) throw reader.fail(`the text ends after ${read} of ${count} values`);
      if (words.length !== 1) {
        throw reader.fail(`expected one value, got ${shown(words.join(" "))}`);
      }
      const value = reader.number(words[0]!, field);
      if (!Object.is(value, 0)) entries.add(row, column, value);
    }
  }
  reader.expectEnd(count, "values");
  return entries.entries();
}

/** The error of an entry that is there twice; which lines have it is found by reading once more. */
function repeated(text: string, source: string, row: number, column: number): DataError {
  const reader = new Reader(text, source);
  reader.read();
  reader.sizes(["rows", "columns", "entries"]);
  let first: number | undefined;
  for (let words = reader.words(); words !== undefined; words = reader.words()) {
    if (Number(words[0]) !== row + 1 || Number(words[1]) !== column + 1) continue;
    if (first !== undefined) break;
    first = reader.line;
  }
  return reader.fail(`row ${row + 1}, column ${column + 1} is there already, at line ${first}`);
}

/** The entries in a format; those whose place another one has are told. */
function assembled(
  entries: Entries,
  format: SparseFormat,
  triangle: Triangle,
  onRepeat: (entry: number) => void,
): SparseMatrix {
  const { rows, columns, rowIndices, columnIndices } = entries;
  const common = { rows, columns, triangle, ...wholeRanges(rows, columns) };
  const by = format === "csc" ? "columns" : "rows";
  const { starts, indices, values } = compress(entries, entries.values, by, onRepeat);
  const places: Record<SparseFormat, readonly [Int32Array, Int32Array]> = {
    csr: [starts, indices],
    csc: [indices, starts],
    coo: [rowIndices, columnIndices],
  };
  const pattern = patternIn(format, common, ...places[format]);
  return new SparseMatrix(pattern, format === "coo" ? entries.values : values);
}

function matrixOf(
  text: string,
  format: SparseFormat,
  triangle: Triangle,
  source: string,
): SparseMatrix {
  const reader = new Reader(text, source);
  const kind = readHeader(reader);
  if (triangle !== "full" && kind.symmetry !== "symmetric") {
    throw reader.fail(`a ${kind.symmetry} matrix is not given by its ${triangle} triangle`);
  }
  const sign =
    kind.symmetry === "general" || triangle !== "full" ? 0 : kind.symmetry === "symmetric" ? 1 : -1;
  const isArray = kind.format === "array";
  const read = (isArray ? readArray : readCoordinates)(reader, kind, sign);
  const entries =
    triangle === "upper"
      ? { ...read, rowIndices: read.columnIndices, columnIndices: read.rowIndices }
      : read;
  return assembled(entries, format, triangle, (entry) => {
    const [row, column] = [read.rowIndices[entry]!, read.columnIndices[entry]!];
    // Of mirrored entries the one below the diagonal is in the text.
    const isBelow = kind.symmetry === "general" || column <= row;
    throw repeated(text, source, isBelow ? row : column, isBelow ? column : row);
  });
}

/**
 * The matrix of a text in the Matrix Market exchange format (Boisvert, Pozo and Remington, NISTIR 5935, 1996): coordinate or array;
 * real, integer or pattern, whose values are 1; general, symmetric or skew-symmetric, which are mirrored unless
 * `triangle` asks for a half. Zeros of an array are no entries.
 * @throws DataError naming the line of what is not well formed; LimitError for more than 2^26 rows or columns, or 2^31 - 2
 * entries; ArgumentError for malformed options.
 */
export function parseMatrixMarket<const F extends SparseFormat = "csr">(
  text: string,
  options?: MarketOptions<F>,
): SparseMatrix<PatternOf<F>> {
  const what = "parseMatrixMarket";
  const given = optionsOf(what, options, ["format", "triangle", "source"]);
  const format = oneOf(what, "format", given.format, formats);
  const triangle = oneOf(what, "triangle", given.triangle, triangles);
  if (typeof text !== "string") {
    throw new ArgumentError(`${what}: expected a text, got ${describe(text)}`, here());
  }
  const { source = what } = given;
  if (typeof source !== "string") {
    throw new ArgumentError(`${what}: source is a text, got ${describe(source)}`, here());
  }
  try {
    return matrixOf(text, format, triangle, source) as SparseMatrix<PatternOf<F>>;
  } catch (error) {
    throw completed(outOfMemory(error), what);
  }
}
