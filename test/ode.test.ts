// Differential equations in traced functions: exact solutions, derivatives of all kinds, and what is refused.
// The method itself is tested in native/test/ode_test.cc.
import {
  AdjointError,
  type CheckpointPolicy,
  fn,
  grad,
  hessian,
  jacobian,
  jvp,
  LimitError,
  leastSquares,
  ode,
  odeStats,
  scalar,
  scan,
  stack,
  type Value,
  vector,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

const tight = { rtol: 1e-11, atol: 1e-11 };

const rates = { birth: scalar(), catch: scalar(), gain: scalar(), death: scalar() };
/** Lotka & Volterra's prey and predators. */
function predators(options = {}) {
  return fn({ y0: { prey: scalar(), hunters: scalar() }, rates }, ({ y0, rates }) =>
    ode(
      (_, { prey, hunters }, r) => {
        const met = prey.mul(hunters);
        return {
          prey: r.birth.mul(prey).sub(r.catch.mul(met)),
          hunters: r.gain.mul(met).sub(r.death.mul(hunters)),
        };
      },
      y0,
      [0, 1, 2.5, 7],
      rates,
      options,
    ),
  );
}
const state = {
  y0: { prey: 10, hunters: 5 },
  rates: { birth: 1.1, catch: 0.4, gain: 0.1, death: 0.4 },
};

/** A harmonic oscillator of a frequency, from (1, 0). */
const oscillator = (times: readonly number[], options = {}) =>
  fn({ frequency: scalar() }, ({ frequency }) =>
    ode(
      (_, { x, v }, w) => ({ x: v.mul(w), v: x.mul(w).neg() }),
      { x: 1, v: 0 },
      times,
      frequency,
      options,
    ),
  );

function expectClose(got: ArrayLike<number>, expected: readonly number[], error: number): void {
  expect(got.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(got[i]! - value)).toBeLessThanOrEqual(error);
  });
}

