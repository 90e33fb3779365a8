import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectDelimiter, parseCsv } from "../lib/fit/csv.js";
import { decimalYear } from "../lib/fit/dates.js";
import { Table } from "../lib/fit/table.js";
import { ArgumentError, DataError, NameError } from "../lib/generated/errors.js";

const column = (text: string, name = "a") => [...Table.parse(text).column(name).values];

/** The message of the DataError that this throws. */
function dataError(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

describe("parseCsv", () => {
  it("reads commas, semicolons and tabs, with any line ends and a byte order mark", () => {
    for (const delimiter of [",", ";", "\t"]) {
      for (const end of ["\n", "\r\n", "\r"]) {
        for (const last of ["", end]) {
          const text = `\ufeffa b${delimiter}c${end}1${delimiter}2${end}3${delimiter}4${last}`;
          const { header, records } = parseCsv(text);
          expect(header).toEqual(["a b", "c"]);
          expect(records).toEqual([
            ["1", "2"],
            ["3", "4"],
          ]);
        }
      }
    }
  });

  it("reads quoted cells with delimiters, quotes and lines in them", () => {
    const text = '"a, b",c\n"1\n2" , "say ""x"""\n3,4\n';
    const { header, records, lines } = parseCsv(text);
    expect(header).toEqual(["a, b", "c"]);
    expect(records).toEqual([
      ["1\n2", 'say "x"'],
      ["3", "4"],
    ]);
    expect(lines).toEqual([2, 4]);
  });

  it("skips empty lines and still counts them", () => {
    expect(parseCsv("\n\na\n1\n\n2\n").lines).toEqual([4, 6]);
  });

  it("counts delimiters outside quotes only", () => {
    expect(detectDelimiter('"a,b,c";d\n')).toBe(";");
    expect(detectDelimiter("only\n1,2")).toBe(",");
  });

  it("names the line of what is wrong", () => {
    expect(dataError(() => parseCsv("a,b\n1,2\n1,2,3\n", "f.csv"))).toMatch(
      /^f\.csv, line 3: 3 cells where the header has 2/,
    );
    expect(dataError(() => parseCsv("a,b\n1\n"))).toMatch(/line 2: 1 cells/);
    expect(dataError(() => parseCsv('a\n1\n"2\n3\n'))).toMatch(
      /line 3: a quote that is never closed/,
    );
    expect(dataError(() => parseCsv('a\n1"2\n'))).toMatch(/line 2: a quote inside a cell/);
    expect(dataError(() => parseCsv('a\n"1"2\n'))).toMatch(/line 2: text after the closing quote/);
    expect(dataError(() => parseCsv("1,2\n3,4\n"))).toMatch(/line 1: numbers where the names/);
    expect(dataError(() => parseCsv("2020-01-01,2\n2020-02-01,4\n"))).toMatch(/line 1: numbers/);
    expect(dataError(() => parseCsv("a\nx\0y\n"))).toMatch(/line 2: a zero byte/);
    expect(dataError(() => parseCsv(`a\n"${"x".repeat(1 << 21)}"\n`))).toMatch(
      /line 2: a cell longer/,
    );
    expect(dataError(() => parseCsv(`a\n${"x".repeat(1 << 21)}\n`))).toMatch(
      /line 2: a cell longer/,
    );
    expect(dataError(() => parseCsv(`${"a,".repeat(20000)}b\n`))).toMatch(/line 1: more than/);
    expect(dataError(() => parseCsv(" \n "))).toMatch(/empty/);
    expect(dataError(() => parseCsv("a,b\n"))).toMatch(/a header and no data/);
  });

  it("reads back what it is given, or refuses it with a DataError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string(), { minLength: 2, maxLength: 2 }), { minLength: 1 }),
        (rows) => {
          const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
          const text = `x,y\n${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
          expect(parseCsv(text).records).toEqual(rows);
        },
      ),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "1", ",", ";", '"', "\n", "\r", "\0", " ") }),
        (text) => {
          try {
            parseCsv(text);
          } catch (error) {
            expect(error).toBeInstanceOf(DataError);
          }
        },
      ),
    );
  });
});

describe("decimalYear", () => {
  it("counts days of common and leap years exactly", () => {
    expect(decimalYear("2023-01-01")).toBe(2023);
    expect(decimalYear("2023-07-02T12:00:00")).toBe(2023 + 182.5 / 365);
    expect(decimalYear("2024-12-31")).toBe(2024 + 365 / 366);
    expect(decimalYear("2024-02-29")).toBe(2024 + 59 / 366);
    expect(decimalYear("2000-03-01")).toBe(2000 + 60 / 366);
    expect(decimalYear("1900-03-01")).toBe(1900 + 59 / 365);
    expect(decimalYear("1958-03")).toBe(1958 + 59 / 365);
    expect(decimalYear("2024/3/1")).toBe(2024 + 60 / 366);
  });

  it("takes times with an offset to UTC", () => {
    expect(decimalYear("2024-01-01T02:00:00+02:00")).toBe(2024);
    expect(decimalYear("2023-12-31T24:00Z")).toBe(2024);
    expect(decimalYear("2024-01-01 06:00")).toBe(2024 + 0.25 / 366);
    expect(decimalYear("2024-01-01 02:00:00+02")).toBe(2024);
    expect(decimalYear("2023-12-31 21:30:00 -0230")).toBe(2024);
    expect(decimalYear("2024-01-01 00:00:00 UTC")).toBe(2024);
    expect(decimalYear("2024-01-01t00:00z")).toBe(2024);
  });

  it("refuses what is no date", () => {
    for (const text of [
      "2023-02-29",
      "2023-13-01",
      "2023-00-01",
      "2023-04-31",
      "2023-01-01T00:00+99:00",
      "2023-01-01T00:00+01:99",
      "2023-01-01T25:00",
      "2023",
      "12.5",
      "x",
    ]) {
      expect(decimalYear(text)).toBeNaN();
    }
  });

  it("agrees with Date on every day of four centuries", () => {
    const day = 86400_000;
    const wrong: string[] = [];
    for (let t = Date.UTC(1799, 0, 1); t < Date.UTC(2201, 0, 1); t += day) {
      const text = new Date(t).toISOString().slice(0, 10);
      const year = Number(text.slice(0, 4));
      const [from, to] = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
      const expected = year + (t - from) / day / ((to - from) / day);
      if (decimalYear(text) !== expected) wrong.push(text);
    }
    expect(wrong).toEqual([]);
  });
});

describe("Table", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "adjoint-table-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("reads numbers, with missing entries as NaN", () => {
    expect(column("a,b\n1,x\n,x\nNA,x\nnan,x\nnull,x\n.,x\n-2.5e3,x\n+.5,x\n")).toEqual([
      1,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      -2500,
      0.5,
    ]);
  });

  it("reads dates, column by column", () => {
    const table = Table.parse("a,b\n2024-01-01,1\n,2\n2025-01,3\n");
    expect(table.column("a")).toEqual({
      values: Float64Array.of(2024, Number.NaN, 2025),
      isDate: true,
    });
    expect(table.column("b").isDate).toBe(false);
  });

  it("takes many spellings of a missing value, in quotes and between spaces, too", () => {
    const cells = [
      "",
      "NA",
      "n/a",
      "#N/A",
      "<NA>",
      "NaN",
      "-nan",
      "NULL",
      "None",
      ".",
      "-",
      "--",
      "?",
    ];
    const text = cells.flatMap((cell) => [cell, `" ${cell} "`]).join(",x\n");
    const values = column(`a,b\n${text},x\n" 7 ",x\n`);
    expect(values).toEqual([...cells.flatMap(() => [Number.NaN, Number.NaN]), 7]);
  });

  it("minds equal and empty names only where such a column is asked for", () => {
    const table = Table.parse(",x,n,n,\n1,2,3,4,\n");
    expect([...table.column("x").values]).toEqual([2]);
    expect(table.names).toEqual(["x", "n"]);
    expect(dataError(() => table.column("n"))).toMatch(/data, line 1: two columns are named "n"/);
    expect(() => table.column("")).toThrow(NameError);
  });

  it("reads what is not UTF-8 as spreadsheets on Windows write it", () => {
    const table = Table.parse(Buffer.from("gr\u00f6\u00dfe,y\n1,2\n", "latin1"));
    expect(table.names).toEqual(["gr\u00f6\u00dfe", "y"]);
  });

  it("reads decimal commas between semicolons", () => {
    expect(column("a;b\n1,5;x\n2;x\n-3,25e2;x\n")).toEqual([1.5, 2, -325]);
  });

  it("names the line of a cell that is no number", () => {
    expect(dataError(() => column("a,b\n1,x\ntwo,x\n"))).toMatch(
      /line 3: a is "two", which is not a number like those before it/,
    );
    expect(dataError(() => column("a,b\n2020,x\n2021-01,x\n"))).toMatch(
      /line 3: a is "2021-01", which is not a number like those before it/,
    );
    expect(dataError(() => column("a,b\n-,x\n2020-02-30,x\n"))).toMatch(
      /line 3: .* not a number or a date/,
    );
    expect(dataError(() => column("a,b\n2024-01-01,x\n5,x\n"))).toMatch(/line 3: .* not a date/);
    expect(dataError(() => column("a,b\n0x10,x\n"))).toMatch(/line 2/);
    expect(dataError(() => column("a,b\nInfinity,x\n"))).toMatch(/line 2/);
    expect(dataError(() => column("a,b\n1e999,x\n"))).toMatch(/line 2/);
  });

  it("says what columns there are", () => {
    expect(() => Table.parse("a,b c\n1,2\n").column("d")).toThrow(NameError);
    expect(() => Table.parse("a,b c\n1,2\n").column("d")).toThrow(/its columns are "a", "b c"/);
    expect(() => Table.parse("a\n1\n").column("__proto__")).toThrow(NameError);
    const wide = Array.from({ length: 50 }, (_, i) => `c${i}`).join();
    expect(() => Table.parse(`${wide}\n${wide}\n`).column("d")).toThrow(/"c19" and 30 more/);
  });

  it("says why a file can not be read", () => {
    expect(dataError(() => Table.read(join(folder, "none.csv")))).toMatch(/there is no such file/);
    expect(dataError(() => Table.read(folder))).toMatch(/it is a folder/);
    const file = join(folder, "file.csv");
    writeFileSync(file, Buffer.from([0x61, 0x0a, 0x31, 0x0a, 0x00, 0x0a]));
    expect(dataError(() => Table.read(file))).toMatch(/line 3: a zero byte/);
    writeFileSync(file, "\ufeffa\n1\n", "utf16le");
    expect(dataError(() => Table.read(file))).toMatch(/not in UTF-8/);
    writeFileSync(file, "");
    expect(dataError(() => Table.read(file))).toMatch(/empty/);
  });

  it("takes columns of numbers", () => {
    const table = Table.of({ x: [1, 2], y: Float64Array.of(3, 4) });
    expect(table.rows).toBe(2);
    expect([...table.column("y").values]).toEqual([3, 4]);
    expect(dataError(() => Table.of({ x: [1], y: [1, 2] }))).toMatch(/y has 2 rows where x has 1/);
    expect(dataError(() => Table.of({}))).toMatch(/no columns/);
    expect(dataError(() => Table.of({ x: [] }))).toMatch(/no rows/);
    expect(dataError(() => Table.of({ x: null as never }))).toMatch(/not an array/);
    expect(dataError(() => Table.of({ x: { length: 0.5 } as never }))).toMatch(/not an array/);
    for (const wrong of [undefined, null, "1", 1n, Symbol("1"), [1]]) {
      const message = dataError(() => Table.of({ x: [0, wrong as never] }));
      expect(message).toMatch(/columns: x, row 1: expected a number/);
    }
  });

  it("refuses arguments that are none", () => {
    expect(() => Table.of(null as never)).toThrow(ArgumentError);
    expect(() => Table.parse(3 as never)).toThrow(ArgumentError);
    expect(() => Table.read(3 as never)).toThrow(ArgumentError);
    for (const delimiter of ["", '"', "\n", "||", "a"]) {
      expect(() => Table.parse("a\n1\n", { delimiter })).toThrow(ArgumentError);
    }
  });
});
