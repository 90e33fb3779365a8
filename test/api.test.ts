import {
  AdjointError,
  type AdjointFunction,
  checkGrads,
  constant,
  custom,
  fn,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  matrix,
  scalar,
  sin,
  stopGradient,
  tensor,
  type Value,
  valueAndGrad,
  vector,
  vjp,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";

const guide = fn({ x: vector(2) }, ({ x }) => x.at(0).mul(x.at(1)).add(x.at(0).sin()));
const two = fn({ x1: scalar(), x2: scalar() }, ({ x1, x2 }) => x1.mul(x2).add(x1.sin()));
const f64 = (...values: number[]) => Float64Array.from(values);

describe("calls", () => {
  test("the guide's function", () => {
    expect(guide({ x: [2, 3] })).toBe(6.909297426825682);
    expect(grad(guide)({ x: [2, 3] })).toEqual({ x: f64(2.5838531634528574, 2) });
  });

  test("every way to give numbers", () => {
    const f = fn({ m: matrix(2, 3) }, ({ m }) => m.mul(2));
    const expected = f64(2, 4, 6, 8, 10, 12);
    const rows = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    expect(f({ m: rows })).toEqual(expected);
    expect(f({ m: rows.map((row) => Float32Array.from(row)) })).toEqual(expected);
    for (const TypedArray of [Float64Array, Float32Array, Int8Array, Uint16Array, Uint32Array]) {
      expect(f({ m: TypedArray.from(rows.flat()) })).toEqual(expected);
    }
    const shared = new Float64Array(new SharedArrayBuffer(48));
    shared.set(rows.flat());
    expect(f({ m: shared })).toEqual(expected);
    const Resizable = ArrayBuffer as unknown as new (
      length: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer;
    const resizable = new Float64Array(new Resizable(48, { maxByteLength: 480 }));
    resizable.set(rows.flat());
    expect(f({ m: resizable })).toEqual(expected);
  });

  test("nested inputs and results", () => {
    const f = fn(
      { camera: { focal: scalar(), center: vector(2) }, p: vector(2) },
      ({ camera, p }) => ({
        image: { at: p.mul(camera.focal).add(camera.center), focal: camera.focal },
        list: [camera.focal, 7, [p]],
        isBig: p.greater(1.5),
        isLong: p.norm().greater(2),
      }),
    );
    expect(f({ camera: { focal: 10, center: [1, 2] }, p: [1, 2] })).toEqual({
      image: { at: f64(11, 22), focal: 10 },
      list: [10, 7, [f64(1, 2)]],
      isBig: f64(0, 1),
      isLong: 1,
    });
  });

  test("results are copies", () => {
    const f = fn({ x: vector(2) }, ({ x }) => x.add(1));
    const first = f({ x: [1, 2] });
    f({ x: [5, 6] });
    expect(first).toEqual(f64(2, 3));
  });

  test("NaN, infinities and signed zeros go through", () => {
    const f = fn({ x: vector(4) }, ({ x }) => x.mul(1));
    const values = [Number.NaN, Number.NEGATIVE_INFINITY, -0, 5e-324];
    const found = f({ x: values });
    values.forEach((value, i) => {
      expect(Object.is(found[i], value)).toBe(true);
    });
  });

  test("odd names are only names", () => {
    const names = ["constructor", "toString", "hasOwnProperty", "1", "a b", "ü", "d_x", "value"];
    const spec = Object.fromEntries(names.map((name) => [name, scalar()]));
    const f = fn(spec, (values) =>
      names.reduce<Value>((sum, name) => sum.add(values[name]!), constant(0)),
    );
    const inputs = Object.fromEntries(names.map((name, i) => [name, i]));
    expect(f(inputs)).toBe(28);
    expect(Object.keys(grad(f)(inputs)).sort()).toEqual([...names].sort());
    const { x1: _, ...rest } = inputs;
    expect(f(rest)).toBe(28);
  });

  test("a getter that calls the same function", () => {
    const f = fn({ a: scalar(), b: scalar() }, ({ a, b }) => a.sub(b));
    let inner = 0;
    const inputs = {
      a: 10,
      get b() {
        inner = f({ a: 1, b: 2 });
        return 3;
      },
    };
    expect(f(inputs)).toBe(7);
    expect(inner).toBe(-1);
  });

  test("functions without inputs and with constant results", () => {
    expect(fn({}, () => 3)({})).toBe(3);
    expect(fn({ x: scalar() }, () => ({ a: 1, b: [2] }))({ x: 0 })).toEqual({ a: 1, b: [2] });
  });

  test("empty tensors", () => {
    const f = fn({ x: vector(0) }, ({ x }) => ({ y: x.sin(), s: x.sum() }));
    expect(f({ x: [] })).toEqual({ y: f64(), s: 0 });
    expect(grad(fn({ x: vector(0) }, ({ x }) => x.sum()))({ x: [] })).toEqual({ x: f64() });
  });
});

describe("composition", () => {
  test("a function called with traced values becomes part of the caller", () => {
    const square = fn({ a: vector(2) }, ({ a }) => a.mul(a));
    const f = fn({ x: vector(2) }, ({ x }) => square({ a: x.add(1) }).sum());
    expect(f({ x: [1, 2] })).toBe(13);
    expect(grad(f)({ x: [1, 2] })).toEqual({ x: f64(4, 6) });
  });

  test("gradients inside functions that are differentiated again", () => {
    const cube = fn({ t: scalar() }, ({ t }) => t.mul(t).mul(t));
    const slope = fn({ t: scalar() }, (values) => grad(cube)(values).t.mul(2));
    expect(slope({ t: 3 })).toBe(54);
    expect(grad(slope)({ t: 3 })).toEqual({ t: 36 });
  });

  test("five orders deep", () => {
    let f: AdjointFunction<[{ readonly t: Value<[]> }], Value<[]>> = fn({ t: scalar() }, ({ t }) =>
      t.exp(),
    );
    for (let order = 0; order < 5; order++) {
      const inner = f;
      f = fn({ t: scalar() }, (values) => grad(inner)(values).t);
    }
    expect(f({ t: 0.5 })).toBeCloseTo(Math.exp(0.5), 14);
  });

  test("numbers among traced arguments", () => {
    const f = fn({ x: scalar() }, ({ x }) => two({ x1: x, x2: 3 }));
    expect(f({ x: 2 })).toBe(6.909297426825682);
  });

  test("a plain call inside a body gives numbers", () => {
    const f = fn({ x: scalar() }, ({ x }) => x.mul(guide({ x: [2, 3] })));
    expect(f({ x: 1 })).toBe(6.909297426825682);
  });
});

describe("transforms", () => {
  const f = fn({ a: vector(2), b: { c: scalar(), d: vector(2) } }, ({ a, b }) =>
    a.mul(b.d).sum().mul(b.c),
  );
  const at = { a: [1, 2], b: { c: 3, d: [4, 5] } };

  test("gradients are records like the inputs", () => {
    expect(grad(f)(at)).toEqual({ a: f64(12, 15), b: { c: 14, d: f64(3, 6) } });
    expect(valueAndGrad(f)(at)).toEqual({
      value: 42,
      grad: { a: f64(12, 15), b: { c: 14, d: f64(3, 6) } },
    });
  });

  test("wrt names values, paths and records", () => {
    expect(grad(f, { wrt: ["a"] })(at)).toEqual({ a: f64(12, 15) });
    expect(grad(f, { wrt: ["b.c"] })(at)).toEqual({ b: { c: 14 } });
    expect(grad(f, { wrt: ["b", "a"] })(at)).toEqual({
      a: f64(12, 15),
      b: { c: 14, d: f64(3, 6) },
    });
    expect(jacobian(f, { wrt: ["b.d"] })(at)).toEqual({ b: { d: f64(3, 6) } });
    expect(hessian(f, { wrt: ["a"] })(at)).toEqual({ a: { a: f64(0, 0, 0, 0) } });
    expect(hvp(f, { wrt: ["b.c"] })(at, { b: { c: 1 } })).toEqual({ b: { c: 0 } });
  });

  test("jvp and vjp", () => {
    const direction = { a: [1, 0], b: { c: 1, d: [0, 0] } };
    expect(jvp(f)(at, direction)).toEqual({ value: 42, tangent: 26 });
    expect(jvp(f, { wrt: ["a"] })(at, { a: [1, 0] })).toEqual({ value: 42, tangent: 12 });
    expect(vjp(f)(at, 2)).toEqual({
      value: 42,
      grad: { a: f64(24, 30), b: { c: 28, d: f64(6, 12) } },
    });
    const g = fn({ x: vector(2) }, ({ x }) => ({ p: x.mul(x), q: x.sum() }));
    expect(vjp(g)({ x: [1, 2] }, { p: [1, 1], q: 1 })).toEqual({
      value: { p: f64(1, 4), q: 3 },
      grad: { x: f64(3, 5) },
    });
  });

  test("jacobians in both modes", () => {
    const g = fn({ x: vector(2), s: scalar() }, ({ x, s }) => ({ y: x.mul(x).mul(s), z: x.sum() }));
    const expected = {
      y: { x: f64(4, 0, 0, 8), s: f64(1, 4) },
      z: { x: f64(1, 1), s: 0 },
    };
    for (const mode of ["auto", "forward", "reverse"] as const) {
      expect(jacobian(g, { mode })({ x: [1, 2], s: 2 })).toEqual(expected);
    }
    const wide = fn({ x: vector(50) }, ({ x }) => x.sin().sum());
    expect(jacobian(wide).explain().notes.join()).toContain("reverse");
    const tall = fn({ x: scalar() }, ({ x }) => x.mul(constant(new Float64Array(50).fill(2))));
    expect(jacobian(tall).explain().notes.join()).toContain("forward");
  });

  test("hessians and their products", () => {
    expect(hessian(guide)({ x: [2, 3] })).toEqual({
      x: { x: f64(-Math.sin(2), 1, 1, 0) },
    });
    expect(hvp(guide)({ x: [2, 3] }, { x: [1, 0] })).toEqual({ x: f64(-Math.sin(2), 1) });
    const { x1 } = hessian(two)({ x1: 2, x2: 3 });
    expect(x1).toEqual({ x1: -Math.sin(2), x2: 1 });
  });

  test("vmap adds a leading axis, but for shared inputs", () => {
    const g = vmap(guide, 3);
    const rows = [
      [2, 3],
      [1, 1],
      [0, 5],
    ];
    expect(g({ x: rows })).toEqual(Float64Array.from(rows, (x) => guide({ x })));
    const shared = vmap(two, 2, { shared: ["x2"] });
    expect(shared({ x1: [2, 0], x2: 3 })).toEqual(f64(6.909297426825682, 0));
    expect(grad(fn({ x: matrix(3, 2) }, (v) => g(v).sum()))({ x: rows })).toEqual({
      x: Float64Array.from(rows.flatMap((x) => [...grad(guide)({ x }).x])),
    });
  });

  test("stopGradient", () => {
    const g = fn({ x: scalar() }, ({ x }) => x.mul(stopGradient(x)));
    expect(valueAndGrad(g)({ x: 3 })).toEqual({ value: 9, grad: { x: 3 } });
  });

  test("the branch not taken contributes nothing", () => {
    const g = fn({ x: scalar() }, ({ x }) => where(x.greater(0), x.sqrt(), 0));
    expect(grad(g)({ x: 0 })).toEqual({ x: 0 });
    expect(hessian(g)({ x: 0 })).toEqual({ x: { x: 0 } });
  });
});

describe("custom rules", () => {
  const plain = fn({ x: vector(3) }, ({ x }) => x.exp().sum().log());

  test("the rule takes the place of the derivative, in both modes", () => {
    const odd = custom(plain, { vjp: ({ x }, _, yBar) => ({ x: x.mul(0).add(yBar.mul(7)) }) });
    expect(odd({ x: [0, 0, 0] })).toBeCloseTo(Math.log(3), 14);
    expect(grad(odd)({ x: [0, 0, 0] })).toEqual({ x: f64(7, 7, 7) });
    const forward = custom(plain, { jvp: (_, { x: dx }) => dx.sum().mul(5) });
    expect(jvp(forward)({ x: [0, 0, 0] }, { x: [1, 2, 3] }).tangent).toBe(30);
    expect(grad(forward)({ x: [0, 0, 0] })).toEqual({ x: f64(5, 5, 5) });
  });

  test("a right rule is differentiated again", () => {
    const right = custom(plain, {
      vjp: ({ x }, y, yBar) => ({ x: x.sub(y).exp().mul(yBar) }),
    });
    const at = { x: [0.1, 0.2, 0.3] };
    expect(checkGrads(right, at).ok).toBe(true);
    const expected = hessian(plain)(at).x.x;
    hessian(right)(at).x.x.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 13);
    });
  });

  test("inside other functions and batches", () => {
    const odd = custom(plain, { vjp: ({ x }, _, yBar) => ({ x: x.mul(0).add(yBar.mul(7)) }) });
    const f = fn({ y: vector(3) }, ({ y }) => odd({ x: y.mul(2) }));
    expect(grad(f)({ y: [0, 0, 0] })).toEqual({ y: f64(14, 14, 14) });
    expect(grad(odd).batch({ x: new Float64Array(6) })).toEqual({ x: new Float64Array(6).fill(7) });
  });
});