describe("solutions", () => {
  test.each([
    ["forward", [0, 0, 0.5, 3, 3, 10]],
    ["backward", [0, -0.5, -4]],
    ["one time", [0]],
  ])("%s", (_, times) => {
    for (const [options, error] of [
      [tight, 1e-9],
      [{ method: "rk4", steps: 1600 }, 1e-8],
    ] as const) {
      const { x, v } = oscillator(times, options)({ frequency: 2 });
      expectClose(
        x,
        times.map((t) => Math.cos(2 * t)),
        error,
      );
      expectClose(
        v,
        times.map((t) => -Math.sin(2 * t)),
        error,
      );
      expect([x[0], v[0]]).toEqual([1, 0]);
    }
  });

  test("times are values, too, and so is what the right-hand side closes over", () => {
    const f = fn({ times: vector(3), scale: scalar() }, ({ times, scale }) =>
      ode((t) => scale.mul(t.mul(2)), scale.mul(0), times, undefined, tight),
    );
    expectClose(f({ times: [1, 2, 4], scale: 3 }), [0, 9, 45], 1e-9);
    expectClose(f({ times: [4, 2, 1], scale: 3 }), [0, -36, -45], 1e-9);
  });

  test("vectors, nested records and tolerances for each", () => {
    const f = fn({ a: vector(3) }, ({ a }) =>
      ode(
        (t, { p: { q }, r }) => ({ p: { q: q.mul(-1) }, r: [r[0].mul(0).add(t)] as const }),
        { p: { q: a }, r: [0] as const },
        [0, 1],
        undefined,
        { rtol: 1e-10, atol: { p: { q: 1e-10 }, r: [1e-6] } },
      ),
    );
    const { p, r } = f({ a: [1, 2, 4] });
    const decay = Math.exp(-1);
    expectClose(p.q, [1, 2, 4, decay, 2 * decay, 4 * decay], 1e-8);
    expectClose(r[0], [0, 0.5], 1e-6);
  });

  test("a state of no elements", () => {
    const f = fn({ y: vector(0) }, ({ y }) => ode((_, y) => y.neg(), y, [0, 1, 2]));
    expect(f({ y: [] })).toHaveLength(0);
  });

  test("the shape of a solution is part of its type", () => {
    fn({ x: scalar(), v: vector(2) }, ({ x, v }) => {
      const y = ode((_, y) => ({ x: y.x.neg(), v: y.v.neg() }), { x, v }, [0, 1, 2]);
      const first: Value<[3]> = y.x;
      const second: Value<[3, 2]> = y.v;
      return { first, second };
    });
  });

  test("bodies of loops, other right-hand sides and booleans", () => {
    for (const adjoint of ["discrete", "continuous"] as const) {
      const grown = fn({ a: scalar() }, ({ a }) => {
        const isBig = a.greater(0);
        const growth = (y: Value<[]>) =>
          ode((_, y) => where(isBig, y.mul(a), y), y, [0, 1], {}, { ...tight, adjoint }).at(1);
        return scan((y) => [growth(y)], 1, undefined, { length: 3 })[0];
      });
      expectClose(
        [grown({ a: 0.1 }), grad(grown)({ a: 0.1 }).a],
        [Math.exp(0.3), 3 * Math.exp(0.3)],
        1e-8,
      );
      // The inner solution is s e^a at time 1.
      const nested = fn({ a: scalar() }, ({ a }) => {
        const inner = (s: Value<[]>) =>
          ode((_, z) => z.mul(a), s, [0, 1], {}, { ...tight, adjoint }).at(1);
        return ode((_, s) => inner(s), 1, [0, 1], {}, { ...tight, adjoint }).at(1);
      });
      const [e, value] = [Math.exp(0.25), Math.exp(Math.exp(0.25))];
      expectClose([nested({ a: 0.25 }), grad(nested)({ a: 0.25 }).a], [value, e * value], 1e-7);
    }
  });

  test("numbers of steps", () => {
    const steps = (rtol: number) =>
      fn({ x: scalar() }, ({ x }) => odeStats((_, y) => y.sin(), x, [0, 5, 20], {}, { rtol }));
    const rough = steps(1e-3)({ x: 1 });
    const fine = steps(1e-10)({ x: 1 });
    expect(Number.isInteger(rough.accepted) && Number.isInteger(rough.rejected)).toBe(true);
    expect(rough.accepted).toBeGreaterThan(3);
    expect(fine.accepted).toBeGreaterThan(3 * rough.accepted);
    expect(rough.y).toHaveLength(3);
  });
});

