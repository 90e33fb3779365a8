// What errors say and where they point, and that nothing a program gives ends the process or hangs it.
import vm from "node:vm";
import * as adjoint from "adjoint";
import {
  AbortError,
  type AdjointError,
  ArgumentError,
  checkGrads,
  constant,
  custom,
  DTypeError,
  fn,
  grad,
  IndexError,
  jacobian,
  LimitError,
  matrix,
  NameError,
  NotDifferentiableError,
  parse,
  ShapeError,
  StateError,
  scalar,
  TensorSpec,
  TraceError,
  tensor,
  Value,
  valueAndGrad,
  vector,
  vmap,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, type ErrorClass, rejected, thrown } from "./thrown.js";

const line = () =>
  Number(/api-failures\.test\.ts:(\d+)/.exec(new Error().stack!.split("\n")[2]!)?.[1]);

/** The error names this function once and the line, which is just above, in its message and its stack. */
function complete(error: AdjointError, name: string, below: number): void {
  expect(error.location?.file).toContain("api-failures.test.ts");
  const at = error.location?.line ?? 0;
  expect(below - at, error.message).toBeGreaterThanOrEqual(0);
  expect(below - at, error.message).toBeLessThanOrEqual(4);
  expect(error.message.startsWith(`${name}: `), error.message).toBe(true);
  expect(error.message).toContain(`api-failures.test.ts:${at}:`);
  expect(error.message.match(/\(at /g)).toHaveLength(1);
  expect(error.stack?.startsWith(`${error.name}: ${error.message}\n`), error.stack).toBe(true);
}

const area = fn({ x: vector(2), s: scalar() }, ({ x, s }) => x.mul(s).sum(), { name: "area" });
const good = { x: [1, 2], s: 1 };

describe("errors of calls name the function and the line", () => {
  test("wrong inputs", () => {
    const detached = new Float64Array(2);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    let leaked: unknown;
    fn({ x: vector(2) }, ({ x }) => {
      leaked = x;
      return x;
    });
    const wrong: readonly (readonly [ErrorClass, unknown])[] = [
      [ShapeError, { x: [1, 2, 3], s: 1 }],
      [ShapeError, { x: new Float64Array(3), s: 1 }],
      [ArgumentError, { x: "12", s: 1 }],
      [ArgumentError, { x: [1, "2"], s: 1 }],
      [ArgumentError, 3],
      [NameError, { x: [1, 2] }],
      [NameError, { x: [1, 2], s: 1, t: 1 }],
      [StateError, { x: detached, s: 1 }],
      [TraceError, { x: leaked, s: 1 }],
    ];
    for (const [kind, inputs] of wrong) {
      const error = thrown(kind, () => area(any(inputs)));
      complete(error, "area", line());
    }
    complete(
      thrown(ArgumentError, () => (any(area) as () => void)()),
      "area",
      line(),
    );
    complete(
      thrown(ShapeError, () => grad(area)({ x: [1], s: 1 })),
      "grad(area)",
      line(),
    );
  });

  test("batches, traces and explanations", () => {
    complete(
      thrown(ShapeError, () => area.batch({ x: new Float64Array(3), s: 1 })),
      "area",
      line(),
    );
    complete(
      thrown(ShapeError, () => area.batch(good)),
      "area",
      line(),
    );
    complete(
      thrown(ShapeError, () => area.batch({ x: new Float64Array(0), s: 1 })),
      "area",
      line(),
    );
    complete(
      thrown(ArgumentError, () => area.batch({ x: any("1"), s: 1 })),
      "area",
      line(),
    );
    complete(
      thrown(ShapeError, () => area.trace({ x: [1], s: 1 })),
      "area",
      line(),
    );
    complete(
      thrown(ArgumentError, () => area.trace(good, any(3))),
      "area",
      line(),
    );
  });

  test("asynchronous calls, where they were made", async () => {
    const calls: readonly (readonly [ErrorClass, number, Promise<unknown>])[] = [
      [ShapeError, line(), area.async({ x: [1], s: 1 })],
      [ArgumentError, line(), area.async(good, any(3))],
      [ArgumentError, line(), area.async(good, any(null))],
      [ArgumentError, line(), area.async(good, { deadline: any("soon") })],
      [ArgumentError, line(), area.async(good, { signal: any({}) })],
      [ArgumentError, line(), area.async(good, any({ timeout: 3 }))],
      [AbortError, line(), area.async(good, { signal: AbortSignal.abort() })],
      [AbortError, line(), area.async(good, { deadline: 0 })],
      [ArgumentError, line(), (any(area) as { async: () => Promise<unknown> }).async()],
    ];
    await Promise.all(
      calls.map(async ([kind, at, call]) => complete(await rejected(kind, call), "area", at)),
    );
  });

  test("sessions", async () => {
    const session = area.session();
    const running = session.runAsync();
    complete(await rejected(StateError, session.runAsync()), "area", line());
    await running;
    complete(
      await rejected(ArgumentError, session.runAsync(any({ deadline: "1" }))),
      "area",
      line(),
    );
    session.dispose();
    complete(
      thrown(StateError, () => session.run()),
      "area",
      line(),
    );
    complete(await rejected(StateError, session.runAsync()), "area", line());
  });

  test("calls with traced values: the function, the input's path, both shapes", () => {
    const inBody = (inputs: (x: Value<[3]>) => unknown) => () =>
      fn({ x: vector(3) }, ({ x }) => area(any(inputs(x))) as unknown as Value);
    const shapes = thrown(
      ShapeError,
      inBody((x) => ({ x, s: 1 })),
    );
    expect(shapes.message).toMatch(/^area: x: expected shape \[2\], got \[3\]/);
    expect(shapes.location?.file).toContain("api-failures");
    const names = thrown(
      NameError,
      inBody((x) => ({ x })),
    );
    expect(names.message).toMatch(/^area: the input "s" is missing/);
    expect(names.location?.file).toContain("api-failures");
    const kinds = thrown(
      DTypeError,
      inBody((x) => ({ x: x.slice([0, 2]).greater(0), s: 1 })),
    );
    expect(kinds.message).toMatch(/^area: x: expected numbers, got a boolean/);
    const arrays = thrown(
      ArgumentError,
      inBody((x) => ({ x: [1, x.at(0)], s: 1 })),
    );
    expect(arrays.message).toMatch(/^area: x: .*traced values.*use constant/);
  });

  test("elements of constants, and limits of formulas", () => {
    const constants = thrown(ArgumentError, () =>
      fn({ x: scalar() }, () => constant([1, any("2")]).sum()),
    );
    complete(constants, "constant", line());
    const ragged = thrown(ShapeError, () =>
      fn({ x: scalar() }, () => constant([[1, 2], [3]] as never).sum()),
    );
    complete(ragged, "constant", line());
    const limits = thrown(ArgumentError, () => parse("x", ["x"], { depth: 0 }));
    complete(limits, "formula", line());
  });

  test("a body that throws errors of its own is not blamed on the call", () => {
    class Mine extends Error {}
    const getter = {
      get x(): number[] {
        throw new Mine("mine");
      },
      s: 1,
    };
    expect(() => area(getter)).toThrow(Mine);
  });
});

describe("run-time errors", () => {
  const pick = fn({ x: vector(3), i: vector(2) }, ({ x, i }) => x.gather(i).sum(), {
    name: "pick",
  });
  const made = line();

  test("name the function, and run the body for the line once", () => {
    let bodies = 0;
    const f = fn({ x: vector(3), i: scalar() }, ({ x, i }) => {
      bodies++;
      return x.gather(i);
    });
    const once = () => thrown(IndexError, () => f({ x: [1, 2, 3], i: 7 }));
    const { node, location } = once();
    expect(bodies).toBe(2);
    for (let i = 0; i < 5; i++) expect(once().location).toEqual(location);
    thrown(IndexError, () => grad(f)({ x: [1, 2, 3], i: 7 }));
    expect(bodies).toBe(2);
    expect(f.locate(node!)).toEqual(location);
    for (const none of [-1, 1e6, Number.MAX_SAFE_INTEGER]) expect(f.locate(none)).toBeUndefined();
  });

  test("indices between two elements are none, of any axis", () => {
    const f = fn({ x: matrix(2, 4), i: matrix(1, 4) }, ({ x, i }) =>
      x.takeAlongAxis(i, { axis: 0 }),
    );
    const x = Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7);
    expect(f({ x, i: Float64Array.of(0, 1, 1, 0) })).toEqual(Float64Array.of(0, 5, 6, 3));
    // Half a row is two elements.
    for (const wrong of [0.5, -0.5, 2, -1, Number.NaN]) {
      const error = thrown(IndexError, () => f({ x, i: Float64Array.of(0, wrong, 0, 0) }));
      expect(error.location?.file).toContain("api-failures");
    }
  });

  test("of custom functions point at them", () => {
    const f = custom(pick, {});
    const error = thrown(IndexError, () => f({ x: [1, 2, 3], i: [0, 9] }));
    complete(error, "pick", line());
  });

  test("in a batch name the lane, and the element within it", () => {
    const i = [
      [0, 1],
      [2, 2],
      [0, 9],
      [9, 9],
    ];
    for (const inputs of [
      { x: [1, 2, 3], i },
      { x: new Float64Array(12), i: Float64Array.from(i.flat()) },
      { x: new Array(4).fill([1, 2, 3]), i: i.map((row) => Float64Array.from(row)) },
    ]) {
      const error = thrown(IndexError, () => pick.batch(any(inputs)));
      expect(error.message).toMatch(/^pick: lane 2: gather: index 9 at element 1 is not in/);
      expect(error.lane).toBe(2);
      expect(made - (error.location?.line ?? 0)).toBeLessThanOrEqual(4);
    }
    expect(
      pick.batch({
        x: [1, 2, 3],
        i: [
          [0, 1],
          [2, 2],
        ],
      }),
    ).toEqual(Float64Array.of(3, 6));
  });
});

