// The GradBench tool's functions at sizes and values of our own, against other ways to compute them.
import { describe, expect, test } from "vitest";
import { nested } from "../bench/gradbench/input.js";
import { mixedDifference } from "../bench/harness/compare.js";
import { Random } from "../bench/harness/random.js";
import { detByHand, detInput } from "../bench/problems/det.js";
import { gmmByHand, gmmByHandSimply, gmmScratch } from "../bench/problems/gmm-by-hand.js";
import { type GmmInput, gmmInput } from "../bench/problems/gmm-input.js";
import { kmeansByHand, kmeansInput } from "../bench/problems/kmeans.js";
import { llsqByHand, llsqByHandSimply, llsqPoints } from "../bench/problems/llsq.js";
import { logsumexpByHand } from "../bench/problems/logsumexp.js";
import { odeByHand, odeGradientByHand } from "../bench/problems/ode.js";
import { rosenbrockByHand, rosenbrockInput } from "../bench/problems/rosenbrock.js";
import { call, expectClose } from "./gradbench-tool.js";

/** Central differences of a function of one vector. */
function finiteDifferences(f: (x: Float64Array) => number, x: Float64Array): Float64Array {
  return x.map((xi, i) => {
    const h = 1e-5 * Math.max(1, Math.abs(xi));
    const at = (value: number): number => f(x.with(i, value));
    return (at(xi + h) - at(xi - h)) / (2 * h);
  });
}

const runs = { min_runs: 1, min_seconds: 0 };

describe("hello", () => {
  test("square and its derivative", async () => {
    expect(await call("hello", "square", 3)).toBe(9);
    expect(await call("hello", "double", 3)).toBe(6);
    expect(await call("hello", "double", -0.75)).toBe(-1.5);
  });
});

describe("llsq", () => {
  test.each([
    [2, 1],
    [3, 2],
    [16, 8],
    [129, 30],
    [300, 128],
  ])("n=%i, m=%i", async (n, m) => {
    const x = new Random(n + m).uniforms(m, -1, 1);
    const t = llsqPoints(n);
    const gradient = new Float64Array(m);
    const value = llsqByHandSimply(t, t.map(Math.sign), x, gradient);
    const input = { x: Array.from(x), n, ...runs };
    expectClose(await call("llsq", "primal", input), value);
    expectClose(await call("llsq", "gradient", input), Array.from(gradient));
  });
});

