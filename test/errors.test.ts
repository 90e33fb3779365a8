// Every class of errors, provoked through the public API.
import * as adjoint from "adjoint";
import {
  AbortError,
  AdjointError,
  ArgumentError,
  checkGrads,
  constant,
  custom,
  DTypeError,
  fn,
  grad,
  hessian,
  IndexError,
  jacobian,
  jvp,
  LimitError,
  MemoryError,
  matrix,
  NameError,
  NotDifferentiableError,
  ParseError,
  parse,
  ShapeError,
  StateError,
  scalar,
  sin,
  sum,
  TensorSpec,
  TraceError,
  tensor,
  type Value,
  vector,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, type ErrorClass, rejected, thrown } from "./thrown.js";

/** The error of building a graph, which names the user's line. */
function built(kind: ErrorClass, call: () => unknown): AdjointError {
  const error = thrown(kind, call);
  expect(error.location?.file).toContain("errors.test.ts");
  expect(error.message).toContain(`errors.test.ts:${error.location?.line}`);
  return error;
}

const line = () => Number(/errors\.test\.ts:(\d+)/.exec(new Error().stack!.split("\n")[2]!)?.[1]);

const f = fn({ x: vector(2), s: scalar() }, ({ x, s }) => x.mul(s).sum());

describe("classes", () => {
  test("have names, stable codes and one base", () => {
    const classes = Object.entries(adjoint as unknown as Record<string, unknown>).filter(
      ([name, value]) => name.endsWith("Error") && name !== "AdjointError" && value,
    );
    expect(classes.length).toBeGreaterThan(12);
    for (const [name, ErrorClass] of classes) {
      const error = new (ErrorClass as unknown as new (m: string) => AdjointError)("what");
      expect(error).toBeInstanceOf(AdjointError);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(name);
      expect(error.code).toMatch(/^ERR_[A-Z_]+$/);
      expect(String(error)).toBe(`${name}: what`);
      expect(error.stack).toContain(`${name}: what`);
    }
  });

  test("SingularError, NotPositiveDefiniteError wait for factorizations", () => {
    // Nothing in the public API reaches them yet.
    expect(new adjoint.SingularError("x").code).toBe("ERR_SINGULAR");
    expect(new adjoint.NotPositiveDefiniteError("x").code).toBe("ERR_NOT_PD");
  });
});

describe("ShapeError", () => {
  test("when the graph is built: names the operation, the shapes and the line", () => {
    let at = 0;
    const error = built(ShapeError, () =>
      fn({ a: matrix(3, 4), b: matrix(5, 2) }, ({ a, b }) => {
        at = line() + 1;
        return a.matmul(any(b) as Value);
      }),
    );
    expect(error.message).toMatch(/matmul.*\[3,4\].*\[5,2\]/);
    expect(error.location?.line).toBe(at);
    expect(error.code).toBe("ERR_SHAPE");
  });

  test("everywhere shapes are decided", () => {
    built(ShapeError, () => fn({ a: vector(3), b: vector(4) }, ({ a, b }) => a.add(any(b))));
    built(ShapeError, () => fn({ a: vector(3) }, ({ a }) => a.reshape(any([2, 2]))));
    built(ShapeError, () => fn({ a: vector(3) }, ({ a }) => a.sum(any({ axis: 1 }))));
    built(ShapeError, () => fn({ a: vector(3) }, ({ a }) => a.slice(null, null)));
    built(ShapeError, () => fn({ a: vector(0) }, ({ a }) => a.max()));
    built(ShapeError, () => vector(1.5));
    built(ShapeError, () => vector(-1));
    built(ShapeError, () => vector(Number.NaN));
    built(ShapeError, () => tensor([2, Number.POSITIVE_INFINITY]));
    built(ShapeError, () => grad(any(fn({ x: vector(2) }, ({ x }) => x))));
    built(ShapeError, () => hessian(any(fn({ x: scalar() }, ({ x }) => [x, x]))));
    built(ShapeError, () => custom(f, { vjp: () => any({ x: 1, s: 1 }) }));
  });

  test("of numbers given to a call", () => {
    thrown(ShapeError, () => f({ x: [1, 2, 3], s: 1 }));
    thrown(ShapeError, () => f({ x: new Float32Array(1), s: 1 }));
    const g = fn({ m: matrix(2, 2) }, ({ m }) => m.sum());
    thrown(ShapeError, () => g({ m: [[1, 2]] }));
    expect(thrown(ShapeError, () => g({ m: [[1, 2], [3]] })).message).toMatch(/m: .*axis 1/);
    thrown(ShapeError, () => f.batch({ x: new Float64Array(5), s: 1 }));
    thrown(ShapeError, () => f.batch({ x: new Float64Array(4), s: [1, 2, 3] }));
    thrown(ShapeError, () => f.batch({ x: [1, 2], s: 1 }));
  });
});

