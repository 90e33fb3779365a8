import {
  ArgumentError,
  type ColorablePattern,
  type ColoringMethod,
  type ColoringOrder,
  colorPattern,
  fn,
  IndexError,
  LimitError,
  ShapeError,
  sparseHessian,
  sparseJacobian,
  vector,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

/** A pattern by its rows. */
function patternOf(rows: readonly (readonly number[])[], columns: number): ColorablePattern {
  const rowStarts = Int32Array.from({ length: rows.length + 1 }, (_, i) =>
    rows.slice(0, i).reduce((sum, row) => sum + row.length, 0),
  );
  return { rows: rows.length, columns, rowStarts, columnIndices: Int32Array.from(rows.flat()) };
}

const range = (n: number) => [...new Array(n).keys()];
/** Dense first row and column, and the diagonal. */
const arrow = (n: number) =>
  patternOf(
    range(n).map((i) => (i === 0 ? range(n) : [0, i])),
    n,
  );
const band = (n: number, half: number) =>
  patternOf(
    range(n).map((i) => range(n).filter((j) => Math.abs(i - j) <= half)),
    n,
  );

const orders: readonly ColoringOrder[] = [
  ...(["natural", "largestFirst", "smallestLast"] as const),
  ...(["incidenceDegree", "dynamicLargestFirst", "random"] as const),
];

describe("colorings", () => {
  test("bands take their width", () => {
    for (const half of [0, 1, 2, 5]) {
      const { count, columnColors, rowColors } = colorPattern(band(40, half));
      expect(count).toBe(2 * half + 1);
      expect(columnColors).toHaveLength(40);
      expect(rowColors).toHaveLength(0);
      expect(colorPattern(band(40, half), { method: "rows" }).count).toBe(2 * half + 1);
    }
  });

  test("arrows and paths", () => {
    expect(colorPattern(arrow(100)).count).toBe(100);
    const both = colorPattern(arrow(100), { method: "rowsAndColumns" });
    expect(both.count).toBe(3);
    expect(both.rowColors).toHaveLength(100);
    expect(colorPattern(arrow(100), { method: "star" }).count).toBe(2);
    expect(colorPattern(band(50, 1), { method: "star" }).count).toBe(3);
    expect(colorPattern(band(50, 1), { method: "acyclic" }).count).toBe(2);
    expect(colorPattern(band(50, 1), { method: "distanceTwo" }).count).toBe(3);
  });

  test("columns of one color share no row, in every order, the same every time", () => {
    const pattern = sparseJacobian(
      fn({ x: vector(30) }, ({ x }) =>
        x
          .slice([0, 25])
          .mul(x.slice([3, 28]))
          .add(x.slice([5, 30]).sin()),
      ),
    ).pattern;
    for (const order of orders) {
      const found = colorPattern(pattern, { order, seed: 7 });
      expect(found).toEqual(colorPattern(pattern, { order, seed: 7 }));
      expect(found.order).toBe(order);
      for (let row = 0; row < pattern.rows; row++) {
        const entries = pattern.columnIndices.subarray(
          ...[pattern.rowStarts[row]!, pattern.rowStarts[row + 1]!],
        );
        const colors = [...entries].map((column) => found.columnColors[column]!);
        expect(new Set(colors).size).toBe(colors.length);
      }
    }
  });

  test("of Hessians", () => {
    const chain = fn({ x: vector(50) }, ({ x }) =>
      x
        .slice([0, 49])
        .mul(x.slice([1, 50]))
        .exp()
        .sum(),
    );
    const { pattern } = sparseHessian(chain);
    expect(colorPattern(pattern, { method: "star" }).count).toBe(3);
    expect(colorPattern(pattern, { method: "acyclic" }).count).toBe(2);
  });

  test("of a triangle by colors of symmetric matrices", () => {
    const lower = { ...patternOf([[0], [0, 1], [1, 2], [2, 3]], 4), triangle: "lower" } as const;
    for (const method of ["star", "acyclic", "distanceTwo"] as const) {
      expect(colorPattern(lower, { method })).toEqual(colorPattern(band(4, 1), { method }));
    }
    expect(colorPattern(lower).count).toBe(2);
  });

  test("of nothing", () => {
    const methods: readonly ColoringMethod[] = ["columns", "rows", "rowsAndColumns", "star"];
    for (const method of methods) {
      expect(colorPattern(patternOf([], 0), { method }).count).toBe(0);
    }
  });
});

describe("errors", () => {
  const message = (call: () => unknown, kind: Parameters<typeof thrown>[0]) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("coloring.test.ts");
    return error.message;
  };

  test("malformed options", () => {
    const pattern = band(3, 1);
    expect(message(() => colorPattern(pattern, { method: any("cols") }), ArgumentError)).toContain(
      'method is "columns", "rows"',
    );
    expect(message(() => colorPattern(pattern, { order: any(2) }), ArgumentError)).toContain(
      "order is",
    );
    for (const seed of [-1, 0.5, Number.NaN, any("3")]) {
      expect(message(() => colorPattern(pattern, { seed }), ArgumentError)).toContain("seed");
    }
    expect(message(() => colorPattern(any(null)), ArgumentError)).toContain("a pattern");
    expect(message(() => colorPattern(pattern, any({ colour: 1 })), ArgumentError)).toContain(
      "colour",
    );
  });

  test("malformed patterns", () => {
    const good = band(3, 1);
    const wrong = (change: object, kind: Parameters<typeof thrown>[0], options = {}) =>
      message(() => colorPattern({ ...good, ...change } as ColorablePattern, options), kind);
    wrong({ rows: 4 }, ShapeError);
    wrong({ rows: -1 }, ShapeError);
    wrong({ rows: 2 ** 40 }, LimitError);
    wrong({ rows: 0, columns: 2 ** 29, rowStarts: new Int32Array(1) }, LimitError);
    expect(wrong({ rows: Number.NaN }, ShapeError)).toContain("rows is a whole number");
    wrong({ columns: 2 }, IndexError);
    wrong({ columnIndices: Int32Array.of(0, 1, 0, 1, 2, 1, -2) }, IndexError);
    wrong({ columnIndices: Int32Array.of(1, 0, 0, 1, 2, 1, 2) }, ArgumentError);
    wrong({ columnIndices: Int32Array.of(0, 1, 0, 1, 1, 1, 2) }, ArgumentError);
    wrong({ rowStarts: Int32Array.of(0, 2, 1, 7) }, ShapeError);
    wrong({ rowStarts: [0, 2, 5, 7] }, ArgumentError);
    wrong({ columnIndices: new Float64Array(7) }, ArgumentError);
    const lopsided = patternOf([[0, 1], [1], [2]], 3);
    for (const method of ["star", "acyclic", "distanceTwo"]) {
      wrong(lopsided, ArgumentError, { method });
      wrong(patternOf([[0], [1]], 3), ShapeError, { method });
    }
  });
});
