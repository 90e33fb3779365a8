// What can happen to a reverse sweep's files, and what memory it takes. The long form of the first is
// scripts/fault-campaign.mjs, of which each part is run here for a moment.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type CheckpointPolicy,
  concat,
  constant,
  DataError,
  fn,
  forLoop,
  grad,
  scalar,
  type Value,
  valueAndGrad,
  vector,
  whileLoop,
} from "adjoint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { thrown } from "./thrown.js";

const isSanitized = process.env.ADJOINT_SANITIZED !== undefined;

describe("files of checkpoints", () => {
  const campaign = fileURLToPath(new URL("../scripts/fault-campaign.mjs", import.meta.url));

  test.skipIf(isSanitized).each([
    ["killed", "--kills=4", /^killed: 4 processes killed, \d with files; fresh runs: 4 right$/],
    ["damaged", "--faults=60", /^damaged: \d+ damages \(.*\) in \d+ runs: \d+ right$/],
    ["full", "--fills=20", /^full: (38 sizes, \d+ fills: (\d+ ERR_DATA, )?\d+ right$|SKIPPED: )/],
    [
      "removed",
      "--removals=10",
      /^removed: 10 folders removed, \d+ during the run: (\d+ ERR_DATA, )?\d+ right$/,
    ],
    ["unwritable", "--kills=0", /^unwritable: \d ERR_DATA, 1 right$/],
  ])("%s", (part, amount, report) => {
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      [campaign, part, amount],
      { encoding: "utf8" },
    );
    if (stdout.includes("SKIPPED")) console.warn(stdout);
    expect(stderr).toBe("");
    expect(stdout.trim()).toMatch(report);
    expect({ status, signal }).toEqual({ status: 0, signal: null });
  });

  describe("in a folder", () => {
    let folder = "";
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "adjoint-checkpoints-test-"));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const sines = (directory: string) =>
      grad(
        fn({ u: vector(10) }, ({ u }) =>
          forLoop(50, (_, v) => v.sin().mul(1.5), u, {
            checkpoint: { multistage: { memory: 1, disk: 5, directory } },
          }).sum(),
        ),
      );
    const u = Float64Array.from({ length: 10 }, (_, i) => i / 7);

    test("are gone after a run", () => {
      sines(folder)({ u });
      expect(readdirSync(folder)).toEqual([]);
    });

    test("are gone after an aborted one", async () => {
      const long = grad(
        fn({ u: vector(100) }, ({ u }) =>
          forLoop(1e6, (_, v) => v.sin().mul(1.5), u, {
            checkpoint: { multistage: { memory: 1, disk: 5, directory: folder } },
          }).sum(),
        ),
      );
      const aborted = long.async({ u: new Float64Array(100) }, { deadline: 50 });
      await expect(aborted).rejects.toMatchObject({ code: "ERR_ABORT" });
      expect(readdirSync(folder)).toEqual([]);
    });

    test("need a folder that is there; the next run has its chance", () => {
      const gone = join(folder, "gone");
      mkdirSync(gone);
      const f = sines(gone);
      const expected = f({ u });
      rmdirSync(gone);
      expect(thrown(DataError, () => f({ u })).code).toBe("ERR_DATA");
      mkdirSync(gone);
      expect(f({ u })).toEqual(expected);
      rmdirSync(gone);
    });
  });
});

/** Burgers' equation on 100 periodic cells, as far from its target as it is after some steps. */
function burgers(steps: number, checkpoint: CheckpointPolicy) {
  const cells = 100;
  const target = Array.from(
    { length: cells },
    (_, i) => 1.5 + 0.5 * Math.cos((2 * Math.PI * i) / cells),
  );
  return fn({ u: vector(cells) }, ({ u }) => {
    const last = forLoop(
      steps,
      (_, v) => {
        const r = concat([v.slice([1, null]), v.slice([0, 1])]);
        const l = concat([v.slice([-1, null]), v.slice([0, -1])]);
        const flux = r.mul(r).sub(l.mul(l)).mul(2.5e-4);
        return v.sub(flux).add(r.sub(v.mul(2)).add(l).mul(2e-3));
      },
      u,
      { checkpoint },
    );
    const miss = last.sub(constant(target));
    return miss.mul(miss).sum();
  });
}

const wave = Float64Array.from(
  { length: 100 },
  (_, i) => 1.5 + Math.sin((2 * Math.PI * i) / 100) + 1e-3 * Math.sin(77 * i),
);

describe("memory", () => {
  const slots = 100;
  /** A row of carries takes whole cache lines. */
  const slotBytes = 104 * 8;

  test("is that of the slots and a little, whatever the number of steps", () => {
    const [few, more, many] = [1e3, 1e4, 1e5].map((steps) => {
      const explained = grad(burgers(steps, { revolve: slots })).explain();
      // No stream of states: nothing has a row for every step.
      expect(explained.plan).not.toMatch(new RegExp(`\\[${steps},`));
      return explained.workspaceBytes - slots * slotBytes;
    });
    expect(few).toBeLessThan(100e3);
    expect(more).toBe(few);
    expect(many).toBe(few);
  });

  test.skipIf(isSanitized)("of a run too", () => {
    const rss = () => process.memoryUsage().rss;
    const f = valueAndGrad(burgers(1e5, { revolve: slots }));
    valueAndGrad(burgers(1e3, { revolve: slots }))({ u: wave });
    const before = rss();
    f({ u: wave });
    expect(rss() - before).toBeLessThan(slots * slotBytes + 6e6);
  });

  test.skipIf(isSanitized)("for a million steps is that of 32 slots", () => {
    const { value, grad: g } = valueAndGrad(burgers(1e6, { revolve: 32 }))({ u: wave });
    expect(value).toBeGreaterThan(0);
    expect(g.u.every(Number.isFinite)).toBe(true);
  });

  test("of states to be kept is taken when they are", () => {
    // At most 1e6 steps of 13 cache lines each: 832 MB, were they taken.
    const f = grad(
      fn({ u: vector(100), n: scalar() }, ({ u, n }) =>
        whileLoop(
          ({ left }: { left: Value<[]> }) => left.greater(0),
          ({ left, v }: { left: Value<[]>; v: Value<[100]> }) => ({
            left: left.sub(1),
            v: v.sin().mul(1.5),
          }),
          { left: n, v: u },
          { maxSteps: 1e6, checkpoint: "all" },
        ).v.sum(),
      ),
    );
    expect(f.explain().workspaceBytes).toBeGreaterThan(800e6);
    const before = process.memoryUsage().rss;
    expect(f({ u: wave, n: 100 }).u.every(Number.isFinite)).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(20e6);
  });
});
