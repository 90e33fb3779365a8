// Nonlinear least squares: minima that are known, how solves end, and what is refused.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AbortError,
  type AdjointFunction,
  ArgumentError,
  DTypeError,
  fn,
  IndexError,
  leastSquares,
  matrix,
  NameError,
  parse,
  ShapeError,
  StateError,
  scalar,
  sub,
  type Value,
  vector,
  vmap,
} from "adjoint";
import { describe, expect, it, test } from "vitest";
import { digits, nistModels, readNist } from "./fit-nist.js";
import { any, rejected, thrown } from "./thrown.js";

const ways = (["dense", "sparse"] as const).flatMap((jacobian) =>
  (["cholesky", "qr"] as const).map((factorization) => ({ jacobian, factorization })),
);

/** To the last digits. */
const tight = { gradientTolerance: 1e-14, stepTolerance: 1e-14, costTolerance: 0 };

const rosenbrock = fn({ x: vector(2) }, ({ x }) => ({
  valley: x.at(1).sub(x.at(0).square()).mul(10),
  along: sub(1, x.at(0)),
}));

const own = fileURLToPath(new URL("data/nist/", import.meta.url));
const all = process.env.ADJOINT_DATA;

/** Model minus response over all observations, and the record of columns. */
function nistProblem(folder: string, name: string) {
  const { starts, certified, residualSumOfSquares, columns } = readNist(
    join(folder, `${name}.dat`),
  );
  const { model, y = "y" } = nistModels[name]!;
  const parameters = [...certified.keys()];
  const names = [...parameters, ...Object.keys(columns)];
  const [formula, response] = [parse(model, names), parse(y, names)];
  const spec = {
    ...Object.fromEntries(parameters.map((each) => [each, scalar()])),
    ...Object.fromEntries(
      Object.entries(columns).map(([each, { length }]) => [each, vector(length)]),
    ),
  };
  const f = fn(spec, (values) =>
    sub(formula(any(values)) as Value, response(any(values)) as Value),
  );
  return { f, parameters, starts, certified, residualSumOfSquares, columns };
}

function reaches(folder: string, name: string, least: number) {
  const problem = nistProblem(folder, name);
  for (const start of problem.starts) {
    for (const way of ways) {
      const found = leastSquares(problem.f as AdjointFunction<[Record<string, Value>], Value>, {
        x0: any({ ...start, ...problem.columns }),
        wrt: problem.parameters,
        maxIterations: 1000,
        ...tight,
        ...way,
      });
      const label = `${name} ${JSON.stringify(way)}`;
      expect(found.converged, label).toBe(true);
      for (const each of problem.parameters) {
        const value = (found.x as Record<string, number>)[each]!;
        expect(digits(value, problem.certified.get(each)!.value), label).toBeGreaterThan(least);
      }
      expect(digits(2 * found.cost, problem.residualSumOfSquares), label).toBeGreaterThan(10);
    }
  }
}

describe("NIST's reference data sets, dense and sparse, by both factorizations", () => {
  it.each(["Misra1a", "DanWood", "MGH09", "Nelson"])("%s: the certified values", (name) => {
    reaches(own, name, 9);
  });

  const reason =
    all === undefined ? " (skipped: ADJOINT_DATA does not name the folder of data)" : "";
  it.skipIf(all === undefined)(`all 14 sets${reason}`, () => {
    const folder = join(all!, "nist");
    for (const name of Object.keys(nistModels)) {
      expect(existsSync(join(folder, `${name}.dat`)), name).toBe(true);
      reaches(folder, name, 9);
    }
  });
});

test.each(ways)("Rosenbrock's valley, %o", (way) => {
  const found = leastSquares(rosenbrock, { x0: { x: [-1.2, 1] }, ...way });
  expect(found).toMatchObject({ converged: true, status: "zero", ...way });
  expect(Math.abs(found.x.x[0]! - 1)).toBeLessThan(1e-14);
  expect(Math.abs(found.x.x[1]! - 1)).toBeLessThan(1e-14);
  expect(rosenbrock(found.x)).toEqual(found.residuals);
  expect(found.iterations).toBeLessThan(40);
  const again = leastSquares(rosenbrock, { x0: { x: [-1.2, 1] }, ...way });
  const { prepareSeconds, solveSeconds, ...rest } = found;
  expect(again).toMatchObject(rest);
  expect(prepareSeconds).toBeGreaterThan(0);
  expect(solveSeconds).toBeGreaterThan(0);
});

