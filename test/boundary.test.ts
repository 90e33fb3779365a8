import { readFileSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  type NativeBuilder,
  type NativeFailure,
  type NativePlan,
  type NativeSession,
  type NativeTape,
  native,
} from "../lib/native.js";

// Codes are append-only.
const op = { add: 10, mul: 12, sin: 17, gather: 208, sum: 210 };

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function collectAll() {
  for (let i = 0; i < 4; i++) {
    collect();
    await setImmediate();
  }
}

function failure(call: () => unknown): NativeFailure & Error {
  try {
    call();
  } catch (error) {
    return error as NativeFailure & Error;
  }
  throw new Error("it did not throw");
}
const code = (call: () => unknown) => failure(call).adjointCode;

async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: NativeFailure) => error.adjointCode,
  );
}

/** x1*x2 + sin(x1). */
function guide(): NativeTape {
  const b = new native.Builder();
  const x = b.input("x", []);
  const y = b.input("y", []);
  return b.finish(["z"], [b.op2(op.add, b.op2(op.mul, x, y), b.op1(op.sin, x))]);
}

function sines(length: number, depth: number): NativeTape {
  const b = new native.Builder();
  let x = b.input("x", [length]);
  for (let i = 0; i < depth; i++) x = b.op1(op.sin, x);
  return b.finish(["y"], [x]);
}

function views(plan: NativePlan, session: NativeSession): Record<string, Float64Array> {
  const { inputs, outputs } = plan.layout();
  return Object.fromEntries(
    [...inputs, ...outputs].map(({ name, offset, elements }) => [
      name,
      new Float64Array(session.buffer, session.byteOffset + offset * 8, elements),
    ]),
  );
}

function open(tape: NativeTape) {
  const plan = tape.plan();
  const session = plan.session();
  return { plan, session, arena: views(plan, session) };
}

describe("what it computes", () => {
  test("a tape, its print, its plan and a run", () => {
    const tape = guide();
    expect(tape.toString()).toBe(
      "%0 = input x : f64[]\n%1 = input y : f64[]\n%2 = mul %0 %1 : f64[]\n" +
        "%3 = sin %0 : f64[]\n%4 = add %2 %3 : f64[]\nreturn z %4\n",
    );
    expect(tape.inputs()).toEqual([
      { name: "x", shape: [], isBool: false },
      { name: "y", shape: [], isBool: false },
    ]);
    expect(tape.outputs()).toEqual([{ name: "z", shape: [], isBool: false }]);
    const { session, arena } = open(tape);
    arena.x![0] = 2;
    arena.y![0] = 3;
    native.run(session.handle);
    expect(arena.z![0]).toBe(6.909297426825682);
  });

  test("the textbook's table", () => {
    const one = (value: number) => new Float64Array([value]);
    const rows = guide().trace([one(2), one(3)], [one(1), one(0)]);
    expect(rows.map((row) => [row.text, row.primal[0], row.tangent[0], row.adjoint[0]])).toEqual([
      ["x", 2, 1, 2.5838531634528574],
      ["y", 3, 0, 2],
      ["mul(v0, v1)", 6, 3, 1],
      ["sin(v0)", 0.9092974268256817, -0.4161468365471424, 1],
      ["add(v2, v3)", 6.909297426825682, 2.5838531634528574, 1],
    ]);
    expect(code(() => guide().trace([one(2)], [one(1), one(0)]))).toBe("ERR_SHAPE");
    expect(code(() => guide().trace([one(2), new Float64Array(2)], [one(1), one(0)]))).toBe(
      "ERR_SHAPE",
    );
  });

  test("a drawing with hostile names", () => {
    const b = new native.Builder();
    const x = b.input('x"];\n}\\', [2]);
    const dot = b.finish(["__proto__"], [b.op1(op.sin, x)]).toDot();
    expect(dot).toContain('label="v0 = x\\"]; }\\\\ [2]"');
    expect(dot).toContain('label="__proto__"');
    expect(dot.match(/[^\\]"/g)!.length % 2).toBe(0);
  });

  test("the version is the package's", () => {
    const { version } = JSON.parse(
      readFileSync(new URL("../package.json", import.meta.url), "utf8"),
    );
    expect(native.version()).toBe(version);
  });

  test("a failure at run time names its place", () => {
    const b = new native.Builder();
    const x = b.input("x", [3]);
    const i = b.input("i", [2]);
    const { session, arena } = open(b.finish(["y"], [b.op(op.gather, [x, i], [0])]));
    arena.i!.set([1, 7]);
    const error = failure(() => native.run(session.handle));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      adjointCode: "ERR_INDEX",
      operation: "gather",
      value: 7,
      limit: 3,
    });
    expect(error.node).toBe(2);
    arena.i!.set([1, 2]);
    native.run(session.handle);
  });

  test("a custom function's rules are held to its signature", () => {
    const make = (names: string[], results: number) => {
      const b = new native.Builder();
      const inputs = names.map((name) => b.input(name, []));
      return b.finish(
        Array.from({ length: results }, (_, k) => `y${k}`),
        Array.from({ length: results }, () => b.op1(op.sin, inputs[0]!)),
      );
    };
    const b = new native.Builder();
    const x = b.input("x", []);
    const primal = make(["x"], 1);
    expect(
      b.custom("f", primal, make(["x", "dx"], 1), make(["x", "y", "yBar"], 1), [x]),
    ).toHaveLength(1);
    expect(code(() => b.custom("f", primal, make(["x"], 1), null, [x]))).toBe("ERR_ARGUMENT");
    expect(code(() => b.custom("f", primal, null, make(["x", "y", "yBar"], 2), [x]))).toBe(
      "ERR_ARGUMENT",
    );
    expect(code(() => b.custom("f", primal, null, null, [x, x]))).toBe("ERR_ARGUMENT");
    expect(code(() => b.custom("f", primal, null, null, [b.input("v", [2])]))).toBe("ERR_SHAPE");
  });
});