describe("derivatives", () => {
  test("forward and reverse mode are one", () => {
    for (const options of [{}, { rtol: 1e-3 }, { method: "rk4", steps: 7 }]) {
      const f = predators(options);
      const forward = jacobian(f, { mode: "forward" })(state);
      const reverse = jacobian(f, { mode: "reverse" })(state);
      for (const name of ["prey", "hunters"] as const) {
        for (const rate of ["birth", "catch", "gain", "death"] as const) {
          const expected = Array.from(forward[name].rates[rate]);
          const size = Math.max(...expected.map(Math.abs));
          expectClose(reverse[name].rates[rate], expected, 1e-12 * size);
        }
        const expected = Array.from(forward[name].y0.prey);
        expectClose(reverse[name].y0.prey, expected, 1e-12 * Math.max(...expected.map(Math.abs)));
      }
    }
  });

  test("by the frequency, exactly", () => {
    const times = [0, 0.75, 2];
    for (const options of [
      tight,
      { ...tight, adjoint: "continuous" },
      { method: "rk4", steps: 300 },
    ]) {
      const f = oscillator(times, options);
      const { value, tangent } = jvp(f)({ frequency: 1.5 }, { frequency: 2 });
      expectClose(
        value.x,
        times.map((t) => Math.cos(1.5 * t)),
        1e-8,
      );
      expectClose(
        tangent.x,
        times.map((t) => -2 * t * Math.sin(1.5 * t)),
        1e-7,
      );
      const { x } = jacobian(f, { mode: "reverse" })({ frequency: 1.5 });
      expectClose(
        x.frequency,
        times.map((t) => -t * Math.sin(1.5 * t)),
        1e-7,
      );
    }
  });

  test("by times", () => {
    const f = (adjoint: "discrete" | "continuous") =>
      fn({ times: vector(3) }, ({ times }) =>
        ode((t, y) => y.mul(t.cos()), 1, times, undefined, { ...tight, adjoint }),
      );
    const y = (t: number) => Math.exp(Math.sin(t));
    const rows = [1, y(1), y(2)];
    const expected = [
      0,
      0,
      0,
      -rows[1]!,
      rows[1]! * Math.cos(1),
      0,
      -rows[2]!,
      0,
      rows[2]! * Math.cos(2),
    ];
    for (const adjoint of ["discrete", "continuous"] as const) {
      const { times } = jacobian(f(adjoint), { mode: "reverse" })({ times: [0, 1, 2] });
      expectClose(times, expected, 1e-7);
    }
  });

  test("continuous adjoints converge to the discrete ones", () => {
    const gradient = (adjoint: "discrete" | "continuous", rtol: number) => {
      const f = predators({ adjoint, rtol, atol: rtol });
      const loss = fn({ y0: { prey: scalar(), hunters: scalar() }, rates }, (x) =>
        f(x).prey.square().sum(),
      );
      return grad(loss)(state);
    };
    const exact = gradient("discrete", 1e-12);
    let before = Infinity;
    for (const rtol of [1e-5, 1e-7, 1e-9]) {
      const got = gradient("continuous", rtol);
      const error = Math.abs(got.rates.gain / exact.rates.gain - 1);
      expect(error).toBeLessThan(before / 5);
      expect(error).toBeLessThan(1e3 * rtol);
      before = error;
    }
  });

  test("no policy of checkpoints changes a bit", () => {
    const gradient = (checkpoint?: CheckpointPolicy) => {
      const f = predators({ rtol: 1e-8, checkpoint });
      return grad(fn({ y0: { prey: scalar(), hunters: scalar() }, rates }, (x) => f(x).prey.sum()))(
        state,
      );
    };
    const all = gradient("all");
    const policies = [
      "sqrt",
      { every: 3 },
      { revolve: 3 },
      { online: 4 },
      { maxMemory: 4096 },
    ] as const;
    for (const policy of policies) expect(gradient(policy)).toEqual(all);
    expect(gradient({ multistage: { memory: 2, disk: 8 } })).toEqual(all);
  });

  test("second derivatives", () => {
    // y = x e^(a t): d2y/da2 = x t^2 e^(a t), d2y/da dx = t e^(a t).
    const f = fn({ a: scalar(), x: scalar() }, ({ a, x }) =>
      ode((_, y, a) => y.mul(a), x, [0, 2], a, tight).at(1),
    );
    const { a, x } = hessian(f)({ a: -0.5, x: 3 });
    expectClose([a.a, a.x, x.a, x.x], [12 / Math.E, 2 / Math.E, 2 / Math.E, 0], 1e-7);
  });

  test("lanes take steps of their own", () => {
    const pendulum = fn({ start: vector(2), w: scalar() }, ({ start, w }) =>
      ode((_, y) => stack([y.at(1), y.at(0).sin().mul(w).neg()]), start, [0, 5]),
    );
    const energy = fn({ start: vector(2), w: scalar() }, (x) => pendulum(x).square().sum());
    const starts = [
      [1, 0],
      [0.1, 2],
      [3, -1],
    ];
    const ws = [1, 30, 0.01];
    const lanes = vmap(grad(energy), 3)({ start: starts, w: ws });
    ws.forEach((w, i) => {
      const one = grad(energy)({ start: starts[i]!, w });
      expect(lanes.w[i]).toBe(one.w);
      expect(lanes.start.slice(2 * i, 2 * i + 2)).toEqual(one.start);
    });
  });

  test("a fit", () => {
    const times = [0, 0.5, 1, 2, 4];
    const data = times.map((t) => 3 * Math.exp(-0.7 * t) + 0.25);
    const residuals = fn(
      { rate: scalar(), start: scalar(), data: vector(5) },
      ({ rate, start, data }) =>
        ode((_, y, r) => y.sub(0.25).mul(r).neg(), start, times, rate, tight).sub(data),
    );
    const { x, converged } = leastSquares(residuals, {
      x0: { rate: 0.2, start: 1, data },
      wrt: ["rate", "start"],
    });
    expect(converged).toBe(true);
    expectClose([x.rate, x.start], [0.7, 3.25], 1e-8);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: wrong programs have no types
type Any = any;
const wrong = ode as (...given: Any[]) => Any;
const decay = (_: Any, y: Any) => y.neg();

describe("what is refused when the graph is built", () => {
  test.each<[string, (x: Any) => unknown, string, string]>([
    ["no function", (x) => wrong(3, x, [0, 1]), "ERR_ARGUMENT", "right-hand side is a function"],
    [
      "shape",
      (x) => wrong(() => stack([x, x]), x, [0, 1]),
      "ERR_SHAPE",
      "the derivative has shape [2]",
    ],
    [
      "kind",
      (x) => wrong(() => x.greater(0), x, [0, 1]),
      "ERR_DTYPE",
      "the derivative is booleans",
    ],
    ["structure", (x) => wrong(() => ({ b: x }), { a: x }, [0, 1]), "ERR_ARGUMENT", "b, where a"],
    ["boolean state", (x) => wrong(decay, x.greater(0), [0, 1]), "ERR_DTYPE", "booleans"],
    ["no state", () => wrong(() => ({}), {}, [0, 1]), "ERR_ARGUMENT", "no values"],
    ["no times", (x) => wrong(decay, x, []), "ERR_SHAPE", "no times"],
    ["times of a scalar", (x) => wrong(decay, x, x), "ERR_SHAPE", "times are a vector"],
    ["times of text", (x) => wrong(decay, x, "0"), "ERR_ARGUMENT", "times are numbers"],
    ["nested times", (x) => wrong(decay, x, [[0, 1]]), "ERR_SHAPE", "a list of numbers"],
    ["times in no order", (x) => wrong(decay, x, [0, 2, 1]), "ERR_ARGUMENT", "at 2 and 1"],
    ["there and back", (x) => wrong(decay, x, [0, 1, 0]), "ERR_ARGUMENT", "at 0 and 1"],
    ["no number", (x) => wrong(decay, x, [0, Number.NaN]), "ERR_ARGUMENT", "time 1 is NaN"],
    [
      "method",
      (x) => wrong(decay, x, [0, 1], {}, { method: "euler" }),
      "ERR_ARGUMENT",
      '"dopri5" or "rk4"',
    ],
    [
      "adjoint",
      (x) => wrong(decay, x, [0, 1], {}, { adjoint: 1 }),
      "ERR_ARGUMENT",
      '"discrete" or',
    ],
    [
      "an option",
      (x) => wrong(decay, x, [0, 1], {}, { tol: 1 }),
      "ERR_ARGUMENT",
      'no option "tol"',
    ],
    [
      "steps",
      (x) => wrong(decay, x, [0, 1], {}, { steps: 3 }),
      "ERR_ARGUMENT",
      "no option of the method dopri5",
    ],
    [
      "rtol",
      (x) => wrong(decay, x, [0, 1], {}, { method: "rk4", rtol: 1 }),
      "ERR_ARGUMENT",
      "method rk4",
    ],
    [
      "rtol < 0",
      (x) => wrong(decay, x, [0, 1], {}, { rtol: -1 }),
      "ERR_ARGUMENT",
      "rtol is a number",
    ],
    [
      "atol",
      (x) => wrong(decay, { x }, [0, 1], {}, { atol: { y: 1 } }),
      "ERR_ARGUMENT",
      "atol is y, where x",
    ],
    [
      "no tolerance",
      (x) => wrong(decay, x, [0, 1], {}, { rtol: 0, atol: 0 }),
      "ERR_ARGUMENT",
      "both 0",
    ],
    [
      "firstStep",
      (x) => wrong(decay, x, [0, 1], {}, { firstStep: 0 }),
      "ERR_ARGUMENT",
      "firstStep",
    ],
    ["maxSteps", (x) => wrong(decay, x, [0, 1], {}, { maxSteps: 0 }), "ERR_ARGUMENT", "maxSteps"],
    [
      "checkpoint",
      (x) => wrong(decay, x, [0, 1], {}, { checkpoint: "none" }),
      "ERR_ARGUMENT",
      "checkpoint",
    ],
    [
      "checkpoint of the continuous adjoint",
      (x) => wrong(decay, x, [0, 1], {}, { checkpoint: "all", adjoint: "continuous" }),
      "ERR_ARGUMENT",
      "for the discrete adjoint",
    ],
  ])("%s", (_, body, code, text) => {
    const error = thrown(AdjointError, () => fn({ x: scalar() }, ({ x }) => body(x) as never));
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expect(error.location?.file).toContain("ode.test.ts");
  });

  test("outside of a function", () => {
    expect(thrown(AdjointError, () => ode((_, y) => y, 1, [0, 1])).code).toBe("ERR_TRACE");
  });
});

describe("runs that can not end", () => {
  const explosion = (times: readonly number[], options = {}) =>
    fn({ y: scalar() }, ({ y }) => ode((_, y) => y.square(), y, times, {}, options));
  test.each([
    ["past the end of the solution", [0, 2], 1],
    ["past it, at many times", [0, 0.5, 0.75, 2], 1],
    ["where the derivative is not a number", [0, 1], Number.NaN],
    ["from infinity", [0, 1], Infinity],
  ])("%s", (_, times, y) => {
    const f = explosion(times);
    const error = thrown(LimitError, () => f({ y }));
    expect(error.message).toContain("ode: finding a step size failed");
    expect(error.location?.file).toContain("ode.test.ts");
    expect(
      thrown(LimitError, () => grad(fn({ y: scalar() }, (x) => f(x).sum()))({ y })),
    ).toBeDefined();
    expect(f({ y: 0.125 })).toHaveLength(times.length);
  });

  test("maxSteps names the line", () => {
    const [, line] = /ode\.test\.ts:(\d+)/.exec(new Error().stack ?? "") ?? [];
    const solution = (times: readonly number[], adjoint: "discrete" | "continuous") =>
      fn({ y: scalar() }, ({ y }) => {
        const options = { maxSteps: 3, adjoint };
        return ode((_, y) => y.square(), y, times, {}, options);
      });
    for (const times of [
      [0, 0.5],
      [0, 0.125, 0.5],
    ]) {
      for (const adjoint of ["discrete", "continuous"] as const) {
        const f = solution(times, adjoint);
        const gradient = grad(fn({ y: scalar() }, (x) => f(x).sum()));
        const error = thrown(LimitError, () => f({ y: 1 }));
        expect(error.message).toContain("ode: keeping within maxSteps failed");
        expect(error.location?.line).toBe(Number(line) + 4);
        thrown(LimitError, () => gradient({ y: 1 }));
      }
    }
  });

  test("traced times in no order", () => {
    const f = fn({ times: vector(3) }, ({ times }) => ode((_, y) => y.neg(), 1, times));
    for (const times of [
      [0, 2, 1],
      [0, -1, 1],
      [0, 1, Number.NaN],
    ]) {
      const error = thrown(LimitError, () => f({ times }));
      expect(error.message).toContain("ode: putting the times in order failed");
      expect(error.location?.file).toContain("ode.test.ts");
    }
    expect(f({ times: [1, 1, 1] })).toEqual(Float64Array.of(1, 1, 1));
  });

  test("an equation that is none", () => {
    const f = fn({ y: scalar() }, ({ y }) => ode((_, y) => y.sqrt(), any(y) as typeof y, [0, 1]));
    thrown(LimitError, () => f({ y: -1 }));
  });
});