test("the linear problem is solved in closed form", () => {
  const line = fn({ p: { a: scalar(), b: scalar() }, x: vector(4), y: vector(4) }, ({ p, x, y }) =>
    p.a.add(p.b.mul(x)).sub(y),
  );
  const [x, y] = [
    [0, 1, 2, 3],
    [1, 3, 2, 5],
  ];
  for (const way of ways) {
    const x0 = { p: { a: 0, b: 0 }, x, y };
    const found = leastSquares(line, { x0, wrt: ["p"], ...tight, ...way });
    expect(found.x.p.a).toBeCloseTo(1.1, 13);
    expect(found.x.p.b).toBeCloseTo(1.1, 13);
    expect(found.cost).toBeCloseTo(1.35, 13);
    expect([...found.x.x]).toEqual(x);
    expect([...found.x.y]).toEqual(y);
    expect(found.gradientCosine).toBeLessThan(1e-10);
  }
});

test("several results of any shape are residuals one after another, as calls give them", () => {
  const f = fn({ a: matrix(2, 2), b: scalar() }, ({ a, b }) => ({
    square: a.mul(b).sub(6),
    both: [b.sub(3), a.sum().sub(8)],
  }));
  const x0 = {
    a: [
      [1, 1],
      [1, 1],
    ],
    b: 1,
  };
  for (const way of ways) {
    const found = leastSquares(f, { x0, ...way });
    expect(found.status).toBe("zero");
    for (const each of found.x.a) expect(each).toBeCloseTo(2, 12);
    expect(found.x.b).toBeCloseTo(3, 12);
    expect(f(found.x)).toEqual(found.residuals);
  }
});

describe("problems without full rank", () => {
  test.each(ways)("two variables of which only the sum matters, %o", (way) => {
    const f = fn({ x: vector(3) }, ({ x }) => ({
      sum: x.at(0).add(x.at(1)).sub(5),
      square: x.at(2).square().sub(2),
      same: x.at(0).add(x.at(1)).exp().sub(Math.exp(5)),
    }));
    const found = leastSquares(f, { x0: { x: [1, 2, 1] }, ...way });
    expect(found.converged).toBe(true);
    const [a, b, c] = found.x.x;
    expect(a! + b!).toBeCloseTo(5, 12);
    expect(c!).toBeCloseTo(Math.SQRT2, 12);
    // The damped step has nothing in the direction that does not matter.
    expect(a! - b!).toBeCloseTo(-1, 6);
  });

  test.each(ways)(
    "variables that do nothing stay where they are, and fewer residuals, %o",
    (way) => {
      const f = fn({ x: vector(4) }, ({ x }) => x.at(1).square().sub(x.at(2)));
      const found = leastSquares(f, { x0: { x: [7, 2, 1, -3] }, ...way });
      expect(found.status).toBe("zero");
      expect(found.x.x[0]).toBe(7);
      expect(found.x.x[3]).toBe(-3);
    },
  );

  test.each(ways)("no variable does anything, %o", (way) => {
    const f = fn({ x: vector(2) }, ({ x }) => x.mul(0).add(1));
    const found = leastSquares(f, { x0: { x: [1, 2] }, ...way });
    expect(found).toMatchObject({ status: "gradient", iterations: 0, cost: 1 });
  });
});

