// Sparse Jacobians and Hessians by coloring.
//
//   ADJOINT_RANDOM_PATTERNS=10000   how many random functions (100 otherwise)
import {
  type AdjointFunction,
  ArgumentError,
  argsort,
  checkPattern,
  colorPattern,
  concat,
  fn,
  grad,
  hessian,
  IndexError,
  jacobian,
  LimitError,
  ShapeError,
  scalar,
  sort,
  sparseHessian,
  sparseJacobian,
  sparseMatrix,
  sparsity,
  spyHtml,
  type Value,
  valueAndGrad,
  vector,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

type Vector = Value<[number]>;
type VectorFunction = AdjointFunction<[{ x: Vector }], Vector>;

const range = (n: number) => [...new Array(n).keys()];
const numbers = (n: number) =>
  Float64Array.from({ length: n }, (_, i) => 1.5 + Math.sin(3 * i + 1));

/** Numbers in [0, 1) that are the same on every machine (Park and Miller's generator). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Products with what is far away, so often that a lane's own function is too long to be written out. */
const far = (n: number, steps = 60): VectorFunction =>
  fn({ x: vector(n) }, ({ x }) => {
    const shift = range(n).map((i) => (i + 37) % n);
    let y = x as Vector;
    for (let step = 0; step < steps; step++) {
      y = y.add(
        y
          .sin()
          .mul(y.gather(shift) as Vector)
          .mul(0.01),
      );
    }
    return y;
  });

/** Sorted within rows of four: indices that are known at run time only. */
const sorted = (n: number): VectorFunction =>
  fn(
    { x: vector(n) },
    ({ x }) =>
      sort(x.reshape([n / 4, 4]), { axis: 1 })
        .sin()
        .reshape([n]) as Vector,
  );

/** A dense row, a dense column, and a diagonal. */
const arrow = (n: number): VectorFunction =>
  fn({ x: vector(n) }, ({ x }) => {
    const head = x.slice([0, 1]).sin();
    return concat([x.square().sum().reshape([1]), x.slice([1, n]).mul(head)]) as Vector;
  });

/** Terms of neighbors along a line. */
const line = (n: number) =>
  fn({ x: vector(n), weights: vector(n - 1) }, ({ x, weights }) =>
    x
      .slice([1, n])
      .mul(x.slice([0, n - 1]))
      .sin()
      .mul(weights)
      .sum(),
  );

const notesOf = (f: { explain(): { notes: readonly string[] } }) => f.explain().notes.join("\n");
/** The whole Jacobian; its zeros have one sign. */
const denseOf = (
  f: VectorFunction,
  x: ArrayLike<number>,
  mode: "forward" | "reverse" = "forward",
) =>
  (jacobian(f, { mode })({ x: Float64Array.from(x) }) as { x: Float64Array }).x.map((v) => v + 0);

describe("sparse Jacobians by coloring", () => {
  test("are chosen where instances would be dense", () => {
    for (const f of [far(200), sorted(200)]) {
      const sparse = sparseJacobian(f);
      const pattern = sparsity(f);
      expect(sparse.pattern.columnIndices).toEqual(pattern.columnIndices);
      expect(sparse.pattern.outputs).toEqual(pattern.outputs);
      const { method, order, count, columnColors } = sparse.coloring!;
      expect(method).toBe("columns");
      expect(colorPattern(pattern, { method, order }).columnColors).toEqual(columnColors);
      expect(spyHtml(sparse.pattern, { coloring: sparse.coloring! })).toContain("colors");
      const x = numbers(200);
      expect(sparse.pattern.toDense(sparse({ x }))).toEqual(denseOf(f, x));
      expect(notesOf(sparse)).toMatch(
        new RegExp(
          `${count} colors forward \\(columns, ${order}\\): \\d+ operations; ` +
            `\\d+ colors reverse \\(rows, \\w+\\) would take \\d+; instances would take \\d+$`,
        ),
      );
    }
  });

  test("are not looked at where instances are sparse", () => {
    const f = fn({ x: vector(9) }, ({ x }) => x.slice([1, 9]).mul(x.slice([0, 8])));
    const sparse = sparseJacobian(f);
    expect(sparse.coloring).toBeUndefined();
    expect(notesOf(sparse)).not.toContain("colors");
    const forced = sparseJacobian(f, { method: "coloring" });
    expect(forced.coloring!.count).toBe(2);
    expect(forced({ x: numbers(9) })).toEqual(sparse({ x: numbers(9) }));
  });

  test("instances are taken where they are cheaper, and it is said", () => {
    const sparse = sparseJacobian(arrow(200));
    expect(sparse.coloring).toBeUndefined();
    expect(notesOf(sparse)).toMatch(/instances: \d+ operations; 2 colors forward and 1 reverse/);
    const all = fn({ x: vector(20) }, ({ x }) => x.mul(x.sum()));
    expect(notesOf(sparseJacobian(all))).not.toContain("colors");
  });

  test("arrows by rows and columns", () => {
    const sparse = sparseJacobian(arrow(100), { method: "coloring" });
    expect(sparse.coloring).toMatchObject({ method: "rowsAndColumns", count: 3 });
    expect(sparse.coloring!.rowColors.length).toBe(100);
    const x = numbers(100);
    const [found, dense] = [sparse.pattern.toDense(sparse({ x })), denseOf(arrow(100), x)];
    expect(found).toEqual(dense);
  });

  test("by the coloring that is asked for", () => {
    const f = sorted(40);
    const x = numbers(40);
    for (const method of ["columns", "rows", "rowsAndColumns"] as const) {
      for (const format of ["csr", "csc", "coo"] as const) {
        const coloring = { method, order: "random", seed: 5 } as const;
        const sparse = sparseJacobian(f, { method: "coloring", format, coloring });
        expect(sparse.coloring).toMatchObject({ method, order: "random" });
        expect(sparse.pattern.format).toBe(format);
        const found = sparse.pattern.toDense(sparse({ x }));
        expect(found).toEqual(denseOf(f, x, method === "rows" ? "reverse" : "forward"));
      }
    }
    const { coloring } = sparseJacobian(f, { method: "coloring", mode: "reverse" });
    expect(coloring!.method).toBe("rows");
    expect(coloring!.columnColors.length).toBe(0);
  });

  test("of a pattern of one's own", () => {
    const f = sorted(8);
    const at = { x: [4, 3, 2, 1, 1, 2, 3, 4] };
    const pattern = sparsity(f, { at });
    expect(checkPattern(f, pattern, { at }).ok).toBe(true);
    for (const given of [pattern, sparseMatrix(pattern, numbers(8)), { ...pattern }]) {
      const sparse = sparseJacobian(f, { pattern: given, format: "coo" });
      expect(sparse.coloring!.count).toBe(1);
      expect(sparse.pattern.nonzeros).toBe(8);
      expect(sparse.pattern.toDense(sparse(at))).toEqual(denseOf(f, at.x));
    }
    const { rows, columns } = pattern;
    const coordinates = {
      ...{ rows, columns },
      rowIndices: Int32Array.of(3, 0),
      columnIndices: Int32Array.of(0, 3),
    };
    const two = sparseJacobian(f, { pattern: coordinates });
    expect(two.pattern.rowStarts).toEqual(Int32Array.of(0, 1, 1, 1, 2, 2, 2, 2, 2));
    expect(two(at)).toEqual(Float64Array.of(Math.cos(1), Math.cos(4)));
  });

  test("with the value, in one evaluation", async () => {
    for (const method of ["instances", "coloring"] as const) {
      const f = fn({ x: vector(8), s: scalar() }, ({ x, s }) => ({
        y: x
          .slice([1, 8])
          .mul(x.slice([0, 7]))
          .exp()
          .mul(s),
        z: x.at(0).square(),
      }));
      const both = sparseJacobian(f, { method, withValue: true, wrt: ["x"] });
      const given = { x: numbers(8), s: 2 };
      const { value, jacobian: entries } = both(given);
      expect(value).toEqual(f(given));
      expect(entries).toEqual(sparseJacobian(f, { method, wrt: ["x"] })(given));
      expect(await both.async(given)).toEqual({ value, jacobian: entries });
      const session = both.session();
      session.inputs.x.set(given.x);
      session.inputs.s[0] = 2;
      session.run();
      expect(session.outputs.jacobian).toEqual(entries);
      const lanes = vmap(both, 2)({ x: [[...given.x], [...given.x]], s: [2, 2] });
      expect(lanes.jacobian.subarray(entries.length)).toEqual(entries);
    }
  });

  test("of functions without inputs or entries", () => {
    const f = fn({ x: vector(3) }, ({ x }) => x.floor());
    const sparse = sparseJacobian(f, { method: "coloring" });
    expect(sparse({ x: [1, 2, 3] }).length).toBe(0);
    expect(sparse.coloring!.count).toBe(0);
    expect(sparse.pattern.rowStarts).toEqual(new Int32Array(4));
  });

  test("NaN and infinity stay in their rows and columns", () => {
    const f = fn({ x: vector(12) }, ({ x }) => {
      const [a, b, c] = [x.slice([0, 10]), x.slice([1, 11]), x.slice([2, 12])];
      return where(b.greater(1), b.log(), b).mul(c).add(a.sqrt().div(c));
    });
    for (const method of ["columns", "rows"] as const) {
      const sparse = sparseJacobian(f, { method: "coloring", coloring: { method } });
      expect(sparse.coloring!.count).toBe(3);
      const mode = method === "columns" ? "forward" : "reverse";
      const dense = jacobian(f, { mode });
      for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, 0, -1]) {
        for (const at of range(12)) {
          const x = numbers(12);
          x[at] = poison;
          const whole = (dense({ x }) as { x: Float64Array }).x;
          const found = sparse({ x });
          const { rowStarts, columnIndices } = sparse.pattern;
          for (const row of range(10)) {
            for (let k = rowStarts[row]!; k < rowStarts[row + 1]!; k++) {
              expect(found[k]).toBe(whole[12 * row + columnIndices[k]!]);
              if (Math.abs(row + 1 - at) > 1) expect(found[k]).not.toBeNaN();
            }
          }
        }
      }
    }
  });
});