describe("lines are found", () => {
  const run = (file: string, body: string, ...given: unknown[]) => {
    const f = vm.runInThisContext(`(function user(adjoint, inner) {\n${body}\n})`, {
      filename: file,
    });
    return f(adjoint, ...given);
  };
  const bad = "return adjoint.fn({ x: adjoint.vector(3) }, ({ x }) => x.at(9));";

  test("in folders with parentheses, spaces and colons", () => {
    for (const file of [
      "/app/(shop)/x.ts",
      "/app/(shop) (x)/a (1).ts",
      "/app/a b/é.ts",
      "/a:1:2/x.ts",
    ]) {
      const error = thrown(IndexError, () => run(file, bad));
      expect(error.location?.file).toBe(file);
      expect(error.location?.line).toBe(2);
    }
  });

  test("past helpers from node_modules, which are named when there is nobody else", () => {
    const helper = "/app/node_modules/helper/index.js";
    const call = "return inner(adjoint);";
    const viaHelper = () =>
      run("/app/main.js", call, (given: unknown) =>
        vm.runInThisContext(`(function help(adjoint) {\n${bad}\n})`, { filename: helper })(given),
      );
    const error = thrown(IndexError, viaHelper);
    expect(error.location?.file).not.toContain("node_modules");
    // The arrow above is the first frame of a program.
    expect(error.location?.file).toContain("api-failures");
  });

  test("through eval", () => {
    const error = thrown(IndexError, () =>
      run("/app/main.js", `return eval(${JSON.stringify(`(() => {${bad}})()`)});`),
    );
    expect(error.location?.file).toBe("/app/main.js");
  });

  test("whatever a program does to stacks", async () => {
    const before = { limit: Error.stackTraceLimit, prepare: Error.prepareStackTrace };
    const build = () => fn({ x: vector(3) }, ({ x }) => x.at(any(9) as number));
    try {
      Error.stackTraceLimit = 0;
      expect(thrown(IndexError, build).location?.file).toContain("api-failures");
      Error.stackTraceLimit = before.limit;
      for (const prepare of [
        (_: Error, sites: unknown) => sites,
        () => undefined,
        () => "no frames",
        () => {
          throw new Error("of the program");
        },
      ]) {
        Error.prepareStackTrace = prepare;
        expect(thrown(IndexError, build).location?.file).toContain("api-failures");
        const error = await rejected(ShapeError, area.async({ x: [1], s: 1 }));
        expect(error.location?.file).toContain("api-failures");
      }
    } finally {
      Error.stackTraceLimit = before.limit;
      Error.prepareStackTrace = before.prepare!;
    }
  });

  test("with frozen intrinsics", () => {
    const before = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")!;
    Object.defineProperty(Error, "stackTraceLimit", { ...before, writable: false });
    try {
      thrown(IndexError, () => fn({ x: vector(3) }, ({ x }) => x.at(any(9) as number)));
    } finally {
      Object.defineProperty(Error, "stackTraceLimit", before);
    }
  });
});