describe("how solves end", () => {
  test("by the limit of iterations", () => {
    const found = leastSquares(rosenbrock, { x0: { x: [-1.2, 1] }, maxIterations: 3 });
    expect(found).toMatchObject({ converged: false, status: "maxIterations", iterations: 3 });
    expect(found.message).toMatch(/limit of iterations/);
    const none = leastSquares(rosenbrock, { x0: { x: [-1.2, 1] }, maxIterations: 0 });
    expect([...none.x.x]).toEqual([-1.2, 1]);
    expect(none.cost).toBeCloseTo(12.1, 13);
  });

  test("where the start is not finite", () => {
    const f = fn({ x: vector(3) }, ({ x }) => x.log());
    for (const way of ways) {
      const found = leastSquares(f, { x0: { x: [1, -1, 2] }, ...way });
      expect(found).toMatchObject({ converged: false, status: "notFinite", iterations: 0 });
      expect(found.message).toMatch(/residual 1\)/);
      expect(found.cost).toBeNaN();
      const slope = fn({ x: vector(2) }, ({ x }) => x.sqrt().add(1));
      expect(leastSquares(slope, { x0: { x: [1, 0] }, ...way }).message).toMatch(/residual 1\)/);
    }
  });

  test("steps out of the domain are shortened", () => {
    const f = fn({ x: scalar() }, ({ x }) => ({ a: x.log().add(3), b: x.mul(1e-3) }));
    for (const way of ways) {
      const found = leastSquares(f, { x0: { x: 30 }, ...way });
      expect(found.converged).toBe(true);
      expect(found.x.x).toBeCloseTo(Math.exp(-3), 7);
    }
  });

  test("at a kink no step decreases the cost", () => {
    const f = fn({ x: scalar() }, ({ x }) => ({ a: x.abs().add(1), b: x.sub(1e-9) }));
    for (const way of ways) {
      const found = leastSquares(f, { x0: { x: 1 }, ...way });
      expect(Math.abs(found.x.x)).toBeLessThan(1e-6);
      expect(found.status).toBe("stalled");
    }
  });

  test("huge and tiny numbers", () => {
    const steep = fn({ x: scalar() }, ({ x }) => x.exp().div(1e300).sub(1).mul(1e300));
    for (const way of ways) {
      const found = leastSquares(steep, { x0: { x: 709 }, ...way });
      expect(found.x.x).toBeCloseTo(300 * Math.log(10), 11);
    }
    const overflowing = fn({ x: vector(2) }, ({ x }) => ({
      a: x.mul(1.7e308),
      b: x.mul(-1.7e308),
    }));
    for (const way of ways) {
      const x0 = { x: [1e-10, 1e-10] };
      expect(leastSquares(overflowing, { x0, ...way }).status).toBe("notFinite");
    }
    for (const scale of [1e-150, 1e150]) {
      const f = fn({ x: vector(2) }, ({ x }) => ({
        a: x.at(0).mul(x.at(1)).sub(6).mul(scale),
        b: x.at(0).sub(2).mul(scale),
      }));
      for (const way of ways) {
        const found = leastSquares(f, { x0: { x: [1, 1] }, ...way });
        expect(found.x.x[0]).toBeCloseTo(2, 12);
        expect(found.x.x[1]).toBeCloseTo(3, 12);
      }
    }
  });
});

describe("what is refused", () => {
  const solve =
    (options: object, f: unknown = rosenbrock) =>
    () =>
      leastSquares(any(f), any({ x0: { x: [0, 0] }, ...options }));

  test("options, with the line of the call", () => {
    for (const options of [
      { maxIterations: 1.5 },
      { maxIterations: -1 },
      { gradientTolerance: Number.NaN },
      { stepTolerance: "1" },
      { costTolerance: 2 },
      { jacobian: "full" },
      { factorization: "lu" },
      { deadline: Number.NaN },
      { tolerance: 1 },
      { signal: null },
      { wrt: [] },
    ]) {
      const error = thrown(ArgumentError, solve(options));
      expect(error.message).toMatch(/leastSquares/);
      expect(error.location?.file, JSON.stringify(options)).toMatch(/least-squares\.test/);
    }
    expect(thrown(NameError, solve({ wrt: ["y"] })).message).toMatch(/no input "y"/);
    expect(thrown(NameError, solve({ x0: undefined })).message).toMatch(/x0 is missing/);
    thrown(NameError, () => leastSquares(rosenbrock, any(undefined)));
    thrown(ArgumentError, () => leastSquares(rosenbrock, any(1)));
  });

  test("starting values", () => {
    expect(thrown(ShapeError, solve({ x0: { x: [1, 2, 3] } })).location).toBeDefined();
    thrown(ArgumentError, solve({ x0: { x: ["1", 2] } }));
    thrown(ArgumentError, solve({ x0: 1 }));
    thrown(NameError, solve({ x0: { y: [1, 2] } }));
    const error = thrown(ArgumentError, solve({ x0: { x: [1, Number.POSITIVE_INFINITY] } }));
    expect(error.message).toMatch(/x is not finite at element 1/);
    expect(error.location?.file).toMatch(/least-squares\.test/);
  });

  test("functions", () => {
    thrown(
      ArgumentError,
      solve({}, () => 1),
    );
    const compared = fn({ x: vector(2) }, ({ x }) => x.greater(0));
    expect(thrown(DTypeError, solve({}, compared)).message).toMatch(/is boolean/);
    const empty = fn({ x: vector(2) }, ({ x }) => x.slice([0, 0]));
    expect(thrown(ShapeError, solve({}, empty)).message).toMatch(/no residuals/);
    const nothing = fn({ x: vector(0) }, ({ x }) => x.sum().add(1));
    expect(thrown(ShapeError, solve({ x0: { x: [] } }, nothing)).message).toMatch(/no variables/);
    const gone = fn({ x: vector(2) }, ({ x }) => x);
    gone.dispose();
    thrown(StateError, solve({}, gone));
  });

  test("indices outside their axis, with the line that made them", () => {
    const f = fn({ x: vector(2), i: scalar() }, ({ x, i }) => x.gather(i).sub(1));
    const error = thrown(IndexError, () =>
      leastSquares(f, { x0: { x: [0, 0], i: 5 }, wrt: ["x"] }),
    );
    expect(error.location?.file).toMatch(/least-squares\.test/);
    expect(error.node).toBeDefined();
  });
});

