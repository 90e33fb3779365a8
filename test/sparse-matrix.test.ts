import {
  ArgumentError,
  type ColoringMethod,
  colorPattern,
  fn,
  IndexError,
  LimitError,
  ShapeError,
  SparseMatrix,
  sparseHessian,
  sparseJacobian,
  sparseMatrix,
  vector,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);

/** 1 0 2 / 0 3 0 */
const csr = { rows: 2, columns: 3, rowStarts: i32(0, 2, 3), columnIndices: i32(0, 2, 1) };
const csc = { rows: 2, columns: 3, columnStarts: i32(0, 1, 2, 3), rowIndices: i32(0, 1, 0) };
const coo = { rows: 2, columns: 3, rowIndices: i32(1, 0, 0), columnIndices: i32(1, 2, 0) };

describe("sparse matrices", () => {
  test("of a transform's pattern, and of its values", () => {
    const f = fn({ x: vector(3) }, ({ x }) => x.square());
    const j = sparseJacobian(f);
    const values = j({ x: [1, 2, 3] });
    const matrix = sparseMatrix(j.pattern, values);
    expect(matrix).toBeInstanceOf(SparseMatrix);
    expect(matrix.pattern).toBe(j.pattern);
    expect([matrix.rows, matrix.columns]).toEqual([3, 3]);
    values.fill(0);
    expect(matrix.toDense()).toEqual(f64(2, 0, 0, 0, 4, 0, 0, 0, 6));
    expect(() => Object.assign(j.pattern, { rows: 5 })).toThrow(TypeError);
  });

  test("of one's own arrays, which are copied", () => {
    const dense = f64(1, 0, 2, 0, 3, 0);
    expect(sparseMatrix(csr, [1, 2, 3]).toDense()).toEqual(dense);
    expect(sparseMatrix(csc, Float32Array.of(1, 3, 2)).toDense()).toEqual(dense);
    const own = { ...coo, rowIndices: i32(1, 0, 0) };
    const matrix = sparseMatrix(own, [3, 2, 1]);
    own.rowIndices.fill(7);
    expect(matrix.toDense()).toEqual(dense);
    expect(matrix.pattern).toMatchObject({ format: "coo", nonzeros: 3, triangle: "full" });
    expect(matrix.pattern.outputs).toEqual([{ path: "", start: 0, count: 2 }]);
    const twice = { rows: 1, columns: 1, rowIndices: i32(0, 0), columnIndices: i32(0, 0) };
    expect(sparseMatrix(twice, [1, 2]).toDense()).toEqual(f64(3));
  });

  test("are colored as their rows are", () => {
    const f = fn({ x: vector(20) }, ({ x }) =>
      x
        .slice([0, 17])
        .mul(x.slice([3, 20]))
        .exp()
        .sum()
        .add(x.at(0).mul(x.sum()).square()),
    );
    const [full, columns, coordinates] = (["csr", "csc", "coo"] as const).map((format) =>
      sparseHessian(f, { format }),
    );
    const given = { x: new Float64Array(20).fill(0.1) };
    const methods: ColoringMethod[] = ["columns", "rows", "rowsAndColumns", "star", "acyclic"];
    for (const method of methods) {
      const expected = colorPattern(full!.pattern, { method });
      expect(expected.count).toBeGreaterThan(1);
      for (const h of [full!, columns!, coordinates!]) {
        expect(colorPattern(h.pattern, { method })).toEqual(expected);
        expect(colorPattern(sparseMatrix(h.pattern, h(given)), { method })).toEqual(expected);
      }
    }
    for (const pattern of [csr, csc, coo]) expect(colorPattern(pattern).count).toBe(2);
  });
});

describe("errors", () => {
  const message = (kind: Parameters<typeof thrown>[0], call: () => unknown) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("sparse-matrix.test.ts");
    return error.message;
  };

  test("values that do not fit", () => {
    expect(message(ShapeError, () => sparseMatrix(csr, [1, 2]))).toContain("3 values, got 2");
    expect(message(ArgumentError, () => sparseMatrix(csr, any("123")))).toContain("an array");
    expect(message(ArgumentError, () => sparseMatrix(csr, any([1, "2", 3])))).toContain(
      "expected a number at position 1",
    );
    message(ArgumentError, () => sparseMatrix(csr, any(new BigInt64Array(3))));
  });

  test("patterns that are none", () => {
    const wrong = (given: object, change: object, kind: Parameters<typeof thrown>[0]) => {
      const said = message(kind, () => sparseMatrix(any({ ...given, ...change }), [1, 2, 3]));
      expect(said).toMatch(/^sparseMatrix: /);
      return said;
    };
    for (const given of [null, undefined, 3, "pattern"]) {
      expect(message(ArgumentError, () => sparseMatrix(any(given), []))).toContain("a pattern");
    }
    message(ArgumentError, () => sparseMatrix(any({}), []).toDense());
    wrong(csr, { rows: -1 }, ShapeError);
    wrong(csr, { rows: 2 ** 40 }, LimitError);
    wrong(csr, { columns: 1.5 }, ShapeError);
    wrong(csr, { triangle: "left" }, ArgumentError);
    wrong(csr, { rowStarts: [0, 2, 3] }, ArgumentError);
    wrong(csr, { rowStarts: new Proxy(i32(0, 2, 3), {}) }, ArgumentError);
    wrong(csr, { rowStarts: i32(0, 2) }, ShapeError);
    wrong(csr, { rowStarts: i32(1, 2, 3) }, ShapeError);
    wrong(csr, { rowStarts: i32(0, 4, 3) }, ShapeError);
    wrong(csr, { columnIndices: i32(0, 3, 1) }, IndexError);
    wrong(csr, { columnIndices: i32(0, -1, 1) }, IndexError);
    expect(wrong(csr, { columnIndices: i32(2, 0, 1) }, ArgumentError)).toContain(
      "columnIndices ascend from rowStarts[0] on, got 2 and 0",
    );
    wrong(csr, { columnIndices: i32(2, 2, 1) }, ArgumentError);
    wrong(csc, { columnStarts: i32(0, 1, 3) }, ShapeError);
    wrong(csc, { rowIndices: i32(0, 2, 0) }, IndexError);
    wrong(csc, { columnStarts: i32(0, 2, 2, 3), rowIndices: i32(1, 0, 0) }, ArgumentError);
    wrong(coo, { columnIndices: i32(0, 1) }, ShapeError);
    wrong(coo, { columnIndices: i32(0, 1, 3) }, IndexError);
    expect(wrong(coo, { columnIndices: undefined }, ArgumentError)).toContain(
      "columnIndices is an Int32Array, got undefined",
    );
  });

  test("triangles with entries outside", () => {
    const lower = { ...coo, rows: 3, triangle: "lower" } as const;
    expect(message(ArgumentError, () => sparseMatrix(lower, [1, 2, 3]))).toContain(
      "row 0, column 2 is not in the lower triangle",
    );
    message(ShapeError, () => sparseMatrix({ ...coo, triangle: "upper" }, [1, 2, 3]));
    const upper = { ...lower, triangle: "upper" } as const;
    expect(sparseMatrix(upper, [1, 2, 3]).pattern.triangle).toBe("upper");
  });

  test("what only looks like a matrix", () => {
    const forged = Object.create(SparseMatrix.prototype) as SparseMatrix;
    message(ArgumentError, () => colorPattern(forged));
    message(ArgumentError, () => colorPattern(any({})));
    message(ArgumentError, () => colorPattern(any(3)));
  });
});
