// Sums of terms that are scattered: flows along edges into nodes, elements assembled into systems.
import {
  constant,
  fn,
  hessian,
  jacobian,
  matrix,
  sparseHessian,
  sparseJacobian,
  type Value,
  vector,
} from "adjoint";
import { describe, expect, test } from "vitest";

const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);

/** Edges from every node to up to three of those before it, so that there are nodes of many degrees. */
function edgesOf(n: number) {
  const from: number[] = [];
  const to: number[] = [];
  for (let i = 1; i < n; i++) {
    for (const other of new Set([i >> 1, (i * 5 + 1) % i, (i * 7 + 3) % i])) {
      from.push(i);
      to.push(other);
    }
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to) };
}

/** What every node gives off, less what its edges carry. */
function balance(n: number, x: Value, k: Value): Value {
  const { from, to } = edgesOf(n);
  const flow = x.gather(from).sub(x.gather(to)).sin().mul(k);
  return x.square().scatterAdd(from, flow.neg()).scatterAdd(to, flow);
}

const network = (n: number) =>
  fn({ x: vector(n), k: vector(edgesOf(n).from.length) }, ({ x, k }) => balance(n, x, k));

/** Numbers that look random, the same every time. */
const numbers = (count: number, seed: number) =>
  Float64Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + seed) * 0.8);

const difference = (a: Float64Array, b: Float64Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe("flows into nodes", () => {
  const n = 30;
  const edges = edgesOf(n).from.length;
  const given = { x: numbers(n, 1), k: numbers(edges, 2) };

  test("are computed once for each edge", () => {
    const j = sparseJacobian(network(n), { wrt: ["x"] });
    const { notes } = j.explain();
    expect(notes).toHaveLength(3);
    expect(notes[0]).toBe(
      `sparse Jacobian (csr): ${n} rows, ${n} columns, ${n + 2 * edges} entries`,
    );
    expect(notes[1]).toContain(`${n} times 1 by 1:`);
    expect(notes[2]).toContain(`${edges} times 2 by 2:`);
  });

  test("in every format", () => {
    const f = network(n);
    const dense = jacobian(f, { wrt: ["x"] })(given).x as Float64Array;
    for (const format of ["csr", "csc", "coo"] as const) {
      for (const mode of ["forward", "reverse", "auto"] as const) {
        const j = sparseJacobian(f, { wrt: ["x"], format, mode });
        // Four of an edge are four entries of coordinates.
        expect(j.pattern.nonzeros).toBe(format === "coo" ? n + 4 * edges : n + 2 * edges);
        expect(difference(j.pattern.toDense(j(given)), dense)).toBeLessThan(1e-14);
      }
    }
  });

  test("of a Lagrangian", () => {
    const f = fn(
      { x: vector(n), k: vector(edges), weights: vector(n) },
      ({ x, k, weights }) => balance(n, x, k).mul(weights).sum() as Value<[]>,
    );
    const point = { ...given, weights: numbers(n, 3) };
    const dense = hessian(f, { wrt: ["x"] })(point).x.x as Float64Array;
    const h = sparseHessian(f, { wrt: ["x"], triangle: "lower" });
    expect(h.pattern.nonzeros).toBe(n + edges);
    expect(h.explain().notes.join("\n")).not.toContain("dense");
    const lower = dense.map((value, i) => (i % n <= Math.floor(i / n) ? value : 0));
    expect(difference(h.pattern.toDense(h(point)), lower)).toBeLessThan(1e-14);
  });
});

describe("entries of one place", () => {
  const scattered = (weights: number[]) =>
    sparseJacobian(
      fn({ x: vector(2) }, ({ x }) => {
        const terms = x.gather(weights.map(() => 0)).mul(constant(weights));
        return x.scatterAdd(
          weights.map(() => 1),
          terms,
        );
      }),
    );

  test("are added in the order of the updates", () => {
    for (const more of [0, 10]) {
      const zeros = Array.from({ length: more }, () => 0);
      const first = scattered([1e16, 1, -1e16, ...zeros]);
      const last = scattered([1e16, -1e16, 1, ...zeros]);
      expect(first.pattern.rowStarts).toEqual(i32(0, 1, 3));
      expect(first({ x: [1, 1] })).toEqual(f64(1, 0, 1));
      expect(last({ x: [1, 1] })).toEqual(f64(1, 1, 1));
    }
  });

  test("of elements with several nodes, in axes of any order", () => {
    const corners = [
      [0, 1, 2],
      [2, 1, 3],
      [3, 0, 0],
    ];
    const f = fn({ x: matrix(2, 4) }, ({ x }) => {
      const own = x.gather(corners.flat(), { axis: 1 }).reshape([2, 3, 3]);
      const force = own.square().mul(own.sum({ axis: 2, keepDims: true }));
      return x.mul(0).scatterAdd(corners.flat(), force.reshape([2, 9]), { axis: 1 });
    });
    const point = { x: Float64Array.from({ length: 8 }, (_, i) => i - 3) };
    const j = sparseJacobian(f);
    expect(j.explain().notes.join("\n")).not.toContain("dense");
    // Integers: sums in any order are the same.
    const dense = jacobian(f)(point) as unknown as { x: Float64Array };
    expect(j.pattern.toDense(j(point))).toEqual(dense.x);
  });
});

test("a term that is dense makes the sum dense, and is named", () => {
  const f = fn({ x: vector(80) }, ({ x }) =>
    x.cumsum().scatterAdd([0, 5, 5], x.gather([1, 2, 3]).sin()),
  );
  const { notes } = sparseJacobian(f).explain();
  expect(notes).toHaveLength(2);
  expect(notes[1]).toMatch(
    /dense 80 by 80 because of cumsum at .*sparse-scatter\.test\.ts:\d+:\d+/,
  );
});