describe("sessions", () => {
  test("views stay, runs follow what is written", () => {
    const s = valueAndGrad(guide).session();
    s.inputs.x.set([2, 3]);
    s.run();
    expect(s.outputs.value).toEqual(f64(6.909297426825682));
    expect(s.outputs.grad.x).toEqual(f64(2.5838531634528574, 2));
    s.inputs.x[1] = 0;
    const { value } = s.outputs;
    s.run();
    expect(value[0]).toBe(Math.sin(2));
    s.dispose();
  });

  test("functions of two arguments have two records of inputs", () => {
    const s = jvp(guide).session();
    s.inputs.x.set([2, 3]);
    s.args[1].x.set([1, 0]);
    s.run();
    expect(s.outputs.tangent[0]).toBe(2.5838531634528574);
    s.dispose();
  });

  test("sessions of one function are independent", () => {
    const [a, b] = [guide.session(), guide.session()];
    a.inputs.x.set([2, 3]);
    b.inputs.x.set([0, 1]);
    a.run();
    b.run();
    expect([a.outputs[0], b.outputs[0]]).toEqual([6.909297426825682, 0]);
    a.dispose();
    b.run();
    b.dispose();
  });

  test("asynchronous runs", async () => {
    const s = guide.session();
    s.inputs.x.set([2, 3]);
    const running = s.runAsync();
    await expect(s.runAsync()).rejects.toThrow(/under way/);
    await running;
    expect(s.outputs[0]).toBe(6.909297426825682);
    expect(s.progress()).toEqual({ done: 0, planned: 0 });
    s.dispose();
  });

  test("using", () => {
    let outside: { run(): void };
    {
      using s = guide.session();
      s.run();
      outside = s;
    }
    expect(() => outside.run()).toThrow(AdjointError);
  });
});