describe("nothing ends the process", () => {
  const work = () =>
    fn({ x: vector(100_000) }, ({ x }) => {
      let y: Value = x;
      for (let i = 0; i < 40; i++) y = y.sin().cumsum({ axis: 0 }).mul(1e-3);
      return y.sum();
    });

  test("a session disposed of during its run, whose signal is aborted then", async () => {
    const session = work().session();
    const controller = new AbortController();
    const running = session.runAsync({ signal: controller.signal });
    session.dispose();
    controller.abort();
    const error = await rejected(adjoint.AdjointError, running);
    expect(["ERR_ABORT", "ERR_STATE"]).toContain(error.code);
    expect(session.progress()).toEqual({ done: 0, planned: 0 });
    await new Promise(setImmediate);
  });

  test("asynchronous bodies: what they throw later is theirs", async () => {
    const later = async (x: Value<[]>) => {
      await null;
      return x.mul(2);
    };
    for (const body of [later, (x: Value<[]>) => ({ y: later(x) }), (x: Value<[]>) => [later(x)]]) {
      const error = thrown(ArgumentError, () => fn({ x: scalar() }, ({ x }) => any(body(x))));
      expect(error.message).toContain("asynchronous");
    }
    thrown(ArgumentError, () =>
      custom(area, { vjp: any(async () => Promise.reject(new Error())) }),
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
    // An output of that name is an output.
    const named = (value: unknown) => Object.fromEntries(["then"].map((name) => [name, value]));
    const f = fn({ x: scalar() }, ({ x }) => any(named(x.mul(2))));
    const outputs = (any(f) as (inputs: unknown) => object)({ x: 2 });
    expect(Object.entries(outputs)).toEqual([["then", 4]]);
  });

  test("many calls with one signal", async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error) => warnings.push(warning);
    process.on("warning", listener);
    const f = work();
    const x = new Float64Array(100_000);
    const controller = new AbortController();
    const { signal } = controller;
    await Promise.all(Array.from({ length: 30 }, () => area.async(good, { signal })));
    const running = Array.from({ length: 15 }, () => f.async({ x }, { signal }));
    controller.abort();
    await Promise.all(running.map((call) => rejected(AbortError, call)));
    await rejected(AbortError, area.async(good, { signal }));
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("warning", listener);
    expect(warnings).toEqual([]);
    expect(await area.async(good, { signal: null })).toBe(3);
  });

  test("records that contain themselves, and the same one over and over", () => {
    const cyclic: Record<string, unknown> = {};
    Object.assign(cyclic, { x: cyclic, y: cyclic, s: cyclic });
    const list: unknown[] = [];
    list.push(list, list, list);
    for (const inputs of [cyclic, { x: cyclic, s: cyclic }, { x: list, s: list }]) {
      const inBody = () =>
        fn({ x: scalar() }, ({ x }) => {
          area(any(inputs));
          return x;
        });
      thrown(adjoint.AdjointError, inBody);
    }
    let spec: unknown = scalar();
    for (let i = 0; i < 60; i++) spec = { a: spec, b: spec };
    thrown(LimitError, () => fn(any(spec), () => 1));
    const result = ({ x }: { x: unknown }) => {
      let shared = x;
      for (let i = 0; i < 60; i++) shared = [shared, shared];
      return any(shared);
    };
    thrown(LimitError, () => fn({ x: scalar() }, result));
  });

  test("what a body that throws leaves behind is closed", () => {
    let leaked: Value<[]> | undefined;
    const body = ({ x }: { x: Value<[]> }) => {
      leaked = x.mul(2);
      throw new Error("mine");
    };
    expect(() => fn({ x: scalar() }, body as never)).toThrow("mine");
    expect(thrown(TraceError, () => leaked!.shape).message).toContain("outside the function");
    thrown(TraceError, () => leaked!.add(1));
    thrown(TraceError, () => fn({ x: scalar() }, ({ x }) => x.add(leaked!)));
  });
});

