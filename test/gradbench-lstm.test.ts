// The memory at sizes of our own, against the same by hand; messages that are not right.
import { describe, expect, test } from "vitest";
import { nested } from "../bench/gradbench/input.js";
import { mixedDifference } from "../bench/harness/compare.js";
import { type LstmInput, lstmInput } from "../bench/problems/lstm.js";
import { lstmByHand, lstmScratch } from "../bench/problems/lstm-by-hand.js";
import { call, expectClose, send } from "./gradbench-tool.js";

const runs = { min_runs: 2, min_seconds: 0 };

function byHand(input: LstmInput): { value: number; gradient: Float64Array } {
  const gradient = new Float64Array(input.main.length + input.extra.length);
  return { value: lstmByHand(input, lstmScratch(input), gradient), gradient };
}

function message({ l, c, b, main, extra, state, sequence }: LstmInput) {
  return {
    main_params: nested(main, 2 * l, 4 * b),
    extra_params: nested(extra, 3, b),
    state: nested(state, 2 * l, b),
    sequence: nested(sequence, c, b),
    ...runs,
  };
}

/** The loss as the definition has it, a number at a time. */
function plainly({ l, c, b, main, extra, state, sequence }: LstmInput): number {
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const [hidden, cell] = [0, 1].map((which) =>
    nested(state, 2 * l, b).filter((_, row) => row % 2 === which),
  ) as [number[][], number[][]];
  let total = 0;
  for (let t = 0; t + 1 < c; t++) {
    let x = Array.from({ length: b }, (_, i) => sequence[t * b + i]! * extra[i]!);
    for (let layer = 0; layer < l; layer++) {
      const affine = (gate: number, of: number[], i: number): number => {
        const weight = main[8 * layer * b + gate * b + i]!;
        return of[i]! * weight + main[8 * layer * b + (4 + gate) * b + i]!;
      };
      const before = hidden[layer]!;
      cell[layer] = cell[layer]!.map(
        (value, i) =>
          value * sigmoid(affine(0, x, i)) +
          sigmoid(affine(1, before, i)) * Math.tanh(affine(3, before, i)),
      );
      hidden[layer] = cell[layer]!.map((value, i) => sigmoid(affine(2, x, i)) * Math.tanh(value));
      x = hidden[layer]!;
    }
    const prediction = x.map((value, i) => value * extra[b + i]! + extra[2 * b + i]!);
    const normalizer = Math.log(prediction.reduce((sum, p) => sum + Math.exp(p), 2));
    prediction.forEach((p, i) => {
      total += sequence[(t + 1) * b + i]! * (p - normalizer);
    });
  }
  return -total / ((c - 1) * b);
}

describe("lstm", () => {
  test.each([
    [1, 2, 1],
    [1, 2, 14],
    [1, 9, 3],
    [2, 5, 14],
    [2, 40, 8],
    [3, 17, 9],
    [4, 33, 5],
    [6, 10, 17],
    [2, 200, 14],
  ])("l=%i, c=%i, b=%i", async (l, c, b) => {
    const input = lstmInput(l, c, b);
    const { value, gradient } = byHand(input);
    expectClose(value, plainly(input));
    expectClose(await call("lstm", "objective", message(input)), value);
    expectClose(await call("lstm", "jacobian", message(input)), Array.from(gradient));
  });

  test("a sequence of fractions", async () => {
    const input = lstmInput(2, 12, 6);
    const fractions = { ...input, sequence: input.sequence.map((bit, i) => bit - 0.3 * i) };
    const { value, gradient } = byHand(fractions);
    expectClose(value, plainly(fractions));
    expectClose(await call("lstm", "objective", message(fractions)), value);
    expectClose(await call("lstm", "jacobian", message(fractions)), Array.from(gradient));
  });

  test("the gradient by hand against differences", () => {
    const input = lstmInput(3, 6, 2);
    const { gradient } = byHand(input);
    const h = 1e-6;
    const differences = (["main", "extra"] as const).flatMap((name) =>
      Array.from(input[name], (at, i) => {
        const value = (x: number): number =>
          byHand({ ...input, [name]: input[name].with(i, x) }).value;
        return (value(at + h) - value(at - h)) / (2 * h);
      }),
    );
    expect(mixedDifference(gradient, differences)).toBeLessThan(1e-8);
  });

  const good = message(lstmInput(2, 4, 3));
  test.each([
    ["one character", { sequence: [[1, 0, 1]] }, "less than two characters"],
    ["characters of nothing", { sequence: [[], []] }, "have no bits"],
    ["ragged characters", { sequence: [[1, 0, 1], [1]] }, "sequence[1] has 1 elements"],
    ["no layers", { main_params: [], state: [] }, "main_params has 0 rows"],
    ["half a layer", { main_params: good.main_params.slice(1) }, "main_params has 3 rows"],
    ["short parameters", { main_params: [[1], [2]] }, "main_params[0] has 1 elements"],
    ["two extra rows", { extra_params: good.extra_params.slice(1) }, "extra_params has 2 rows"],
    ["a state too few", { state: good.state.slice(1) }, "state has 3 rows where 4 are expected"],
    ["words", { state: good.state.map((row) => row.map(String)) }, "state[0][0] is not a number"],
    ["no state", { state: undefined }, "state is not a list"],
  ])("malformed: %s", async (_, change, error) => {
    const input = { ...good, ...change };
    for (const name of ["objective", "jacobian"]) {
      const asked = { id: 1, kind: "evaluate", module: "lstm", function: name, input };
      const response = await send(asked);
      expect(response).toMatchObject({ id: 1, success: false });
      expect(response.error).toContain(error);
    }
  });
});
