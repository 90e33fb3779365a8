// Sparse derivatives and patterns of functions with loops, against the dense ones.
import {
  type AdjointFunction,
  checkPattern,
  concat,
  cond,
  fn,
  grad,
  hessian,
  jacobian,
  leastSquares,
  map,
  scalar,
  scan,
  sparseHessian,
  sparseJacobian,
  sparsity,
  type Value,
  vector,
  whileLoop,
} from "adjoint";
import { describe, expect, test } from "vitest";

type Vector = Value<[number]>;
type VectorFunction = AdjointFunction<[{ x: Vector }], Vector>;

const range = (n: number) => [...new Array(n).keys()];
const numbers = (n: number) =>
  Float64Array.from({ length: n }, (_, i) => 1.5 + Math.sin(3 * i + 1));

const around = (x: Vector, distance: number): Vector => {
  const n = x.shape[0] as number;
  const first = (distance + n) % n;
  return concat([x.slice([first, n]), x.slice([0, first])]) as Vector;
};

/** Steps of Burgers' equation on a ring of cells. */
const burgers = (cells: number, steps: number): VectorFunction =>
  fn({ x: vector(cells) }, ({ x }) => {
    const step = (u: Vector): Vector => {
      const left = around(u, -1);
      const right = around(u, 1);
      const flux = u.mul(right.sub(left)).mul(0.01);
      return u.sub(flux).add(right.sub(u.mul(2)).add(left).mul(0.1)) as Vector;
    };
    return scan((u: Vector) => [step(u)], x as Vector, undefined, { length: steps })[0];
  }) as VectorFunction;

/** The whole Jacobian; its zeros have one sign. */
const denseOf = (f: VectorFunction, x: Float64Array, mode: "forward" | "reverse") =>
  (jacobian(f, { mode })({ x }) as { x: Float64Array }).x.map((v) => v + 0);

/** Rows of a pattern as text, one character an element. */
function pictureOf(pattern: {
  rows: number;
  columns: number;
  toDense(values: Float64Array): Float64Array;
  nonzeros: number;
}) {
  const dense = pattern.toDense(new Float64Array(pattern.nonzeros).fill(1));
  return range(pattern.rows).map((row) =>
    Array.from(dense.slice(row * pattern.columns, (row + 1) * pattern.columns), (v) =>
      v ? "x" : ".",
    ).join(""),
  );
}

/** Compressed and dense derivatives have the same bits, and no derivative is outside of the pattern. */
function expectSame(f: VectorFunction, x: Float64Array) {
  for (const mode of ["forward", "reverse"] as const) {
    const sparse = sparseJacobian(f, { mode, method: "coloring" });
    const dense = denseOf(f, x, mode);
    expect(sparse.pattern.toDense(sparse({ x }))).toEqual(dense);
  }
  expect(checkPattern(f, sparsity(f), { at: { x } }).ok).toBe(true);
}