describe("DTypeError", () => {
  test("booleans and numbers are kept apart", () => {
    const build = (body: (x: Value<[2]>) => Value) => () =>
      fn({ x: vector(2) }, ({ x }) => body(x));
    built(
      DTypeError,
      build((x) => (any(x.greater(0)) as Value).sin()),
    );
    built(
      DTypeError,
      build((x) => x.add(any(x.greater(0)))),
    );
    built(
      DTypeError,
      build((x) => where(any(x), x, x)),
    );
    built(
      DTypeError,
      build((x) => (any(x) as ReturnType<typeof x.less>).logicalNot().toNumber()),
    );
    built(
      DTypeError,
      build((x) => sum(any(x.isNan()))),
    );
  });
});

describe("ArgumentError", () => {
  test("operands that are neither values nor numbers", () => {
    const wrong = ["1", null, undefined, [1, 2], new Float64Array(2), {}, () => 1, 1n, Symbol("s")];
    for (const operand of wrong) {
      built(ArgumentError, () => fn({ x: vector(2) }, ({ x }) => x.add(any(operand))));
      built(ArgumentError, () => fn({ x: vector(2) }, ({ x }) => x.sum().atan2(any(operand))));
    }
  });

  test("arguments of the wrong kind or out of range", () => {
    const build = (body: (x: Value<[2]>) => unknown) => () =>
      fn({ x: vector(2) }, ({ x }) => any(body(x)));
    built(
      ArgumentError,
      build((x) => x.at(0.5)),
    );
    built(
      ArgumentError,
      build((x) => x.slice([0, 2, 0])),
    );
    built(
      ArgumentError,
      build((x) => x.sum(any("axis"))),
    );
    built(
      ArgumentError,
      build((x) => x.sum({ axis: [] })),
    );
    built(
      ArgumentError,
      build((x) => x.norm({ order: any(3) })),
    );
    built(
      ArgumentError,
      build((x) => adjoint.einsum("i$->i", x)),
    );
    built(
      ArgumentError,
      build((x) => adjoint.concat(any(x))),
    );
    built(
      ArgumentError,
      build(() => constant(any("1"))),
    );
    built(
      ArgumentError,
      build(() => undefined),
    );
    built(
      ArgumentError,
      build(() => "text"),
    );
    built(
      ArgumentError,
      build(() => ({})),
    );
    built(
      ArgumentError,
      build(async (x) => x),
    );
    built(ArgumentError, () => fn(any(3), () => 1));
    built(ArgumentError, () => fn(any(vector(2)), () => 1));
    built(ArgumentError, () => fn({ x: any(3) }, () => 1));
    built(ArgumentError, () => fn({ x: scalar() }, any(undefined)));
    built(ArgumentError, () => vector(any("2")));
    built(ArgumentError, () => tensor(any(2)));
    built(ArgumentError, () => grad(any(Math.sin)));
    built(ArgumentError, () => grad(f, { wrt: [] }));
    built(ArgumentError, () => jacobian(f, { mode: any("sideways") }));
    built(ArgumentError, () => vmap(f, 0));
    built(ArgumentError, () => vmap(f, any("3")));
    built(ArgumentError, () => custom(f, any(null)));
    built(ArgumentError, () => custom(f, { jvp: any(3) }));
    built(ArgumentError, () => custom(f, { vjp: ({ x }) => any(x) }));
  });

  test("numbers given to a call", () => {
    for (const x of [
      3,
      "12",
      null,
      undefined,
      {},
      new DataView(new ArrayBuffer(16)),
      new BigInt64Array(2),
    ]) {
      thrown(ArgumentError, () => f({ x: any(x), s: 1 }));
    }
    for (const element of ["1", null, undefined, 1n, true, [1], {}]) {
      thrown(ArgumentError, () => f({ x: any([1, element]), s: 1 }));
    }
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    thrown(ArgumentError, () => f({ x: any([1, ,]), s: 1 }));
    for (const s of ["1", [1], new Float64Array(1), null, true, new Number(1)]) {
      thrown(ArgumentError, () => f({ x: [1, 2], s: any(s) }));
    }
    thrown(ArgumentError, () => f(any(undefined)));
    thrown(ArgumentError, () => f(any(null)));
    thrown(ArgumentError, () => (f as unknown as () => void)());
    thrown(ArgumentError, () => (any(f) as (...given: unknown[]) => void)({ x: [1, 2], s: 1 }, {}));
    thrown(ArgumentError, () => f.trace(any(3)));
    thrown(ArgumentError, () => jvp(f).trace({ x: [1, 2], s: 1 }));
  });
});