describe("by hand, several points at a time", () => {
  test.each([2, 7, 8, 9, 23])("llsq, n=%i", (n) => {
    const x = new Random(n).uniforms(6, -1, 1);
    const t = llsqPoints(n);
    const [g, h] = [new Float64Array(6), new Float64Array(6)];
    expectClose(llsqByHand(t, t.map(Math.sign), x, g), llsqByHandSimply(t, t.map(Math.sign), x, h));
    expectClose(Array.from(g), Array.from(h));
  });

  test.each([2, 3, 4, 5])("Rosenbrock, n=%i", (n) => {
    const x = rosenbrockInput(n);
    const gradient = new Float64Array(n);
    const value = rosenbrockByHand(x, gradient);
    let sum = 0;
    for (let i = 0; i < n - 1; i++) sum += 100 * (x[i + 1]! - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2;
    expectClose(value, sum);
    const at = (y: Float64Array): number => rosenbrockByHand(y, new Float64Array(n));
    expect(mixedDifference(gradient, finiteDifferences(at, x))).toBeLessThan(1e-6);
  });
});

describe("lse", () => {
  test.each([1, 2, 7, 1000])("n=%i", async (n) => {
    const x = new Random(n).uniforms(n, -40, 800);
    const gradient = new Float64Array(n);
    const value = logsumexpByHand(x, gradient);
    const input = { x: Array.from(x), ...runs };
    expectClose(await call("lse", "primal", input), value);
    expectClose(await call("lse", "gradient", input), Array.from(gradient));
  });
});

describe("det", () => {
  /** Laplace's expansion as it stands in the textbook. */
  function laplace(a: number[][]): number {
    if (a.length === 1) return a[0]![0]!;
    return a[0]!.reduce((sum, v, j) => {
      const minor = a.slice(1).map((row) => row.filter((_, column) => column !== j));
      return sum + (j % 2 === 0 ? v : -v) * laplace(minor);
    }, 0);
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("ell=%i", async (ell) => {
    const a = detInput(ell);
    const gradient = new Float64Array(ell * ell);
    const size = 1 << ell;
    const value = detByHand(a, ell, new Float64Array(size), new Float64Array(size), gradient);
    expectClose(value, laplace(nested(a, ell, ell)));
    const input = { A: Array.from(a), ell, ...runs };
    expectClose(await call("det", "primal", input), value);
    expectClose(await call("det", "gradient", input), Array.from(gradient));
  });

  test("a singular matrix has a gradient: its cofactors", async () => {
    const input = { A: [1, 2, 2, 4], ell: 2, ...runs };
    expect(await call("det", "primal", input)).toBe(0);
    expect(await call("det", "gradient", input)).toEqual([4, -2, -2, 1]);
  });
});

describe("ode", () => {
  test.each([
    [1, 1],
    [1, 3],
    [2, 5],
    [10, 1],
    [10, 10],
    [100, 7],
  ])("n=%i, s=%i", async (n, s) => {
    const x = new Random(n * s).uniforms(n, 0.2, 1.5);
    const gradient = odeGradientByHand(x, s);
    const input = { x: Array.from(x), s, ...runs };
    expectClose(await call("ode", "primal", input), Array.from(odeByHand(x, s)));
    expectClose(await call("ode", "gradient", input), Array.from(gradient));
    const differences = finiteDifferences((at) => odeByHand(at, s)[n - 1]!, x);
    expect(mixedDifference(gradient, differences)).toBeLessThan(1e-6);
  });
});

describe("gmm", () => {
  function message(g: GmmInput): object {
    const { d, k, n, gamma, m } = g;
    return {
      ...{ d, k, n, gamma, m, alpha: Array.from(g.alpha), ...runs },
      x: nested(g.x, n, d),
      mu: nested(g.mu, k, d),
      q: nested(g.q, k, d),
      l: nested(g.l, k, (d * (d - 1)) / 2),
    };
  }

  function byHand(g: GmmInput) {
    const gradient = {
      alpha: new Float64Array(g.alpha.length),
      mu: new Float64Array(g.mu.length),
      q: new Float64Array(g.q.length),
      l: new Float64Array(g.l.length),
    };
    const value = gmmByHandSimply(g, gmmScratch(g.d, g.k), gradient);
    return { value, gradient };
  }

  test.each([
    [1, 1, 1, 1, 0],
    [1, 3, 10, 0.7, 2],
    [2, 1, 5, 1, 0],
    [2, 5, 40, 1, 0],
    [3, 4, 30, 1.5, 1],
    [10, 5, 20, 1, 0],
    [20, 2, 9, 0.5, 3],
    [64, 3, 7, 1, 0],
  ])("d=%i, k=%i, n=%i, gamma=%d, m=%i", async (d, k, n, gamma, m) => {
    const g = gmmInput(d, k, n, gamma, m);
    const { value, gradient } = byHand(g);
    expectClose(await call("gmm", "objective", message(g)), value);
    expectClose(await call("gmm", "jacobian", message(g)), {
      alpha: Array.from(gradient.alpha),
      mu: nested(gradient.mu, k, d),
      q: nested(gradient.q, k, d),
      l: nested(gradient.l, k, (d * (d - 1)) / 2),
    });
  });

  test.each([1, 3, 4, 5, 10])("four points at a time and one at a time agree, n=%i", (n) => {
    const g = gmmInput(3, 4, n, 0.8, 2);
    const { value, gradient } = byHand(g);
    const four = structuredClone(gradient);
    expectClose(gmmByHand(g, gmmScratch(3, 4), four), value);
    for (const name of ["alpha", "mu", "q", "l"] as const)
      expectClose(Array.from(four[name]), Array.from(gradient[name]));
  });

  test("the reference's gradient is that of its value", () => {
    const g = gmmInput(3, 2, 15, 1.2, 1);
    const { gradient } = byHand(g);
    for (const name of ["alpha", "mu", "q", "l"] as const) {
      const differences = finiteDifferences((at) => byHand({ ...g, [name]: at }).value, g[name]);
      expect(mixedDifference(gradient[name], differences)).toBeLessThan(1e-6);
    }
  });
});

describe("kmeans", () => {
  test.each([
    [1, 1, 1],
    [20, 3, 1],
    [100, 5, 3],
    [50, 1, 4],
    [64, 10, 8],
    [300, 40, 2],
  ])("n=%i, k=%i, d=%i", async (n, k, d) => {
    const g = kmeansInput(n, k, d);
    const { cost, dir } = kmeansByHand(g);
    const input = { points: nested(g.points, n, d), centroids: nested(g.centroids, k, d), ...runs };
    expectClose(await call("kmeans", "cost", input), cost);
    expectClose(await call("kmeans", "dir", input), nested(dir, k, d));
  });
});