describe("arguments", () => {
  let b: NativeBuilder;
  beforeEach(() => {
    b = new native.Builder();
    b.input("x", [2]);
  });

  test.each([
    -1,
    1,
    0.5,
    Number.NaN,
    2 ** 32,
    Number.POSITIVE_INFINITY,
    "0",
    null,
    undefined,
    {},
    0n,
  ])("node %s is refused", (node) => {
    expect(code(() => b.op1(op.sin, node as number))).toBe("ERR_ARGUMENT");
    expect(code(() => b.finish(["y"], [node as number]))).toBe("ERR_ARGUMENT");
  });

  test.each([-1, 0, 1, 2, 3, 9, 220, 221, 1023, 1024, 65536 + 17, 1e9, Number.NaN, "17"])(
    "operation %s is refused",
    (code_) => {
      expect(code(() => b.op1(code_ as number, 0))).toBe("ERR_ARGUMENT");
      expect(code(() => b.op(code_ as number, [0], []))).toBe("ERR_ARGUMENT");
    },
  );

  test("shapes", () => {
    for (const extent of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "2", null]) {
      expect(code(() => b.input("y", [extent as number]))).toBe("ERR_ARGUMENT");
    }
    expect(code(() => b.input("y", [2 ** 20, 2 ** 20]))).toBe("ERR_LIMIT");
    expect(code(() => b.input("y", Array(17).fill(1)))).toBe("ERR_LIMIT");
    expect(code(() => b.input("y", { length: 1, 0: 2 } as unknown as number[]))).toBe(
      "ERR_ARGUMENT",
    );
    expect(code(() => b.data(new Float64Array(3), [2], false))).toBe("ERR_SHAPE");
    expect(b.shape(b.data(new Float64Array(0), [3, 0], false))).toEqual([3, 0]);
  });

  test("objects of another class, of another object, and no object", () => {
    const tape = guide();
    const plan = tape.plan();
    for (const wrong of [plan, {}, b, Object.create(tape), new Proxy(tape, {}), null, 5]) {
      expect(code(() => b.call(wrong as unknown as NativeTape, [0]))).toBe("ERR_ARGUMENT");
    }
    expect(() => b.op1.call(tape as unknown as NativeBuilder, op.sin, 0)).toThrow(TypeError);
    expect(() => b.op1.call(Object.create(b), op.sin, 0)).toThrow(TypeError);
    expect(() => b.op1.call(new Proxy(b, {}), op.sin, 0)).toThrow(TypeError);
    const Tape = tape.constructor as new () => NativeTape;
    expect(code(() => new Tape())).toBe("ERR_ARGUMENT");
    expect(() => (native.Builder as unknown as () => void)()).toThrow(TypeError);
    expect(() => (native.Builder as unknown as () => void).call(b)).toThrow(TypeError);
    class Derived extends native.Builder {}
    expect(new Derived().size()).toBe(0);
  });

  test("getters that throw, and getters that dispose", () => {
    const thrown = new Error("mine");
    const throwing = Object.defineProperty([0], 0, {
      get() {
        throw thrown;
      },
    });
    expect(failure(() => b.op(op.sin, throwing, []))).toBe(thrown);
    const disposing = Object.defineProperty([0], 0, {
      get() {
        b.dispose();
        return 0;
      },
    });
    expect(code(() => b.op(op.sin, disposing, []))).toBe("ERR_STATE");
    const tape = guide();
    const late = Object.defineProperty([0], 0, {
      get() {
        tape.dispose();
        return 0;
      },
    });
    expect(code(() => tape.vjp(late))).toBe("ERR_STATE");
  });

  test("typed arrays that are detached, shared, of another kind, or resizable", () => {
    const gone = new Float64Array(2);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(code(() => b.data(gone, [2], false))).toBe("ERR_SHAPE");
    expect(code(() => b.data(new Float32Array(2) as unknown as Float64Array, [2], false))).toBe(
      "ERR_ARGUMENT",
    );
    expect(
      code(() => b.data(new DataView(new ArrayBuffer(16)) as unknown as Float64Array, [2], false)),
    ).toBe("ERR_ARGUMENT");
    const Resizable = ArrayBuffer as unknown as new (
      size: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer & { resize(size: number): void };
    const buffer = new Resizable(32, { maxByteLength: 64 });
    const array = new Float64Array(buffer);
    expect(b.data(array, [4], false)).toBeGreaterThan(0);
    buffer.resize(8);
    expect(code(() => b.data(array, [4], false))).toBe("ERR_SHAPE");
    const shared = new Float64Array(new SharedArrayBuffer(16)).fill(3);
    expect(b.data(shared as unknown as Float64Array, [2], false)).toBeGreaterThan(0);
  });

  test("positions, lanes and modes", () => {
    const tape = guide();
    expect(code(() => tape.vjp([2]))).toBe("ERR_ARGUMENT");
    expect(code(() => tape.jvp([0, 0]))).toBe("ERR_ARGUMENT");
    expect(code(() => tape.selectOutputs([1]))).toBe("ERR_ARGUMENT");
    expect(code(() => tape.vmap(0, [true, true]))).toBe("ERR_ARGUMENT");
    expect(code(() => tape.vmap(2, [true]))).toBe("ERR_ARGUMENT");
    expect(code(() => tape.jacobian([0], "sideways" as "auto"))).toBe("ERR_ARGUMENT");
  });
});

