// Nested gradient descents, each by all four modes, against plain JavaScript with derivatives by hand.
import { describe, expect, test } from "vitest";
import { call, expectClose, expectSlope, send } from "./gradbench-tool.js";

const runs = { min_runs: 2, min_seconds: 0 };
const modes = ["ff", "fr", "rf", "rr"];

interface Slope {
  readonly value: number;
  readonly gradient: readonly number[];
}

const length = (v: readonly number[]): number => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

/** The descent as GradBench defines it. */
function argmin(f: (at: readonly number[]) => Slope, start: readonly number[]): readonly number[] {
  let at = start;
  let { value, gradient } = f(at);
  let [rate, streak] = [1e-5, 0];
  while (length(gradient) > 1e-5) {
    if (streak === 10) {
      rate *= 2;
      streak = 0;
    }
    const next = at.map((x, i) => x - rate * gradient[i]!);
    if (length(next.map((x, i) => x - at[i]!)) <= 1e-5) break;
    const tried = f(next);
    if (tried.value < value) {
      at = next;
      ({ value, gradient } = tried);
      streak++;
    } else {
      rate /= 2;
      streak = 0;
    }
  }
  return at;
}

describe("saddle", () => {
  const squares = ([a, b]: readonly number[]): number => a! * a! + b! * b!;

  function byHand(start: readonly number[]): number[] {
    /** Of -f(x, y) by y. */
    const depth = (x: readonly number[]) => (y: readonly number[]) => ({
      value: squares(y) - squares(x),
      gradient: y.map((v) => 2 * v),
    });
    const highest = (x: readonly number[]) => argmin(depth(x), start);
    const found = argmin(
      (x) => ({ value: squares(x) - squares(highest(x)), gradient: x.map((v) => 2 * v) }),
      start,
    );
    return [...found, ...highest(found)];
  }

  const starts = [
    [1, 1],
    [1, -2],
    [0, 0],
    [1e-6, 0],
    [-3.5, 0.25],
    [40, 7],
  ];
  for (const mode of modes) {
    test.each(starts)(`${mode}, from (%d, %d)`, async (...start) => {
      expectClose(await call("saddle", mode, { start, ...runs }), byHand(start));
    });
  }

  test.each([
    ["nothing", {}, "start is not a list"],
    ["a number", { start: 1 }, "start is not a list"],
    ["one number", { start: [1] }, "start has 1 elements where 2 are expected"],
    ["three", { start: [1, 2, 3] }, "start has 3 elements where 2 are expected"],
    ["words", { start: ["1", 2] }, "start[0] is not a number"],
  ])("malformed: %s", async (_, input, error) => {
    for (const mode of modes) {
      const asked = { id: 1, kind: "evaluate", module: "saddle", function: mode, input };
      const response = await send(asked);
      expect(response).toMatchObject({ id: 1, success: false });
      expect(response.error).toContain(error);
    }
  });
});

describe("particle", () => {
  /** The square of where the particle meets the axis, and its derivative by w, carried along by hand. */
  function miss(w: number): Slope {
    const h = 0.1;
    let [x, y, u, v] = [0, 8, 0.75, 0];
    let [dx, dy, du, dv] = [0, 0, 0, 0];
    for (;;) {
      let [ax, ay, dax, day] = [0, 0, 0, 0];
      for (const [cy, dcy] of [
        [10 - w, -1],
        [0, 0],
      ] as const) {
        const [px, py] = [x - 10, y - cy];
        const [dpx, dpy] = [dx, dy - dcy];
        const r2 = px * px + py * py;
        const dr2 = 2 * (px * dpx + py * dpy);
        // The negative gradient of 1 / r is p / r^3.
        const s = r2 ** -1.5;
        const ds = -1.5 * r2 ** -2.5 * dr2;
        ax += px * s;
        ay += py * s;
        dax += dpx * s + px * ds;
        day += dpy * s + py * ds;
      }
      x += h * u;
      y += h * v;
      dx += h * du;
      dy += h * dv;
      if (y <= 0) {
        const rest = -y / v;
        const drest = (-dy - rest * dv) / v;
        const at = x + rest * u;
        return { value: at * at, gradient: [2 * at * (dx + drest * u + rest * du)] };
      }
      u += h * ax;
      v += h * ay;
      du += h * dax;
      dv += h * day;
    }
  }

  test("the derivative by hand against differences", () => {
    expectSlope((w) => [miss(w).value], 0.1, miss(0.1).gradient);
  });

  for (const mode of modes) {
    test.each([0, 0.1, 0.2, 0.25])(`${mode}, from %d`, async (w) => {
      const [found] = argmin(([at]) => miss(at!), [w]);
      expectClose(await call("particle", mode, { w, ...runs }), found);
    });
  }

  test.each([
    ["nothing", {}, "w is not a number"],
    ["a list", { w: [0] }, "w is not a number"],
    ["a word", { w: "0" }, "w is not a number"],
  ])("malformed: %s", async (_, input, error) => {
    for (const mode of modes) {
      const asked = { id: 1, kind: "evaluate", module: "particle", function: mode, input };
      const response = await send(asked);
      expect(response).toMatchObject({ id: 1, success: false });
      expect(response.error).toContain(error);
    }
  });
});