describe("sparse Hessians by coloring", () => {
  const given = { x: numbers(12), weights: numbers(11) };
  const dense = hessian(line(12), { wrt: ["x"] })(given).x.x as Float64Array;
  const near = (found: Float64Array, wanted: Float64Array) =>
    found.forEach((value, i) => {
      expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-13);
    });

  test("by star, acyclic and distance-two colors, by format and triangle", () => {
    for (const [method, count] of [
      ["star", 3],
      ["acyclic", 2],
      ["distanceTwo", 3],
    ] as const) {
      for (const format of ["csr", "csc", "coo"] as const) {
        for (const triangle of ["full", "lower", "upper"] as const) {
          const sparse = sparseHessian(line(12), {
            ...({ wrt: ["x"], method: "coloring", format, triangle } as const),
            coloring: { method, order: "natural" },
          });
          expect(sparse.coloring).toMatchObject({ method, count });
          const wanted = dense.map((value, i) => {
            const [row, column] = [Math.floor(i / 12), i % 12];
            const isIn =
              triangle === "full" || (triangle === "lower" ? column <= row : column >= row);
            return isIn ? value : 0;
          });
          near(sparse.pattern.toDense(sparse(given)), wanted);
          expect(sparse.pattern.triangle).toBe(triangle);
        }
      }
    }
  });

  test("are chosen where instances would be dense", () => {
    const f = fn({ x: vector(80) }, ({ x }) =>
      sorted(80)({ x: x.square() as Vector })
        .square()
        .sum(),
    );
    const sparse = sparseHessian(f, { triangle: "lower" });
    expect(sparse.coloring!.method).toBe("star");
    const whole = hessian(f)({ x: numbers(80) }).x.x as Float64Array;
    const found = sparse.pattern.toDense(sparse({ x: numbers(80) }));
    found.forEach((value, i) => {
      if (i % 80 <= Math.floor(i / 80)) expect(value).toBeCloseTo(whole[i]!, 12);
    });
  });

  test("dense blocks name the operation that made them so", () => {
    const f = fn({ x: vector(70) }, ({ x }) => x.cumsum().square().sum());
    for (const method of ["auto", "instances"] as const) {
      expect(notesOf(sparseHessian(f, { method }))).toMatch(
        /dense 70 by 70 because of cumsum at .*sparse-coloring\.test\.ts:\d+/,
      );
    }
  });

  test("of a triangle's pattern", () => {
    const { pattern } = sparseHessian(line(12), { wrt: ["x"], triangle: "lower" });
    const sparse = sparseHessian(line(12), { wrt: ["x"], pattern });
    expect(sparse.coloring!.method).toBe("star");
    expect(sparse.pattern.triangle).toBe("full");
    near(sparse.pattern.toDense(sparse(given)), dense);
  });

  test("with value and gradient", () => {
    const reference = valueAndGrad(line(12), { wrt: ["x"] })(given);
    for (const method of ["instances", "coloring"] as const) {
      const options = { method, wrt: ["x"] } as const;
      const sparse = sparseHessian(line(12), { ...options, withGradient: true });
      const { value, gradient, hessian: entries } = sparse(given);
      expect({ value, grad: gradient }).toEqual(reference);
      expect(entries).toEqual(sparseHessian(line(12), options)(given));
    }
  });
});