describe("state", () => {
  test("what is disposed of says so, and disposing twice is nothing", () => {
    const b = new native.Builder();
    const tape = guide();
    const { plan, session } = open(tape);
    const { handle } = session;
    for (const object of [b, session, plan, tape]) {
      object.dispose();
      object.dispose();
    }
    expect(code(() => b.size())).toBe("ERR_STATE");
    expect(code(() => tape.toString())).toBe("ERR_STATE");
    expect(code(() => plan.session())).toBe("ERR_STATE");
    expect(code(() => native.run(handle))).toBe("ERR_STATE");
    expect(code(() => new native.Builder().call(tape, []))).toBe("ERR_STATE");
  });

  test("a finished builder is spent", () => {
    const b = new native.Builder();
    const x = b.input("x", []);
    b.finish(["x"], [x]);
    expect(code(() => b.op1(op.sin, x))).toBe("ERR_STATE");
    expect(code(() => b.finish(["x"], [x]))).toBe("ERR_STATE");
  });

  test("a session outlives its plan and tape", () => {
    const tape = guide();
    const { plan, session, arena } = open(tape);
    plan.dispose();
    tape.dispose();
    native.run(session.handle);
    expect(arena.z![0]).toBe(0);
  });

  test("a handle is never another session's", () => {
    const { plan, session } = open(guide());
    const { handle } = session;
    session.dispose();
    const next = plan.session();
    expect(next.handle).not.toBe(handle);
    expect(code(() => native.run(handle))).toBe("ERR_STATE");
    for (const wrong of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(code(() => native.run(wrong))).toBe("ERR_STATE");
    }
    for (const wrong of ["0", undefined, next]) {
      expect(code(() => native.run(wrong as unknown as number))).toBe("ERR_ARGUMENT");
    }
  });

  test("the fast door runs the session whose handle was left there", async () => {
    const { session, arena } = open(sines(3, 1));
    arena.x!.fill(1);
    native.next[0] = session.handle;
    native.runNext();
    native.runNext();
    expect(arena.y![2]).toBe(Math.sin(1));
    const running = session.runAsync(0, 0);
    expect(code(() => native.runNext())).toBe("ERR_STATE");
    await running;
    session.dispose();
    for (const wrong of [session.handle, -1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      native.next[0] = wrong;
      expect(code(() => native.runNext())).toBe("ERR_STATE");
    }
  });

  test("an arena whose buffer was transferred", async () => {
    const { session } = open(guide());
    structuredClone(session.buffer, { transfer: [session.buffer] });
    expect(code(() => native.run(session.handle))).toBe("ERR_STATE");
    expect(await rejection(session.runAsync(0, 0))).toBe("ERR_STATE");
    session.dispose();
  });

  test("the arena can not be replaced", () => {
    const { session } = open(guide());
    expect(Reflect.set(session, "buffer", new ArrayBuffer(8))).toBe(false);
    expect(Reflect.deleteProperty(session, "buffer")).toBe(false);
  });

  test("a plan shared by number", () => {
    const { plan } = open(guide());
    const token = plan.share();
    expect(plan.share()).toBe(token);
    const adopted = native.adoptPlan(token);
    expect(adopted.layout()).toEqual(plan.layout());
    plan.dispose();
    adopted.session().dispose();
    expect(code(() => native.adoptPlan(token + 1))).toBe("ERR_STATE");
    expect(code(() => native.adoptPlan(0))).toBe("ERR_ARGUMENT");
  });
});

describe("async", () => {
  test("inputs are those of the call, outputs are there when it settles", async () => {
    const { session, arena } = open(guide());
    arena.x![0] = 2;
    arena.y![0] = 3;
    const done = session.runAsync(0, 0);
    arena.x![0] = 100;
    await done;
    expect(arena.z![0]).toBe(6.909297426825682);
    expect(arena.x![0]).toBe(100);
  });

  test("one at a time, and no run beside it", async () => {
    const { session } = open(sines(1000, 10));
    const done = session.runAsync(0, 0);
    expect(code(() => native.run(session.handle))).toBe("ERR_STATE");
    expect(await rejection(session.runAsync(0, 0))).toBe("ERR_STATE");
    await done;
    native.run(session.handle);
    await session.runAsync(Number.POSITIVE_INFINITY, 0);
  });

  test("many sessions of one plan", async () => {
    const plan = guide().plan();
    const sessions = Array.from({ length: 50 }, () => plan.session());
    const arenas = sessions.map((session) => views(plan, session));
    await Promise.all(
      sessions.map((session, i) => {
        arenas[i]!.x![0] = i;
        arenas[i]!.y![0] = 2;
        return session.runAsync(0, 0);
      }),
    );
    for (const [i, arena] of arenas.entries()) {
      expect(arena.z![0]).toBeCloseTo(2 * i + Math.sin(i), 12);
    }
  });

  test("cancel, and a deadline", async () => {
    const { session } = open(sines(1 << 20, 1000));
    session.cancel();
    let done = session.runAsync(0, 0);
    await setTimeout(10);
    const before = performance.now();
    session.cancel();
    expect(await rejection(done)).toBe("ERR_ABORT");
    expect(performance.now() - before).toBeLessThan(3000);
    done = session.runAsync(5, 0);
    expect(await rejection(done)).toBe("ERR_ABORT");
    for (const wrong of [-1, Number.NaN, "5", undefined]) {
      expect(await rejection(session.runAsync(wrong as number, 0))).toBe("ERR_ARGUMENT");
    }
    expect(session.progress()).toEqual({ done: 0, planned: 0 });
  });

  test("disposing during a run ends it", async () => {
    const { session } = open(sines(1 << 20, 1000));
    const done = session.runAsync(0, 0);
    await setTimeout(5);
    session.dispose();
    expect(await rejection(done)).toBe("ERR_STATE");
    expect(await rejection(session.runAsync(0, 0))).toBe("ERR_STATE");
  });

  test("transferring the arena during a run", async () => {
    const { session } = open(sines(1 << 16, 20));
    const done = session.runAsync(0, 0);
    structuredClone(session.buffer, { transfer: [session.buffer] });
    expect(await rejection(done)).toBe("ERR_STATE");
  });

  test("a session forgotten during its run is kept until the end", async () => {
    const plan = sines(1 << 18, 30).plan();
    const output = () => {
      const session = plan.session();
      const arena = views(plan, session);
      arena.x!.fill(1);
      return session.runAsync(0, 0).then(() => arena.y![5]);
    };
    const done = output();
    await collectAll();
    expect(await done).toBeGreaterThan(0);
  });

  test("a failure at run time rejects", async () => {
    const b = new native.Builder();
    const x = b.input("x", [3]);
    const i = b.input("i", [2]);
    const { session, arena } = open(b.finish(["y"], [b.op(op.gather, [x, i], [0])]));
    arena.i!.set([0, -1]);
    expect(await rejection(session.runAsync(0, 0))).toBe("ERR_INDEX");
  });

  test("the event loop turns meanwhile", async () => {
    const { session } = open(sines(1 << 20, 200));
    let turns = 0;
    const done = session.runAsync(400, 0).catch(() => {});
    const counter = setInterval(() => turns++, 5);
    await done;
    clearInterval(counter);
    expect(turns).toBeGreaterThan(3);
  });
});

describe("memory", () => {
  test("is reported, given back when disposed of, and once only", async () => {
    await collectAll();
    const before = native.nativeBytes();
    const tape = sines(1 << 16, 3);
    const { plan, session } = open(tape);
    await session.runAsync(0, 0);
    expect(native.nativeBytes() - before).toBeGreaterThan(1 << 20);
    for (const object of [session, plan, tape]) object.dispose();
    const after = native.nativeBytes();
    await collectAll();
    expect(native.nativeBytes()).toBeLessThanOrEqual(after);
    expect(native.nativeBytes()).toBeLessThanOrEqual(before);
  });

  test("the finalizer is the net", async () => {
    const before = native.nativeBytes();
    (() => {
      for (let i = 0; i < 20; i++) open(sines(1000, 2));
    })();
    expect(native.nativeBytes()).toBeGreaterThan(before);
    await collectAll();
    expect(native.nativeBytes()).toBeLessThanOrEqual(before);
  });

  test("a builder's growth is seen", () => {
    const b = new native.Builder();
    const before = native.nativeBytes();
    let x = b.input("x", []);
    for (let i = 0; i < 10_000; i++) x = b.op1(op.sin, x);
    expect(native.nativeBytes() - before).toBeGreaterThan(100_000);
    b.dispose();
    expect(native.nativeBytes()).toBeLessThanOrEqual(before);
  });

  test("more than there is", () => {
    const b = new native.Builder();
    const x = b.input("x", [2 ** 31 - 1]);
    const tape = b.finish(["y"], [b.op1(op.sin, x)]);
    const call = () => tape.plan().session();
    // Machines with more than 32 GB can have it.
    try {
      call().dispose();
    } catch (error) {
      expect((error as NativeFailure).adjointCode).toBe("ERR_MEMORY");
    }
  });

  test("a deep tape is freed without recursion", () => {
    const tape = sines(1, 300_000);
    expect(tape.size()).toBeGreaterThan(300_000);
    tape.dispose();
  });
});

describe("other threads", () => {
  const file =
    process.env.ADJOINT_NATIVE ??
    new URL("../build/Release/adjoint.node", import.meta.url).pathname;
  const workers: Worker[] = [];
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test("adopt a plan and have tables of their own", async () => {
    const { plan, session } = open(guide());
    const code = `
      const { parentPort, workerData } = require("node:worker_threads");
      const native = require(workerData.file);
      let foreign;
      try { native.run(workerData.handle); } catch (error) { foreign = error.adjointCode; }
      const plan = native.adoptPlan(workerData.token);
      const session = plan.session();
      const arena = new Float64Array(session.buffer, session.byteOffset);
      const { inputs, outputs } = plan.layout();
      arena[inputs[0].offset] = 2;
      arena[inputs[1].offset] = 3;
      session.runAsync(0, 0).then(() => parentPort.postMessage({ foreign, z: arena[outputs[0].offset] }));
    `;
    const worker = new Worker(code, {
      eval: true,
      workerData: { file, token: plan.share(), handle: session.handle },
    });
    workers.push(worker);
    // Both events may come in one go: when the worker ends, Node hands out its last messages first.
    const exit = new Promise((resolve) => worker.once("exit", resolve));
    const message = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    expect(message).toEqual({ foreign: "ERR_STATE", z: 6.909297426825682 });
    // With nothing pending the worker ends by itself: the addon does not keep its loop alive.
    expect(await exit).toBe(0);
    plan.dispose();
  });
});
