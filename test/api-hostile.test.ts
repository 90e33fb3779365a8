// Generated calls of the public API with values made to break things: whatever happens is a result or an
// AdjointError. ADJOINT_FUZZ=runs:seed for more.
import {
  AdjointError,
  constant,
  fn,
  grad,
  jacobian,
  matrix,
  parse,
  scalar,
  sparseJacobian,
  TensorSpec,
  tensor,
  Value,
  vector,
  vmap,
} from "adjoint";
import { expect, test } from "vitest";
import { publicOperations } from "../lib/generated/operations.js";

// Sanitizers are slow, and these calls seldom get past the checks in TypeScript.
const { ADJOINT_SANITIZED, ADJOINT_FUZZ = ADJOINT_SANITIZED ? "4000:7" : "20000:7" } = process.env;
const [runs = 0, firstSeed = 0] = ADJOINT_FUZZ.split(":").map(Number);

function detached(): Float64Array {
  const array = new Float64Array(2);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

const claimsMuch = new Proxy([1, 2], {
  get: (target, key) => (key === "length" ? 1e9 : Reflect.get(target, key)),
});

class Lying extends Float64Array {
  override get length(): number {
    return 4;
  }
}

const cyclic: Record<string, unknown> = {};
Object.assign(cyclic, { x: cyclic, m: cyclic, s: [cyclic, cyclic] });

const hostile: readonly unknown[] = [
  ...[Object.create(Value.prototype), Object.create(TensorSpec.prototype)],
  ...[new Lying(2), new Lying(9), cyclic, [new Float64Array(4), new Float64Array(4)]],
  ...[{ signal: AbortSignal.abort() }, Object.create(AbortSignal.prototype)],
  Object.setPrototypeOf([1, 2], null),
  ...[0, -0, -1, 1.5, 1e9, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY],
  ...["", "x", "1", "__proto__", null, undefined, true, 1n, Symbol("s")],
  ...[
    [],
    [[]],
    [1],
    [1, 2],
    [
      [1, 2],
      [3, 4],
    ],
    ["1", "2"],
    new Array(2),
    [[[]]],
  ],
  ...[{}, { x: 1 }, { length: 2, 0: 1, 1: 2 }, { axis: 1e9 }, { axis: [0, 0] }, { wrt: ["x"] }],
  ...[Object.create(null), Object.create(Float64Array.prototype), new Date(), /x/, new Map()],
  ...[() => 1, Promise.resolve(1), new Number(2), vector(2), [vector(2)], { x: vector(2) }],
  ...[new Float64Array(2), new Float64Array(4), new Float32Array(2), new Uint8Array(1), detached()],
  ...[new BigInt64Array(2), new DataView(new ArrayBuffer(16)), new ArrayBuffer(16)],
  new Float64Array(new SharedArrayBuffer(16)),
  ...[new Proxy([1, 2], {}), new Proxy(new Float64Array(2), {}), claimsMuch, [claimsMuch]],
  new Proxy({}, { get: () => 1 }),
  new Proxy({}, { ownKeys: () => ["__proto__", "x"] }),
];

const any = (value: unknown) => value as never;

test(`${runs} hostile calls`, async () => {
  let state = firstSeed;
  const random = (n: number) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % n;
  };
  const pick = () => any(hostile[random(hostile.length)]);
  const spec = { x: vector(2), m: matrix(2, 2), s: scalar() };
  const f = fn(spec, ({ x, m, s }) => m.matmul(x).sum().mul(s));
  const good = {
    x: [1, 2],
    m: [
      [1, 2],
      [3, 4],
    ],
    s: 1,
  };
  const session = f.session();
  const inBody = (body: (x: Value<[2]>) => unknown) =>
    fn({ x: vector(2) }, ({ x }) => any(body(x)), { unusedComparisons: "allow" });
  const calls: readonly (() => unknown)[] = [
    () => f({ ...good, x: pick(), s: pick() }),
    () => f({ ...good, m: pick() }),
    () => f(pick()),
    () => f.batch({ x: pick(), m: pick(), s: pick() }),
    () => f.async(good, pick()),
    () => f.async({ ...good, x: pick() }, { deadline: pick(), signal: pick() }),
    () => f.trace(pick(), pick()),
    () => f.locate(pick()),
    () => session.runAsync(pick()),
    () => fn(pick(), () => 1),
    () => fn({ x: pick() }, () => 1),
    () => fn({ x: scalar() }, pick(), pick()),
    () => inBody(pick),
    () => inBody(() => constant(pick(), pick()).sum()),
    () => inBody((x) => f({ x, m: pick(), s: pick() })),
    () => {
      const name = publicOperations[random(publicOperations.length)]!;
      const method = (x: Value<[2]>) => (any(x) as Record<string, unknown>)[name];
      return inBody((x) =>
        (method(x) as undefined | ((...o: unknown[]) => unknown))?.call(x, pick(), pick()),
      );
    },
    () => vector(pick()),
    () => tensor(pick()),
    () => matrix(pick(), pick()),
    () => grad(pick()),
    () => grad(f, pick()),
    () => jacobian(f, { wrt: pick(), mode: pick() }),
    () => sparseJacobian(f, { wrt: pick(), mode: pick(), format: pick() }),
    () => sparseJacobian(f).pattern.toDense(pick()),
    () => vmap(f, pick(), pick()),
    () => parse(pick(), pick(), pick()),
  ];
  const foreign: unknown[] = [];
  const judge = (error: unknown, call: () => unknown) => {
    // Errors of the traps themselves are theirs.
    const isTrap = error instanceof TypeError && /proxy/.test(error.message);
    if (!(error instanceof AdjointError) && !isTrap) foreign.push([String(call), error]);
  };
  let results = 0;
  for (let i = 0; i < runs; i++) {
    const call = calls[random(calls.length)]!;
    try {
      const result = call();
      if (result instanceof Promise) result.catch((error) => judge(error, call));
      results++;
    } catch (error) {
      judge(error, call);
    }
    if (i % 256 === 0) await new Promise(setImmediate);
  }
  expect(foreign.slice(0, 5)).toEqual([]);
  expect(results).toBeGreaterThan(0);
  expect(f(good as never)).toBe(16);
}, 600_000);
