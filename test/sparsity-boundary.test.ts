// The addon's entries for patterns believe nothing of what they are given.
import { describe, expect, test } from "vitest";
import { type NativeFailure, type NativeTape, native } from "../lib/native.js";

const op = { gather: 208 };
const any = (value: unknown) => value as never;

function code(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as NativeFailure).adjointCode ?? `${error}`;
  }
  throw new Error("it did not throw");
}

/** x gathered by its own values. */
function gathered(): NativeTape {
  const b = new native.Builder();
  const x = b.input("x", [3]);
  return b.finish(["y"], [b.op(op.gather, [x, x], [0])]);
}

const detect = (tape: unknown, decisions: unknown = null, wrt: unknown = [0], most: unknown = 99) =>
  native.detectPattern(any(tape), any(wrt), "jacobian", any(most), any(decisions));

describe("detectPattern", () => {
  test("arguments of the wrong kind", () => {
    const tape = gathered();
    expect(code(() => detect({}))).toBe("ERR_ARGUMENT");
    expect(code(() => detect(new native.Builder()))).toBe("ERR_ARGUMENT");
    for (const wrt of [[1], [-1], [0, 0], [0.5], "x", null]) {
      expect(code(() => detect(tape, null, wrt))).toBe("ERR_ARGUMENT");
    }
    for (const most of [-1, 0.5, Number.NaN, "many"]) {
      expect(code(() => detect(tape, null, [0], most))).toBe("ERR_ARGUMENT");
    }
    expect(code(() => native.detectPattern(tape, [0], any("gradient"), 9, null))).toBe(
      "ERR_ARGUMENT",
    );
    tape.dispose();
    expect(code(() => detect(tape))).toBe("ERR_STATE");
    expect(code(() => native.decisionTape(tape, [0]))).toBe("ERR_STATE");
  });

  test("decisions of another function, or that are no indices", () => {
    const tape = gathered();
    expect(
      native
        .decisionTape(tape, [0])
        .outputs()
        .map(({ shape }) => shape),
    ).toEqual([[3]]);
    expect(detect(tape).columnIndex).toHaveLength(9);
    expect([...detect(tape, [Float64Array.of(2, 0, 0)]).columnIndex]).toEqual([2, 0, 0]);
    for (const decisions of [
      [],
      [Float64Array.of(1)],
      [new Float64Array(3), new Float64Array(3)],
    ]) {
      expect(code(() => detect(tape, decisions))).toBe("ERR_SHAPE");
    }
    for (const index of [3, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300]) {
      expect(code(() => detect(tape, [Float64Array.of(0, index, 0)]))).toBe("ERR_INDEX");
    }
    expect(code(() => detect(tape, ["x"]))).toBe("ERR_ARGUMENT");
  });

  test("limits", () => {
    const tape = gathered();
    expect(code(() => detect(tape, null, [0], 8))).toBe("ERR_LIMIT");
    expect(detect(tape, null, [0], 9).columnIndex).toHaveLength(9);
    expect(detect(tape, null, [], 0).columns).toBe(0);
  });
});

describe("missingEntries", () => {
  const missing = (size: unknown, ...lists: number[][]) => {
    const [a, b, c, d] = lists.map((list) => Int32Array.from(list));
    return native.missingEntries(any(size), a!, b!, c!, d!);
  };

  test("of patterns", () => {
    const found = missing([2, 3], [0, 2, 3], [0, 2, 1], [0, 1, 1], [2]);
    expect([...found.rows]).toEqual([0, 1]);
    expect([...found.columns]).toEqual([0, 1]);
  });

  test("of what is none", () => {
    expect(code(() => missing([1], [0, 1], [0], [0, 1], [0]))).toBe("ERR_ARGUMENT");
    expect(code(() => missing([1, 1], [0, 1], [0], [0, 2], [0]))).toBe("ERR_SHAPE");
    expect(code(() => missing([1, 1], [0, 1], [0], [0, 1], [1]))).toBe("ERR_INDEX");
    expect(code(() => missing([1, 2], [0, 1], [0], [0, 2], [1, 0]))).toBe("ERR_ARGUMENT");
    expect(code(() => missing([-1, 2], [], [], [], []))).toMatch(/^ERR_/);
    expect(code(() => missing([1e12, 2], [0], [], [0], []))).toMatch(/^ERR_/);
  });
});
