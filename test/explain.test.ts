import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ArgumentError,
  fn,
  grad,
  IndexError,
  jvp,
  matrix,
  NameError,
  ShapeError,
  StateError,
  scalar,
  valueAndGrad,
  vector,
  vmap,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { gmm } from "../bench/problems/gmm.js";
import { thrown } from "./thrown.js";

const n = 5000;
const sum = fn({ x: vector(n) }, ({ x }) => x.mul(2).exp().sum());
const numbers = (count: number) => Float64Array.from({ length: count }, (_, i) => Math.sin(i));

describe("what steps cost", () => {
  test("operations and bytes of a kernel", () => {
    const { costs, steps, estimated, measured } = sum.explain();
    expect(steps).toBe(1);
    expect(costs).toHaveLength(1);
    const [cost] = costs;
    expect(cost).toMatchObject({
      text: `kernel ${n}`,
      operations: { mul: n, exp: n, sum: n },
      bytesRead: 8 * n,
      bytesWritten: 8,
      measured: undefined,
    });
    // From a quarter of a nanosecond to ten an element.
    expect(estimated).toBeGreaterThan(n * 0.25e-9);
    expect(estimated).toBeLessThan(n * 10e-9);
    expect(measured).toBeUndefined();
  });

  test("scalar code", () => {
    const f = fn({ x: vector(2) }, ({ x }) => x.at(0).mul(x.at(1)).add(x.at(0).sin()));
    expect(f.explain().costs).toMatchObject([
      { text: "scalar code", operations: { sin: 1, fma: 1 }, bytesRead: 16, bytesWritten: 8 },
    ]);
  });

  test("a product, and a window that reads no more than it meets", () => {
    const product = fn({ a: matrix(60, 50), b: matrix(50, 40) }, ({ a, b }) => a.matmul(b));
    expect(product.explain().costs).toMatchObject([
      {
        text: "matmul 60x50x40",
        by: "library",
        operations: { fma: 60 * 50 * 40 },
        bytesRead: 8 * (60 * 50 + 50 * 40),
        bytesWritten: 8 * 60 * 40,
      },
    ]);
    const part = fn({ x: vector(1000) }, ({ x }) => x.slice([100, 200]).exp());
    expect(part.explain().costs).toMatchObject([{ bytesRead: 800, bytesWritten: 800 }]);
  });

  test("a loop over lanes has the operations of all of them", () => {
    const row = fn({ x: vector(7) }, ({ x }) => x.exp().sum().log().div(x.square().sum()));
    const { costs } = vmap(valueAndGrad(row), 3200).explain();
    expect(costs).toHaveLength(1);
    expect(costs[0]!.text).toMatch(/^lanes 3200 by \d+$/);
    expect(costs[0]!.operations).toMatchObject({ exp: 7 * 3200, log: 3200 });
    expect(costs[0]!.bytesRead).toBe(8 * 7 * 3200);
    expect(costs[0]!.bytesWritten).toBe(8 * 8 * 3200);
  });

  test("what no lane has of its own counts once a block", () => {
    const { costs } = valueAndGrad(gmm({ d: 20, k: 3, n: 33, gamma: 1, m: 0 })).explain();
    const found = costs.find(({ text }) => text.startsWith("lanes 33 by"));
    expect(found).toBeDefined();
    for (const count of Object.values(found!.operations)) expect(count % 1).toBe(0);
  });
});

