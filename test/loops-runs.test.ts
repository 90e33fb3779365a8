// Long loops: how far they are, how they end early, what they leave behind; and what explain() says beforehand.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AbortError,
  ArgumentError,
  type CheckpointPolicy,
  fn,
  forLoop,
  grad,
  type RunProgress,
  scalar,
  scan,
  valueAndGrad,
  vector,
  whileLoop,
} from "adjoint";
import { afterAll, describe, expect, test } from "vitest";
import { native } from "../lib/native.js";
import { rejected, thrown } from "./thrown.js";

const directory = mkdtempSync(join(tmpdir(), "adjoint-loops-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A loop of cheap steps with a state of two numbers. */
function chain(steps: number, checkpoint?: CheckpointPolicy) {
  return fn({ k: scalar() }, ({ k }) => {
    const last = forLoop(
      steps,
      (_i, { x, v }) => {
        const next = v.sub(x.mul(k).sin().mul(1e-3));
        return { x: x.add(next.mul(1e-3)), v: next };
      },
      { x: 1, v: 0 },
      checkpoint === undefined ? undefined : { checkpoint },
    );
    return last.x;
  });
}

describe("explain", () => {
  const planOf = (steps: number, checkpoint?: CheckpointPolicy) =>
    grad(chain(steps, checkpoint)).explain().loops[0]!;

  test("counts the steps of schedules without walking them", () => {
    // The literature's t(l, s), and the last step of the forward sweep.
    expect(planOf(1000, { revolve: 10 }).forwardSteps).toBe(3636 + 1);
    expect(planOf(250, { revolve: 25 }).forwardSteps).toBe(473 + 1);
    expect(planOf(1_000_000, { revolve: 32 }).forwardSteps).toBe(5_498_058 + 1);
    const stages = { memory: 12, disk: 20, directory };
    expect(planOf(1_000_000, { multistage: stages }).forwardSteps).toBe(5_498_058 + 1);
    expect(planOf(10_000, "sqrt").forwardSteps).toBe(9999 + 99 * 99 + 1);
    expect(planOf(10_000, { every: 100 }).forwardSteps).toBe(9999 + 99 * 99 + 1);
    expect(planOf(1000, "all").forwardSteps).toBe(1000);
    expect(planOf(0, { revolve: 10 }).forwardSteps).toBe(0);
  });

  test("says what a policy became, and what it keeps", () => {
    const row = 8 * 16; // each of two carries on lines of its own
    const { checkpoints } = planOf(1000);
    expect(checkpoints).toMatchObject({ policy: "all", slots: 1000, files: 0, diskBytes: 0 });
    expect(checkpoints!.memoryBytes).toBe(1001 * row);
    expect(planOf(1000, { maxMemory: "8KiB" })).toMatchObject({
      name: "forLoop",
      depth: 0,
      steps: 1000,
      trips: "fixed",
      checkpoints: { policy: "revolve", slots: 8192 / row - 1, memoryBytes: 8192 },
    });
    const stages = { memory: 3, disk: 5, directory };
    expect(planOf(1000, { multistage: stages }).checkpoints).toMatchObject({
      policy: "multistage",
      slots: 3,
      memoryBytes: 4 * row,
      files: 5,
      diskBytes: 5 * (row + 56),
      directory,
    });
  });

  test("of loops that keep nothing, whose end is open, and that are nested", () => {
    expect(chain(10).explain().loops).toEqual([
      {
        name: "forLoop",
        depth: 0,
        steps: 10,
        trips: "fixed",
        forwardSteps: 10,
        checkpoints: undefined,
      },
    ]);
    const f = fn({ x: scalar() }, ({ x }) => {
      const [sum] = scan(
        (c) => [
          whileLoop(
            (y) => y.abs().greater(1),
            (y) => y.mul(x).sin(),
            c.add(x),
            { checkpoint: { online: 4 }, maxSteps: 99 },
          ),
        ],
        0,
        undefined,
        { length: 7 },
      );
      return sum;
    });
    const found = grad(f).explain();
    expect(found.loops.slice(0, 2)).toMatchObject([
      { name: "scan", depth: 0, steps: 7, checkpoints: { policy: "all" } },
      { name: "whileLoop", depth: 1, steps: 99, trips: "while" },
    ]);
    // The step's loop, and the same again in the reverse step, which reads its states.
    expect(found.loops.map(({ checkpoints }) => checkpoints?.policy)).toEqual([
      "all",
      undefined,
      "online",
    ]);
    expect(found.loops[2]!.forwardSteps).toBe(undefined);
    const text = String(grad(chain(1000, { revolve: 10 })).explain());
    expect(text).toMatch(
      /^ {2}forLoop: 1000 steps, keeps 10 states \(revolve\), .*, 3637 steps run forward$/m,
    );
  });
});

test("tapes with loops are drawn, printed and traced", () => {
  const f = chain(5, { revolve: 2 });
  for (const g of [f, grad(f)]) {
    expect(g.toDot()).toContain("loop");
    expect(String(g)).toMatch(/= loop /);
  }
  const { rows } = f.trace({ k: 0.5 });
  const last = rows.at(-1)!;
  expect(last.text).toMatch(/^forLoop\(v\d.*; 0\)$/);
  expect([...last.primal]).toEqual([f({ k: 0.5 })]);
  expect([...last.adjoint]).toEqual([1]);
  const [k] = rows;
  expect([...k!.tangent]).toEqual([1]);
  expect([...k!.adjoint]).toEqual([grad(f)({ k: 0.5 }).k]);
});

describe("progress", () => {
  test("counts steps, those of the reverse sweep included", async () => {
    const steps = 3_000_000;
    const slope = grad(chain(steps, { revolve: 20 }));
    const seen: RunProgress[] = [];
    const result = await slope.async({ k: 0.5 }, { onProgress: (progress) => seen.push(progress) });
    const again = slope.explain().loops[0]!.forwardSteps!;
    expect(seen.length).toBeGreaterThan(2);
    for (const [i, { done, planned }] of seen.entries()) {
      expect(done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0);
      expect(done).toBeLessThanOrEqual(planned);
      // All plain steps, one adjoint step for each, and the steps of the plan, loops and all.
      if (planned > 0) {
        expect(planned - again - steps).toBeGreaterThanOrEqual(0);
        expect(planned - again - steps).toBeLessThan(20);
      }
    }
    expect(result).toEqual(slope({ k: 0.5 }));
  }, 60_000);

  test("of a loop whose end is open", async () => {
    const f = fn({ n: scalar() }, ({ n }) =>
      whileLoop(
        (i) => i.less(n),
        (i) => i.add(1),
        0,
        { maxSteps: 1e9 },
      ),
    );
    const seen: RunProgress[] = [];
    await f.async({ n: 2e7 }, { onProgress: (progress) => seen.push(progress) });
    expect(seen.length).toBeGreaterThan(0);
    for (const { done, planned } of seen) expect(done).toBeLessThanOrEqual(planned);
    expect(seen.at(-1)!.done).toBeGreaterThan(1e4);
  }, 60_000);

  test("what onProgress throws ends the run", async () => {
    const slope = grad(chain(20_000_000, { revolve: 20 }));
    const mine = new RangeError("mine");
    const onProgress = () => {
      throw mine;
    };
    const before = performance.now();
    await expect(slope.async({ k: 0.5 }, { onProgress })).rejects.toBe(mine);
    expect(performance.now() - before).toBeLessThan(5000);
    const error = await rejected(
      ArgumentError,
      slope.async({ k: 0.5 }, { onProgress: 3 as never }),
    );
    expect(error.message).toContain("onProgress is a function");
    thrown(ArgumentError, () => slope({ k: [] as never }));
  }, 60_000);
});

describe("an end before the end", () => {
  const steps = 2_000_000;
  const policies: CheckpointPolicy[] = [
    { revolve: 20 },
    { multistage: { memory: 30, disk: 6, directory } },
    "sqrt",
  ];

  test.each(policies)(
    "%j: soon, without files, and the next run is as before",
    async (policy) => {
      const slope = valueAndGrad(chain(steps, policy));
      const session = slope.session();
      session.inputs.k[0] = 0.5;
      const begun = performance.now();
      await session.runAsync({ threads: 1 });
      const whole = performance.now() - begun;
      const read = () => [session.outputs.value[0], session.outputs.grad.k[0]];
      const want = read();
      const bytes = native.nativeBytes();
      const delays: number[] = [];
      for (let i = 0; i < 6; i++) {
        const controller = new AbortController();
        const running = session.runAsync({ signal: controller.signal });
        await new Promise((resolve) => setTimeout(resolve, ((i + 0.5) / 8) * whole * 0.8));
        const from = performance.now();
        controller.abort();
        const ended = await running.then(
          () => undefined,
          (error: unknown) => error,
        );
        // The machine may be faster now than it was for the whole run.
        if (ended !== undefined) {
          expect(ended).toBeInstanceOf(AbortError);
          delays.push(performance.now() - from);
        }
        expect(readdirSync(directory)).toEqual([]);
      }
      expect(delays.length).toBeGreaterThan(2);
      // Others may have the processor when an abort comes, but not always.
      expect(Math.min(...delays)).toBeLessThan(50);
      // Sanitized code takes several times as long from one question to the next.
      expect(Math.max(...delays)).toBeLessThan(process.env.ADJOINT_SANITIZED ? 10_000 : 2000);
      // Functions of tests before may be collected meanwhile.
      expect(native.nativeBytes()).toBeLessThanOrEqual(bytes);
      session.outputs.grad.k[0] = Number.NaN;
      session.run();
      expect(read()).toEqual(want);
      session.dispose();
    },
    120_000,
  );

  test("by a deadline", async () => {
    const slope = grad(chain(20_000_000, { multistage: { memory: 2, disk: 20, directory } }));
    const before = performance.now();
    const error = await rejected(AbortError, slope.async({ k: 0.5 }, { deadline: 100 }));
    expect(error.message).toContain("deadline");
    expect(performance.now() - before).toBeLessThan(3000);
    expect(readdirSync(directory)).toEqual([]);
  }, 60_000);

  test("again and again, without a leak", async () => {
    const slope = grad(chain(2_000_000, { multistage: { memory: 2, disk: 20, directory } }));
    const session = slope.session();
    session.inputs.k[0] = 0.5;
    const files = () => readdirSync("/proc/self/fd").length;
    const run = () => rejected(AbortError, session.runAsync({ deadline: 1 + Math.random() * 4 }));
    for (let i = 0; i < 50; i++) await run();
    const before = { files: files(), bytes: process.memoryUsage().rss };
    for (let i = 0; i < 300; i++) await run();
    expect(files()).toBe(before.files);
    // Sanitizers keep what is freed for a while, and look for leaks themselves.
    if (process.env.ADJOINT_SANITIZED === undefined)
      expect(process.memoryUsage().rss - before.bytes).toBeLessThan(32e6);
    expect(readdirSync(directory)).toEqual([]);
    session.dispose();
  }, 60_000);

  test("when the session goes away", async () => {
    const slope = grad(chain(20_000_000, { multistage: { memory: 2, disk: 20, directory } }));
    const session = slope.session();
    const running = session.runAsync();
    await new Promise((resolve) => setTimeout(resolve, 50));
    session.dispose();
    await expect(running).rejects.toThrow();
    expect(readdirSync(directory)).toEqual([]);
  }, 60_000);
});

test("a gradient through rows keeps the rows' bits in every policy", () => {
  const rows = 57;
  const xs = Float64Array.from({ length: rows }, (_, i) => Math.sin(i));
  const of = (checkpoint: CheckpointPolicy) =>
    grad(
      fn({ x: vector(rows) }, ({ x }) => {
        const [last, ys] = scan((c, r) => [c.mul(r).add(r.exp()), c.sin()], 0.5, x, { checkpoint });
        return ys.square().sum().add(last);
      }),
    )({ x: xs });
  const want = of("all");
  for (const policy of [
    "sqrt",
    { every: 3 },
    { revolve: 1 },
    { revolve: 7 },
    { online: 4 },
    { maxMemory: 100 },
    { multistage: { memory: 2, disk: 3, directory } },
  ] as const) {
    expect(of(policy), JSON.stringify(policy)).toEqual(want);
  }
});
