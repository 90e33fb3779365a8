import {
  type AdjointFunction,
  ArgumentError,
  argsort,
  checkPattern,
  colorPattern,
  concat,
  cond,
  constant,
  custom,
  fn,
  forLoop,
  grad,
  hessian,
  IndexError,
  jacobian,
  LimitError,
  matmul,
  matrix,
  NameError,
  ShapeError,
  scalar,
  scan,
  sort,
  sparseHessian,
  sparseJacobian,
  sparsity,
  stopGradient,
  type Value,
  vector,
  vjp,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

type Pattern = ReturnType<typeof sparsity>;

/** The rows of a pattern. */
const rowsOf = ({ rowStarts, columnIndices }: Pattern) =>
  Array.from(rowStarts.subarray(1), (end, i) => [...columnIndices.subarray(rowStarts[i], end)]);

/** 1 where there is an entry. */
const maskOf = (pattern: Pattern) => pattern.toDense(new Float64Array(pattern.nonzeros).fill(1));

const range = (n: number) => [...new Array(n).keys()];

/** Numbers in [0, 1) that are the same on every machine (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Two species on a periodic grid. */
const brusselator = (n: number) =>
  fn({ u: matrix(n, n), v: matrix(n, n) }, ({ u, v }) => {
    type Grid = typeof u;
    const roll = (x: Grid, axis: number, by: 1 | -1) => {
      const part = (start: number, end: number) =>
        axis === 0 ? x.slice([start, end], null) : x.slice(null, [start, end]);
      const parts = by === 1 ? [part(n - 1, n), part(0, n - 1)] : [part(1, n), part(0, 1)];
      return concat(parts, { axis }).reshape([n, n]);
    };
    const lap = (x: Grid) =>
      roll(x, 0, 1)
        .add(roll(x, 0, -1))
        .add(roll(x, 1, 1))
        .add(roll(x, 1, -1))
        .sub(x.mul(4));
    const product = u.square().mul(v);
    return {
      du: product.add(1).sub(u.mul(4.4)).add(lap(u)),
      dv: u.mul(3.4).sub(product).add(lap(v)),
    };
  });

/** Squares of products of neighbors, and weights of what three of them do. */
const chained = (n: number) =>
  fn({ x: vector(n), weights: vector(n - 2) }, ({ x, weights }) => {
    const from = (start: number) => x.slice([start, start + n - 2]);
    const three = from(0).mul(from(1)).sub(from(2).exp());
    return x
      .slice([1, n])
      .mul(x.slice([0, n - 1]))
      .square()
      .sum()
      .add(three.mul(weights).sum());
  });

describe("patterns of Jacobians", () => {
  test("of a stencil", () => {
    const pattern = sparsity(brusselator(5));
    expect(pattern.format).toBe("csr");
    expect(pattern.rows).toBe(50);
    expect(pattern.nonzeros).toBe(300);
    expect(pattern.dense).toEqual([]);
    expect(pattern.outputs).toEqual([
      { path: "du", start: 0, count: 25 },
      { path: "dv", start: 25, count: 25 },
    ]);
    // du at (2, 2): its neighbors, itself, and v there.
    expect(rowsOf(pattern)[12]).toEqual([7, 11, 12, 13, 17, 37]);
    const { rowStarts, columnIndices } = sparseJacobian(brusselator(5)).pattern;
    expect(pattern.rowStarts).toEqual(rowStarts);
    expect(pattern.columnIndices).toEqual(columnIndices);
    expect(colorPattern(pattern, { order: "smallestLast" }).count).toBeLessThan(14);
  });

  test("by some of the inputs", () => {
    const f = fn({ x: vector(3), k: { s: scalar(), t: vector(2) } }, ({ x, k }) => ({
      y: x.mul(k.s),
      z: k.t.flip(),
    }));
    expect(rowsOf(sparsity(f))).toEqual([[0, 3], [1, 3], [2, 3], [5], [4]]);
    expect(rowsOf(sparsity(f, { wrt: ["k.t"] }))).toEqual([[], [], [], [1], [0]]);
    expect(sparsity(f, { wrt: ["k"] }).inputs.map(({ path }) => path)).toEqual(["k.s", "k.t"]);
  });

  test("constants count, comparisons, rounding and stopGradient do not", () => {
    const f = fn({ x: vector(2) }, ({ x }) => ({
      zero: x.mul(constant([0, 1])),
      cut: x.floor().add(x.greater(0).toNumber()).add(stopGradient(x)),
    }));
    expect(rowsOf(sparsity(f))).toEqual([[0], [1], [], []]);
  });

  test("at one point", () => {
    const f = fn({ x: vector(4) }, ({ x }) => ({
      chosen: where(x.greater(0), x.square(), x.flip()),
      sorted: sort(x),
      largest: x.max(),
      positive: x.relu(),
    }));
    const all = [0, 1, 2, 3];
    const both = [
      [0, 3],
      [1, 2],
      [1, 2],
      [0, 3],
    ];
    expect(rowsOf(sparsity(f))).toEqual([...both, all, all, all, all, all, [0], [1], [2], [3]]);
    const here = sparsity(f, { at: { x: [3, -1, 2, -2] } });
    const [sorted, positive] = [
      [[3], [1], [2], [0]],
      [[0], [], [2], []],
    ];
    expect(rowsOf(here)).toEqual([[0], [2], [2], [0], ...sorted, [0], ...positive]);
  });

  test("of functions of several arguments", () => {
    const f = fn({ x: vector(2) }, ({ x }) => x.mul(2));
    const pulled = vjp(f);
    const at = [{ x: [1, 2] }, [3, 0]] as const;
    // The value reads x, the gradient only the cotangent.
    expect(rowsOf(sparsity(pulled))).toEqual([[0], [1], [], []]);
    expect(rowsOf(sparsity(pulled, { at }))).toEqual([[0], [1], [], []]);
    expect(() => sparsity(pulled, { at: any({ x: [1, 2] }) })).toThrow("expected a list of them");
  });

  test("sorts of rows stay in their rows", () => {
    const f = fn({ x: matrix(3, 4) }, ({ x }) => sort(x, { axis: 1 }));
    const pattern = sparsity(f);
    expect(pattern.nonzeros).toBe(48);
    expect(rowsOf(pattern)[5]).toEqual([4, 5, 6, 7]);
    expect(sparsity(f, { at: { x: range(3).map(() => [4, 3, 2, 1]) } }).nonzeros).toBe(12);
  });

  test("of rules of custom functions", () => {
    const step = fn({ x: vector(3) }, ({ x }) => x.round());
    const through = custom(step, { jvp: (_, { x }) => x });
    const f = fn({ x: vector(3) }, ({ x }) => through({ x }).add(x.floor()));
    expect(rowsOf(sparsity(f))).toEqual([[0], [1], [2]]);
    const mapped = vmap(
      fn({ x: scalar() }, ({ x }) => x.sin().mul(x)),
      5,
    );
    expect(sparsity(mapped).nonzeros).toBe(5);
  });

  test("dense rows are explained by lines in the bodies of loops and branches", () => {
    const here = () =>
      Number(/sparsity\.test\.ts:(\d+)/.exec(new Error().stack!.split("\n")[2]!)?.[1]);
    let below = 0;
    const linesOf = ({ dense }: Pattern) =>
      dense
        .filter(({ kind }) => kind === "row")
        .map(({ operation, location }) => [operation, location!.line]);
    const branched = fn({ x: vector(80) }, ({ x }) => {
      const scaled = (v: Value<[80]>) => {
        below = here() + 1;
        const total = v.sum();
        return v.mul(total);
      };
      return cond(x.at(0).greater(0), (v) => v.sin(), scaled, x);
    });
    expect(linesOf(sparsity(branched))).toEqual([["sum", below]]);
    const nested = fn({ x: vector(80) }, ({ x }) => {
      const step = (sum: Value<[]>, value: Value<[]>) => {
        below = here() + 1;
        const next = sum.add(value);
        return [next, forLoop(2, (_, v) => v.mul(next), value)] as const;
      };
      return scan(step, 0, x)[1];
    });
    expect(linesOf(sparsity(nested))).toContainEqual(["add", below]);
  });

  test("dense rows and columns are explained", () => {
    const f = fn({ x: vector(100), s: scalar() }, ({ x, s }) => {
      const total = x.square().sum();
      return { y: x.mul(s), z: total };
    });
    const [row, column] = sparsity(f).dense;
    expect(row).toMatchObject({ kind: "row", path: "z", index: 0, count: 1, operation: "sum" });
    expect(row!.location!.file).toContain("sparsity.test.ts");
    expect(row!.nonzeros).toBe(100);
    expect(column).toMatchObject({ kind: "column", path: "s", index: 0, nonzeros: 100 });
    expect(`${row}`).toMatch(
      /^dense row 0 of z, 100 entries, because of sum at .*sparsity.test.ts:\d+:\d+$/,
    );
  });
});

describe("patterns of Hessians", () => {
  test("of chained terms, like those of sparse Hessians", () => {
    for (const n of [3, 4, 20]) {
      const pattern = sparsity(chained(n), { of: "hessian", wrt: ["x"] });
      const { rowStarts, columnIndices } = sparseHessian(chained(n), { wrt: ["x"] }).pattern;
      expect(pattern.rowStarts).toEqual(rowStarts);
      expect(pattern.columnIndices).toEqual(columnIndices);
    }
    expect(sparsity(chained(20), { of: "hessian" }).outputs.map(({ path }) => path)).toEqual([
      "x",
      "weights",
    ]);
  });

  test("at one point", () => {
    const f = fn({ x: vector(3) }, ({ x }) => where(x.greater(0), x.square(), x).sum());
    expect(rowsOf(sparsity(f, { of: "hessian" }))).toEqual([[0], [1], [2]]);
    const at = { x: [1, -1, 1] };
    expect(rowsOf(sparsity(f, { of: "hessian", at }))).toEqual([[0], [], [2]]);
  });

  test("are within those of the gradient's Jacobian", () => {
    const f = fn({ x: vector(4) }, ({ x }) =>
      x
        .slice([0, 2])
        .mul(x.slice([2, 4]))
        .exp()
        .sum(),
    );
    const pattern = sparsity(f, { of: "hessian" });
    expect(rowsOf(pattern)).toEqual([
      [0, 2],
      [1, 3],
      [0, 2],
      [1, 3],
    ]);
    expect(rowsOf(sparsity(grad(f)))).toEqual(rowsOf(pattern));
  });
});

/** What a random program has: vectors of n elements, made of each other. */
function randomFunction(
  random: () => number,
  n: number,
): AdjointFunction<[{ x: Value<[number]> }], Value<[number]>> {
  const below = (limit: number) => Math.floor(random() * limit);
  const steps = range(4 + below(12)).map(() => [random(), random(), random(), random()] as const);
  type V = Value<[number]>;
  const operations: ((a: V, b: V, k: number) => V)[] = [
    (a, b) => a.add(b),
    (a, b) => a.mul(b),
    (a, b) => a.sub(b.mul(0.5)),
    (a, b) => a.div(b.square().add(1)),
    (a) => a.sin(),
    (a) => a.tanh().mul(2),
    (a, b) => a.max(b),
    (a, b) => where(a.greater(b), a, b.mul(3)),
    (a, b, k) => concat([a.slice([k, n]), b.slice([0, k])]) as V,
    (a) => a.flip() as V,
    (a, _, k) => a.gather(range(n).map((i) => (i * (k + 1)) % n)) as V,
    (a, b, k) =>
      b.scatterAdd(
        range(n).map((i) => (i + k) % 2),
        a,
      ) as V,
    (a) => a.cumsum() as V,
    (a) => sort(a) as V,
    (a, b) => a.gather(argsort(b)) as V,
    (a, b, k) => a.mul(b.at(k)),
    (a, b) => a.sub(b.floor()).add(stopGradient(b)),
    (a, b) => b.mul(a.slice([0, 2]).sum()),
    (a, _, k) => {
      const weights = range(n).map((i) => range(n).map((j) => (i === j || i === k ? 0.5 : 0)));
      return matmul(constant(weights), a) as V;
    },
    (a) => a.relu(),
  ];
  return fn({ x: vector(n) }, ({ x }) => {
    const values: V[] = [x as V];
    for (const [which, first, second, k] of steps) {
      const operation = operations[Math.floor(which * operations.length)]!;
      // Mostly recent ones.
      const pick = (p: number) =>
        values[Math.max(0, values.length - 1 - Math.floor(p ** 3 * values.length))]!;
      values.push(operation(pick(first), pick(second), 1 + Math.floor(k * (n - 1))));
    }
    return values.at(-1)!;
  });
}

describe("random functions", () => {
  test("no derivative is outside of the pattern", () => {
    const random = randomNumbers(17);
    let entries = 0;
    for (let trial = 0; trial < 250; trial++) {
      const n = 3 + (trial % 4);
      const f = randomFunction(random, n);
      const x = range(n).map(() => 4 * random() - 2);
      const everywhere = maskOf(sparsity(f));
      const pattern = sparsity(f, { at: { x } });
      const here = maskOf(pattern);
      const dense = (jacobian(f)({ x }) as { x: Float64Array }).x;
      const scalarOf = fn({ x: vector(n) }, ({ x }) => f({ x }).square().sum());
      const curvature = sparsity(scalarOf, { of: "hessian", at: { x } });
      const bends = maskOf(curvature);
      const second = hessian(scalarOf)({ x }).x.x as Float64Array;
      range(n * n).forEach((i) => {
        if (here[i]) expect(everywhere[i]).toBe(1);
        if (dense[i] !== 0) expect(here[i]).toBe(1);
        if (second[i] !== 0) expect(bends[i]).toBe(1);
      });
      expect(checkPattern(f, pattern, { at: { x } }).missing).toEqual([]);
      entries += pattern.nonzeros;
      for (const made of [scalarOf, f]) made.dispose();
    }
    expect(entries).toBeGreaterThan(1000);
  });
});

describe("checks of patterns", () => {
  const f = fn({ x: vector(4), s: scalar() }, ({ x, s }) => ({
    y: x.slice([0, 3]).mul(x.slice([1, 4])),
    z: x.at(0).mul(s),
  }));
  const whole = sparsity(f);
  const at = { x: [1, 2, 3, 4], s: 5 };
  /** Without the entries of a row. */
  const without = (pattern: Pattern, row: number) => {
    const kept = rowsOf(pattern).map((columns, i) => (i === row ? [] : columns));
    let next = 0;
    const rowStarts = Int32Array.from([0, ...kept.map(({ length }) => (next += length))]);
    return { ...pattern, rowStarts, columnIndices: Int32Array.from(kept.flat()) };
  };

  test("complete ones", () => {
    expect(checkPattern(f, whole, { at })).toEqual({ ok: true, missing: [], undecided: 0 });
    const { pattern } = sparseJacobian(f);
    expect(checkPattern(f, pattern, { at }).ok).toBe(true);
  });

  test("missing entries are named", () => {
    const report = checkPattern(f, without(whole, 3), { at, throws: false });
    expect(report.missing).toEqual([
      { row: 3, column: 0, output: "z", outputIndex: 0, input: "x", inputIndex: 0, value: 5 },
      { row: 3, column: 4, output: "z", outputIndex: 0, input: "s", inputIndex: 0, value: 1 },
    ]);
    const error = thrown(ArgumentError, () => checkPattern(f, without(whole, 1), { at }));
    expect(error.message).toContain("lacks 2 entries: y[1] by x[1] is 3; y[1] by x[2] is 2");
    expect(error.location?.file).toContain("sparsity.test.ts");
  });

  test("entries that are zero here are undecided", () => {
    const zero = { x: [0, 2, 0, 4], s: 0 };
    const report = checkPattern(f, without(whole, 0), { at: zero, throws: false });
    expect(report.missing.map(({ column }) => column)).toEqual([0]);
    expect(report.undecided).toBe(1);
  });

  test("of Hessians and some inputs", () => {
    const g = chained(6);
    const pattern = sparsity(g, { of: "hessian", wrt: ["x"] });
    const point = { x: range(6).map((i) => i / 3), weights: [1, 2, 3, 4] };
    const options = { of: "hessian", wrt: ["x"], at: point } as const;
    expect(checkPattern(g, pattern, options).ok).toBe(true);
    const lower = sparseHessian(g, { wrt: ["x"], triangle: "lower" }).pattern;
    expect(checkPattern(g, lower, options).ok).toBe(true);
    const report = checkPattern(g, without(pattern, 2), { ...options, throws: false });
    expect(report.missing.map(({ row, column }) => [row, column])).toEqual([
      [2, 1],
      [2, 2],
      [2, 3],
    ]);
    const dense = hessian(g, { wrt: ["x"] })(point).x.x as Float64Array;
    report.missing.forEach(({ row, column, value }) => {
      expect(value).toBeCloseTo(dense[6 * row + column]!, 12);
    });
  });
});

describe("errors", () => {
  const f = fn({ x: vector(3) }, ({ x }) => x.gather(x.floor()));
  const message = (kind: Parameters<typeof thrown>[0], call: () => unknown) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("sparsity.test.ts");
    return error.message;
  };

  test("malformed options", () => {
    expect(message(ArgumentError, () => sparsity(f, any({ off: "jacobian" })))).toContain(
      'there is no option "off"',
    );
    expect(message(ArgumentError, () => sparsity(f, { of: any("hess") }))).toContain(
      'of is "jacobian" or "hessian"',
    );
    expect(message(ArgumentError, () => sparsity(f, { maxNonzeros: 0.5 }))).toContain(
      "maxNonzeros is a whole number",
    );
    expect(message(NameError, () => sparsity(f, { wrt: any(["y"]) }))).toContain("y");
    expect(message(ShapeError, () => sparsity(f, { of: "hessian" }))).toContain("one scalar");
    expect(message(ArgumentError, () => sparsity(any((x: number) => x)))).toContain("sparsity");
    expect(message(ArgumentError, () => checkPattern(f, sparsity(f), any({})))).toContain(
      "at is missing",
    );
    expect(
      message(ArgumentError, () => checkPattern(f, any(3), { at: { x: [0, 1, 2] } })),
    ).toContain("expected a pattern");
  });

  test("points that do not fit, or at which the function fails", () => {
    expect(message(ShapeError, () => sparsity(f, { at: { x: [1, 2] } }))).toContain("x");
    expect(message(NameError, () => sparsity(f, { at: any({ y: 1 }) }))).toContain("x");
    const linear = fn({ x: vector(3) }, ({ x }) => x.mul(2));
    expect(message(ShapeError, () => sparsity(linear, { at: { x: [1, 2] } }))).toContain("x");
    expect(message(IndexError, () => sparsity(f, { at: { x: [0, 1, 7] } }))).toContain("7");
  });

  test("too many nonzeros are refused before they are made", () => {
    const n = 200_000;
    const dense = fn({ x: vector(n) }, ({ x }) => x.mul(x.sum()));
    expect(message(LimitError, () => sparsity(dense))).toContain(
      "at least 40000000000 nonzeros, more than 134217728",
    );
    expect(message(LimitError, () => sparsity(dense, { maxNonzeros: 1e6 }))).toContain("1000000");
    const square = fn({ x: vector(n) }, ({ x }) => x.sum().square());
    message(LimitError, () => sparsity(square, { of: "hessian", maxNonzeros: 1e6 }));
  });

  test("patterns that are none, or of another size", () => {
    const pattern = sparsity(f);
    const at = { x: [0, 1, 2] };
    message(ShapeError, () => checkPattern(f, { ...pattern, rows: 2 }, { at }));
    message(ShapeError, () => checkPattern(f, pattern, { at: { x: [1, 2] } }));
    const square = fn({ x: vector(3) }, ({ x }) => x.square());
    const { rows, columns, rowStarts, columnIndices: diagonal } = sparsity(square);
    const lower = { rows, columns, rowStarts, columnIndices: diagonal, triangle: "lower" } as const;
    message(ArgumentError, () => checkPattern(square, lower, { at }));
    const columnIndices = pattern.columnIndices.slice().fill(7);
    message(IndexError, () => checkPattern(f, { ...pattern, columnIndices }, { at }));
    const disposed = fn({ x: vector(2) }, ({ x }) => x);
    disposed.dispose();
    expect(() => sparsity(disposed)).toThrow("used after dispose");
  });
});