describe("what steps took", () => {
  test("for the inputs of a call", () => {
    const f = fn({ a: matrix(100, 100) }, ({ a }) => a.matmul(a).exp().sum({ axis: 0 }).argsort());
    const found = f.explain({ a: numbers(10_000).map((x) => x / 100) });
    expect(found.costs.length).toBeGreaterThan(2);
    for (const { measured, estimated } of found.costs) {
      expect(measured).toBeGreaterThanOrEqual(0);
      expect(measured).toBeLessThan(1);
      expect(estimated).toBeGreaterThan(0);
    }
    expect(found.measured).toBeGreaterThan(1e-6);
    const steps = found.costs.reduce((all, { measured }) => all + measured!, 0);
    // Measured beside each other, on a machine that may have other work to do.
    expect(steps / found.measured!).toBeGreaterThan(0.2);
    expect(steps / found.measured!).toBeLessThan(5);
    // Sanitizers are no part of the model.
    if (process.env.ADJOINT_SANITIZED !== undefined) return;
    expect(found.estimated / found.measured!).toBeGreaterThan(0.01);
    expect(found.estimated / found.measured!).toBeLessThan(100);
  });

  test("for small plans, too", () => {
    const found = grad(fn({ x: scalar() }, ({ x }) => x.square())).explain({ x: 2 });
    expect(found.measured).toBeGreaterThan(0);
    expect(found.measured).toBeLessThan(1e-4);
    expect(found.costs[0]!.measured).toBe(found.measured);
  });

  test("for functions of several arguments", () => {
    const f = fn({ x: vector(3) }, ({ x }) => x.sin().sum());
    const found = jvp(f).explain({ x: [1, 2, 3] }, { x: [1, 0, 0] });
    expect(found.measured).toBeGreaterThan(0);
    // @ts-expect-error the tangents are missing
    thrown(ArgumentError, () => jvp(f).explain({ x: [1, 2, 3] }));
  });

  test("the text is a table", () => {
    const lines = String(sum.explain({ x: numbers(n) })).split("\n");
    const head = lines.findIndex((line) => line.startsWith("step"));
    expect(lines[head]).toMatch(/operations +reads +writes +estimated +measured$/);
    expect(lines[head + 2]).toMatch(/^1 +kernel 5000 .* 40 kB +8 B +[\d.]+ [un]s +[\d.]+ [un]s$/);
    expect(lines[head + 3]).toMatch(/^all +[\d.]+ [un]s +[\d.]+ [un]s$/);
    expect(String(sum.explain())).not.toContain("measured");
  });

  test("wrong inputs, and inputs that fail", () => {
    thrown(ShapeError, () => sum.explain({ x: [1, 2] }));
    // @ts-expect-error one argument too many
    thrown(ArgumentError, () => sum.explain({ x: numbers(n) }, 1));
    // @ts-expect-error inputs, not options
    thrown(NameError, () => sum.explain({ measure: true }));
    // @ts-expect-error no inputs
    thrown(ArgumentError, () => sum.explain(undefined));
    const pick = fn({ x: vector(3), i: scalar() }, ({ x, i }) => x.gather(i));
    thrown(IndexError, () => pick.explain({ x: [1, 2, 3], i: 3 }));
    expect(pick.explain({ x: [1, 2, 3], i: 2 }).measured).toBeGreaterThan(0);
    const gone = fn({ x: scalar() }, ({ x }) => x.add(1));
    gone.dispose();
    thrown(StateError, () => gone.explain({ x: 1 }));
  });
});

describe("without machine code", () => {
  interface Found {
    bits: string[];
    interpreted?: string;
    segments: number;
    text: string;
  }
  const file = (name: string) => fileURLToPath(new URL(`stress/${name}`, import.meta.url));
  function compute(env: Record<string, string>, ...flags: string[]): Found[] {
    const options = { env: { ...process.env, ...env }, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...flags, file("bits.mjs")],
      options,
    );
    expect(status, stderr).toBe(0);
    return JSON.parse(stdout);
  }
  function expectInterpreted(found: readonly Found[], reason: RegExp, bits: readonly string[][]) {
    for (const { interpreted, segments, text } of found) {
      expect(interpreted).toMatch(reason);
      expect(text.split("\n", 1)[0]).toMatch(/ interpreted \(.+\), /);
      expect(segments).toBe(0);
    }
    expect(found.map((each) => each.bits)).toEqual(bits);
  }
  const expected = () => compute({ ADJOINT_JIT: "on" }).map(({ bits }) => bits);

  test("because the environment says so", () => {
    const reason = /ADJOINT_JIT is off|no code generator/;
    expectInterpreted(compute({ ADJOINT_JIT: "off" }), reason, expected());
  }, 60_000);

  // A sanitizer has libraries of its own to be loaded first.
  test.skipIf(process.env.ADJOINT_SANITIZED !== undefined)(
    "because the system refuses it, from the start or later",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "adjoint-refuse-"));
      try {
        const library = join(folder, "refuse.so");
        const built = spawnSync("cc", ["-shared", "-fPIC", "-o", library, file("refuse.c")]);
        expect(built.status, String(built.stderr)).toBe(0);
        const bits = expected();
        for (const [after, reason] of [
          ["0", /lets no memory be made executable|no code generator/],
          ["1", /could not be made executable|no code generator/],
        ] as const) {
          const env = { LD_PRELOAD: library, REFUSE_AFTER: after, ADJOINT_JIT: "on" };
          // Node's own machine code would be refused as well.
          expectInterpreted(compute(env, "--jitless"), reason, bits);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );
});