describe("errors", () => {
  const f = sorted(8);
  const messageOf = (kind: Parameters<typeof thrown>[0], call: () => unknown) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("sparse-coloring.test.ts");
    return error.message;
  };
  const pattern = sparsity(f);
  const { rows, columns, rowStarts, columnIndices } = pattern;

  test("malformed options", () => {
    const jacobianOf = (options: object) => () => sparseJacobian(f, any(options));
    const cases: [object, string][] = [
      [{ method: "colors" }, 'method is "auto", "instances" or "coloring"'],
      [{ coloring: { method: "star" } }, 'coloring.method is "columns", "rows" or'],
      [{ coloring: { method: "" } }, "coloring.method is"],
      [{ coloring: { order: "any" } }, 'coloring.order is "natural"'],
      [{ coloring: { seed: -1 } }, "coloring.seed is a whole number from 0, got -1"],
      [{ coloring: { colors: 3 } }, 'there is no option "colors"'],
      [{ coloring: "rows" }, "options are an object"],
      [{ maxColors: 0 }, "maxColors is a whole number from 1, got 0"],
      [{ maxNonzeros: 0.5 }, "maxNonzeros is a whole number from 0"],
      [{ withValue: 1 }, "withValue is true or false, got a number"],
      [{ withGradient: true }, 'there is no option "withGradient"'],
      [{ pattern: 3 }, "expected a pattern"],
      [{ method: "instances", pattern }, 'not for the method "instances"'],
      [{ method: "instances", coloring: { order: "natural" } }, 'not for the method "instances"'],
      [{ mode: "forward", coloring: { method: "rows" } }, "reverse by colors of rows"],
    ];
    for (const [options, text] of cases) {
      expect(messageOf(ArgumentError, jacobianOf(options))).toContain(text);
    }
    const hessianOf = (options: object) => () => sparseHessian(line(4), any(options));
    expect(messageOf(ArgumentError, hessianOf({ coloring: { method: "rows" } }))).toContain(
      'coloring.method is "star", "acyclic" or "distanceTwo"',
    );
    expect(messageOf(ArgumentError, hessianOf({ method: "coloring", mode: "reverse" }))).toContain(
      "forward over reverse",
    );
  });

  test("patterns", () => {
    const by = (given: object) => () => sparseJacobian(f, { pattern: any(given) });
    const own = { rows, columns, rowStarts, columnIndices };
    expect(messageOf(ShapeError, by({ ...own, columns: 9 }))).toContain("8 columns, got 8 and 9");
    expect(messageOf(ShapeError, by({ ...own, rows: 9 }))).toContain("rowStarts");
    const none = new Int32Array(0);
    const huge = { rows: 2 ** 30, columns: 2 ** 30, rowIndices: none, columnIndices: none };
    expect(messageOf(ShapeError, by(huge))).toContain("8 columns, got 1073741824");
    expect(
      messageOf(ShapeError, () => sparseHessian(line(8), { wrt: ["x"], pattern: huge })),
    ).toContain("8 rows and 8 columns");
    expect(messageOf(IndexError, by({ ...own, columns: 4 }))).toContain("columnIndices");
    expect(
      messageOf(ArgumentError, by({ ...own, columnIndices: columnIndices.slice().reverse() })),
    ).toContain("ascend");
    expect(
      messageOf(ArgumentError, by({ ...own, columnIndices: columnIndices.map(() => 1) })),
    ).toContain("ascend");
    const lower = sparseHessian(line(8), { wrt: ["x"], triangle: "lower" }).pattern;
    expect(messageOf(ArgumentError, by(lower))).toContain("is for Hessians");
    const skew = {
      ...{ rows: 8, columns: 8 },
      rowIndices: Int32Array.of(1),
      columnIndices: Int32Array.of(0),
    };
    expect(
      messageOf(ArgumentError, () => sparseHessian(line(8), { wrt: ["x"], pattern: skew })),
    ).toContain("symmetric");
  });

  test("limits", () => {
    const coloring = { method: "columns" } as const;
    expect(
      messageOf(LimitError, () =>
        sparseJacobian(f, { method: "coloring", maxColors: 3, coloring }),
      ),
    ).toContain("it takes 4 colors, more than 3");
    expect(messageOf(LimitError, () => sparseJacobian(f, { maxNonzeros: 31 }))).toContain("31");
    expect(messageOf(LimitError, () => sparseJacobian(f, { pattern, maxNonzeros: 31 }))).toContain(
      "a pattern of 32 nonzeros",
    );
    expect(sparseJacobian(f, { maxNonzeros: 32 }).pattern.nonzeros).toBe(32);
    // Too many colors: instances after all.
    const dense = sparseJacobian(sorted(40), { maxColors: 3 });
    expect(dense.coloring).toBeUndefined();
    expect(dense.pattern.nonzeros).toBe(1600);
    expect(notesOf(dense)).toContain("4 colors forward (columns, natural) would take");
    expect(notesOf(dense)).toContain("too large");
  });

  test("dense matrices of more entries than memory are never made", () => {
    const n = 100_000;
    const f = fn({ x: vector(n) }, ({ x }) => sort(x.reshape([n / 4, 4]), { axis: 1 }).square());
    const sparse = sparseJacobian(f);
    expect(sparse.coloring!.count).toBe(4);
    expect(sparse.pattern.nonzeros).toBe(4 * n);
    expect(notesOf(sparse)).toMatch(/instances would take \d+, too large$/);
  });
});