describe("asynchronous calls", () => {
  test("give what plain calls give, many at a time", async () => {
    const points = Array.from({ length: 50 }, (_, i) => [i / 10, 1 - i / 20]);
    const found = await Promise.all(points.map((x) => guide.async({ x })));
    expect(found).toEqual(points.map((x) => guide({ x })));
  });

  test("take two arguments and options", async () => {
    const pushed = await jvp(guide).async({ x: [2, 3] }, { x: [1, 0] }, { deadline: 60_000 });
    expect(pushed.tangent).toBe(2.5838531634528574);
  });
});

describe("batches", () => {
  test("with leading axes, nested or flat, and shared inputs", () => {
    const expected = f64(6.909297426825682, 5 * 4 + Math.sin(5));
    expect(two.batch({ x1: [2, 5], x2: [3, 4] })).toEqual(expected);
    expect(two.batch({ x1: f64(2, 5), x2: f64(3, 4) })).toEqual(expected);
    expect(two.batch({ x1: [2, 0], x2: 3 })).toEqual(f64(6.909297426825682, 0));
    expect(guide.batch({ x: f64(2, 3, 0, 1, 5, 4) })[2]).toBe(expected[1]);
    expect(grad(guide).batch({ x: [[2, 3]] })).toEqual({ x: f64(2.5838531634528574, 2) });
  });

  test("of many sizes", () => {
    const cube = fn({ x: scalar() }, ({ x }) => x.mul(x).mul(x));
    for (let lanes = 1; lanes <= 40; lanes++) {
      const x = Float64Array.from({ length: lanes }, (_, i) => i - lanes / 2);
      expect(cube.batch({ x })).toEqual(x.map((v) => v * v * v));
    }
  });

  test("give the bits of single calls", () => {
    const f = fn({ x: tensor([2, 3]) }, ({ x }) => x.softmax().log().sum().add(x.sin().prod()));
    const x = Float64Array.from({ length: 60 }, (_, i) => Math.sin(i * 12.9898) * 3);
    const batch = f.batch({ x });
    for (let lane = 0; lane < 10; lane++) {
      expect(batch[lane]).toBe(f({ x: x.subarray(lane * 6, lane * 6 + 6) }));
    }
  });
});

