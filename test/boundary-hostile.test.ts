import { tmpdir } from "node:os";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type NativeBuilder,
  type NativeFailure,
  type NativePlan,
  type NativeSession,
  type NativeTape,
  native,
} from "../lib/native.js";

// Generated programs of calls of every function of the addon, with arguments that fit and arguments that were
// made to break things. Whatever happens must be a result or an Error with a code. ADJOINT_FUZZ=runs:seed for more.
const [runs, seed] = (process.env.ADJOINT_FUZZ ?? "400:1").split(":").map(Number);
const callsPerRun = 50;

const codes = new Set(
  "SHAPE DTYPE ARGUMENT NAME INDEX LIMIT STATE ABORT MEMORY NOT_DIFFERENTIABLE SINGULAR NOT_PD DATA"
    .split(" ")
    .map((code) => `ERR_${code}`),
);

/** Everything alive or disposed of that a program can lay hands on. */
interface World {
  builder: NativeBuilder[];
  tape: NativeTape[];
  plan: NativePlan[];
  session: NativeSession[];
  pending: Promise<unknown>[];
  /** Handles and plan numbers seen. */
  numbers: number[];
}

const marker = new Error("thrown by an argument");
const at = <T>(list: readonly T[], i: number): T | undefined => list[i % list.length];

// --- hostile arguments ------------------------------------------------------------------------------------

type Hostile = (world: World) => unknown;
const always =
  (value: unknown): Hostile =>
  () =>
    value;

function trap(act: (world: World) => void, length: number): Hostile {
  return (world) => {
    const array: unknown[] = Array(length).fill(0);
    Object.defineProperty(array, length - 1, {
      get() {
        act(world);
        return 0;
      },
    });
    return array;
  };
}

