import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  ArgumentError,
  colorPattern,
  DataError,
  fn,
  LimitError,
  parseMatrixMarket,
  sparseHessian,
  sparseJacobian,
  sparseMatrix,
  type Triangle,
  vector,
} from "adjoint";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

const folder = fileURLToPath(new URL("data/market/", import.meta.url));
const read = (name: string) => readFileSync(`${folder}${name}`, "utf8");
const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);
const coordinate = (body: string, kind = "real general") =>
  `%%MatrixMarket matrix coordinate ${kind}\n${body}`;

describe("reading", () => {
  test("coordinates in any order, as each format", () => {
    const text = coordinate(
      "% a comment\n\n%another\n2 3 4\n2 3 -1.5\n1 2 1e-3\n\n2 1 7\n1 3 +.5\n",
    );
    const rows = parseMatrixMarket(text);
    expect(rows.pattern).toMatchObject({ format: "csr", rows: 2, columns: 3, nonzeros: 4 });
    expect(rows.pattern.rowStarts).toEqual(i32(0, 2, 4));
    expect(rows.pattern.columnIndices).toEqual(i32(1, 2, 0, 2));
    expect(rows.values).toEqual(f64(1e-3, 0.5, 7, -1.5));
    const columns = parseMatrixMarket(text, { format: "csc" });
    expect(columns.pattern.columnStarts).toEqual(i32(0, 1, 2, 4));
    expect(columns.pattern.rowIndices).toEqual(i32(1, 0, 0, 1));
    expect(columns.values).toEqual(f64(7, 1e-3, 0.5, -1.5));
    const coordinates = parseMatrixMarket(text, { format: "coo" });
    expect(coordinates.pattern.rowIndices).toEqual(i32(1, 0, 1, 0));
    expect(coordinates.pattern.columnIndices).toEqual(i32(2, 1, 0, 2));
    const dense = f64(0, 1e-3, 0.5, 7, 0, -1.5);
    for (const matrix of [rows, columns, coordinates]) expect(matrix.toDense()).toEqual(dense);
  });

  test("symmetric ones whole, or the half that is wanted", () => {
    const dense = [
      [24, 0, -12, 6],
      [0, 8, -6, 2],
      [-12, -6, 12.000000000000002, -6],
      [6, 2, -6, 4],
    ];
    const half = (isIn: (row: number, column: number) => boolean) =>
      f64(...dense.flatMap((row, i) => row.map((value, j) => (isIn(i, j) ? value : 0))));
    for (const format of ["csr", "csc", "coo"] as const) {
      const text = read("stiffness.mtx");
      expect(parseMatrixMarket(text, { format }).toDense()).toEqual(half(() => true));
      const lower = parseMatrixMarket(text, { format, triangle: "lower" });
      expect(lower.toDense()).toEqual(half((i, j) => j <= i));
      const upper = parseMatrixMarket(text, { format, triangle: "upper" });
      expect(upper.toDense()).toEqual(half((i, j) => j >= i));
      expect([lower.pattern.triangle, upper.pattern.triangle]).toEqual(["lower", "upper"]);
    }
    const wheel = parseMatrixMarket(read("wheel.mtx"));
    expect(wheel.pattern.nonzeros).toBe(2 * 22 - 8);
    expect(new Set(wheel.values)).toEqual(new Set([1]));
    expect(colorPattern(wheel, { method: "star" }).count).toBe(4);
  });

  test("arrays, whose zeros are no entries", () => {
    expect(parseMatrixMarket(read("cross.mtx")).toDense()).toEqual(
      f64(0, -3, 2, 3, 0, -1, -2, 1, 0),
    );
    const text = "%%MatrixMarket matrix array real general\n2 3\n1\n0\n\n-0\n4\n5\n6e0";
    const matrix = parseMatrixMarket(text);
    expect(matrix.pattern.columnIndices).toEqual(i32(0, 1, 2, 1, 2));
    expect(matrix.values).toEqual(f64(1, -0, 5, 4, 6));
    const symmetric = "%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n";
    expect(parseMatrixMarket(symmetric).toDense()).toEqual(f64(1, 2, 2, 3));
  });

  test("nothing, and a mark at the beginning", () => {
    expect(parseMatrixMarket(coordinate("0 0 0\n")).pattern.nonzeros).toBe(0);
    expect(parseMatrixMarket(`\uFEFF${coordinate("3 0 0")}`).pattern.rowStarts).toHaveLength(4);
    expect(parseMatrixMarket("%%MatrixMarket matrix array real general\n0 5\n").columns).toBe(5);
  });

  const graphs = fileURLToPath(
    new URL("../../shared/data/coloring/colpack_graphs/", import.meta.url),
  );
  const found = existsSync(graphs) ? readdirSync(graphs).filter((n) => n.endsWith(".mtx")) : [];
  test(`${found.length} files of ColPack`, () => {
    for (const name of found) {
      const text = readFileSync(`${graphs}${name}`, "utf8");
      if (name === "bcsstk01_mod.mtx") {
        // An entry of it has no value.
        const { message } = thrown(DataError, () => parseMatrixMarket(text, { source: name }));
        expect(message).toContain('line 6: expected row, column and value, got "5 1"');
        continue;
      }
      const matrix = parseMatrixMarket(text, { source: name });
      const size = text.split("\n").find((line) => !line.startsWith("%"))!;
      const [rows, columns, entries] = size.trim().split(/\s+/).map(Number);
      expect([matrix.rows, matrix.columns]).toEqual([rows, columns]);
      if (!text.includes("symmetric")) expect(matrix.pattern.nonzeros).toBe(entries);
      expect(parseMatrixMarket(matrix.toMatrixMarket())).toMatchObject({ values: matrix.values });
      expect(colorPattern(matrix).count).toBeGreaterThan(0);
    }
  });
});

