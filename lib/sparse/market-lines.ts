/** The lines of a text in the Matrix Market exchange format. */
import { here } from "../fail.js";
import { DataError, LimitError } from "../generated/errors.js";
import { cut, shown } from "../numbers.js";
import { maxIndex } from "./places.js";

/** Rows and columns take memory whether there are entries in them or not; a string has room for few more lines. */
const maxExtent = 2 ** 26;

const header = {
  format: ["coordinate", "array"],
  field: ["real", "integer", "pattern"],
  symmetry: ["general", "symmetric", "skew-symmetric"],
} as const;
export type Header = { -readonly [K in keyof typeof header]: (typeof header)[K][number] };

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const integer = /^[+-]?\d+$/;

/** Goes through the text line by line. */
export class Reader {
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

export function readHeader(reader: Reader): Header {
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
