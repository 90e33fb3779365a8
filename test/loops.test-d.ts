// What the compiler knows of loops. What must not compile carries @ts-expect-error.

import {
  checkpoint,
  cond,
  fn,
  forLoop,
  map,
  matrix,
  scalar,
  scan,
  sum,
  type Value,
  vector,
  whileLoop,
} from "adjoint";
import { expectTypeOf, test } from "vitest";

test("scan", () => {
  fn({ x: vector(5), w: matrix(5, 3), t: scalar() }, ({ x, w, t }) => {
    const [c, ys] = scan(
      (s, r, i) => {
        expectTypeOf(s).toEqualTypeOf<Value<[]>>();
        expectTypeOf(r).toEqualTypeOf<Value<[]>>();
        expectTypeOf(i).toEqualTypeOf<Value<[]>>();
        return [s.add(r), s.mul(2)];
      },
      0,
      x,
    );
    expectTypeOf(c).toEqualTypeOf<Value<[]>>();
    expectTypeOf(ys).toEqualTypeOf<Value<[5]>>();
    const [d, zs] = scan(
      (s, r) => {
        expectTypeOf(r.w).toEqualTypeOf<Value<[3]>>();
        return [
          { a: s.a.add(r.x), v: s.v.add(r.w) },
          { q: r.w, n: 1 },
        ];
      },
      { a: 0, v: w.at(0) },
      { x, w },
    );
    expectTypeOf(d.v).toEqualTypeOf<Value<[3]>>();
    expectTypeOf(zs.q).toEqualTypeOf<Value<[number, 3]>>();
    expectTypeOf(zs.n).toEqualTypeOf<Value<[number]>>();
    const [, none] = scan((s, r) => [s.add(r)], t, x);
    expectTypeOf(none).toEqualTypeOf<undefined>();
    const [, y2] = scan((s) => [s.add(1), s], t, undefined, { length: 7 });
    expectTypeOf(y2).toEqualTypeOf<Value<[7]>>();
    // @ts-expect-error this differs from the carry, the condition or the other branch
    sum(scan(() => [w.at(0)], t, x)[0]);
    // @ts-expect-error this differs from the carry, the condition or the other branch
    sum(scan((s) => [s.x.greater(0)], { x: t }, x)[0].x);
    const f = forLoop(10, (_i, y) => y.mul(t), 1);
    expectTypeOf(f).toEqualTypeOf<Value<[]>>();
    const g = forLoop(10, (_i, y) => ({ y: y.v.add(1), v: y.y.mul(0) }), { y: t, v: 0 });
    expectTypeOf(g.y).toEqualTypeOf<Value<[]>>();
    // gather loses its shape
    const h = forLoop(10, (_i, y) => y.gather([0, 1, 2, 3, 4]), x);
    expectTypeOf(h).toEqualTypeOf<Value<[5]>>();
    const k = whileLoop(
      (y) => y.less(3),
      (y) => y.mul(2),
      t,
    );
    expectTypeOf(k).toEqualTypeOf<Value<[]>>();
    whileLoop(
      // @ts-expect-error this differs from the carry, the condition or the other branch
      (y) => y.sub(3),
      (y) => y.mul(2),
      t,
    );
    const m = cond(
      t.greater(0),
      () => ({ a: t, b: 0 }),
      () => ({ a: t.neg(), b: 1 }),
    );
    expectTypeOf(m.a).toEqualTypeOf<Value<[]>>();
    expectTypeOf(m.b).toEqualTypeOf<Value<[]>>();
    const m2 = cond(
      t.greater(0),
      (a: Value<[]>) => a.sin(),
      (a: Value<[]>) => a,
      t,
    );
    expectTypeOf(m2).toEqualTypeOf<Value<[]>>();
    const mixed = cond(
      t.greater(0),
      () => t,
      () => x,
    );
    // @ts-expect-error this differs from the carry, the condition or the other branch
    mixed.sin();
    const n = map((r) => r.norm(), w);
    expectTypeOf(n).toEqualTypeOf<Value<[5]>>();
    const o = map((r) => ({ a: r.w.mul(r.x), k: 2 }), { w, x });
    expectTypeOf(o.a).toEqualTypeOf<Value<[number, 3]>>();
    const p = checkpoint((v: Value<[]>) => ({ s: v.sin() }))(t);
    expectTypeOf(p.s).toEqualTypeOf<Value<[]>>();
    return sum(ys);
  });
  const f = fn({ x: vector(3) }, ({ x }) => x.norm());
  const g = checkpoint(f);
  expectTypeOf(g).toEqualTypeOf<typeof f>();
  fn({ x: matrix(4, 3) }, ({ x }) => {
    const a = map(f, { x });
    expectTypeOf(a).toEqualTypeOf<Value<[number]>>();
    return a;
  });
});
