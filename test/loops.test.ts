// Loops and branches in traced functions: values against plain loops, bit for bit, and derivatives against those of
// the same function unrolled.
import {
  checkpoint,
  cond,
  fn,
  forLoop,
  grad,
  hvp,
  jvp,
  map,
  matrix,
  scalar,
  scan,
  type Value,
  vector,
  vmap,
  whileLoop,
} from "adjoint";
import { describe, expect, test } from "vitest";

/** At most so many numbers lie between the two. */
function expectUlps(got: number, want: number, most: number): void {
  const [a, b] = [got, want].map((x) => new BigInt64Array(new Float64Array([x]).buffer)[0]!);
  expect(Math.sign(got)).toBe(Math.sign(want));
  expect(Math.abs(Number(a! - b!)), `${got} for ${want}`).toBeLessThanOrEqual(most);
}

const xs = [0.5, -1.25, 2, 0.75, 3.5];

describe("scan", () => {
  test("running sums", () => {
    const f = fn({ x: vector(5) }, ({ x }) => {
      const [sum, sums] = scan((s: Value<[]>, r: Value<[]>) => [s.add(r), s.add(r)], 0, x);
      return { sum, sums };
    });
    let s = 0;
    const sums = xs.map((x) => (s += x));
    expect(f({ x: xs })).toEqual({ sum: s, sums: new Float64Array(sums) });
  });

  test("backwards, with records and the position", () => {
    const f = fn({ x: vector(5), k: scalar() }, ({ x, k }) => {
      const [last, ys] = scan(
        ({ a, b }, { row }, i) => [
          { b: b.add(i), a: a.mul(k).add(row) },
          { a, i },
        ],
        { a: 1, b: 0 },
        { row: x },
        { reverse: true },
      );
      return { last, ys };
    });
    let a = 1;
    const as = new Float64Array(5);
    for (let i = 4; i >= 0; i--) {
      as[i] = a;
      a = a * 0.5 + xs[i]!;
    }
    expect(f({ x: xs, k: 0.5 })).toEqual({
      last: { a, b: 10 },
      ys: { a: as, i: new Float64Array([0, 1, 2, 3, 4]) },
    });
  });

  test("without rows; without results; without steps", () => {
    const f = fn({ x: scalar() }, ({ x }) => {
      const [a, none] = scan((s: Value<[]>) => [s.mul(x)], 1, undefined, { length: 3 });
      expect(none).toBe(undefined);
      const [b, ys] = scan((s: Value<[]>) => [s.mul(x), s], x, undefined, { length: 0 });
      expect(ys.shape).toEqual([0]);
      return { a, b };
    });
    expect(f({ x: 3 })).toEqual({ a: 27, b: 3 });
  });
});

describe("other loops", () => {
  test("forLoop with a number and with a traced number of steps", () => {
    const f = fn({ x: scalar(), n: scalar() }, ({ x, n }) => ({
      fixed: forLoop(4, (i, y) => y.mul(x).add(i), 1),
      counted: forLoop(n, (i, y) => y.mul(x).add(i), 1, { maxSteps: 10 }),
    }));
    const plain = (x: number, n: number) => {
      let y = 1;
      for (let i = 0; i < n; i++) y = y * x + i;
      return y;
    };
    for (const n of [0, 1, 3, 10]) {
      expect(f({ x: 1.5, n })).toEqual({ fixed: plain(1.5, 4), counted: plain(1.5, n) });
    }
  });

  test("whileLoop", () => {
    const root = fn({ x: scalar() }, ({ x }) =>
      whileLoop(
        (y) => y.mul(y).sub(x).abs().greater(1e-9),
        (y) => y.add(x.div(y)).mul(0.5),
        x,
      ),
    );
    let y = 2;
    while (Math.abs(y * y - 2) > 1e-9) y = (y + 2 / y) * 0.5;
    expect(root({ x: 2 })).toBe(y);
    // The derivative of the steps, by the product rule in the order in which reverse mode computes it.
    let slope = 1;
    for (y = 2; Math.abs(y * y - 2) > 1e-9; y = (y + 2 / y) * 0.5) {
      slope = (slope - slope * (2 / (y * y)) + 1 / y) * 0.5;
    }
    expectUlps(grad(root)({ x: 2 }).x, slope, 8);
  });

  test("nested loops use values of all bodies around them", () => {
    const f = fn({ x: scalar(), w: vector(3) }, ({ x, w }) =>
      forLoop(
        2,
        (i, a) => {
          const scaled = a.mul(x);
          return forLoop(3, (j, b) => b.add(scaled.mul(w.gather(j).reshape([]))).add(i), a);
        },
        1,
      ),
    );
    const w = [0.5, 2, -0.25];
    let a = 1;
    for (let i = 0; i < 2; i++) {
      const scaled = a * 1.5;
      let b = a;
      for (let j = 0; j < 3; j++) b = b + scaled * w[j]! + i;
      a = b;
    }
    expect(f({ x: 1.5, w })).toBe(a);
  });
});