describe("functions with loops", () => {
  test("20 steps of Burgers' equation are a band of 41", () => {
    const f = burgers(205, 20);
    const pattern = sparsity(f);
    expect(pattern.nonzeros).toBe(205 * 41);
    for (const row of [0, 77]) {
      const first = pattern.rowStarts[row]!;
      const columns = Array.from(pattern.columnIndices.slice(first, pattern.rowStarts[row + 1]));
      const expected = range(41).map((k) => (row + k - 20 + 205) % 205);
      expect(columns).toEqual(expected.sort((a, b) => a - b));
    }
    expectSame(f, numbers(205));
    const sparse = sparseJacobian(f);
    expect(sparse.coloring!.count).toBe(41);
    expect(sparse({ x: numbers(205) }).length).toBe(205 * 41);
  });

  test("a loop of a scalar is differentiated as a whole", () => {
    const f = fn(
      { x: scalar() },
      ({ x }) => scan((y) => [y.sin()], x, undefined, { length: 3 })[0],
    );
    const { x } = jacobian(f)({ x: 1 }) as { x: number };
    expect(Array.from(sparseJacobian(f)({ x: 1 }))).toEqual([x]);
    expect(Array.from(sparseJacobian(f, { method: "instances" })({ x: 1 }))).toEqual([x]);
  });

  test("rows of a scan depend on earlier rows", () => {
    const f = fn({ x: vector(4) }, ({ x }) => scan((s, u) => [s.mul(u), s.add(u.sin())], 1, x)[1]);
    const g = f as unknown as VectorFunction;
    expect(pictureOf(sparsity(g))).toEqual(["x...", "xx..", "xxx.", "xxxx"]);
    expectSame(g, numbers(4));
  });

  test("a while loop along a chain", () => {
    const f = fn(
      { x: vector(12) },
      ({ x }) =>
        whileLoop(
          ({ y }) => y.sum().less(100),
          ({ y }) => ({ y: y.add(around(y as Vector, -1).square()) }),
          { y: x },
          { maxSteps: 3 },
        ).y,
    ) as unknown as VectorFunction;
    const x = numbers(12).map((v) => v / 2);
    expect(pictureOf(sparsity(f))[5]).toBe("..xxxx......");
    expect(pictureOf(sparsity(f, { at: { x: new Float64Array(12).fill(50) } }))[5]).toBe(
      ".....x......",
    );
    expectSame(f, x);
  });

  test("branches, one an element", () => {
    const f = fn({ x: vector(9) }, ({ x }) =>
      map(
        (v: Value<[]>) =>
          cond(
            v.greater(1.5),
            () => v.square(),
            () => v.sin(),
          ),
        x,
      ),
    ) as unknown as VectorFunction;
    const x = numbers(9);
    expect(sparsity(f).nonzeros).toBe(9);
    expectSame(f, x);
    expect(sparseJacobian(f).coloring!.count).toBe(1);
  });

  test("at a point the branch that is taken", () => {
    const f = fn({ x: vector(4) }, ({ x }) =>
      cond(
        x.sum().greater(0),
        () => around(x, 1),
        () => x.mul(around(x, -1)),
      ),
    ) as unknown as VectorFunction;
    expect(pictureOf(sparsity(f))).toEqual(["xx.x", "xxx.", ".xxx", "x.xx"]);
    const at = (v: number) => pictureOf(sparsity(f, { at: { x: new Float64Array(4).fill(v) } }));
    expect(at(1)).toEqual([".x..", "..x.", "...x", "x..."]);
    expect(at(-1)).toEqual(["x..x", "xx..", ".xx.", "..xx"]);
    expectSame(f, numbers(4));
  });

  test("Hessians of sums over scans", () => {
    const f = fn({ x: scalar(), u: vector(30) }, ({ x, u }) => {
      return scan((s, v) => [s.mul(0.5).add(v), v.square().mul(v).add(s)], x, u)[1];
    });
    const cost = fn({ x: scalar(), u: vector(30) }, (given) => (f(given) as Vector).sum());
    const point = { x: 0.5, u: numbers(30) };
    const sparse = sparseHessian(cost, { wrt: ["u"], method: "coloring" });
    expect(sparse.pattern.nonzeros).toBe(30);
    expect(sparse.coloring!.count).toBe(1);
    const dense = hessian(cost, { wrt: ["u"] })(point) as { u: { u: Float64Array } };
    expect(sparse.pattern.toDense(sparse(point))).toEqual(dense.u.u.map((v) => v + 0));
  });

  test("Hessians through steps that are not linear", () => {
    const cost = fn({ x: vector(20) }, ({ x }) => burgers(20, 2)({ x }).square().sum());
    const x = numbers(20);
    const pattern = sparsity(cost, { of: "hessian" });
    // Two elements meet in the square of one that both are within two steps of.
    expect(pattern.nonzeros).toBe(20 * 9);
    expect(checkPattern(cost, pattern, { of: "hessian", at: { x } }).ok).toBe(true);
    const sparse = sparseHessian(cost, { method: "coloring" });
    const dense = (hessian(cost)({ x }) as { x: { x: Float64Array } }).x.x;
    const values = sparse.pattern.toDense(sparse({ x }));
    // One of two mirrored entries is computed, and has its bits.
    for (let i = 0; i < 400; i++) {
      expect([dense[i], dense[(i % 20) * 20 + Math.floor(i / 20)]]).toContainEqual(values[i]);
    }
    const slopes = grad(cost) as unknown as AdjointFunction<[{ x: Vector }], { x: Vector }>;
    expect(sparsity(slopes).nonzeros).toBe(20 * 9);
  });

  test("a pattern that is too small is found out", () => {
    const f = burgers(30, 3);
    const smaller = sparsity(burgers(30, 2));
    const report = checkPattern(f, smaller, { at: { x: numbers(30) }, throws: false });
    expect(report.ok).toBe(false);
    expect(report.missing.length).toBe(60);
  });

  test("a million steps take no longer than it takes to reach everything", () => {
    const start = performance.now();
    expect(sparsity(burgers(100, 1_000_000)).nonzeros).toBe(10000);
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("least squares of what a loop gives", () => {
    const residuals = fn({ x: vector(60), seen: vector(60) }, ({ x, seen }) =>
      burgers(60, 4)({ x }).sub(seen),
    );
    const truth = numbers(60);
    const seen = burgers(60, 4)({ x: truth }) as unknown as Float64Array;
    const options = { x0: { x: truth.map((v) => v + 0.1), seen }, wrt: ["x"] } as const;
    const sparse = leastSquares(residuals, { ...options, jacobian: "sparse" });
    const dense = leastSquares(residuals, { ...options, jacobian: "dense" });
    expect(sparse.jacobianEntries).toBe(60 * 9);
    expect(sparse.converged).toBe(true);
    for (let i = 0; i < 60; i++) {
      expect(Math.abs(sparse.x.x[i]! - dense.x.x[i]!)).toBeLessThan(1e-9);
      expect(Math.abs(sparse.x.x[i]! - truth[i]!)).toBeLessThan(1e-6);
    }
  });
});

test("results that are a loop's in another order are its derivatives', too", () => {
  const n = 9;
  const f = fn({ x: vector(n) }, ({ x }) => {
    const [, all] = scan(
      (c: Value<[]>, row) => {
        const y = c.mul(0.5).add(row).tanh();
        return [y, y];
      },
      0.25,
      x,
    );
    return { some: all.slice([2, n]), turned: all.gather(range(n).reverse()) };
  });
  const dense = jacobian(f)({ x: numbers(n) });
  const sparse = sparseJacobian(f);
  const found = sparse.pattern.toDense(sparse({ x: numbers(n) }));
  const want = [dense.some.x, dense.turned.x].flatMap((block) => [...(block as Float64Array)]);
  for (const [i, value] of want.entries()) expect(found[i]).toBeCloseTo(value, 14);
});