/** Vectors of n elements made of each other, of few neighbors mostly. */
function randomFunction(random: () => number, n: number): VectorFunction {
  const below = (limit: number) => Math.floor(random() * limit);
  const operations: ((a: Vector, b: Vector, k: number) => Vector)[] = [
    (a, b) => a.add(b.mul(0.5)),
    (a, b) => a.mul(b),
    (a, b) => a.div(b.square().add(1)),
    (a) => a.sin(),
    (a) => a.abs().add(0.1).sqrt(),
    (a, b) => a.max(b),
    (a, b) => where(a.greater(0), a.abs().log(), b),
    (a, b, k) => concat([a.slice([k, n]), b.slice([0, k])]) as Vector,
    (a, _, k) => a.gather(range(n).map((i) => (i + k) % n)) as Vector,
    (a, b, k) =>
      b.scatterAdd(
        range(n).map((i) => (i + k) % 3),
        a,
      ) as Vector,
    (a) => sort(a.reshape([n / 2, 2]), { axis: 1 }).reshape([n]) as Vector,
    (a, b) => {
      const rows = [n / 3, 3] as const;
      const order = argsort(b.slice([0, 3]));
      return a.reshape(rows).gather(order, { axis: 1 }).reshape([n]) as Vector;
    },
    (a) =>
      a
        .reshape([n / 3, 3])
        .cumsum({ axis: 1 })
        .reshape([n]) as Vector,
  ];
  const steps = range(2 + below(5)).map(() => range(4).map(random));
  return fn({ x: vector(n) }, ({ x }) => {
    const values = [x as Vector];
    for (const [which, first, second, k] of steps as [number, number, number, number][]) {
      const pick = (p: number) => values[values.length - 1 - Math.floor(p ** 2 * values.length)]!;
      const operation = operations[Math.floor(which * operations.length)]!;
      values.push(operation(pick(first), pick(second), 1 + Math.floor(k * (n - 1))));
    }
    return values.at(-1)!;
  });
}

