/** Sparse matrices in the Matrix Market exchange format: reading. */
import { completed, here, outOfMemory } from "../fail.js";
import { ArgumentError, DataError, LimitError } from "../generated/errors.js";
import { allocate, cut, describe, oneOf, optionsOf, shown } from "../numbers.js";
import { type Coordinates, compress } from "./compress.js";
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

/** Rows and columns take memory whether there are entries in them or not. */
const maxExtent = 2 ** 28;

const header = {
  format: ["coordinate", "array"],
  field: ["real", "integer", "pattern"],
  symmetry: ["general", "symmetric", "skew-symmetric"],
} as const;
type Header = { -readonly [K in keyof typeof header]: (typeof header)[K][number] };

/** Entries in the order of the text, both of mirrored ones one after the other. */
interface Entries extends Coordinates {
  readonly values: Float64Array;
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const integer = /^[+-]?\d+$/;

/** Goes through the text line by line. */
class Reader {
  /** The line that `words` is of, from 1. */
  line = 0;
  private next = 0;

  constructor(
    private readonly text: string,
    private readonly source: string,
  ) {}

  fail(message: string, line = this.line): DataError {
    return new DataError(`${this.source}, line ${line}: ${message}`, here());
  }

  limit(message: string): LimitError {
    return new LimitError(`${this.source}, line ${this.line}: ${message}`, here());
  }

  /** How many lines of this length can follow. */
  room(characters: number): number {
    return Math.floor((this.text.length - this.next + 1) / characters);
  }

  /** The next line, without what is around it; undefined at the end. */
  read(): string | undefined {
    if (this.next >= this.text.length) return undefined;
    const found = this.text.indexOf("\n", this.next);
    const end = found < 0 ? this.text.length : found;
    const line = this.text.slice(this.next, end).trim();
    this.next = end + 1;
    this.line++;
    return line;
  }

  /** The words of the next line that is not empty; undefined at the end. */
  words(): string[] | undefined {
    for (let line = this.read(); line !== undefined; line = this.read()) {
      if (line !== "") return line.split(/\s+/);
    }
    return undefined;
  }

  /** Of the line with the sizes, which follows comments. */
  sizes(names: readonly string[]): number[] {
    let line = this.read();
    while (line === "" || line?.startsWith("%")) line = this.read();
    if (line === undefined) throw this.fail(`the text ends before ${names.join(", ")}`);
    const words = line.split(/\s+/);
    if (words.length !== names.length) {
      throw this.fail(`expected ${names.join(", ")}, got ${shown(line)}`);
    }
    return words.map((word, k) => {
      if (!/^\d+$/.test(word)) throw this.fail(`${names[k]} is a whole number, got ${shown(word)}`);
      const value = Number(word);
      const most = names[k] === "entries" ? maxIndex : maxExtent;
      if (value > most) throw this.limit(`${word} ${names[k]} are more than ${most}`);
      return value;
    });
  }

  index(word: string, name: string, extent: number): number {
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= 1 && value <= extent) return value - 1;
    throw this.fail(`${name} is a whole number from 1 to ${extent}, got ${shown(word)}`);
  }

  number(word: string, field: Header["field"]): number {
    if (!(field === "integer" ? integer : decimal).test(word)) {
      throw this.fail(
        `expected ${field === "integer" ? "an integer" : "a number"}, got ${shown(word)}`,
      );
    }
    const value = Number(word);
    if (!Number.isFinite(value)) throw this.fail(`${cut(word)} is beyond the largest number`);
    if (field === "integer" && !Number.isSafeInteger(value)) {
      throw this.fail(`${cut(word)} is beyond the integers that are exact`);
    }
    return value;
  }

  expectEnd(count: number, what: string): void {
    if (this.words() !== undefined) throw this.fail(`there are more than ${count} ${what}`);
  }
}

function readHeader(reader: Reader): Header {
  const [banner, object, ...kinds] = (reader.read() ?? "").split(/\s+/);
  const names = Object.keys(header) as (keyof Header)[];
  if (banner !== "%%MatrixMarket") {
    throw reader.fail("a Matrix Market file begins with %%MatrixMarket", 1);
  }
  if (object?.toLowerCase() !== "matrix" || kinds.length !== names.length) {
    throw reader.fail(`expected "%%MatrixMarket matrix ${names.join(" ")}"`);
  }
  const found = names.map((name, k) => {
    const word = kinds[k]!.toLowerCase();
    const possible: readonly string[] = header[name];
    if (possible.includes(word)) return [name, word];
    throw reader.fail(`the ${name} is ${possible.join(", ")}, got ${shown(kinds[k])}`);
  });
  const result = Object.fromEntries(found) as Header;
  if (result.format === "array" && result.field === "pattern") {
    throw reader.fail("an array has values, it can not be a pattern");
  }
  if (result.field === "pattern" && result.symmetry === "skew-symmetric") {
    throw reader.fail("a pattern has no signs, it can not be skew-symmetric");
  }
  return result;
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
 * @throws DataError naming the line of what is not well formed; LimitError for more than 2^28 rows or columns, or 2^31 - 2
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