function detached(): Float64Array {
  const array = new Float64Array(4);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function shrunk(): Float64Array {
  const Resizable = ArrayBuffer as unknown as new (
    size: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(size: number): void };
  const buffer = new Resizable(64, { maxByteLength: 128 });
  const array = new Float64Array(buffer, 8, 4);
  buffer.resize(16);
  return array;
}

function disposeAll(world: World) {
  for (const list of [world.session, world.plan, world.tape, world.builder]) {
    for (const object of list.slice(-2)) object.dispose();
  }
}

const explode = () => {
  throw marker;
};
const angryProxy = (target: object) =>
  new Proxy(target, { get: explode, has: explode, getPrototypeOf: explode, ownKeys: explode });

const scalars: unknown[] = [
  ...[0, -0, 1, 2, 3, 7, -1, 0.5, 1e9, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e300, 5e-324],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[undefined, null, true, false, 0n, 2n ** 70n, "", "x", "__proto__", "\0", "\ud800", "1"],
  ...[Symbol("s"), Symbol.iterator, () => 1, /x/, new Date(0), new Map(), Object.create(null)],
];
const objects: Hostile[] = [
  ...[
    {},
    { length: 3 },
    { valueOf: explode, toString: explode },
    new Number(3),
    new String("x"),
  ].map(always),
  always(new Float32Array(3)),
  always(new Float64Array(3)),
  always(new BigInt64Array(3)),
  always(new DataView(new ArrayBuffer(8))),
  always(new Float64Array(new SharedArrayBuffer(24))),
  always(new SharedArrayBuffer(8)),
  () => detached(),
  () => shrunk(),
  () => "y".repeat(70_000),
  () => Object.assign([], { length: 2 ** 32 - 1 }),
  () => {
    const sparse: number[] = [];
    sparse[2 ** 25] = 1;
    return sparse;
  },
  () => Object.assign(Array(3), { 1: 1 }),
  () => [[[[]]]],
  () => Array(20).fill(1),
  () => new Proxy([0, 1], {}),
  () => angryProxy([0]),
  () => angryProxy(new Float64Array(2)),
  () => angryProxy(() => 0),
  trap(explode, 1),
  trap(explode, 3),
  trap(disposeAll, 1),
  trap(disposeAll, 2),
  (world) => at(world.builder, 1),
  (world) => at(world.tape, 1),
  (world) => at(world.plan, 1),
  (world) => at(world.session, 1),
  (world) => Object.create(world.tape[0] ?? null),
  (world) => new Proxy(world.tape[0] ?? {}, {}),
];
const hostile: fc.Arbitrary<Hostile> = fc.oneof(
  fc.constantFrom(...scalars).map(always),
  fc.constantFrom(...objects),
  fc.double().map(always),
  fc.array(fc.constantFrom(...scalars), { maxLength: 4 }).map((list) => () => list.slice()),
  fc.array(fc.integer({ min: -3, max: 9 }), { maxLength: 5 }).map((list) => () => list.slice()),
);

// --- arguments that fit -----------------------------------------------------------------------------------

/** Makes a fitting argument of a number; `self` is the receiver, `first` the number of the first argument. */
type Fitting = (n: number, world: World, self: unknown, first: number) => unknown;

const digits = (n: number, base: number, count: number) =>
  Array.from({ length: count }, (_, i) => Math.floor(n / base ** i) % base);
const size = (self: unknown) => {
  try {
    return Math.max(1, (self as NativeBuilder).size());
  } catch {
    return 1;
  }
};
const ports = (self: unknown, which: "inputs" | "outputs") => {
  try {
    return (self as NativeTape)[which]();
  } catch {
    return [];
  }
};
const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const name: Fitting = (n) => `v${n % 5}`;
const shape: Fitting = (n) => digits(n >> 2, 4, n % 4);
const flag: Fitting = (n) => n % 2 === 0;
const number: Fitting = (n) => [n, -n, n / 7, 0, 1][n % 5];
const node: Fitting = (n, _, self) => n % size(self);
const asManyNodes: Fitting = (n, _, self, first) => digits(n, size(self), first % 4);
/** Nodes for a call of the tape chosen by the first argument: of the right shapes, where there are such. */
const callOperands =
  (skip: number): Fitting =>
  (n, world, self, first) => {
    const builder = self as NativeBuilder;
    const chosen = at(world.tape, first + skip);
    return ports(chosen, "inputs").map((port) => {
      const all = Array.from(
        { length: Math.min(size(self), 50) },
        (_, id) => (id + n) % size(self),
      );
      const fits = all.filter(
        (id) => String(builder.shape(id)) === String(port.shape) && !builder.isBool(id),
      );
      return fits[0] ?? 0;
    });
  };

/** A loop around the tape chosen by the first argument: all that is about it follows from that one. */
const loopOf = (world: World, first: number) => {
  const step = at(world.tape, first + 1);
  const [inputs, outputs] = [ports(step, "inputs"), ports(step, "outputs")];
  const isCarry = (i: number) =>
    inputs[i] !== undefined &&
    outputs[i] !== undefined &&
    String(inputs[i].shape) === String(outputs[i].shape) &&
    inputs[i].isBool === outputs[i].isBool;
  const carries = isCarry(0) ? (isCarry(1) ? 2 : 1) : 0;
  const streams = inputs.length > carries ? first % 2 : 0;
  const isWhile = carries > 0 && outputs[0]!.isBool && outputs[0]!.shape.length === 0;
  const trips = [0, isWhile ? 1 : 0, 2][(first >> 1) % 3]!;
  return { inputs, carries, streams, trips, length: (first >> 3) % 4 };
};
const loopNumbers: Fitting = (n, world, _self, first) => {
  const { carries, streams, trips, length } = loopOf(world, first);
  return [
    length,
    carries,
    streams,
    0,
    trips,
    n % 2,
    0,
    (n >> 1) % 7,
    1 + ((n >> 4) % 3),
    n % 3,
    99,
  ];
};
const loopOperands: Fitting = (n, world, self, first) => {
  const builder = self as NativeBuilder;
  const { inputs, carries, streams, trips, length } = loopOf(world, first);
  const like = (shape: readonly number[], isBool: boolean) => {
    for (let id = 0; id < Math.min(size(self), 50); id++) {
      if (String(builder.shape(id)) === String(shape) && builder.isBool(id) === isBool) return id;
    }
    return n % size(self);
  };
  const given = carries + streams;
  return [
    ...inputs.slice(given).map(({ shape, isBool }) => like(shape, isBool)),
    ...inputs.slice(0, carries).map(({ shape, isBool }) => like(shape, isBool)),
    ...inputs.slice(carries, given).map(({ shape, isBool }) => like([length, ...shape], isBool)),
    ...(trips === 2 ? [like([], false)] : []),
  ];
};
const folder: Fitting = (n) => (n % 3 === 0 ? "" : tmpdir());

/** Codes by the number of operands they take, found by trying. */
const byArity = (() => {
  const b = new native.Builder();
  const x = [b.input("x", [2, 2]), b.input("y", [2, 2]), b.input("z", [2, 2])] as const;
  const c = b.op2(90, x[0], x[1]);
  const lists: number[][] = [[], [], [], []];
  const tries = [
    [(code: number) => b.op1(code, x[0]), (code: number) => b.op1(code, c)],
    [(code: number) => b.op2(code, x[0], x[1]), (code: number) => b.op2(code, c, c)],
    [(code: number) => b.op3(code, ...x), (code: number) => b.op3(code, c, x[0], x[1])],
  ];
  for (let code = 10; code < 400; code++) {
    tries.forEach((calls, i) => {
      const works = calls.some((call) => {
        try {
          return call(code) >= 0;
        } catch {
          return false;
        }
      });
      if (works) lists[i + 1]!.push(code);
    });
  }
  return lists;
})();
const opcode =
  (arity: number): Fitting =>
  (n) =>
    byArity[arity]![n % byArity[arity]!.length];
/** Operations with attributes, and attributes that fit some shape. */
const shaped: readonly (readonly [number, number, ...(readonly number[])[]])[] = [
  [200, 0, [0, 3], [1, 2, 3]],
  [201, 1, [-1], [3, 2], [1, 3]],
  [202, 1, [], [1, 0]],
  [203, 1, [2, 3], [3], [2, 2, 3]],
  [204, 1, [0, 1, 1], [0, 2, 1, 0, 2, 2], [2, 1, 1]],
  [205, 1, [1, 5, 1], [0, 9, 3]],
  [206, 1, [], [0]],
  [207, 2, [0], [1]],
  [208, 2, [0], [1]],
  [209, 2, [0, 3], [0, 2]],
  ...[210, 211, 212, 310, 311, 316].map((code) => [code, 1, [0], [1, 0], [0, 1]] as const),
  ...[213, 214, 215, 315, 317, 318, 320].map((code) => [code, 1, [0], [1]] as const),
  [216, 1, [0, 0], [0, 1]],
  [217, 2, [0, 0], [0, 1]],
  [300, 1, [0], [1, 2], [-1]],
  [301, 2, [0], [1]],
  [302, 1, [1, 1], [0, 1, 2, 0]],
  [304, 1, [0], [1]],
  [305, 1, [0]],
  [314, 1, [2, 0], [1, 0, 0], [0, 0]],
  [330, 2, []],
  [331, 2, []],
  [332, 2, []],
];
const shapedCode: Fitting = (n) => at(shaped, n)![0];
const shapedOperands: Fitting = (n, _, self, first) => digits(n, size(self), at(shaped, first)![1]);
const attrs: Fitting = (n, _world, _self, first) => {
  const [, , ...choices] = at(shaped, first)!;
  return n % 16 === 0 ? digits(n >> 4, 4, n % 5) : at(choices, n >> 4);
};
const tape: Fitting = (n, world) => at(world.tape, n);
const nextTape: Fitting = (_n, world, _self, first) => at(world.tape, first + 1);
const tapeOrNull: Fitting = (n, world) => (n % 8 ? null : at(world.tape, n >> 1));
const names: Fitting = (n) => Array.from({ length: n % 4 }, (_, i) => `o${i}`);
const values: Fitting = (n) => Float64Array.from(digits(n, 5, n % 10));
const wrt: Fitting = (n, _, self) =>
  ports(self, "inputs").flatMap((_port, i) => ((n >> i) % 2 ? [] : [i]));
const outputs: Fitting = (n, _, self) =>
  ports(self, "outputs").flatMap((_port, i) => ((n >> i) % 2 ? [] : [i]));
const flags: Fitting = (n, _, self) => ports(self, "inputs").map((_port, i) => (n >> i) % 2 === 0);
const lists: Fitting = (n, _, self) =>
  ports(self, "inputs").map((port) =>
    new Float64Array(Math.min(elements(port.shape), 1e6)).fill(n % 3),
  );
const lanes: Fitting = (n) => 1 + (n % 4);
const mode: Fitting = (n) => ["auto", "forward", "reverse"][n % 3];
const deadline: Fitting = (n) => [0, 1, 50, Number.POSITIVE_INFINITY][n % 4];
const seen: Fitting = (n, world) => at(world.numbers, n) ?? n;

const methods: Record<string, Record<string, Fitting[]>> = {
  builder: {
    input: [name, shape],
    constant: [number],
    data: [values, shape, flag],
    op1: [opcode(1), node],
    op2: [opcode(2), node, node],
    op3: [opcode(3), node, node, node],
    op: [shapedCode, shapedOperands, attrs],
    call: [tape, callOperands(0)],
    custom: [name, nextTape, tapeOrNull, tapeOrNull, callOperands(1)],
    loop: [name, nextTape, loopNumbers, folder, loopOperands],
    shape: [node],
    isBool: [node],
    size: [],
    finish: [names, asManyNodes],
    dispose: [],
  },
  tape: {
    toString: [],
    toDot: [],
    size: [],
    bytes: [],
    inputs: [],
    outputs: [],
    jvp: [wrt],
    vjp: [wrt],
    valueAndGrad: [wrt],
    gradient: [wrt],
    vmap: [lanes, flags],
    jacobian: [wrt, mode],
    selectOutputs: [outputs],
    trace: [lists, lists],
    plan: [],
    dispose: [],
  },
  plan: {
    toString: [],
    stats: [],
    costs: [],
    loops: [],
    layout: [],
    session: [],
    share: [],
    dispose: [],
  },
  session: { runAsync: [deadline], cancel: [], progress: [], dispose: [] },
  native: { run: [seen], adoptPlan: [seen], nativeBytes: [], version: [], Builder: [] },
};
const kinds = Object.keys(methods);
// Making things is commoner than ending them.
const weight = (method: string) =>
  method === "dispose" ? 1 : method.startsWith("op") ? 12 : method === "loop" ? 8 : 4;
const table = kinds.flatMap((kind) =>
  Object.keys(methods[kind]!).flatMap((method) =>
    Array.from({ length: weight(method) }, () => [kind, method] as const),
  ),
);

interface Command {
  entry: readonly [kind: string, method: string];
  target: number;
  fitting: number[];
  hostile: Hostile[];
  /** Bit i: argument i is hostile; bits 6 and 7 both: the receiver is. */
  wild: number;
}
const command: fc.Arbitrary<Command> = fc.record({
  entry: fc.constantFrom(...table),
  target: fc.nat(20),
  fitting: fc.array(fc.nat(1 << 20), { minLength: 6, maxLength: 6 }),
  hostile: fc.array(hostile, { minLength: 6, maxLength: 6 }),
  wild: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(255) }),
});