describe("NameError", () => {
  test("missing, unknown and forbidden names", () => {
    expect(thrown(NameError, () => f(any({ x: [1, 2] }))).message).toMatch(/"s" is missing/);
    expect(thrown(NameError, () => f(any({ x: [1, 2], s: 1, t: 2 }))).message).toMatch(
      /no input "t"/,
    );
    // What every object inherits is not given.
    const g = fn({ toString: scalar() }, (values) => values.toString);
    thrown(NameError, () => g(any({})));
    for (const name of ["", "__proto__", "a.b", "x".repeat(2000)]) {
      const spec = Object.fromEntries([[name, scalar()]]);
      built(NameError, () => fn(spec, () => 1));
      built(NameError, () => fn({ x: scalar() }, ({ x }) => Object.fromEntries([[name, x]])));
    }
    built(NameError, () => fn(any({ [Symbol("x")]: scalar() }), () => 1));
    built(NameError, () => grad(f, { wrt: [any("y")] }));
    built(NameError, () => grad(f, { wrt: [any("__proto__")] }));
    built(NameError, () => vmap(f, 2, { shared: [any("y")] }));
    built(NameError, () => parse("a + b", ["a"]));
  });
});

describe("IndexError", () => {
  test("when the graph is built and when it runs", () => {
    built(IndexError, () => fn({ x: vector(2) }, ({ x }) => x.at(2 as number)));
    let at = 0;
    const g = fn({ x: vector(3), i: vector(2) }, ({ x, i }) => {
      at = line() + 1;
      return x.gather(i).sum();
    });
    expect(g({ x: [1, 2, 3], i: [0, 2] })).toBe(4);
    for (const index of [3, -1, 0.5, Number.NaN, 1e300]) {
      const error = thrown(IndexError, () => g({ x: [1, 2, 3], i: [0, index] }));
      expect(error.location?.line).toBe(at);
      expect(error.message).toContain("gather");
    }
    const seed = { x: [0, 0, 0], i: [0, 0] };
    const error = thrown(IndexError, () => jvp(g)({ x: [1, 2, 3], i: [0, 3] }, seed));
    expect(error.location?.line).toBe(at);
    thrown(IndexError, () => grad(g)({ x: [1, 2, 3], i: [0, 3] }));
  });

  test("asynchronously", async () => {
    const g = fn({ x: vector(3), i: scalar() }, ({ x, i }) => x.gather(i));
    await rejected(IndexError, g.async({ x: [1, 2, 3], i: 5 }));
    expect(await g.async({ x: [1, 2, 3], i: 1 })).toBe(2);
  });
});

