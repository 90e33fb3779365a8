/**
 * node bench/build.mjs && node build/bench/boundary.js
 *
 * What it costs to cross into the addon and back: calls of next to no work, and the making and freeing of objects.
 * The fastest of some rounds, because what else the machine does only ever adds. Fails past a limit.
 */
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fn, grad, scalar, vector } from "adjoint";
import { describe, machine } from "./harness/machine.js";

/** The few of the addon's functions that are measured bare; lib/native.ts has them all. */
interface Tape {
  plan(): Plan;
  dispose(): void;
}
interface Plan {
  session(): Session;
  dispose(): void;
}
interface Session {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  readonly handle: number;
  runAsync(deadline: number, threads: number): Promise<void>;
  dispose(): void;
}
interface Builder {
  input(name: string, shape: number[]): number;
  constant(value: number): number;
  op1(op: number, a: number): number;
  op2(op: number, a: number, b: number): number;
  finish(names: string[], nodes: number[]): Tape;
  dispose(): void;
}
interface Addon {
  Builder: new () => Builder;
  run(handle: number): void;
  readonly next: Float64Array;
  runNext(): void;
  nativeBytes(): number;
}
const op = { add: 10, mul: 12, sin: 17 };

// From build/bench/boundary.js.
const root = resolve(fileURLToPath(import.meta.url), "..", "..", "..");
const file = process.env.ADJOINT_NATIVE ?? resolve(root, "build", "Release", "adjoint.node");
const native = createRequire(import.meta.url)(file) as Addon;

// Many short rounds find a moment in which nothing else ran; what takes long by itself has a few.
const roundsOf = (count: number): number => (count > 1e5 ? 7 : 100);

interface Cost {
  readonly name: string;
  readonly nanoseconds: number;
  readonly limit?: number;
}
const costs: Cost[] = [];

function add(name: string, nanoseconds: number, limit?: number) {
  costs.push({ name, nanoseconds, ...(limit === undefined ? {} : { limit }) });
}

/** Measures `body`, which does its work `count` times a call. */
function measure(name: string, count: number, body: (count: number) => void, limit?: number) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = roundsOf(count); round > 0; round--) {
    const start = performance.now();
    body(count);
    best = Math.min(best, ((performance.now() - start) * 1e6) / count);
  }
  add(name, best, limit);
}

async function measureAsync(name: string, count: number, body: () => Promise<unknown>) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = roundsOf(count); round > 0; round--) {
    const start = performance.now();
    for (let i = 0; i < count; i++) await body();
    best = Math.min(best, ((performance.now() - start) * 1e6) / count);
  }
  add(name, best);
}

function plusOne(): Tape {
  const builder = new native.Builder();
  const x = builder.input("x", []);
  return builder.finish(["y"], [builder.op2(op.add, x, builder.constant(1))]);
}

// --- the addon by itself ------------------------------------------------------------------------------------

measure("native: a call that returns a number", 2e4, (count) => {
  for (let i = 0; i < count; i++) native.nativeBytes();
});

const plan = plusOne().plan();
const bare = plan.session();
const memory = new Float64Array(bare.buffer, bare.byteOffset);
measure("native: run of x + 1", 2e4, (count) => {
  const { run } = native;
  const { handle } = bare;
  for (let i = 0; i < count; i++) {
    memory[0] = i;
    run(handle);
  }
});
measure("native: the same, by the fast door", 2e4, (count) => {
  const { next } = native;
  for (let i = 0; i < count; i++) {
    memory[0] = i;
    next[0] = bare.handle;
    native.runNext();
  }
});
await measureAsync("native: async run of x + 1", 200, () => bare.runAsync(0, 0));

measure(
  "native: a node of a tape of a million",
  1e6,
  (count) => {
    const builder = new native.Builder();
    let x = builder.input("x", []);
    const y = builder.input("y", []);
    for (let i = 0; i < count; i += 2) x = builder.op2(op.mul, builder.op1(op.sin, x), y);
    builder.finish(["x"], [x]).dispose();
  },
  2000,
);
measure("native: a session made and disposed of", 500, (count) => {
  for (let i = 0; i < count; i++) plan.session().dispose();
});
measure("native: tape, plan and session made and disposed of", 100, (count) => {
  for (let i = 0; i < count; i++) {
    const tape = plusOne();
    const made = tape.plan();
    made.session().dispose();
    made.dispose();
    tape.dispose();
  }
});

// --- the typed API ------------------------------------------------------------------------------------------

const increment = fn({ x: scalar() }, ({ x }) => x.add(1)).session();
const input = increment.inputs.x;
measure(
  "session.run() of x + 1",
  2e4,
  (count) => {
    for (let i = 0; i < count; i++) {
      input[0] = i;
      increment.run();
    }
  },
  100,
);

const guide = fn({ x: vector(2) }, ({ x }) => x.at(0).mul(x.at(1)).add(x.at(0).sin()));
const point = { x: [2, 3] };
measure(
  "f(x) of a 2-vector",
  5000,
  (count) => {
    for (let i = 0; i < count; i++) {
      point.x[0] = i;
      guide(point);
    }
  },
  1500,
);
const slope = grad(guide);
measure("grad(f)(x) of a 2-vector", 2000, (count) => {
  for (let i = 0; i < count; i++) {
    point.x[0] = i;
    slope(point);
  }
});
await measureAsync("f.async(x) of a 2-vector", 200, () => guide.async(point));

measure(
  "a node of a function of a million nodes",
  1e6,
  (count) => {
    const f = fn({ x: scalar(), y: scalar() }, ({ x, y }) => {
      let z = x;
      for (let i = 0; i < count; i += 2) z = z.sin().mul(y);
      return z;
    });
    f.dispose();
  },
  2000,
);

// --- the table ----------------------------------------------------------------------------------------------

const format = (nanoseconds: number) =>
  nanoseconds < 1e4 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1e3).toFixed(1)} us`;
console.log(describe(machine()));
for (const { name, nanoseconds, limit } of costs) {
  const verdict =
    limit === undefined ? "" : `  limit ${format(limit)}${nanoseconds > limit ? ": EXCEEDED" : ""}`;
  console.log(`${name.padEnd(54)}${format(nanoseconds).padStart(10)}${verdict}`);
}
if (costs.some(({ nanoseconds, limit }) => limit !== undefined && nanoseconds > limit)) {
  process.exitCode = 1;
}