describe("branches", () => {
  const f = fn({ x: scalar() }, ({ x }) =>
    cond(
      x.greater(0),
      () => ({ y: x.log(), z: x.greater(2) }),
      () => ({ y: x.mul(x), z: x.less(-2) }),
    ),
  );

  test("take one side", () => {
    expect(f({ x: 2.5 })).toEqual({ y: Math.log(2.5), z: 1 });
    expect(f({ x: -1.5 })).toEqual({ y: 2.25, z: 0 });
  });

  test("have that side's derivative", () => {
    const y = fn({ x: scalar() }, ({ x }) => f({ x }).y);
    expect(grad(y)({ x: 4 })).toEqual({ x: 0.25 });
    expect(grad(y)({ x: -3 })).toEqual({ x: -6 });
    expect(f.batch({ x: [2.5, -1.5] }).y).toEqual(new Float64Array([Math.log(2.5), 2.25]));
  });

  test("of a plain boolean, and with operands", () => {
    const g = fn({ x: scalar() }, ({ x }) =>
      cond(
        false,
        (a) => a,
        (a) => a.mul(2),
        x,
      ),
    );
    expect(g({ x: 3 })).toBe(6);
  });
});

test("map computes all rows, sharing what is around it", () => {
  const f = fn({ p: matrix(4, 2), s: scalar() }, ({ p, s }) =>
    map((r) => r.mul(r).sum().mul(s), p),
  );
  const p = [
    [1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ];
  expect(f({ p, s: 0.5 })).toEqual(new Float64Array(p.map(([a, b]) => (a! * a! + b! * b!) * 0.5)));
});

test("map of records, and of no rows", () => {
  const six = new Float64Array([1, 2, 3, 4, 5, 6]);
  const f = fn({ a: matrix(2, 3), b: vector(2), none: matrix(0, 3) }, ({ a, b, none }) => ({
    both: map(({ a: row, b: factor }) => ({ row: row.mul(factor), isLarge: factor.greater(1) }), {
      a,
      b,
    }),
    empty: map((row) => ({ sum: row.sum(), row: row.exp() }), none),
  }));
  expect(f({ a: six, b: [0.5, 2], none: [] })).toEqual({
    both: { row: new Float64Array([0.5, 1, 1.5, 8, 10, 12]), isLarge: new Float64Array([0, 1]) },
    empty: { sum: new Float64Array(0), row: new Float64Array(0) },
  });
  const total = fn({ a: matrix(2, 3), none: matrix(0, 3) }, ({ a, none }) =>
    map((row) => row.square().sum(), a)
      .sum()
      .add(map((row) => row.square().sum(), none).sum()),
  );
  expect(grad(total)({ a: six, none: [] })).toEqual({
    a: new Float64Array([2, 4, 6, 8, 10, 12]),
    none: new Float64Array(0),
  });
});

describe("derivatives", () => {
  const steps = 6;
  const spec = { x: scalar(), k: vector(3) };
  const step = (i: Value<[]> | number, y: Value<[]>, x: Value<[]>, k: Value<[3]>) =>
    y.mul(x).add(k.mul(y).sum().sin()).add(i);
  const rolled = fn(spec, ({ x, k }) => forLoop(steps, (i, y) => step(i, y, x, k), 0.5));
  const unrolled = fn(spec, ({ x, k }) => {
    let y = x.mul(0).add(0.5);
    for (let i = 0; i < steps; i++) y = step(i, y, x, k);
    return y;
  });
  const at = { x: 0.75, k: [0.25, -0.5, 0.125] };
  const v = { x: 1, k: [0.5, 0.25, -1] };

  test("of a loop are those of its steps one after the other", () => {
    expect(rolled(at)).toBe(unrolled(at));
    const [g, u] = [grad(rolled)(at), grad(unrolled)(at)];
    expectUlps(g.x, u.x, 4);
    for (const [i, each] of g.k.entries()) expectUlps(each, u.k[i]!, 4);
    expectUlps(jvp(rolled)(at, v).tangent, jvp(unrolled)(at, v).tangent, 4);
  });

  test("have the same bits whatever the checkpoints", () => {
    const want = grad(rolled)(at);
    for (const policy of [
      "all",
      "sqrt",
      { every: 2 },
      { revolve: 2 },
      { online: 3 },
      { maxMemory: "1KB" },
      { multistage: { memory: 1, disk: 2 } },
    ] as const) {
      const f = fn(spec, ({ x, k }) =>
        forLoop(steps, (i, y) => step(i, y, x, k), 0.5, { checkpoint: policy }),
      );
      expect(grad(f)(at), JSON.stringify(policy)).toEqual(want);
    }
  });

  test("of second order, in lanes, and inside others", () => {
    const [h, u] = [hvp(rolled)(at, v), hvp(unrolled)(at, v)];
    expectUlps(h.x, u.x, 64);
    for (const [i, each] of h.k.entries()) expectUlps(each, u.k[i]!, 64);
    const lanes = vmap(rolled, 2)({ x: [0.75, 0.5], k: [at.k, at.k] });
    expect(lanes[0]).toBe(rolled(at));
  });

  test("of a checkpointed function are its own", () => {
    const f = fn(spec, ({ x, k }) => k.mul(x).sin().sum());
    const g = checkpoint(f);
    expect(g(at)).toBe(f(at));
    expect(grad(g)(at)).toEqual(grad(f)(at));
    const h = fn(spec, ({ x, k }) => checkpoint((s: Value<[]>) => k.mul(s).sin().sum())(x));
    expect(grad(h)(at)).toEqual(grad(f)(at));
  });
});