// --- running them -----------------------------------------------------------------------------------------

function checkError(error: unknown, what: string) {
  if (error === marker) return;
  expect(error, what).toBeInstanceOf(Error);
  const failure = error as NativeFailure & Error;
  // A receiver of another class never reaches the addon: the engine's TypeError.
  if (failure.adjointCode === undefined && failure instanceof TypeError) return;
  expect(codes, `${what}: ${failure.adjointCode}: ${failure.message}`).toContain(
    failure.adjointCode,
  );
}

/** Too much for a test to touch, though not for the addon to make. */
const isLarge = (session: NativeSession) => session.buffer.byteLength > 1e6;

function keep(world: World, result: unknown) {
  if (result instanceof Promise) world.pending.push(result);
  if (typeof result === "number") world.numbers.push(result);
  if (typeof result !== "object" || result === null) return;
  const made = result as { tape?: NativeTape };
  for (const kind of ["builder", "tape", "plan", "session"] as const) {
    const known = world[kind][0];
    if (known?.constructor === result.constructor) world[kind].push(result as never);
  }
  if (made.tape) keep(world, made.tape);
}

function receiverOf(world: World, { entry: [kind], target, wild, hostile }: Command): unknown {
  if ((wild & 192) === 192) return hostile[5]!(world);
  return kind === "native" ? native : at(world[kind as "tape"], target);
}

