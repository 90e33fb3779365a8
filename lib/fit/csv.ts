/**
 * Text with delimiters to records, strictly: what is not well formed is an error that names its line.
 * RFC 4180 with any line ends, a byte order mark, and one of `,` `;` tab as the delimiter.
 */
import { DataError } from "../generated/errors.js";
import { decimalYear } from "./dates.js";

export interface CsvText {
  /** Names as they stand there: empty and equal ones matter to those who ask for a column. */
  readonly header: readonly string[];
  readonly headerLine: number;
  /** Cells of each record; as many as the header has. */
  readonly records: readonly (readonly string[])[];
  /** The line on which each record starts, counted from 1. */
  readonly lines: readonly number[];
  readonly delimiter: string;
}

/** Longest cell. A quote that is opened by mistake ends here, not at the end of a large file. */
const maxCell = 1 << 20;
const maxColumns = 10_000;

const delimiters = [",", ";", "\t"] as const;

const named: Readonly<Record<string, string>> = { ",": "comma", ";": "semicolon", "\t": "tab" };

function fail(source: string, line: number, what: string): never {
  throw new DataError(`${source}, line ${line}: ${what}`);
}

/** The delimiter that the header has most of, outside quotes; a comma when it has none. */
export function detectDelimiter(text: string): string {
  const counts = new Map<string, number>();
  let quoted = false;
  for (let i = 0; i < text.length && i < maxCell; i++) {
    const c = text[i]!;
    if (c === '"') quoted = !quoted;
    else if (!quoted && (c === "\n" || c === "\r")) break;
    else if (!quoted) counts.set(c, (counts.get(c) ?? 0) + 1);
  }
  let best = ",";
  for (const delimiter of delimiters) {
    if ((counts.get(delimiter) ?? 0) > (counts.get(best) ?? 0)) best = delimiter;
  }
  return best;
}

/** Reads one record at a time; `position` and `line` are where the next one starts. */
class Reader {
  position = 0;
  line = 1;

  constructor(
    private readonly text: string,
    private readonly delimiter: string,
    private readonly source: string,
  ) {}

  get done(): boolean {
    return this.position >= this.text.length;
  }

  record(): string[] {
    const { text, delimiter } = this;
    const cells: string[] = [];
    for (;;) {
      const start = this.skipSpaces(this.position);
      if (text[start] === '"') {
        this.position = start;
        cells.push(this.quotedCell());
        this.position = this.skipSpaces(this.position);
      } else {
        cells.push(this.plainCell());
      }
      if (cells.length > maxColumns) {
        fail(this.source, this.line, `more than ${maxColumns} cells`);
      }
      if (text[this.position] !== delimiter) break;
      this.position++;
    }
    this.endLine();
    return cells;
  }

  private skipSpaces(from: number): number {
    let i = from;
    while (this.text[i] === " ") i++;
    return i;
  }

  private plainCell(): string {
    const { text, delimiter } = this;
    const start = this.position;
    let i = start;
    for (; i < text.length; i++) {
      const c = text[i]!;
      if (c === delimiter || c === "\n" || c === "\r") break;
      if (c === '"') {
        fail(this.source, this.line, "a quote inside a cell that does not start with one");
      }
      if (c === "\0") fail(this.source, this.line, "a zero byte: this is not a text file");
    }
    if (i - start > maxCell)
      fail(this.source, this.line, `a cell longer than ${maxCell} characters`);
    this.position = i;
    return text.slice(start, i).trim();
  }

  private quotedCell(): string {
    const { text } = this;
    const startLine = this.line;
    let cell = "";
    let i = this.position + 1;
    for (;;) {
      const end = text.indexOf('"', i);
      const stop = end < 0 ? text.length : end;
      for (let k = text.indexOf("\n", i); k >= 0 && k < stop; k = text.indexOf("\n", k + 1)) {
        this.line++;
      }
      if (end < 0) fail(this.source, startLine, "a quote that is never closed");
      cell += text.slice(i, end);
      if (cell.length > maxCell) {
        fail(
          this.source,
          startLine,
          `a cell longer than ${maxCell} characters: a quote may be missing`,
        );
      }
      if (text[end + 1] !== '"') {
        this.position = end + 1;
        const next = text[this.skipSpaces(end + 1)];
        if (next !== undefined && next !== this.delimiter && next !== "\n" && next !== "\r") {
          fail(this.source, this.line, "text after the closing quote of a cell");
        }
        return cell;
      }
      cell += '"';
      i = end + 2;
    }
  }

  private endLine(): void {
    if (this.text[this.position] === "\r") this.position++;
    if (this.text[this.position] === "\n") this.position++;
    this.line++;
  }
}

/**
 * Splits a text with a header line into records. Empty lines are skipped.
 * @param source what messages call it, e.g. the file's name
 * @throws DataError naming the line
 */
export function parseCsv(input: string, source = "data", given?: string): CsvText {
  const text = input.charCodeAt(0) === 0xfeff ? input.slice(1) : input;
  if (text.trim() === "") throw new DataError(`${source}: the file is empty`);
  const delimiter = given ?? detectDelimiter(text.replace(/^[\r\n]+/, ""));
  const reader = new Reader(text, delimiter, source);
  let header: readonly string[] | undefined;
  let headerLine = 1;
  const records: string[][] = [];
  const lines: number[] = [];
  while (!reader.done) {
    const { line } = reader;
    const cells = reader.record();
    if (cells.length === 1 && cells[0] === "") continue;
    if (header === undefined) {
      header = checkHeader(cells, source, line);
      headerLine = line;
      continue;
    }
    if (cells.length !== header.length) {
      fail(
        source,
        line,
        `${cells.length} cells where the header has ${header.length} ` +
          `(delimited by ${named[delimiter] ?? delimiter}s)`,
      );
    }
    records.push(cells);
    lines.push(line);
  }
  if (header === undefined) throw new DataError(`${source}: the file is empty`);
  if (records.length === 0) throw new DataError(`${source}: a header and no data`);
  return { header, headerLine, records, lines, delimiter };
}

function checkHeader(cells: readonly string[], source: string, line: number): readonly string[] {
  const names = cells.map((cell) => cell.trim());
  if (names.every((name) => name === "" || isNumber(name) || !Number.isNaN(decimalYear(name)))) {
    fail(source, line, "numbers where the names of the columns belong: a header line is needed");
  }
  return names;
}

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Whether this is a decimal number, all of it. */
export function isNumber(text: string): boolean {
  return numberPattern.test(text);
}
