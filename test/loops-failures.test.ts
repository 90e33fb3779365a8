// What fails when a loop runs: the message names the loop, the step and what was at fault there, and the line is that
// in the body.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AdjointError,
  checkpoint,
  cond,
  DataError,
  fn,
  forLoop,
  grad,
  IndexError,
  LimitError,
  scalar,
  scan,
  vector,
  vmap,
  whileLoop,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { thrown } from "./thrown.js";

const lines = readFileSync(fileURLToPath(import.meta.url), "utf8").split("\n");

/** The line of this file that an error is about. */
function lineOf({ location }: AdjointError): string {
  expect(location?.file).toContain("loops-failures.test.ts");
  return lines[location!.line - 1]!.trim();
}

/** Without the place at the end. */
const messageOf = ({ message }: AdjointError) => message.replace(/ \(at .*$/, "");

describe("too many steps", () => {
  const until = fn({ x: scalar() }, ({ x }) =>
    whileLoop(
      (y) => y.greater(0),
      (y) => y.add(x),
      x,
      { maxSteps: 10 },
    ),
  );

  test("of a whileLoop, in every mode", () => {
    const wants = "whileLoop: more than 10 steps (maxSteps)";
    for (const run of [
      () => until({ x: 1 }),
      () => grad(until)({ x: 1 }),
      () => vmap(until, 2)({ x: [-1, 1] }),
    ]) {
      const error = thrown(LimitError, run);
      expect(messageOf(error)).toContain(`: ${wants}`);
      expect(lineOf(error)).toBe("whileLoop(");
      expect(error.step).toBe(undefined);
    }
    const error = thrown(LimitError, () => until.batch({ x: [-1, 1] }));
    expect(messageOf(error)).toBe(`f: lane 1: ${wants}`.replace("f:", `${until.name}:`));
  });

  test("are not one more than there may be", () => {
    const count = fn({ n: scalar() }, ({ n }) =>
      whileLoop(
        (i) => i.less(n),
        (i) => i.add(1),
        0,
        { maxSteps: 10 },
      ),
    );
    expect(count({ n: 10 })).toBe(10);
    thrown(LimitError, () => count({ n: 11 }));
  });

  const power = fn({ x: scalar(), n: scalar() }, ({ x, n }) =>
    forLoop(n, (_i, y) => y.mul(x), 1, { maxSteps: 10 }),
  );

  test.each([11, 2.5, -1, Number.NaN, Number.POSITIVE_INFINITY])("forLoop of %d", (n) => {
    const text = `the number of steps is ${n}, not a whole number from 0 to 10 (maxSteps)`;
    for (const run of [() => power({ x: 1, n }), () => grad(power, { wrt: ["x"] })({ x: 1, n })]) {
      const error = thrown(LimitError, run);
      expect(messageOf(error).replace("Infinity", "inf")).toContain(
        `forLoop: ${text}`.replace("Infinity", "inf"),
      );
      expect(lineOf(error)).toContain("forLoop(n, (_i, y)");
    }
  });
});

describe("within a step", () => {
  const gathers = fn({ x: vector(3), s: scalar() }, ({ x, s }) => {
    const [sum] = scan(
      (c, row, i) => {
        const other = x.gather(i.mul(s)).reshape([]); // the index
        return [c.add(other).mul(row)];
      },
      0,
      x,
    );
    return sum;
  });
  const at = { x: [1, 2, 3], s: 2 };

  test("the message says which step, the line is in the body", () => {
    for (const run of [() => gathers(at), () => grad(gathers, { wrt: ["x"] })(at)]) {
      const error = thrown(IndexError, run);
      expect(messageOf(error)).toContain(
        "scan: step 2: gather: index 4 at element 0 is not in [0, 3)",
      );
      expect(error.step).toBe(2);
      expect(lineOf(error)).toContain("// the index");
    }
  });

  test("a loop in a loop", () => {
    const nested = fn({ x: vector(3) }, ({ x }) => {
      const [sum] = scan(
        (c, row) => {
          const inner = whileLoop(
            (y) => y.greater(0),
            (y) => y.add(row),
            row,
            { maxSteps: 5 },
          );
          return [c.add(inner)];
        },
        0,
        x,
      );
      return sum;
    });
    for (const run of [() => nested({ x: [-1, 2, 3] }), () => grad(nested)({ x: [-1, 2, 3] })]) {
      const error = thrown(LimitError, run);
      expect(messageOf(error)).toContain("scan: step 1: whileLoop: more than 5 steps (maxSteps)");
      expect(error.step).toBe(1);
      expect(lineOf(error)).toContain("const inner =");
    }
  });

  test("a branch and a checkpointed function have no steps to speak of", () => {
    const branch = fn({ x: vector(3), i: scalar() }, ({ x, i }) =>
      cond(
        i.greater(0),
        () => x.gather(i).reshape([]), // one side
        () => x.sum(),
      ),
    );
    const error = thrown(IndexError, () => branch({ x: [1, 2, 3], i: 5 }));
    expect(messageOf(error)).toContain(": cond: gather: index 5 at element 0 is not in [0, 3)");
    expect(lineOf(error)).toContain("// one side");
    expect(branch({ x: [1, 2, 3], i: 0 })).toBe(6);

    const again = fn({ x: vector(3), i: scalar() }, ({ x, i }) =>
      checkpoint(
        () => x.gather(i).reshape([]), // again
      )(),
    );
    const other = thrown(IndexError, () => again({ x: [1, 2, 3], i: 3 }));
    expect(messageOf(other)).toContain(": checkpoint: gather: index 3");
    expect(lineOf(other)).toContain("// again");
  });

  test("of a function that was called: the line of the call", () => {
    const outer = fn({ x: vector(3) }, ({ x }) => {
      return gathers({ x, s: 3 }).mul(2); // called here
    });
    const error = thrown(IndexError, () => outer({ x: [1, 2, 3] }));
    expect(messageOf(error)).toContain("scan: step 1: gather: index 3");
    expect(lineOf(error)).toContain("// called here");
  });
});

describe("a directory of checkpoints that can not be used", () => {
  test("is a DataError that names it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "adjoint-gone-"));
    const f = fn({ x: scalar() }, ({ x }) =>
      forLoop(50, (_i, y) => y.mul(x).sin(), x, {
        checkpoint: { multistage: { memory: 1, disk: 3, directory } },
      }),
    );
    const slope = grad(f);
    const before = slope({ x: 1.25 });
    rmSync(directory, { recursive: true });
    const text = `forLoop: checkpoints can not be kept in ${directory}: No such file or directory`;
    const error = thrown(DataError, () => slope({ x: 1.25 }));
    expect(messageOf(error)).toContain(text);
    expect(lineOf(error)).toContain("forLoop(50,");
    await expect(slope.async({ x: 1.25 })).rejects.toThrow(text);
    // The value alone keeps nothing.
    expect(f({ x: 1.25 })).toBe(f({ x: 1.25 }));
    expect(before.x).not.toBe(0);
  });
});