describe("what objects claim is not believed", () => {
  const identity = fn({ x: vector(40) }, ({ x }) => x.mul(1));

  test("lengths of typed arrays", () => {
    class Long extends Float64Array {
      override get length(): number {
        return 40;
      }
    }
    identity({ x: new Float64Array(40).fill(42) });
    thrown(ShapeError, () => identity({ x: new Long(2) }));
    thrown(ShapeError, () => identity({ x: new Long(60) }));
    thrown(ShapeError, () => identity.batch({ x: new Long(3) }));
    const short = new Float64Array(40).fill(7);
    Object.defineProperty(short, "length", { value: 2 });
    expect(identity({ x: short })[39]).toBe(7);
    class Huge extends Float64Array {
      override get length(): number {
        return 2 ** 30;
      }
    }
    const f = fn({ x: scalar() }, ({ x }) => constant(new Huge(2).fill(3)).sum().mul(x));
    expect(f({ x: 2 })).toBe(12);
  });

  test("prototypes", () => {
    const value = any(Object.create(Value.prototype)) as Value<[]>;
    thrown(ArgumentError, () => fn({ x: scalar() }, ({ x }) => x.add(value)));
    thrown(ArgumentError, () => fn({ x: scalar() }, () => value));
    thrown(ArgumentError, () => area({ x: [1, 2], s: any(value) }));
    thrown(ArgumentError, () => value.shape);
    thrown(adjoint.AdjointError, () => value.sin());
    const spec = any(Object.create(TensorSpec.prototype));
    thrown(ArgumentError, () => fn({ x: spec }, () => 1));
    thrown(ArgumentError, () => new TensorSpec(any(undefined)));
    thrown(ArgumentError, () => new TensorSpec(any([1, "2"])));
    const bare = Object.setPrototypeOf([1, 2], null);
    const f = fn({ s: scalar() }, ({ s }) =>
      area({ x: any(constant([1, 2])), s }).add(area({ x: bare, s: 1 })),
    );
    expect(f({ s: 2 })).toBe(9);
    thrown(ArgumentError, () => fn({ s: scalar() }, ({ s }) => area(any({ x: bare, s }))));
  });

  test("signals", async () => {
    await rejected(
      ArgumentError,
      area.async(good, { signal: Object.create(AbortSignal.prototype) }),
    );
  });
});

