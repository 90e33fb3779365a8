import * as adjoint from "adjoint";
import {
  argmax,
  at,
  broadcastTo,
  concat,
  constant,
  cumsum,
  diag,
  dot,
  einsum,
  fn,
  gather,
  grad,
  iota,
  linearRecurrence,
  maskedLogsumexp,
  matmul,
  max,
  min,
  outer,
  pad,
  parse,
  scalar,
  scatterAdd,
  slice,
  stack,
  sum,
  takeAlongAxis,
  tensor,
  Value,
  variance,
  vector,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { elementwiseRows, publicOperations } from "../lib/generated/operations.js";

const f64 = (...values: number[]) => Float64Array.from(values);

/** What a body without inputs gives. */
function evaluate(body: () => Value | number): unknown {
  return fn({ unused: scalar() }, body)({ unused: 0 });
}

/** Value and shape of one result. */
function shaped(body: () => Value | number): { shape: readonly number[]; values: number[] } {
  let shape: readonly number[] = [];
  const values = evaluate(() => {
    const result = body();
    shape = typeof result === "number" ? [] : result.shape;
    return result;
  });
  return {
    shape,
    values: Array.from(typeof values === "number" ? [values] : (values as Float64Array)),
  };
}

const m = () => constant([[1, 2, 3], [4, 5, 6]], [2, 3]); // biome-ignore format: a matrix
const v = () => constant([3, 1, 2], [3]);

describe("the exported operations", () => {
  test("are the public rows", () => {
    // These come from the tables under other names, or are there for programs besides.
    const aliases = new Map([["variance", "var"]]);
    const others = new Set(
      [
        "fn scalar vector matrix tensor constant custom ex parse formulaFunctions checkGrads",
        "grad valueAndGrad jvp vjp jacobian sparseJacobian hessian sparseHessian hvp vmap colorPattern fit htmlReport",
        "leastSquares sparsity checkPattern sparseMatrix parseMatrixMarket spyHtml",
        "scan forLoop whileLoop cond map checkpoint ode odeStats",
      ].flatMap((line) => line.split(" ")),
    );
    const exported = Object.keys(adjoint).filter(
      (name) => /^[a-z]/.test(name) && !others.has(name) && !aliases.has(name),
    );
    expect(exported.sort()).toEqual([...publicOperations].sort());
  });

  test("are methods too, where the first operand is a value", () => {
    const notMethods = new Set(["iota", "concat", "stack", "einsum", "where"]);
    notMethods.add("linearRecurrence").add("maskedLogsumexp");
    for (const name of publicOperations) {
      expect(name in Value.prototype, name).toBe(!notMethods.has(name));
    }
  });

  test("compute what their kernels do, as methods, functions and in formulas", () => {
    for (const [name, { arity, takes, gives }] of elementwiseRows) {
      const operands = takes === "bool" ? [1, 0, 1] : [1.25, 2.5, 3.75];
      const spec = { a: scalar(), b: scalar(), c: scalar() };
      const call = (adjoint as unknown as Record<string, (...o: Value[]) => Value>)[name]!;
      const f = fn(spec, ({ a, b, c }) => {
        const numbers = [a, b, c].slice(0, arity);
        const given =
          takes === "bool" ? numbers.map((x) => x.greater(0.5) as unknown as Value) : numbers;
        const [first, ...rest] = given;
        const method = (first as unknown as Record<string, (...o: Value[]) => Value>)[name]!;
        const names = ["a", "b", "c"].slice(0, arity);
        const text = takes === "bool" ? names.map((n) => `(${n} > 0.5)`) : names;
        const formula = parse(`${name}(${text.join(", ")})`)({ a, b, c });
        return [call(...given), method.apply(first, rest), formula];
      });
      const found = f({ a: operands[0]!, b: operands[1]!, c: operands[2]! }) as number[];
      expect(found[1], name).toBe(found[0]);
      expect(found[2], name).toBe(found[0]);
      expect(
        Number.isFinite(found[0]) || name === "asin" || name === "acos" || name === "atanh",
        name,
      ).toBe(true);
      if (gives === "bool") expect([0, 1]).toContain(found[0]);
    }
  });
});

describe("moving elements", () => {
  test("reshape, transpose, broadcastTo, flip", () => {
    expect(shaped(() => m().reshape([3, -1]))).toEqual({
      shape: [3, 2],
      values: [1, 2, 3, 4, 5, 6],
    });
    expect(shaped(() => m().transpose())).toEqual({ shape: [3, 2], values: [1, 4, 2, 5, 3, 6] });
    expect(shaped(() => broadcastTo(v(), [2, 3])).values).toEqual([3, 1, 2, 3, 1, 2]);
    expect(shaped(() => m().flip({ axis: 1 })).values).toEqual([3, 2, 1, 6, 5, 4]);
    expect(shaped(() => m().flip()).values).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test("slices follow NumPy's rules", () => {
    const data = [0, 1, 2, 3, 4, 5, 6];
    // What NumPy gives for np.arange(7)[start:stop:step].
    const cases: [
      start: number | null,
      stop: number | null,
      step: number | null,
      want: number[],
    ][] = [
      [null, null, null, [0, 1, 2, 3, 4, 5, 6]],
      [2, 5, null, [2, 3, 4]],
      [-3, null, null, [4, 5, 6]],
      [null, -2, 2, [0, 2, 4]],
      [1, 100, 3, [1, 4]],
      [5, 2, null, []],
      [null, null, -1, [6, 5, 4, 3, 2, 1, 0]],
      [5, 1, -2, [5, 3]],
      [-1, -100, -3, [6, 3, 0]],
      [100, 3, -1, [6, 5, 4]],
      [0, null, -1, [0]],
      [-100, null, -1, []],
      [7, null, null, []],
    ];
    for (const [start, stop, step, want] of cases) {
      const name = `${start}:${stop}:${step}`;
      expect(shaped(() => slice(constant(data), [start, stop, step])).values, name).toEqual(want);
      // Not only on constants, which are folded.
      const f = fn({ x: vector(7) }, ({ x }) => x.slice([start, stop, step]));
      expect(Array.from(f({ x: data })), name).toEqual(want);
    }
    expect(shaped(() => m().slice(null, [1, null]))).toEqual({
      shape: [2, 2],
      values: [2, 3, 5, 6],
    });
  });

  test("at, concat, stack, pad", () => {
    expect(shaped(() => at(m(), 1))).toEqual({ shape: [3], values: [4, 5, 6] });
    expect(shaped(() => m().at(-1, -3))).toEqual({ shape: [], values: [4] });
    expect(shaped(() => concat([m(), m()], { axis: 1 })).shape).toEqual([2, 6]);
    expect(shaped(() => stack([v(), v().mul(2)]))).toEqual({
      shape: [2, 3],
      values: [3, 1, 2, 6, 2, 4],
    });
    expect(shaped(() => stack([v(), v()], { axis: -1 })).shape).toEqual([3, 2]);
    expect(shaped(() => stack([1, 2, 3])).values).toEqual([1, 2, 3]);
    expect(shaped(() => pad(v(), 1)).values).toEqual([0, 3, 1, 2, 0]);
    expect(shaped(() => pad(v(), [[0, 2]], 7)).values).toEqual([3, 1, 2, 7, 7]);
  });

  test("gather, scatterAdd, takeAlongAxis", () => {
    expect(shaped(() => gather(m(), [2, 0], { axis: 1 }))).toEqual({
      shape: [2, 2],
      values: [3, 1, 6, 4],
    });
    expect(shaped(() => m().gather(1)).values).toEqual([4, 5, 6]);
    expect(shaped(() => scatterAdd(v(), [0, 0, 2], constant([1, 10, 100]))).values).toEqual([
      14, 1, 102,
    ]);
    expect(shaped(() => takeAlongAxis(m(), [[2], [0]])).values).toEqual([3, 4]);
  });

  test("diagonals and triangles", () => {
    expect(shaped(() => diag(v())).values).toEqual([3, 0, 0, 0, 1, 0, 0, 0, 2]);
    expect(shaped(() => diag(m(), 1)).values).toEqual([2, 6]);
    expect(shaped(() => m().tril()).values).toEqual([1, 0, 0, 4, 5, 0]);
    expect(shaped(() => m().triu(1)).values).toEqual([0, 2, 3, 0, 0, 6]);
  });

  test("iota", () => {
    expect(shaped(() => iota([2, 3], { axis: 1 })).values).toEqual([0, 1, 2, 0, 1, 2]);
  });
});

describe("reductions", () => {
  test("over axes", () => {
    expect(shaped(() => sum(m())).values).toEqual([21]);
    expect(shaped(() => m().sum({ axis: 0 }))).toEqual({ shape: [3], values: [5, 7, 9] });
    expect(shaped(() => m().mean({ axis: -1, keepDims: true }))).toEqual({
      shape: [2, 1],
      values: [2, 5],
    });
    expect(shaped(() => m().prod({ axis: [0, 1] })).values).toEqual([720]);
    expect(shaped(() => m().max({ axis: 0 })).values).toEqual([4, 5, 6]);
    expect(shaped(() => min(m())).values).toEqual([1]);
    expect(shaped(() => variance(v(), { ddof: 1 })).values).toEqual([1]);
    expect(shaped(() => v().std()).values[0]).toBeCloseTo(Math.sqrt(2 / 3), 15);
    expect(shaped(() => constant([3, -4]).norm()).values).toEqual([5]);
    expect(shaped(() => constant([3, -4]).norm({ order: 1 })).values).toEqual([7]);
    expect(
      shaped(() => constant([3, -4]).norm({ order: Number.POSITIVE_INFINITY })).values,
    ).toEqual([4]);
    expect(shaped(() => constant([1000, 1000]).logsumexp()).values[0]).toBe(1000 + Math.log(2));
    expect(shaped(() => v().median()).values).toEqual([2]);
    expect(shaped(() => m().median({ axis: 1 })).values).toEqual([2, 5]);
  });

  test("two operands of max and min are elementwise", () => {
    expect(shaped(() => max(v(), 2)).values).toEqual([3, 2, 2]);
    expect(shaped(() => min(2, v())).values).toEqual([2, 1, 2]);
    expect(shaped(() => v().max(constant([1, 1, 9]))).values).toEqual([3, 1, 9]);
  });

  test("positions", () => {
    expect(shaped(() => argmax(m())).values).toEqual([5]);
    expect(shaped(() => m().argmin({ axis: 1 })).values).toEqual([0, 0]);
    expect(shaped(() => v().argsort()).values).toEqual([1, 2, 0]);
    expect(shaped(() => v().sort()).values).toEqual([1, 2, 3]);
  });

  test("along an axis", () => {
    expect(shaped(() => cumsum(m())).values).toEqual([1, 3, 6, 10, 15, 21]);
    expect(shaped(() => m().cumsum({ axis: 1, reverse: true })).values).toEqual([
      6, 5, 3, 15, 11, 6,
    ]);
    expect(shaped(() => m().cumprod({ axis: 0 })).values).toEqual([1, 2, 3, 4, 10, 18]);
    expect(shaped(() => linearRecurrence(v(), constant([1, 1, 1]))).values).toEqual([1, 2, 5]);
    const soft = shaped(() => v().softmax()).values;
    expect(soft.reduce((a, b) => a + b)).toBeCloseTo(1, 15);
    expect(shaped(() => v().logSoftmax()).values[0]).toBeCloseTo(Math.log(soft[0]!), 14);
  });

  test("masked logsumexp", () => {
    const f = fn({ x: vector(3) }, ({ x }) => maskedLogsumexp(x, x.greater(0)));
    expect(f({ x: [0, 1, -5] })).toBe(1);
    expect(f({ x: [0, 0, 0] })).toBe(Number.NEGATIVE_INFINITY);
    expect(grad(f)({ x: [0, 0, 0] })).toEqual({ x: f64(0, 0, 0) });
  });
});

describe("products", () => {
  test("dot, outer, matmul, einsum", () => {
    expect(shaped(() => dot(v(), v())).values).toEqual([14]);
    expect(shaped(() => outer(v(), constant([1, 2])))).toEqual({
      shape: [3, 2],
      values: [3, 6, 1, 2, 2, 4],
    });
    expect(shaped(() => matmul(m(), v()))).toEqual({ shape: [2], values: [11, 29] });
    expect(shaped(() => m().matmul(m().transpose())).values).toEqual([14, 32, 32, 77]);
    expect(shaped(() => einsum("ij,kj->ik", m(), m())).values).toEqual([14, 32, 32, 77]);
    expect(shaped(() => einsum("ij->", m())).values).toEqual([21]);
    const batch = fn({ a: tensor([2, 3, 4]), b: tensor([4, 5]) }, ({ a, b }) => {
      expect(a.matmul(b).shape).toEqual([2, 3, 5]);
      return a.matmul(b).sum();
    });
    expect(batch({ a: new Float64Array(24).fill(1), b: new Float64Array(20).fill(2) })).toBe(240);
  });
});

describe("constants and choice", () => {
  test("constants from nested, flat and typed arrays", () => {
    expect(shaped(() => constant(f64(1, 2, 3, 4), [2, 2])).shape).toEqual([2, 2]);
    expect(shaped(() => constant([[1], [2]])).shape).toEqual([2, 1]);
    expect(shaped(() => constant([f64(1, 2), f64(3, 4)])).values).toEqual([1, 2, 3, 4]);
    expect(shaped(() => constant(5)).shape).toEqual([]);
  });

  test("where with booleans, numbers and logic", () => {
    const f = fn({ x: vector(3) }, ({ x }) =>
      where(x.greater(0).logicalAnd(x.less(2)).logicalOr(false), 1, where(x.isNan(), -1, 0)),
    );
    expect(f({ x: [1, 5, Number.NaN] })).toEqual(f64(1, 0, -1));
  });
});