describe("writing", () => {
  test("in the pattern's order, counted from 1", () => {
    const f = fn({ x: vector(3) }, ({ x }) => x.slice([1, null]).mul(x.slice([0, -1])));
    const j = sparseJacobian(f);
    expect(sparseMatrix(j.pattern, j({ x: [0.1, -0, 1e300] })).toMatrixMarket()).toBe(
      coordinate("2 3 4\n1 1 -0\n1 2 0.1\n2 2 1e+300\n2 3 -0\n"),
    );
  });

  test("triangles as symmetric, by their lower half", () => {
    const f = fn({ x: vector(4) }, ({ x }) => x.cumsum().square().sum());
    const texts = (["lower", "upper", "full"] as const).map((triangle: Triangle) => {
      const h = sparseHessian(f, { triangle });
      return sparseMatrix(h.pattern, h({ x: [1, 2, 3, 4] })).toMatrixMarket();
    });
    const [lower, upper, full] = texts.map((text) => parseMatrixMarket(text).toDense());
    expect(lower).toEqual(full);
    expect(upper).toEqual(full);
    expect(texts.map((text) => text.split("\n")[0]!.split(" ").at(-1))).toEqual([
      ...["symmetric", "symmetric", "general"],
    ]);
    expect(texts[0]!.split("\n")).toHaveLength(2 + 10 + 1);
  });

  test("entries of one place as their sum", () => {
    const pattern = { rows: 1, columns: 2, rowIndices: i32(0, 0, 0), columnIndices: i32(1, 0, 1) };
    expect(sparseMatrix(pattern, [1, 2, 3]).toMatrixMarket()).toBe(
      coordinate("1 2 2\n1 1 2\n1 2 4\n"),
    );
  });

  test("what it wrote it reads, to the bit", () => {
    const places = fc.uniqueArray(fc.nat({ max: 39 }), { maxLength: 40 });
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const numbers = fc.array(number, { minLength: 40, maxLength: 40 });
    const format = fc.constantFrom("csr", "csc", "coo");
    fc.assert(
      fc.property(places, numbers, format, (all, values, format) => {
        const pattern = {
          ...{ rows: 5, columns: 8 },
          rowIndices: Int32Array.from(all, (place) => Math.floor(place / 8)),
          columnIndices: Int32Array.from(all, (place) => place % 8),
        };
        const given = sparseMatrix(pattern, values.slice(0, all.length));
        const text = given.toMatrixMarket();
        const matrix = parseMatrixMarket(text, { format });
        const again = parseMatrixMarket(matrix.toMatrixMarket(), { format: "coo" });
        const texts = (m: { readonly values: Float64Array }) =>
          Array.from(m.values, (value) => (Object.is(value, -0) ? "-0" : String(value))).sort();
        expect(parseMatrixMarket(text, { format: "coo" }).values).toEqual(given.values);
        expect(texts(again)).toEqual(texts(given));
        expect(matrix.toDense()).toEqual(given.toDense());
      }),
      { numRuns: 300 },
    );
  });

  test("numbers that have no text", () => {
    const pattern = { rows: 1, columns: 2, rowStarts: i32(0, 2), columnIndices: i32(0, 1) };
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const error = thrown(ArgumentError, () => sparseMatrix(pattern, [1, value]).toMatrixMarket());
      expect(error.message).toContain(`the value at row 0, column 1 is ${value}`);
      expect(error.location?.file).toContain("matrix-market.test.ts");
    }
  });
});