describe("options", () => {
  test("that are no options, of the wrong kind or misspelt", () => {
    const wrong: readonly (() => unknown)[] = [
      () => vmap(area, 2, any(null)),
      () => vmap(area, 2, { shared: any(null) }),
      () => vmap(area, 2, { shared: any(new Set(["x"])) }),
      () => vmap(area, 2, { shared: any(5) }),
      () => vmap(area, 2, any({ share: ["x"] })),
      () => grad(area, any(null)),
      () => grad(area, any({ wtr: ["x"] })),
      () => grad(area, { wrt: any(new Set(["x"])) }),
      () => jacobian(area, { mode: any(null) }),
      () => jacobian(area, any({ wrt: ["x"], modes: "auto" })),
      () => valueAndGrad(area, any([])),
      () => checkGrads(area, good, any(null)),
      () => checkGrads(area, good, { seed: any("a") }),
      () => checkGrads(area, good, { throws: any("no") }),
      () => checkGrads(area, good, { tolerance: any("1") }),
      () => checkGrads(area, good, { directions: 0 }),
      () => checkGrads(area, good, any({ direction: 3 })),
      () => parse("x", ["x"], any(null)),
      () => parse("x", ["x"], any({ size: 3 })),
      () => parse("x", any(["x", 3])),
      () => parse("x", any([null])),
      () => fn({ x: scalar() }, ({ x }) => x, any(null)),
      () => fn({ x: scalar() }, ({ x }) => x, { unusedComparisons: any("warn") }),
      () => fn({ x: scalar() }, ({ x }) => x, any({ nam: "f" })),
      () => custom(area, any({ vpj: () => 1 })),
    ];
    for (const call of wrong) {
      const error = thrown(ArgumentError, call);
      expect(error.location?.file, String(call)).toContain("api-failures");
    }
    expect(
      vmap(area, 2, { shared: [] })({
        x: [
          [1, 2],
          [3, 4],
        ],
        s: [1, 2],
      }),
    ).toEqual(Float64Array.of(3, 14));
  });

  test("names with control characters", () => {
    for (const name of ["a\nb", "\0", "a\u0085"]) {
      thrown(NameError, () => fn({ [name]: scalar() }, () => 1));
      thrown(NameError, () => fn({ x: scalar() }, ({ x }) => any({ [name]: x })));
    }
    expect(fn({ "größe é": scalar() }, (v) => v["größe é"].mul(2))({ "größe é": 2 })).toBe(4);
  });
});

