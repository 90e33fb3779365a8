// Nonlinear least squares of many variables that are seldom together: bundles of poses and landmarks, chains, and the memory
// and time they take.
import {
  fn,
  LimitError,
  leastSquares,
  matrix,
  scalar,
  stack,
  sub,
  type Value,
  vector,
  vmap,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { thrown } from "./thrown.js";

const sighting = fn(
  { pose: { x: scalar(), y: scalar(), turn: scalar() }, mark: { x: scalar(), y: scalar() } },
  ({ pose, mark }) => {
    const [dx, dy] = [mark.x.sub(pose.x), mark.y.sub(pose.y)];
    const [c, s] = [pose.turn.cos(), pose.turn.sin()];
    return { ahead: c.mul(dx).add(s.mul(dy)), aside: c.mul(dy).sub(s.mul(dx)) };
  },
);

/** Poses on a winding way, each of which sees landmarks beside it; the first pose is held where it is. */
function bundle(poses: number, seen = 6) {
  const marks = 2 * poses;
  const count = poses * seen;
  const at = Int32Array.from({ length: count }, (_, i) => Math.floor(i / seen));
  const of = at.map((pose, i) => (2 * pose + (i % seen)) % marks);
  const spec = { poses: matrix(poses, 3), marks: matrix(marks, 2), seen: matrix(count, 2) };
  const column = (values: Value, i: number) =>
    values.slice(null, [i, i + 1]).reshape([-1]) as Value<[number]>;
  const f = fn(spec, (given) => {
    const [pose, mark] = [given.poses.gather(at) as Value, given.marks.gather(of) as Value];
    const { ahead, aside } = vmap(
      sighting,
      count,
    )({
      pose: { x: column(pose, 0), y: column(pose, 1), turn: column(pose, 2) },
      mark: { x: column(mark, 0), y: column(mark, 1) },
    });
    const first = given.poses.slice([0, 1]).reshape([3]);
    return { sightings: stack([ahead, aside], { axis: 1 }).sub(given.seen), first };
  });
  const truth = {
    poses: Float64Array.from({ length: 3 * poses }, (_, i) => {
      const step = Math.floor(i / 3);
      return i % 3 === 0 ? step : i % 3 === 1 ? 3 * Math.sin(step / 9) : Math.sin(step / 7);
    }).map((value, i) => (i < 3 ? 0 : value)),
    marks: Float64Array.from({ length: 2 * marks }, (_, i) =>
      i % 2 === 0 ? Math.floor(i / 2) / 2 : 4 * Math.cos(i),
    ),
    seen: new Float64Array(2 * count),
  };
  const sightings = f(truth).sightings as Float64Array;
  const start = (values: Float64Array, by: number) =>
    values.map((value, i) => value + by * Math.sin(31 * i + 1));
  return {
    f,
    truth,
    x0: {
      poses: start(truth.poses, 0.1),
      marks: start(truth.marks, 0.2),
      seen: sightings.map((value, i) => value + 0.01 * Math.cos(17 * i * i)),
    },
  };
}

const wrt = ["poses", "marks"] as const;
/** The largest distance between elements. */
const distance = (a: Float64Array, b: Float64Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("bundles of poses and landmarks", () => {
  test("dense and sparse, by both factorizations, agree, and sparse is faster", () => {
    const { f, x0 } = bundle(60);
    const options = { x0, wrt, gradientTolerance: 1e-14, costTolerance: 0 } as const;
    const dense = leastSquares(f, { ...options, jacobian: "dense", factorization: "cholesky" });
    const others = [
      leastSquares(f, { ...options, jacobian: "dense", factorization: "qr" }),
      leastSquares(f, { ...options, jacobian: "sparse", factorization: "cholesky" }),
      leastSquares(f, { ...options, jacobian: "sparse", factorization: "qr" }),
    ];
    expect(dense.converged).toBe(true);
    for (const found of others) {
      expect(found.converged).toBe(true);
      expect(Math.abs(found.cost / dense.cost - 1)).toBeLessThan(1e-13);
      expect(distance(found.x.poses, dense.x.poses)).toBeLessThan(1e-10);
      expect(distance(found.x.marks, dense.x.marks)).toBeLessThan(1e-10);
    }
    const [, sparse] = others;
    expect(sparse!.solveSeconds).toBeLessThan(dense.solveSeconds / 2);
    expect(sparse!.jacobianEntries).toBeLessThan(dense.jacobianEntries / 20);
    const automatic = leastSquares(f, options);
    expect(automatic).toMatchObject({ jacobian: "sparse", factorization: "cholesky" });
    expect(automatic.x).toEqual(sparse!.x);
  });

  test("500 poses and 1000 landmarks, 6003 residuals", () => {
    const { f, truth, x0 } = bundle(500);
    const [cholesky, qr] = (["cholesky", "qr"] as const).map((factorization) =>
      leastSquares(f, { x0, wrt, factorization, gradientTolerance: 1e-12 }),
    );
    for (const found of [cholesky!, qr!]) {
      expect(found).toMatchObject({ converged: true, jacobian: "sparse" });
      expect(found.iterations).toBeLessThan(30);
      // The noise is 0.01, and errors of directions add up along the way.
      expect(distance(found.x.marks, truth.marks)).toBeLessThan(30);
      expect(f(found.x)).toEqual(found.residuals);
    }
    expect(Math.abs(qr!.cost / cholesky!.cost - 1)).toBeLessThan(1e-12);
    expect(distance(qr!.x.marks, cholesky!.x.marks)).toBeLessThan(1e-6);
    expect([...cholesky!.x.seen]).toEqual([...x0.seen]);
  });
});

/** Broyden's tridiagonal function (C. G. Broyden, 1965). */
const broyden = (n: number) =>
  fn({ x: vector(n) }, ({ x }) => {
    const left = x.slice([0, n - 1]).pad([[1, 0]]);
    const right = x.slice([1, n]).pad([[0, 1]]);
    return sub(3, x.mul(2)).mul(x).sub(left).sub(right.mul(2)).add(1);
  });

describe("chains", () => {
  // Work is proportional to entries; times depend on caches, and on who else is on the machine.
  test.each(["cholesky", "qr"] as const)("take linear time by %s", (factorization) => {
    for (const n of [10_000, 100_000]) {
      const f = broyden(n);
      const x0 = { x: new Float64Array(n).fill(-1) };
      const found = leastSquares(f, { x0, factorization });
      f.dispose();
      expect(found).toMatchObject({ status: "zero", jacobian: "sparse", iterations: 5 });
      expect(found.jacobianEntries).toBe(3 * n - 2);
      expect(found.factorEntries).toBe(3 * n - 3);
      expect(found.prepareSeconds + found.solveSeconds).toBeLessThan(5);
    }
  });

  test("a row of all variables is one dense row, and limits are kept", () => {
    const n = 300;
    const f = fn({ x: vector(n) }, ({ x }) => ({
      own: x.sin().add(x.mul(2)).sub(3),
      all: x.sum(),
    }));
    const x0 = { x: new Float64Array(n).fill(1) };
    const [dense, sparse] = (["dense", "sparse"] as const).map((jacobian) =>
      leastSquares(f, { x0, jacobian, factorization: "cholesky", gradientTolerance: 1e-13 }),
    );
    expect(sparse!.factorEntries).toBe((n * (n + 1)) / 2);
    expect(distance(sparse!.x.x, dense!.x.x)).toBeLessThan(1e-12);

    const many = 200_000;
    const wide = fn({ x: vector(many) }, ({ x }) => ({ own: x.square(), all: x.sum() }));
    const start = { x: new Float64Array(many).fill(1) };
    for (const factorization of ["cholesky", "qr"] as const) {
      const error = thrown(LimitError, () =>
        leastSquares(wide, { x0: start, jacobian: "sparse", factorization }),
      );
      expect(error.message).toMatch(/too full for a sparse factorization/);
      expect(error.location?.file).toMatch(/least-squares-sparse\.test/);
    }
    thrown(LimitError, () => leastSquares(wide, { x0: start, jacobian: "dense" }));
  });
});