describe("asynchronously", () => {
  const n = 40_000;
  // A long valley: many iterations.
  const chain = fn({ x: vector(n) }, ({ x }) => ({
    valley: x
      .slice([1, n])
      .sub(x.slice([0, n - 1]).square())
      .mul(10),
    along: sub(1, x),
  }));
  const x0 = { x: Float64Array.from({ length: n }, (_, i) => (i % 2 ? 1 : -1.2)) };

  test("the same bits, and progress", async () => {
    const told: { iterations: number; cost: number }[] = [];
    const options = { x0, maxIterations: 60 };
    const found = await leastSquares.async(chain, {
      ...options,
      onProgress: (now) => told.push(now),
    });
    const { prepareSeconds: _, solveSeconds: __, ...rest } = leastSquares(chain, options);
    expect(found).toMatchObject(rest);
    expect(told.length).toBeGreaterThan(0);
    expect(told.at(-1)!.iterations).toBeGreaterThan(0);
    expect(told.at(-1)!.cost).toBeGreaterThan(0);
  });

  test("signals and deadlines end it", async () => {
    const endless = { x0, maxIterations: 1e9 };
    const controller = new AbortController();
    const solve = leastSquares.async(chain, { ...endless, signal: controller.signal });
    setTimeout(() => controller.abort("enough"), 50);
    const error = await rejected(AbortError, solve);
    expect(error.cause).toBe("enough");
    expect(error.location?.file).toMatch(/least-squares\.test/);
    await rejected(
      AbortError,
      leastSquares.async(chain, { ...endless, signal: AbortSignal.abort() }),
    );
    await rejected(AbortError, leastSquares.async(chain, { ...endless, deadline: 100 }));
    thrown(AbortError, () => leastSquares(chain, { ...endless, deadline: 50 }));
  });

  test("bad input rejects", async () => {
    await rejected(NameError, leastSquares.async(rosenbrock, any({})));
    const signal = any({});
    await rejected(ArgumentError, leastSquares.async(rosenbrock, { x0: { x: [1, 1] }, signal }));
    await rejected(
      ArgumentError,
      leastSquares.async(rosenbrock, any({ x0: { x: [1, 1] }, onProgress: 1 })),
    );
  });
});

test("many instances share what they share", () => {
  const lanes = 50;
  const decay = fn({ rate: scalar(), size: scalar(), t: scalar(), y: scalar() }, (v) =>
    v.rate.mul(v.t).neg().exp().mul(v.size).sub(v.y),
  );
  const each = vmap(decay, lanes, { shared: ["rate"] });
  const t = Float64Array.from({ length: lanes }, (_, i) => 1 + (i % 5));
  const sizes = Float64Array.from({ length: lanes }, (_, i) => 1 + i);
  const y = sizes.map((size, i) => size * Math.exp(-0.3 * t[i]!));
  const size = sizes.map((value) => value * 1.1);
  const found = leastSquares(each, { x0: { rate: 0.3, size, t, y }, wrt: ["size"] });
  expect(found).toMatchObject({ jacobian: "sparse", factorization: "cholesky", status: "zero" });
  found.x.size.forEach((value, i) => {
    expect(value).toBeCloseTo(sizes[i]!, 11);
  });
});