test("random functions", () => {
  const trials = Number(process.env.ADJOINT_RANDOM_PATTERNS ?? 100);
  const random = randomNumbers(11);
  let [entries, identical, colored] = [0, 0, 0];
  for (let trial = 0; trial < trials; trial++) {
    const n = 6 + 6 * (trial % 3);
    const f = randomFunction(random, n);
    const sum = fn({ x: vector(n) }, ({ x }) => f({ x }).sin().sum());
    const x = Float64Array.from({ length: n }, () => 4 * random() - 2);
    // NaN in one element, now and then.
    if (trial % 4 === 0) x[Math.floor(random() * n)] = Number.NaN;
    const slope = grad(sum);
    const curvature = denseOf(
      fn({ x: vector(n) }, (given) => slope(given).x as Vector),
      x,
    );
    const mirrored = curvature.map((_, i) => curvature[(i % n) * n + Math.floor(i / n)]!);
    const [forward, reverse] = [denseOf(f, x), denseOf(f, x, "reverse")];
    const coloring = { method: "columns" } as const;
    const matrices = [
      [sparseJacobian(f), forward, reverse],
      [sparseJacobian(f, { method: "coloring", coloring }), forward, forward],
      [sparseHessian(sum, { method: "coloring" }), curvature, mirrored],
    ] as const;
    for (const [sparse, wanted, other] of matrices) {
      if (sparse.coloring !== undefined) colored++;
      // Instances that do not read the NaN have none, which sums of dense matrices have.
      else if (trial % 4 === 0) continue;
      const { rowStarts, columnIndices } = sparse.pattern;
      sparse({ x }).forEach((value, k) => {
        const row = rowStarts.findLastIndex((start) => start <= k);
        const place = n * row + columnIndices[k]!;
        entries++;
        if (Object.is(value + 0, wanted[place]! + 0) || Object.is(value + 0, other[place]! + 0)) {
          identical++;
        } else if (Number.isFinite(value) || Number.isFinite(wanted[place])) {
          expect(Math.abs(value / wanted[place]! - 1)).toBeLessThan(1e-10);
        }
      });
      sparse.dispose();
    }
    for (const made of [f, sum, slope]) made.dispose();
  }
  expect(colored).toBeGreaterThan(2 * trials - 1);
  expect(identical / entries).toBeGreaterThan(0.9);
  if (trials > 100) console.log(`${identical} of ${entries} entries have the same bits`);
}, 3_600_000);