describe("what functions say", () => {
  test("the textbook table", () => {
    const table = two.trace({ x1: 2, x2: 3 });
    expect(table.rows.map(({ name, text }) => `${name} = ${text}`)).toEqual([
      "v1 = x1",
      "v2 = x2",
      "v3 = v1 * v2",
      "v4 = sin(v1)",
      "v5 = v3 + v4",
    ]);
    const column = (key: "primal" | "tangent" | "adjoint") => table.rows.map((row) => row[key][0]);
    expect(column("primal")).toEqual([2, 3, 6, Math.sin(2), 6.909297426825682]);
    expect(column("tangent")).toEqual([1, 0, 3, Math.cos(2), 3 + Math.cos(2)]);
    expect(column("adjoint")).toEqual([2.5838531634528574, 2, 1, 1, 1]);
    expect(String(table).split("\n")[4]).toMatch(/^v3\s+v1 \* v2\s+6\s+3\s+1$/);
    const other = two.trace({ x1: 2, x2: 3 }, { x1: 0, x2: 1 });
    expect(other.rows.map((row) => row.tangent[0]! + 0)).toEqual([0, 1, 2, 0, 2]);
  });

  test("prints and graphs", () => {
    expect(String(two)).toBe(
      [
        "%0 = input x1 : f64[]",
        "%1 = input x2 : f64[]",
        "%2 = mul %0 %1 : f64[]",
        "%3 = sin %0 : f64[]",
        "%4 = add %2 %3 : f64[]",
        "return value %4",
        "",
      ].join("\n"),
    );
    expect(two.toDot()).toContain("digraph");
    expect(grad(fn({ x: scalar() }, ({ x }) => x, { name: "identity" })).name).toBe(
      "grad(identity)",
    );
  });

  test("explain", () => {
    const found = grad(two).explain();
    expect(found.nodes).toBeGreaterThan(3);
    expect(found.kernels).toBeGreaterThan(0);
    expect(found.flops).toBeGreaterThan(0);
    expect(String(found)).toContain("reverse");
  });

  test("the line that made a node", () => {
    const f = fn({ x: vector(3), i: scalar() }, ({ x, i }) => {
      const doubled = x.mul(2);
      return doubled.gather(i);
    });
    let caught: unknown;
    try {
      f({ x: [1, 2, 3], i: 7 });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(AdjointError);
    const { location, node, message } = caught as AdjointError;
    expect(location?.file).toContain("api.test.ts");
    expect(f.locate(node!)).toEqual(location);
    expect(message).toContain(`api.test.ts:${location!.line}`);
    expect(f({ x: [1, 2, 3], i: 2 })).toBe(6);
  });

  test("checkGrads", () => {
    const report = checkGrads(guide, { x: [2, 3] });
    expect(report.ok).toBe(true);
    expect(report.differenceError).toBeLessThan(1e-9);
    const wrong = custom(guide, { vjp: ({ x }, _, yBar) => ({ x: x.mul(yBar) }) });
    expect(() => checkGrads(wrong, { x: [2, 3] })).toThrow(/finite difference/);
    expect(checkGrads(wrong, { x: [2, 3] }, { throws: false }).ok).toBe(false);
  });
});

describe("values", () => {
  test("shape and kind", () => {
    fn(
      { x: matrix(2, 3) },
      ({ x }) => {
        expect(x.shape).toEqual([2, 3]);
        expect(x.dtype).toBe("f64");
        expect(x.less(1).dtype).toBe("bool");
        expect(sin(x).sum().shape).toEqual([]);
        return x.sum();
      },
      { unusedComparisons: "allow" },
    );
  });
});
