// Bundle adjustment at sizes and values of our own, against dual numbers; messages that are not right.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type BaInput, ba, baInput, baJacobian, baValues } from "../bench/problems/ba.js";
import { baByHand } from "../bench/problems/ba-by-hand.js";
import { baByDuals } from "./gradbench-dual.js";
import { call, expectClose, expectSlope, send } from "./gradbench-tool.js";

const runs = { min_runs: 2, min_seconds: 0 };
const data = process.env.ADJOINT_DATA;
if (!data) console.log("skipped: ADBench's answer, because ADJOINT_DATA is not set");
const adbench = (...path: string[]): string => join(data ?? "", "adbench", ...path);
const golden = () => JSON.parse(readFileSync(adbench("golden_from_unit_tests.json"), "utf8"));

describe("ba", () => {
  /** n cameras, points and observations that are all the same, as a message has them. */
  function replicated(n: number, m: number, p: number, seed: number) {
    const one = baInput(1, 1, seed);
    const copies = (of: Float64Array, times: number): Float64Array =>
      Float64Array.from({ length: of.length * times }, (_, i) => of[i % of.length]!);
    const [cam, x] = [one.cams, one.x];
    const [w, feat] = [one.w.subarray(seed - 1), one.feats.subarray(2 * seed - 2)];
    const all = { cams: copies(cam, n), x: copies(x, m), w: copies(w, p), feats: copies(feat, p) };
    const message = { cam: [...cam], x: [...x], w: w[0]!, feat: [...feat] };
    return { all: { n, m, p, ...all }, message: { n, m, p, ...message, ...runs } };
  }

  /** The whole Jacobian's rows and columns. */
  function pattern({ n, m, p }: BaInput): { rows: number[]; cols: number[] } {
    const [rows, cols]: number[][] = [[0], []];
    for (let i = 0; i < 2 * p; i++) {
      const [camera, point] = [(i >> 1) % n, (i >> 1) % m];
      for (let k = 0; k < 11; k++) cols!.push(11 * camera + k);
      for (let k = 0; k < 3; k++) cols!.push(11 * n + 3 * point + k);
      cols!.push(11 * n + 3 * m + (i >> 1));
      rows!.push(cols!.length);
    }
    for (let i = 0; i < p; i++) {
      cols!.push(11 * n + 3 * m + i);
      rows!.push(cols!.length);
    }
    return { rows: rows!, cols: cols! };
  }

  test.each([
    [1, 1, 1],
    [1, 1, 4],
    [3, 2, 10],
    [2, 7, 9],
    [7, 40, 101],
    [60, 3, 59],
  ])("n=%i, m=%i, p=%i", async (n, m, p) => {
    const { all, message } = replicated(n, m, p, n + p);
    const { errors, weightErrors, values } = baByDuals(all);
    const { rows, cols } = pattern(all);
    expectClose(await call("ba", "objective", message), {
      reproj_error: { elements: errors.slice(0, 2), repeated: p },
      w_err: { element: weightErrors[0], repeated: p },
    });
    expectClose(await call("ba", "jacobian", message), {
      rows: [...rows.slice(0, 30), rows.at(-1)],
      cols: [...cols.slice(0, 30), cols.at(-1)],
      vals: [...values.slice(0, 30), values.at(-1)],
    });
  });

  test.each([
    [1, 1, 1],
    [3, 5, 22],
    [11, 4, 100],
  ])("cameras, points and observations of their own, n=%i, m=%i, p=%i", (n, m, p) => {
    const input = baInput(n, m, p);
    const { errors, weightErrors, values } = baByDuals(input);
    const found = ba(input)(baValues(input));
    expectClose([...found.reprojection], errors);
    expectClose([...found.weight], weightErrors);
    const { blocks, weights } = baJacobian(input)(baValues(input));
    expectClose([...blocks, ...weights], values);
    const byHand = new Float64Array(31 * p);
    baByHand(input, byHand);
    const inOrder = Array.from({ length: p }, (_, i) => [
      ...values.slice(30 * i, 30 * i + 30),
      values[30 * p + i]!,
    ]);
    expectClose([...byHand], inOrder.flat());
  });

  test("dual numbers against differences", () => {
    const input = baInput(1, 1, 1);
    const errors = (k: number) => (value: number) =>
      baByDuals({ ...input, cams: input.cams.with(k, value) }).errors;
    const { values } = baByDuals(input);
    for (let k = 0; k < 11; k++)
      expectSlope(errors(k), input.cams[k]!, [values[k]!, values[15 + k]!]);
  });

  test.each([0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3, 3.1e-3, 3.2e-3, 0.01])(
    "a rotation by %d",
    (size) => {
      const input = baInput(1, 1, 1);
      const turned = (factor: number) => {
        const cams = input.cams.slice();
        cams.set([0.6 * factor, -0.64 * factor, 0.48 * factor]);
        return { ...input, cams };
      };
      const { blocks } = baJacobian(input)(baValues(turned(size)));
      expectClose([...blocks], baByDuals(turned(size)).values.slice(0, 30));
    },
  );

  test.skipIf(!data)("ADBench's own answer", async () => {
    const [sizes, cam, x, w, feat] = readFileSync(adbench("ba", "test.txt"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number));
    const [n, m, p] = sizes!;
    const message = { n, m, p, cam, x, w: w![0], feat, ...runs };
    const expected = golden().ba.jacobian_calculation_correctness.expected_J_values as number[];
    const { vals } = (await call("ba", "jacobian", message)) as { vals: number[] };
    expect(expected).toHaveLength(31 * p!);
    expectClose(vals, [...expected.slice(0, 30), expected.at(-1)]);
  });

  const good = replicated(2, 3, 4, 1).message;
  test.each([
    ["no cameras", { n: 0 }, "n is not a whole number"],
    ["half a point", { m: 1.5 }, "m is not a whole number"],
    ["no observations", { p: 0 }, "p is not a whole number"],
    ["a short camera", { cam: [1, 2, 3] }, "cam has 3 elements where 11 are expected"],
    ["a long point", { x: [1, 2, 3, 4] }, "x has 4 elements where 3 are expected"],
    ["weights", { w: [1] }, "w is not a number"],
    ["words", { feat: ["1", 2] }, "feat[0] is not a number"],
    ["no feature", { feat: undefined }, "feat is not a list"],
  ])("malformed: %s", async (_, change, error) => {
    const input = { ...good, ...change };
    for (const name of ["objective", "jacobian"]) {
      const response = await send({ id: 1, kind: "evaluate", module: "ba", function: name, input });
      expect(response).toMatchObject({ id: 1, success: false });
      expect(response.error).toContain(error);
    }
  });
});