describe("what is not well formed", () => {
  const banner = "%%MatrixMarket matrix coordinate real general";
  const wrong: readonly (readonly [text: string, message: string])[] = [
    ["", "line 1: a Matrix Market file begins with"],
    ["hello\n1 1 1\n", "line 1: a Matrix Market file begins with"],
    ["%%MatrixMarket\n", 'line 1: expected "%%MatrixMarket matrix format field symmetry"'],
    ["%%MatrixMarket graph coordinate real general\n", "line 1: expected"],
    ["%%MatrixMarket matrix coordinate real general more\n", "line 1: expected"],
    ["%%MatrixMarket matrix sparse real general\n", "line 1: the format is coordinate, array"],
    ["%%MatrixMarket matrix coordinate complex general\n", "line 1: the field is real, integer"],
    ["%%MatrixMarket matrix coordinate real hermitian\n", 'symmetric, got "hermitian"'],
    ["%%MatrixMarket matrix array pattern general\n", "line 1: an array has values"],
    ["%%MatrixMarket matrix coordinate pattern skew-symmetric\n", "line 1: a pattern has no signs"],
    [banner, "line 1: the text ends before rows, columns, entries"],
    [`${banner}\n% only this`, "line 2: the text ends before"],
    [`${banner}\n2 2\n`, 'line 2: expected rows, columns, entries, got "2 2"'],
    [`${banner}\n2 -2 1\n`, 'line 2: columns is a whole number, got "-2"'],
    [`${banner}\n2 2.0 1\n`, 'line 2: columns is a whole number, got "2.0"'],
    [`${banner}\n2 2 NaN\n`, 'line 2: entries is a whole number, got "NaN"'],
    [`${banner}\n2 2 2\n1 1 1\n`, "line 3: the text ends after 1 of 2 entries"],
    [`${banner}\n2 2 1000000000\n1 1 1\n`, "line 3: the text ends after 1 of 1000000000 entries"],
    [`${banner}\n2 2 1\n1 1 1\n\n2 2 2\n`, "line 5: there are more than 1 entries"],
    [`${banner}\n2 2 1\n1 1\n`, 'line 3: expected row, column and value, got "1 1"'],
    [`${banner}\n2 2 1\n1 1 1 1\n`, "line 3: expected row, column and value"],
    [`${banner}\n2 2 1\n0 1 1\n`, 'line 3: the row is a whole number from 1 to 2, got "0"'],
    [`${banner}\n2 2 1\n1 3 1\n`, 'line 3: the column is a whole number from 1 to 2, got "3"'],
    [`${banner}\n2 2 1\n1 1.5 1\n`, "line 3: the column is a whole number"],
    [`${banner}\n2 2 1\n1 99999999999999999999 1\n`, "line 3: the column is a whole number"],
    [`${banner}\n2 2 1\n1 1 NaN\n`, 'line 3: expected a number, got "NaN"'],
    [`${banner}\n2 2 1\n1 1 inf\n`, 'line 3: expected a number, got "inf"'],
    [`${banner}\n2 2 1\n1 1 0x10\n`, "line 3: expected a number"],
    [`${banner}\n2 2 1\n1 1 1,5\n`, "line 3: expected a number"],
    [`${banner}\n2 2 1\n1 1 1d5\n`, "line 3: expected a number"],
    [`${banner}\n2 2 1\n1 1 .\n`, "line 3: expected a number"],
    [`${banner}\n2 2 1\n1 1 1e999\n`, "line 3: 1e999 is beyond the largest number"],
    [
      `${banner}\n2 2 3\n1 2 1\n2 2 5\n1 2 3\n`,
      "line 5: row 1, column 2 is there already, at line 3",
    ],
    [coordinate("2 2 1\n1 1 1.5\n", "integer general"), "line 3: expected an integer"],
    [
      coordinate("2 2 1\n1 1 9007199254740993\n", "integer general"),
      "line 3: 9007199254740993 is beyond the integers that are exact",
    ],
    [coordinate("2 2 1\n1 1 1\n", "pattern general"), "line 3: expected row, column, got"],
    [coordinate("2 3 0\n", "real symmetric"), "line 2: a symmetric matrix is square, not 2 x 3"],
    [coordinate("2 2 1\n1 2 1\n", "real symmetric"), "line 3: an entry of a symmetric matrix is"],
    [
      coordinate("3 3 2\n\n3 1 1\n3 1 2\n", "real symmetric"),
      "line 5: row 3, column 1 is there already, at line 4",
    ],
    [coordinate("2 2 1\n1 1 1\n", "real skew-symmetric"), "line 3: a skew-symmetric matrix has no"],
    [
      "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n",
      "line 5: the text ends after 3 of 4",
    ],
    [
      "%%MatrixMarket matrix array real general\n1 1\n1\n2\n",
      "line 4: there are more than 1 values",
    ],
    ["%%MatrixMarket matrix array real general\n1 2\n1 2\n", "line 3: expected one value"],
    ["%%MatrixMarket matrix array real general\n1 2 2\n", "line 2: expected rows, columns, got"],
  ];
  const message = (call: () => unknown, kind: Parameters<typeof thrown>[0]) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("matrix-market.test.ts");
    return error.message;
  };

  test.each(wrong)("%j", (text, expected) => {
    for (const format of ["csr", "csc", "coo"] as const) {
      const said = message(() => parseMatrixMarket(text, { format }), DataError);
      expect(said).toContain("parseMatrixMarket, line ");
      expect(said).toContain(expected);
    }
  });

  test("sizes beyond the limits, before there is memory for them", () => {
    for (const sizes of [
      "300000000 1 1",
      "1 300000000 1",
      "1 1 2147483647",
      `1${"0".repeat(400)} 1 1`,
    ]) {
      expect(message(() => parseMatrixMarket(coordinate(`${sizes}\n1 1 1\n`)), LimitError)).toMatch(
        /line 2: \d+ (rows|columns|entries) are more than \d+/,
      );
    }
  });

  test("halves of what is not symmetric, options, and what is no text", () => {
    const text = coordinate("1 1 1\n1 1 1\n");
    expect(message(() => parseMatrixMarket(text, { triangle: "lower" }), DataError)).toContain(
      "a general matrix is not given by its lower triangle",
    );
    expect(message(() => parseMatrixMarket("?", { source: "a.mtx" }), DataError)).toContain(
      "a.mtx, line 1:",
    );
    const wrongs = [{ format: "ccs" }, { triangle: 1 }, { source: 3 }, { shape: 1 }, null];
    for (const options of wrongs)
      message(() => parseMatrixMarket(text, any(options)), ArgumentError);
    for (const given of [undefined, null, 3, {}, new Uint8Array(3)]) {
      message(() => parseMatrixMarket(any(given)), ArgumentError);
    }
  });

  test("long words take no longer than they are long", () => {
    const digits = "1".repeat(2_000_000);
    for (const word of [`${digits}x`, `${digits}.${digits}x`, `.${digits}e${digits}x`]) {
      const text = coordinate(`1 1 1\n1 1 ${word}\n`);
      expect(message(() => parseMatrixMarket(text), DataError)).toContain("expected a number");
      const wide = coordinate(`1 1 1\n${word} 1 1\n`);
      expect(message(() => parseMatrixMarket(wide), DataError)).toContain("the row is");
    }
    const blank = coordinate(`1 1 1\n${" ".repeat(2_000_000)}\n1${" ".repeat(2_000_000)}1 x\n`);
    expect(message(() => parseMatrixMarket(blank), DataError)).toContain("line 4: expected a");
  });

  test("any text ends in a matrix or in a typed error", () => {
    const word = fc.constantFrom(
      ...["%%MatrixMarket", "matrix", "coordinate", "array", "real", "pattern", "symmetric"],
      ...["general", "skew-symmetric", "\n", "\n", "%", "1", "2", "3", "0", "-1", "1e9", "x"],
    );
    const texts = fc.array(word, { maxLength: 30 }).map((words) => words.join(" "));
    const begun = texts.map((text) => coordinate(text));
    fc.assert(
      fc.property(fc.oneof(texts, begun, fc.string()), (text) => {
        try {
          const matrix = parseMatrixMarket(text);
          expect(parseMatrixMarket(matrix.toMatrixMarket()).values).toEqual(matrix.values);
        } catch (error) {
          expect(["ERR_DATA", "ERR_LIMIT"]).toContain((error as { code?: string }).code);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