describe("traps of JavaScript in bodies", () => {
  test("loops over a length that there is not", () => {
    const error = thrown(TraceError, () =>
      fn({ x: vector(3) }, ({ x }) => {
        let sum: Value<[]> = x.at(0);
        for (let i = 1; i < (any(x) as number[]).length; i++) sum = sum.add(x.at(i));
        return sum;
      }),
    );
    expect(error.message).toContain("shape[0]");
    expect(error.location?.file).toContain("api-failures");
  });

  test("a branch on the boolean that a function gives", () => {
    const positive = fn({ x: scalar() }, ({ x }) => x.greater(0));
    const branch = () =>
      fn({ x: scalar() }, ({ x }) => (positive({ x }) ? x : x.neg()) as Value<[]>);
    const error = thrown(TraceError, branch);
    expect(error.message).toContain("where(");
    expect(error.location?.file).toContain("api-failures");
    // One result of several may go unused, and one that is used is fine.
    const both = fn({ x: scalar() }, ({ x }) => ({ y: x.mul(2), ok: x.greater(0) }));
    expect(fn({ x: scalar() }, ({ x }) => both({ x }).y)({ x: 2 })).toBe(4);
    expect(fn({ x: scalar() }, ({ x }) => positive({ x }).toNumber())({ x: 2 })).toBe(1);
  });
});

test("a flat array for each instance of a batch", () => {
  const sum = fn({ m: matrix(2, 2) }, ({ m }) =>
    m
      .mul(
        [
          [1, 10],
          [100, 1000],
        ].length === 2
          ? 2
          : 1,
      )
      .sum(),
  );
  const a = Float64Array.of(1, 2, 3, 4);
  const b = Float64Array.of(5, 6, 7, 8);
  expect(sum.batch({ m: any([a, b]) })).toEqual(Float64Array.of(20, 52));
  const cube = fn({ t: tensor([2, 2, 1]), s: scalar() }, ({ t, s }) => t.mul(s));
  expect(cube.batch({ t: any([a, b]), s: 2 })).toEqual(Float64Array.of(2, 4, 6, 8, 10, 12, 14, 16));
  // Rows of one instance stay rows, shared by all.
  const row = fn({ m: matrix(1, 4), s: scalar() }, ({ m, s }) => m.sum().mul(s));
  expect(row.batch({ m: [a], s: [1, 2] })).toEqual(Float64Array.of(10, 20));
  thrown(ShapeError, () => sum.batch({ m: any([a, Float64Array.of(1)]) }));
});

test("tables of any length", () => {
  const f = fn({ x: scalar() }, ({ x }) => {
    let y: Value<[]> = x;
    for (let i = 0; i < 65_000; i++) y = y.sin().add(1);
    return y;
  });
  const text = String(f.trace({ x: 1 }));
  expect(text.split("\n").length).toBeGreaterThan(130_000);
}, 60_000);

