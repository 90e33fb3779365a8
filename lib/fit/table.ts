/** Named columns of numbers, from a file, from a text, or from arrays. */
import { readBytes } from "../files.js";
import { ArgumentError, DataError, NameError } from "../generated/errors.js";
import { isNumericArray, shown } from "../numbers.js";
import { isNumber, parseCsv } from "./csv.js";
import { decimalYear } from "./dates.js";

/** A column as numbers; missing entries are NaN. */
export interface NumberColumn {
  readonly values: Float64Array;
  /** Dates are decimal years. */
  readonly isDate: boolean;
}

const missing = new Set(
  ["", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none"].concat([
    ".",
    "-",
    "--",
    "\u2013",
    "\u2014",
    "?",
  ]),
);

const isMissing = (cell: string) => missing.has(cell.toLowerCase());

const decimalComma = /^[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?$/;

/** Readers of a column's cells, tried in order: the first that reads them all is the column's. */
const readers: readonly { isDate: boolean; read(cell: string, semicolons: boolean): number }[] = [
  { isDate: false, read: (cell) => (isNumber(cell) ? Number(cell) : Number.NaN) },
  { isDate: true, read: decimalYear },
  {
    isDate: false,
    read: (cell, semicolons) =>
      semicolons && (decimalComma.test(cell) || isNumber(cell))
        ? Number(cell.replace(",", "."))
        : Number.NaN,
  },
];

/** How a text or file is read. */
export interface TableOptions {
  /** What messages call it. */
  readonly source?: string;
  /** The delimiter; detected when not given. */
  readonly delimiter?: string;
}

const maxRows = 1 << 28;

/** An array of numbers, copied. @throws DataError naming the row of anything else in it */
export function numbersOf(values: unknown, what: string): Float64Array {
  if (isNumericArray(values)) return Float64Array.from(values);
  const { length } = (values ?? {}) as ArrayLike<unknown>;
  if (typeof values !== "object" || !Number.isInteger(length) || length < 0) {
    throw new DataError(`${what} is not an array of numbers`);
  }
  if (length > maxRows) throw new DataError(`${what} has more than ${maxRows} rows`);
  const numbers = new Float64Array(length);
  for (let row = 0; row < length; row++) {
    const value = (values as ArrayLike<unknown>)[row];
    if (typeof value !== "number") {
      throw new DataError(
        `${what}, row ${row}: expected a number (NaN where it is missing), got ${shown(value)}`,
      );
    }
    numbers[row] = value;
  }
  return numbers;
}

type Cells = readonly string[] | Float64Array;

export class Table {
  private readonly numbers = new Map<string, NumberColumn>();

  private constructor(
    /** What messages call it. */
    readonly source: string,
    readonly names: readonly string[],
    readonly rows: number,
    private readonly cells: ReadonlyMap<string, () => Cells>,
    private readonly lines: readonly number[] | undefined,
    private readonly semicolons: boolean,
  ) {}

  /**
   * A text, or its bytes, with a header line and one record a line, delimited by commas, semicolons or tabs.
   * Columns without a name can not be asked for.
   * @throws DataError naming the line of what is not well formed
   */
  static parse(text: string | Uint8Array, options: TableOptions = {}): Table {
    const source = options.source ?? "data";
    if (typeof text !== "string" && !(text instanceof Uint8Array)) {
      throw new ArgumentError(`Table.parse: expected a text or bytes, got ${shown(text)}`);
    }
    if (options.delimiter !== undefined && !/^[^"\s\w]$|^\t$/.test(options.delimiter)) {
      throw new ArgumentError(`Table: ${shown(options.delimiter)} can not be a delimiter`);
    }
    const csv = parseCsv(
      typeof text === "string" ? text : decode(text, source),
      source,
      options.delimiter,
    );
    const cells = new Map<string, () => Cells>();
    for (const [k, name] of csv.header.entries()) {
      if (name === "") continue;
      const isSecond = cells.has(name);
      cells.set(name, () => {
        if (!isSecond) return csv.records.map((record) => record[k]!);
        throw new DataError(
          `${source}, line ${csv.headerLine}: two columns are named ${JSON.stringify(name)}`,
        );
      });
    }
    const names = [...cells.keys()];
    return new Table(source, names, csv.records.length, cells, csv.lines, csv.delimiter === ";");
  }

  /**
   * The same from a file in UTF-8.
   * @throws DataError when it can not be read or is not well formed
   */
  static read(file: string, options: TableOptions = {}): Table {
    if (typeof file !== "string") {
      throw new ArgumentError(`Table.read: expected a file's name, got ${shown(file)}`);
    }
    return Table.parse(readBytes(file), { source: file, ...options });
  }

  /**
   * Columns of numbers; NaN is missing.
   * @throws DataError when their lengths differ
   */
  static of(columns: Readonly<Record<string, ArrayLike<number>>>, source = "columns"): Table {
    if (typeof columns !== "object" || columns === null) {
      throw new ArgumentError(`${source}: expected arrays by name, got ${shown(columns)}`);
    }
    const names = Object.keys(columns);
    if (names.length === 0) throw new DataError(`${source}: no columns`);
    let rows = -1;
    const cells = new Map<string, () => Cells>();
    for (const name of names) {
      const column = numbersOf(columns[name], `${source}: ${name}`);
      if (rows < 0) rows = column.length;
      if (column.length !== rows) {
        throw new DataError(
          `${source}: ${name} has ${column.length} rows where ${names[0]} has ${rows}`,
        );
      }
      cells.set(name, () => column);
    }
    if (rows === 0) throw new DataError(`${source}: no rows`);
    return new Table(source, names, rows, cells, undefined, false);
  }

  has(name: string): boolean {
    return this.cells.has(name);
  }

  /** The names, for messages. */
  get listed(): string {
    const more = this.names.length - 20;
    const listed = this.names.slice(0, 20).map((name) => JSON.stringify(name));
    return `${listed.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  }

  /** Where a row is, for messages: "data.csv, line 17". */
  place(row: number): string {
    const line = this.lines?.[row];
    return line === undefined ? `${this.source}, row ${row}` : `${this.source}, line ${line}`;
  }

  /**
   * A column as numbers: of decimal numbers, or of dates all through, or, between semicolons, of numbers
   * with decimal commas. Empty cells, NA, NaN, null and the like are missing.
   * @throws NameError when there is no such column; DataError naming the line of another cell
   */
  column(name: string): NumberColumn {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const cells = this.cells.get(name)?.();
    if (cells === undefined) {
      throw new NameError(
        `${this.source} has no column ${JSON.stringify(name)}; its columns are ${this.listed}`,
      );
    }
    const column =
      cells instanceof Float64Array ? { values: cells, isDate: false } : this.convert(name, cells);
    this.numbers.set(name, column);
    return column;
  }

  private convert(name: string, cells: readonly string[]): NumberColumn {
    let furthest = { row: -1, isDate: false, hasBegun: false };
    for (const { isDate, read } of readers) {
      const values = new Float64Array(cells.length).fill(Number.NaN);
      let row = 0;
      let hasBegun = false;
      for (; row < cells.length; row++) {
        const cell = cells[row]!.trim();
        const value = read(cell, this.semicolons);
        if (Number.isFinite(value)) {
          values[row] = value;
          hasBegun = true;
        } else if (!isMissing(cell)) break;
      }
      if (row === cells.length) return { values, isDate };
      if (row > furthest.row) furthest = { row, isDate, hasBegun };
    }
    const cell = cells[furthest.row]!;
    const shown = JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}...` : cell);
    const kind = furthest.hasBegun
      ? `a ${furthest.isDate ? "date" : "number"} like those before it`
      : "a number or a date";
    throw new DataError(`${this.place(furthest.row)}: ${name} is ${shown}, which is not ${kind}`);
  }
}

const maxBytes = 1 << 29; // a string's limit in V8 is a little less

/** UTF-8, or else what spreadsheets on Windows write. */
function decode(bytes: Uint8Array, source: string): string {
  if (bytes.length >= maxBytes) {
    throw new DataError(`${source}: ${bytes.length} bytes are more than can be read at once`);
  }
  if (bytes[0] === 0xff || bytes[0] === 0xfe) {
    throw new DataError(`${source}: it is not in UTF-8 (it looks like UTF-16)`);
  }
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw new DataError(
      `${source}, line ${lineAt(bytes, zero)}: a zero byte: this is not a text file`,
    );
  }
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

function lineAt(bytes: Uint8Array, position: number): number {
  let line = 1;
  for (let i = bytes.indexOf(10); i >= 0 && i < position; i = bytes.indexOf(10, i + 1)) line++;
  return line;
}