describe("TraceError", () => {
  const build = (body: (x: Value<[]>) => unknown) => () =>
    fn({ x: scalar() }, ({ x }) => any(body(x)));

  test("a traced value has no number", () => {
    const uses: ((x: Value<[]>) => unknown)[] = [
      (x) => Number(x),
      (x) => +any(x),
      (x) => any(x) > 0,
      // biome-ignore lint/suspicious/noDoubleEquals: coercion is what is tested
      (x) => any(x) == 0,
      (x) => any(x) + 1,
      (x) => `${x}`,
      (x) => String(x),
      (x) => JSON.stringify({ x }),
      (x) => [...(any(x) as number[])],
      (x) => Math.sin(any(x)),
      (x) => new Float64Array([any(x)]),
    ];
    for (const use of uses) {
      expect(built(TraceError, build(use)).message).toContain("where(");
    }
  });

  test("a branch on a comparison is found when the body is done", () => {
    let at = 0;
    const error = thrown(
      TraceError,
      build((x) => {
        at = line() + 1;
        if (x.greater(0)) return x;
        return x.neg();
      }),
    );
    expect(error.message).toContain("where(");
    expect(error.location?.line).toBe(at);
    built(
      TraceError,
      build((x) => (x.less(1) && x.mul(2) ? x : x.mul(3))),
    );
    // What is used or returned is fine, and so is a program that says so.
    fn({ x: scalar() }, ({ x }) => [x, x.greater(0)]);
    fn({ x: scalar() }, ({ x }) => where(x.greater(0).logicalAnd(x.less(1)), x, 0));
    fn({ x: scalar() }, ({ x }) => [x.greater(0), x][1] as Value<[]>, {
      unusedComparisons: "allow",
    });
  });

  test("a value outside its function", () => {
    let kept: Value<[]> | undefined;
    fn({ x: scalar() }, ({ x }) => {
      kept = x;
      return x;
    });
    built(TraceError, () => kept!.sin());
    built(TraceError, () => kept!.shape);
    built(TraceError, () => fn({ y: scalar() }, ({ y }) => y.add(kept!)));
    built(TraceError, () => fn({ y: scalar() }, () => kept!));
    thrown(TraceError, () => f({ x: [1, 2], s: any(kept) }));
    built(
      TraceError,
      build((x) => fn({ y: scalar() }, ({ y }) => y.add(x))),
    );
    built(
      TraceError,
      build((x) => fn({ y: scalar() }, () => x.add(1))),
    );
    built(TraceError, () => sin(1));
    built(TraceError, () => constant([1, 2]));
    built(TraceError, () => adjoint.iota([3]));
  });

  test("a body that throws leaves nothing behind", () => {
    class Mine extends Error {}
    expect(
      build(() => {
        throw new Mine("mine");
      }),
    ).toThrow(Mine);
    built(TraceError, () => sin(1));
    expect(fn({ x: scalar() }, ({ x }) => x.mul(2))({ x: 4 })).toBe(8);
  });
});

describe("NotDifferentiableError", () => {
  test("a rule that is wrong", () => {
    const square = fn({ x: scalar() }, ({ x }) => x.mul(x));
    const wrong = custom(square, { vjp: ({ x }, _, yBar) => ({ x: x.mul(yBar) }) });
    built(NotDifferentiableError, () => checkGrads(wrong, { x: 3 }));
  });
});

describe("ParseError", () => {
  test("a formula that is not well formed", () => {
    const error = built(ParseError, () => parse("2 * (x + "));
    expect(error.position).toBe(9);
    expect(error.message).toContain("^");
  });
});

describe("LimitError", () => {
  test("shapes, nesting and formulas", () => {
    built(LimitError, () => fn({ x: tensor([1e9, 1e9]) }, ({ x }) => x.sum()));
    built(LimitError, () => fn({ x: tensor(new Array(17).fill(1)) }, ({ x }) => x.sum()));
    built(LimitError, () => fn({ x: vector(2) }, ({ x }) => x.broadcastTo([1e6, 1e6, 2])));
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    built(LimitError, () => fn(any(cyclic), () => 1));
    built(LimitError, () => fn({ x: scalar() }, () => any(cyclic)));
    built(LimitError, () => parse("(".repeat(1000)));
  });
});

