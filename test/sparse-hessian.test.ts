import {
  ArgumentError,
  concat,
  fn,
  grad,
  hessian,
  matrix,
  ShapeError,
  scalar,
  sparseHessian,
  sparseJacobian,
  type Triangle,
  vector,
  vmap,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { chained } from "../bench/problems/chained.js";
import { any, thrown } from "./thrown.js";

function numbers(count: number, seed = 1): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (state * 16807) % 2147483647;
    return 0.5 + state / 2147483647;
  });
}

/** The entries of a dense matrix that a triangle has. */
function triangleOf(dense: Float64Array, n: number, triangle: Triangle): Float64Array {
  return dense.map((value, i) => {
    const [row, column] = [Math.floor(i / n), i % n];
    if (triangle === "full" || row === column) return value;
    return (triangle === "lower") === column < row ? value : 0;
  });
}

const difference = (a: Float64Array, b: Float64Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe("sparse Hessians", () => {
  test("of chained terms, by format and triangle", () => {
    for (const n of [3, 4, 5, 20]) {
      const f = chained(n);
      const given = { x: numbers(n), weights: numbers(n - 2, 2) };
      const dense = hessian(f, { wrt: ["x"] })(given).x.x as Float64Array;
      for (const format of ["csr", "csc", "coo"] as const) {
        for (const triangle of ["full", "lower", "upper"] as const) {
          const h = sparseHessian(f, { wrt: ["x"], format, triangle });
          const found = h.pattern.toDense(h(given));
          expect(difference(found, triangleOf(dense, n, triangle))).toBeLessThan(1e-12);
          expect(h.pattern.triangle).toBe(triangle);
          if (format !== "coo" && n > 3)
            expect(h.pattern.nonzeros).toBe(triangle === "full" ? 3 * n - 2 : 2 * n - 1);
        }
      }
    }
  });

  test("of a triangle, as CSR with ascending columns up to the diagonal", () => {
    const { pattern } = sparseHessian(chained(4), { wrt: ["x"], triangle: "lower" });
    expect(pattern.rowStarts).toEqual(Int32Array.of(0, 1, 3, 5, 7));
    expect(pattern.columnIndices).toEqual(Int32Array.of(0, 0, 1, 1, 2, 2, 3));
    expect(pattern.outputs).toEqual([{ path: "x", start: 0, count: 4 }]);
    expect(pattern.inputs).toEqual(pattern.outputs);
  });

  test("of a triangle, as CSC: the upper one has the arrays of the lower one as CSR", () => {
    const wrt = ["x"] as const;
    const given = { x: numbers(7), weights: numbers(5, 2) };
    const lower = sparseHessian(chained(7), { wrt, triangle: "lower" });
    const upper = sparseHessian(chained(7), { wrt, triangle: "upper", format: "csc" });
    expect(upper.pattern.columnStarts).toEqual(lower.pattern.rowStarts);
    expect(upper.pattern.rowIndices).toEqual(lower.pattern.columnIndices);
    expect(difference(upper(given), lower(given))).toBeLessThan(1e-12);
  });

  test("is the sparse Jacobian of the gradient", () => {
    const f = chained(30);
    const given = { x: numbers(30), weights: numbers(28, 2) };
    const gradient = grad(f, { wrt: ["x"] });
    const byGradient = sparseJacobian(gradient, { wrt: ["x"] });
    const h = sparseHessian(f, { wrt: ["x"] });
    expect(h(given)).toEqual(byGradient(given));
    expect(h.explain().notes.join("\n")).toContain("sparse Hessian (csr): 30 rows, 30 columns");
  });

  test("of a mapped function with shared parameters, several inputs", () => {
    const term = fn({ p: vector(2), s: scalar() }, ({ p, s }) =>
      p.at(0).mul(s).exp().add(p.at(1).square().mul(s)),
    );
    const f = fn({ p: matrix(5, 2), s: scalar() }, ({ p, s }) => {
      const terms = vmap(term, 5, { shared: ["s"] })({ p, s });
      return terms.sum();
    });
    const given = { p: numbers(10), s: 0.7 };
    const dense = hessian(f)(given);
    const h = sparseHessian(f);
    const found = h.pattern.toDense(h(given));
    const at = (row: number, column: number) => found[row * 11 + column]!;
    const pp = dense.p.p as Float64Array;
    for (let i = 0; i < 10; i++) {
      for (let k = 0; k < 10; k++) expect(at(i, k)).toBeCloseTo(pp[i * 10 + k]!, 12);
      expect(at(i, 10)).toBeCloseTo((dense.p.s as Float64Array)[i]!, 12);
      expect(at(10, i)).toBeCloseTo((dense.s.p as Float64Array)[i]!, 12);
    }
    expect(at(10, 10)).toBeCloseTo(dense.s.s as number, 12);
  });

  test("of what mixes all, in a triangle of a dense block", () => {
    const f = fn({ x: vector(6), y: vector(3) }, ({ x, y }) =>
      concat([x.softmax(), y.square()]).square().sum().mul(x.cumsum().sum()),
    );
    const given = { x: numbers(6), y: numbers(3, 3) };
    const full = sparseHessian(f);
    const lower = sparseHessian(f, { triangle: "lower" });
    const dense = full.pattern.toDense(full(given));
    expect(difference(lower.pattern.toDense(lower(given)), triangleOf(dense, 9, "lower"))).toBe(0);
    expect(
      difference(
        dense,
        Float64Array.from(dense, (_, i) => dense[(i % 9) * 9 + Math.floor(i / 9)]!),
      ),
    ).toBeLessThan(1e-12);
  });

  test("of a linear function, of a constant one", () => {
    const linear = sparseHessian(fn({ x: vector(4) }, ({ x }) => x.sum()));
    expect(linear.pattern.nonzeros).toBe(0);
    expect(linear({ x: [1, 2, 3, 4] })).toEqual(new Float64Array(0));
  });
});

describe("errors", () => {
  const message = (call: () => unknown, kind: Parameters<typeof thrown>[0]) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("sparse-hessian.test.ts");
    return error.message;
  };

  test("malformed options and functions", () => {
    const f = chained(5);
    expect(message(() => sparseHessian(f, { triangle: any("left") }), ArgumentError)).toContain(
      'triangle is "full", "lower" or "upper", got "left"',
    );
    expect(message(() => sparseHessian(f, { format: any(1) }), ArgumentError)).toContain("format");
    const many = fn({ x: vector(3) }, ({ x }) => x.square());
    expect(message(() => sparseHessian(any(many)), ShapeError)).toContain("one scalar");
  });
});