function perform(world: World, step: Command) {
  const [kind, method] = step.entry;
  const prototype = kind === "native" ? native : Object.getPrototypeOf(world[kind as "tape"][0]);
  const self = receiverOf(world, step);
  if (kind === "native" && method === "Builder") return keep(world, new native.Builder());
  if (
    kind === "session" &&
    world.session.includes(self as NativeSession) &&
    isLarge(self as NativeSession)
  ) {
    if (method === "runAsync") return;
  }
  if (kind === "tape" && world.tape.includes(self as NativeTape) && size(self) > 5000) return;
  const fitting = methods[kind]![method]!;
  const args = fitting.map((make, i) =>
    (step.wild >> i) & 1
      ? step.hostile[i]!(world)
      : make(step.fitting[i]!, world, self, step.fitting[0]!),
  );
  if (method === "run" && world.session.some((s) => s.handle === args[0] && isLarge(s))) return;
  keep(world, (prototype[method] as (...args: unknown[]) => unknown).apply(self, args));
}

/** Steps of loops, beside the tapes that programs make. */
function newSteps(): NativeTape[] {
  const sum = new native.Builder();
  const carry = sum.input("carry", []);
  const row = sum.input("row", []);
  const until = new native.Builder();
  until.input("go", [], true);
  const value = until.input("value", []);
  const next = until.op1(17, value);
  return [
    sum.finish(["next", "y"], [sum.op2(10, carry, row), sum.op1(17, row)]),
    until.finish(["go", "next"], [until.op2(90, next, value), next]),
  ];
}