describe("StateError", () => {
  test("after dispose", async () => {
    const g = fn({ x: scalar() }, ({ x }) => x.mul(2));
    const s = g.session();
    const derivative = grad(g);
    g({ x: 1 });
    g.dispose();
    g.dispose();
    thrown(StateError, () => g({ x: 1 }));
    thrown(StateError, () => g.session());
    thrown(StateError, () => g.explain());
    thrown(StateError, () => g.batch({ x: [1] }));
    thrown(StateError, () => grad(g));
    thrown(StateError, () => fn({ y: scalar() }, ({ y }) => g({ x: y })));
    await rejected(StateError, g.async({ x: 1 }));
    // What was made before lives on.
    s.inputs.x[0] = 21;
    s.run();
    expect(s.outputs[0]).toBe(42);
    expect(derivative({ x: 1 })).toEqual({ x: 2 });
    s.dispose();
    s.dispose();
    thrown(StateError, () => s.run());
    await rejected(StateError, s.runAsync());
  });

  test("a session whose memory was transferred away", () => {
    const s = fn({ x: vector(3) }, ({ x }) => x.sum()).session();
    let isMoved = false;
    try {
      structuredClone(s.inputs.x.buffer, { transfer: [s.inputs.x.buffer as ArrayBuffer] });
      isMoved = true;
    } catch {
      // The engine refuses: as good.
    }
    if (isMoved) thrown(StateError, () => s.run());
    else s.run();
  });

  test("detached arrays", () => {
    const x = new Float64Array(2);
    structuredClone(x.buffer, { transfer: [x.buffer] });
    thrown(StateError, () => f({ x, s: 1 }));
  });

  test("one asynchronous run at a time", async () => {
    const s = fn({ x: vector(100) }, ({ x }) => x.sin().sum()).session();
    const running = s.runAsync();
    await rejected(StateError, s.runAsync());
    await running;
  });
});

describe("AbortError", () => {
  // A second or so of work in steps between which an abort is seen.
  const long = () =>
    fn({ x: vector(200_000) }, ({ x }) => {
      let y: Value = x;
      for (let i = 0; i < 60; i++) y = y.sin().cumsum({ axis: 0 }).mul(1e-3);
      return y.sum();
    });

  test("a signal that is aborted already", async () => {
    const reason = new Error("why");
    const error = await rejected(
      AbortError,
      f.async({ x: [1, 2], s: 1 }, { signal: AbortSignal.abort(reason) }),
    );
    expect(error.cause).toBe(reason);
    expect(error.code).toBe("ERR_ABORT");
  });

  test("midway, and the function works afterwards", async () => {
    const g = long();
    const x = new Float64Array(200_000).fill(0.5);
    const expected = g({ x });
    const controller = new AbortController();
    const running = g.async({ x }, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    const error = await rejected(AbortError, running);
    expect((error.cause as Error).name).toBe("AbortError");
    expect(await g.async({ x })).toBe(expected);
  });

  test("past a deadline", async () => {
    const x = new Float64Array(200_000).fill(0.5);
    await rejected(AbortError, long().async({ x }, { deadline: 2 }));
    await rejected(AbortError, long().async({ x }, { deadline: 0 }));
    await rejected(ArgumentError, f.async({ x: [1, 2], s: 1 }, { deadline: any("soon") }));
    await rejected(ArgumentError, f.async({ x: [1, 2], s: 1 }, { signal: any({}) }));
    await rejected(ArgumentError, f.async({ x: [1, 2], s: 1 }, any(3)));
  });
});

describe("MemoryError", () => {
  test("more than the machine has", () => {
    const huge = fn({ x: tensor([1 << 15, 1 << 15]) }, ({ x }) => x.add(x.transpose()).sum());
    const wide = vmap(huge, 2);
    const error = (() => {
      try {
        wide.session().dispose();
      } catch (found) {
        return found;
      }
      return undefined;
    })();
    // 16 GiB and more: refused, or had on a very large machine.
    if (error !== undefined)
      expect([MemoryError, LimitError].some((k) => error instanceof k)).toBe(true);
  });
});

describe("NativeError", () => {
  test("is kept for broken promises of the addon", () => {
    // A missing addon ends the import itself, with a message that says what was looked for.
    expect(new adjoint.NativeError("x").code).toBe("ERR_NATIVE");
  });
});

test("specs are made by their functions only", () => {
  expect(Object.isFrozen(new TensorSpec([]))).toBe(true);
});
