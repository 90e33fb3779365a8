// The benchmark's problems: everyone that needs nothing beyond this package answers the same.
import { valueAndGrad } from "adjoint";
import { describe, expect, test } from "vitest";
import { relativeDifference } from "../bench/harness/compare.js";
import { measure } from "../bench/harness/measure.js";
import type { Peers } from "../bench/harness/peers.js";
import { duration, ratio } from "../bench/harness/report.js";
import { burgers, burgersInput } from "../bench/problems/burgers.js";
import { burgersByHand } from "../bench/problems/burgers-by-hand.js";
import { problems } from "../bench/problems/index.js";

const noPeers: Peers = { skipped: [], versions: [], contenders: () => [] };

describe("value and gradient agree with the hand-written ones", () => {
  test.each(problems.map((problem) => [problem.name, problem.size, problem] as const))(
    "%s, %s",
    (_name, _size, problem) => {
      const [baseline, ...others] = problem.contenders(noPeers);
      const value = baseline!.run();
      const gradient = Float64Array.from(baseline!.gradient());
      expect(baseline!.tool).toBe("JavaScript");
      expect(others.map(({ tool }) => tool)).toContain("adjoint");
      for (const contender of others) {
        const answer = contender.run();
        expect(relativeDifference([answer], [value])).toBeLessThan(1e-9);
        expect(relativeDifference(contender.gradient(), gradient)).toBeLessThan(1e-9);
        contender.dispose?.();
      }
    },
  );
});

describe("Burgers' equation backwards", () => {
  test.each([
    [1, "all"],
    [2, "sqrt"],
    [100, "all"],
    [101, "sqrt"],
    [1000, { every: 7 }],
    [1000, { revolve: 5 }],
    [1000, { online: 12 }],
  ] as const)("%i steps, %j", (steps, policy) => {
    const { start, target } = burgersInput();
    const { run, gradient } = burgersByHand(steps, start, target);
    const value = run();
    const derivative = valueAndGrad(burgers(steps, policy), { wrt: ["start"] });
    const found = derivative({ start, target });
    expect(relativeDifference([found.value], [value])).toBeLessThan(1e-13);
    expect(relativeDifference(found.grad.start, gradient)).toBeLessThan(1e-13);
    derivative.dispose();
  });
});

describe("the harness", () => {
  test("differences are relative to the largest element, and a NaN is not small", () => {
    expect(relativeDifference([1, 2], [1, 2])).toBe(0);
    expect(relativeDifference([1, 0], [1, 1e-3])).toBe(1e-3);
    expect(relativeDifference([1, 1e3 + 1], [1, 1e3])).toBe(1e-3);
    expect(relativeDifference([Number.NaN], [1])).toBe(Number.POSITIVE_INFINITY);
    expect(relativeDifference([Number.NaN], [Number.NaN])).toBe(0);
    expect(relativeDifference([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  });

  test("every contender is timed in every round", async () => {
    const counts = [0, 0];
    const contenders = counts.map((_, i) => ({
      tool: `${i}`,
      backend: "",
      dtype: "f64" as const,
      run: () => (counts[i]! += 1),
      gradient: () => [],
    }));
    const timings = await measure(contenders, { rounds: 4, roundSeconds: 0.001 });
    for (const [i, timing] of timings.entries()) {
      expect(timing.rounds).toHaveLength(4);
      expect(timing.fastest).toBeLessThanOrEqual(timing.seconds);
      expect(timing.seconds).toBeLessThanOrEqual(timing.slowest);
      expect(counts[i]).toBeGreaterThanOrEqual(4 * timing.runs);
    }
  });

  test("ratios have two digits", () => {
    expect([8.6e-6, 0.0023, 0.5, 1, 9.96, 99.4, 12075].map(ratio)).toEqual([
      ...["8.6e-6", "0.0023", "0.50", "1.0", "10", "99", "12075"],
    ]);
  });

  test("durations have three digits and a unit", () => {
    const seconds = [1.5e-9, 123.4e-9, 0.99999e-6, 45.67e-6, 2e-3, 12.3];
    expect(seconds.map(duration)).toEqual([
      ...["1.50 ns", "123 ns", "1.00 us", "45.7 us", "2.00 ms", "12.3 s"],
    ]);
  });
});