describe("formulas", () => {
  test("echo no more than the beginning of a token", () => {
    for (const text of ["x".repeat(5000), `1${"0".repeat(5000)}`, `${"f".repeat(5000)}(1)`]) {
      const error = thrown(adjoint.AdjointError, () => parse(text, ["y"]));
      expect(error.message.length).toBeLessThan(500);
      expect(error.position).toBe(0);
    }
    const wrong = thrown(adjoint.AdjointError, () => parse(`1 ${"2".repeat(300)}`, ["y"]));
    expect(wrong.message.length).toBeLessThan(400);
  });

  test("say where shapes, kinds and limits are exceeded", () => {
    const spec = { x: vector(3), y: vector(2) };
    const shapes = thrown(ShapeError, () => fn(spec, (v) => parse("1 + (x + y)")(v)));
    expect(shapes.position).toBe(7);
    expect(shapes.message).toMatch(/^formula: add: .*\[3\].*\[2\].* at position 7\n/);
    const lines = shapes.message.split("\n");
    expect(lines[2]?.indexOf("^")).toBe(2 + 7);
    expect(shapes.location?.file).toContain("api-failures");
    const kinds = thrown(DTypeError, () => fn(spec, (v) => parse("x + (y > 1)")(v)));
    expect(kinds.position).toBe(2);
    const inEx = thrown(ShapeError, () => fn(spec, ({ x, y }) => any(adjoint.ex`2 * ${x} - ${y}`)));
    expect(inEx.message).toContain("at position 7");
    expect(thrown(LimitError, () => parse("1+1+1", [], { work: 3 })).message).toContain(
      "position 4",
    );
    expect(thrown(LimitError, () => parse("((1))", [], { depth: 2 })).message).toContain(
      "position 2",
    );
    expect(thrown(LimitError, () => parse("1+1+1", [], { length: 3 })).position).toBe(3);
    expect(thrown(adjoint.ParseError, () => parse(`max(${"1,".repeat(100)}1)`)).message).toMatch(
      /takes 1 to 100 arguments, got 101/,
    );
  });

  test("names may have combining marks", () => {
    const name = "e\u0301tat";
    expect(parse(`2 * ${name}`).names).toEqual([name]);
    expect(parse("किताब").names).toEqual(["किताब"]);
  });
});

describe("checkGrads", () => {
  const of = (body: (x: Value<[]>) => Value<[]>) => fn({ x: scalar() }, ({ x }) => body(x));

  test("accepts correct functions of any scale", () => {
    const cases: readonly (readonly [(x: Value<[]>) => Value<[]>, readonly number[]])[] = [
      [(x) => x.log(), [1e-8, 1e-6, 1e-3, 1, 1e6]],
      [(x) => x.sqrt(), [1e-6, 1e-4, 4]],
      [(x) => x.sin(), [0, 1, 1e3, 1e6]],
      [(x) => x.reciprocal(), [-1e-6, 0.001, 0.01, -0.02, 50]],
      [(x) => x.expm1(), [-30, 1e-8, 100]],
      [(x) => x.mul(1000).tanh(), [0, 1e-3]],
      [(x) => x.mul(x), [0, 1e-8, 1e8]],
      [(x) => x.mul(0).add(3), [0, 1, 1e6]],
      [(x) => x.add(1e6), [1]],
      [(x) => x.lgamma(), [0.01, 3, 100]],
    ];
    for (const [body, points] of cases) {
      for (const x of points) {
        for (const seed of [1, 2, 3]) {
          const report = checkGrads(of(body), { x }, { seed, throws: false });
          expect(report.ok, `${body} at ${x}: ${JSON.stringify(report)}`).toBe(true);
        }
      }
    }
    const both = fn({ a: scalar(), b: scalar() }, ({ a, b }) => a.log().add(b.sin()));
    checkGrads(both, { a: 1e-3, b: 1e5 });
  });

  test("finds rules that are wrong by 5e-6, and points without a derivative", () => {
    const bodies: readonly (readonly [
      (x: Value<[]>) => Value<[]>,
      (x: Value<[]>) => Value<[]>,
      number,
    ])[] = [
      [(x) => x.mul(x), (x) => x.mul(2), 3],
      [(x) => x.log(), (x) => x.reciprocal(), 1e-3],
      [(x) => x.sin(), (x) => x.cos(), 2],
      [(x) => x.add(1e6), () => constant(1) as never, 1],
    ];
    for (const [body, slope, at] of bodies) {
      for (const error of [5e-6, -5e-6]) {
        const wrong = custom(of(body), {
          jvp: ({ x }, dx) =>
            slope(x)
              .mul(1 + error)
              .mul(dx.x),
        });
        thrown(NotDifferentiableError, () => checkGrads(wrong, { x: at }));
      }
    }
    thrown(NotDifferentiableError, () =>
      checkGrads(
        of((x) => x.relu()),
        { x: 0 },
      ),
    );
    thrown(NotDifferentiableError, () =>
      checkGrads(
        of((x) => x.log()),
        { x: -1 },
      ),
    );
  });
});