function newWorld(): World {
  const b = new native.Builder();
  const x = b.input("x", []);
  const v = b.input("v", [3]);
  const tape = b.finish(["y"], [b.op2(10, b.op1(17, x), b.op(210, [v], [0]))]);
  const plan = tape.plan();
  const session = plan.session();
  const builder = new native.Builder();
  builder.input("x", []);
  builder.input("v", [3]);
  builder.input("m", [2, 3]);
  return {
    builder: [builder],
    tape: [tape, ...newSteps()],
    plan: [plan],
    session: [session],
    pending: [],
    numbers: [session.handle, plan.share()],
  };
}

let calls = 0;

test("no program of calls breaks the addon", { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: callsPerRun, maxLength: callsPerRun, size: "max" }),
      async (program) => {
        const world = newWorld();
        for (const step of program) {
          calls++;
          try {
            perform(world, step);
          } catch (error) {
            checkError(error, step.entry.join("."));
          }
        }
        for (const session of world.session) session.dispose();
        for (const result of await Promise.allSettled(world.pending)) {
          if (result.status === "rejected") checkError(result.reason, "runAsync");
        }
        disposeAll(world);
      },
    ),
    { numRuns: runs!, seed: seed! },
  );
  expect(calls).toBeGreaterThanOrEqual(runs! * callsPerRun);
  // The addon works as before.
  native.run(newWorld().session[0]!.handle);
});
