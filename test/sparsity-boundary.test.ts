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

describe("sparseDerivative", () => {
  const names = ["jacobian", "coloring", "auto", "csr", "full", "", ""];
  const numbers = [0, 99, 99, 0];
  const find = (tape: unknown, more: { [name: string]: unknown } = {}) => {
    const given = { wrt: [0], names, numbers, starts: [], columns: [], ...more };
    const [starts, columns] = [given.starts, given.columns].map((list) =>
      Int32Array.from(list as number[]),
    );
    const { wrt } = given;
    return native.sparseDerivative(
      ...([any(tape), any(wrt), any(given.names), any(given.numbers), starts!, columns!] as const),
    );
  };
  const named = (at: number, name: string) => ({
    names: names.map((n, i) => (i === at ? name : n)),
  });

  test("arguments of the wrong kind", () => {
    const tape = gathered();
    expect(code(() => find({}))).toBe("ERR_ARGUMENT");
    for (const wrt of [[1], [-1], [0, 0], "x"]) {
      expect(code(() => find(tape, { wrt }))).toBe("ERR_ARGUMENT");
    }
    for (let at = 0; at < names.length; at++) {
      expect(code(() => find(tape, named(at, "other")))).toBe("ERR_ARGUMENT");
    }
    for (const wrong of [[], [0, 9, 9], [0, 9, 9, 0, 3], "many"]) {
      expect(code(() => find(tape, { numbers: wrong }))).toBe("ERR_ARGUMENT");
    }
    expect(code(() => find(tape, { names: names.slice(1) }))).toBe("ERR_ARGUMENT");
    expect(code(() => find(tape, named(4, "lower")))).toBe("ERR_ARGUMENT");
    expect(code(() => find(tape, named(5, "star")))).toBe("ERR_ARGUMENT");
    expect(code(() => find(tape, named(0, "hessian")))).toBe("ERR_SHAPE");
    tape.dispose();
    expect(code(() => find(tape))).toBe("ERR_STATE");
  });

  test("patterns and limits", () => {
    const tape = gathered();
    expect(find(tape).columnIndex).toHaveLength(9);
    expect(code(() => find(tape, { numbers: [0, 8, 99, 0] }))).toBe("ERR_LIMIT");
    expect(code(() => find(tape, { numbers: [0, 9, 2, 0] }))).toBe("ERR_LIMIT");
    const by = (rows: number, columns: number, starts: number[], indices: number[]) =>
      find(tape, { numbers: [...numbers, rows, columns], starts, columns: indices });
    expect(by(3, 3, [0, 1, 1, 2], [2, 0]).columnColors).toEqual(Int32Array.of(0, -1, 0));
    expect(code(() => by(2, 3, [0, 1, 1], [2]))).toBe("ERR_SHAPE");
    expect(code(() => by(3, 2, [0, 1, 1, 1], [1]))).toBe("ERR_SHAPE");
    expect(code(() => by(3, 3, [0, 1, 1, 1], [3]))).toBe("ERR_INDEX");
    expect(code(() => by(3, 3, [0, 2, 2, 2], [1, 1]))).toBe("ERR_ARGUMENT");
    expect(code(() => by(3, 3, [0, 3, 3, 3], [1]))).toBe("ERR_SHAPE");
  });
});
