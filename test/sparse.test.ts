import {
  ArgumentError,
  concat,
  cos,
  fn,
  grad,
  jacobian,
  LimitError,
  matrix,
  NameError,
  ShapeError,
  type SparsePattern,
  scalar,
  sin,
  sparseJacobian,
  stack,
  type Value,
  vector,
  vmap,
  where,
} from "adjoint";
import { describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

const f64 = (...values: number[]) => Float64Array.from(values);
const i32 = (...values: number[]) => Int32Array.from(values);

/** Numbers that look random, the same every time. */
function numbers(count: number, seed = 1): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (state * 16807) % 2147483647;
    return 0.5 + state / 2147483647;
  });
}

/** Blocks [row count of the output][column count of the input] of a dense Jacobian as one matrix. */
function joined(pattern: SparsePattern, blocks: readonly (readonly Float64Array[])[]) {
  const matrix = new Float64Array(pattern.rows * pattern.columns);
  pattern.outputs.forEach((output, o) => {
    pattern.inputs.forEach((input, i) => {
      for (let row = 0; row < output.count; row++) {
        const own = blocks[o]![i]!.subarray(row * input.count, (row + 1) * input.count);
        matrix.set(own, (output.start + row) * pattern.columns + input.start);
      }
    });
  });
  return matrix;
}

const chain = fn({ x: vector(4) }, ({ x }) => x.slice([1, null]).sub(x.slice([0, -1]).square()));

const observation = fn(
  {
    camera: { angle: scalar(), shift: vector(2), focal: scalar() },
    point: vector(2),
    seen: vector(2),
  },
  ({ camera, point, seen }) => {
    const [x, y] = [point.at(0), point.at(1)];
    const turned = x.mul(cos(camera.angle)).sub(y.mul(sin(camera.angle)));
    const depth = x
      .mul(sin(camera.angle))
      .add(y.mul(cos(camera.angle)))
      .add(4);
    return stack([turned.div(depth), depth.reciprocal()])
      .mul(camera.focal)
      .add(camera.shift)
      .sub(seen);
  },
);

/** Observation i is of point pointOf[i] by camera cameraOf[i]. */
function adjustment(cameraOf: readonly number[], pointOf: readonly number[]) {
  const p = cameraOf.length;
  return fn(
    {
      cameras: { angle: vector(3), shift: matrix(3, 2), focal: vector(3) },
      points: matrix(5, 2),
      seen: matrix(p, 2),
    },
    ({ cameras, points, seen }) => ({
      errors: vmap(
        observation,
        p,
      )({
        camera: {
          angle: cameras.angle.gather(cameraOf) as Value<[number]>,
          shift: cameras.shift.gather(cameraOf) as Value<[number, 2]>,
          focal: cameras.focal.gather(cameraOf) as Value<[number]>,
        },
        point: points.gather(pointOf) as Value<[number, 2]>,
        seen: seen as Value<[number, 2]>,
      }),
      prior: cameras.focal.square().sub(1),
    }),
  );
}

describe("patterns", () => {
  test("compressed rows", () => {
    const { pattern } = sparseJacobian(chain);
    expect(pattern).toMatchObject({ format: "csr", rows: 3, columns: 4, nonzeros: 6 });
    expect(pattern.rowStarts).toEqual(i32(0, 2, 4, 6));
    expect(pattern.columnIndices).toEqual(i32(0, 1, 1, 2, 2, 3));
    expect(pattern.outputs).toEqual([{ path: "", start: 0, count: 3 }]);
    expect(pattern.inputs).toEqual([{ path: "x", start: 0, count: 4 }]);
    const values = sparseJacobian(chain)({ x: [1, 2, 3, 4] });
    expect(values).toEqual(f64(-2, 1, -4, 1, -6, 1));
    expect(pattern.toDense(values)).toEqual(jacobian(chain)({ x: [1, 2, 3, 4] }).x);
  });

  test("compressed columns", () => {
    const j = sparseJacobian(chain, { format: "csc" });
    expect(j.pattern).toMatchObject({ format: "csc", rows: 3, columns: 4, nonzeros: 6 });
    expect(j.pattern.columnStarts).toEqual(i32(0, 1, 3, 5, 6));
    expect(j.pattern.rowIndices).toEqual(i32(0, 0, 1, 1, 2, 2));
    const x = [1, 2, 3, 4];
    expect(j({ x })).toEqual(f64(-2, 1, -4, 1, -6, 1));
    expect(j.pattern.toDense(j({ x }))).toEqual(jacobian(chain)({ x }).x);
    expect(j.explain().notes[0]).toBe("sparse Jacobian (csc): 3 rows, 4 columns, 6 entries");
  });

  test("columns hold the values that rows do, to the bit", () => {
    const n = 40;
    const f = fn({ x: vector(n), w: matrix(n, 3) }, ({ x, w }) => ({
      near: x
        .mul(w.slice([0, null], [1, 2]).reshape([n]))
        .add(concat([x.slice([1, null]), x.slice([0, 1])]).sin()),
      added: x.gather([...new Array(n).keys()].map((i) => (i * i) % n)).exp(),
      mixed: x.slice([0, 5]).softmax(),
    }));
    const given = { x: numbers(n), w: numbers(3 * n, 2) };
    const [rows, columns] = [sparseJacobian(f), sparseJacobian(f, { format: "csc" })];
    expect(columns.pattern.nonzeros).toBe(rows.pattern.nonzeros);
    expect(columns.pattern.toDense(columns(given))).toEqual(rows.pattern.toDense(rows(given)));
    expect(columns.pattern.outputs).toEqual(rows.pattern.outputs);
  });

  test("coordinates", () => {
    const f = fn({ x: vector(3), k: scalar() }, ({ x, k }) => [x.mul(k), x.neg()]);
    const j = sparseJacobian(f, { format: "coo" });
    expect(j.pattern.rowIndices).toEqual(i32(0, 0, 3, 1, 1, 4, 2, 2, 5));
    expect(j.pattern.columnIndices).toEqual(i32(0, 3, 0, 1, 3, 1, 2, 3, 2));
    expect(j({ x: [1, 2, 3], k: 5 })).toEqual(f64(5, 1, -1, 5, 2, -1, 5, 3, -1));
    expect(j.pattern.outputs).toEqual([
      { path: "0", start: 0, count: 3 },
      { path: "1", start: 3, count: 3 },
    ]);
    const onlyX = sparseJacobian(f, { format: "coo", wrt: ["x"] }).pattern;
    expect(onlyX.columns).toBe(3);
    expect(onlyX.nonzeros).toBe(6);
  });

  test("entries of one place: one in rows, several in coordinates", () => {
    const f = fn({ x: vector(3) }, ({ x }) =>
      x
        .gather([0, 1, 2, 1])
        .mul(2)
        .sub(x.gather([1, 1, 0, 2]).square()),
    );
    const rows = sparseJacobian(f);
    const coordinates = sparseJacobian(f, { format: "coo" });
    expect(rows.pattern.nonzeros).toBe(7);
    expect(coordinates.pattern.nonzeros).toBe(8);
    const dense = jacobian(f)({ x: [1, 2, 3] }).x;
    expect(rows.pattern.toDense(rows({ x: [1, 2, 3] }))).toEqual(dense);
    expect(coordinates.pattern.toDense(coordinates({ x: [1, 2, 3] }))).toEqual(dense);
  });

  test("rows without entries, and nothing at all", () => {
    const f = fn({ x: vector(2), y: vector(2) }, ({ x, y }) => ({
      y,
      steps: x.floor(),
      both: x.mul(y),
    }));
    expect(sparseJacobian(f, { wrt: ["x"] }).pattern.rowStarts).toEqual(i32(0, 0, 0, 0, 0, 1, 2));
    const none = sparseJacobian(fn({ x: vector(2) }, ({ x }) => x.sign()));
    expect(none.pattern.nonzeros).toBe(0);
    expect(none({ x: [1, 2] })).toEqual(f64());
    expect(none.pattern.toDense(f64())).toEqual(new Float64Array(4));
    const empty = sparseJacobian(fn({ x: vector(0) }, ({ x }) => x.exp()));
    expect(empty.pattern).toMatchObject({ rows: 0, columns: 0, nonzeros: 0 });
    expect(empty({ x: [] })).toEqual(f64());
  });
});

describe("values", () => {
  const cameraOf = [0, 1, 2, 0, 1, 2, 2, 0];
  const pointOf = [0, 1, 2, 3, 4, 0, 0, 4];
  const f = adjustment(cameraOf, pointOf);
  const at = {
    cameras: { angle: numbers(3), shift: numbers(6, 2), focal: numbers(3, 3) },
    points: numbers(10, 4),
    seen: numbers(16, 5),
  };

  test("of observations by cameras and points, in every mode and format", () => {
    const { errors, prior } = jacobian(f, { wrt: ["cameras", "points"] })(at);
    const blocks = [errors, prior].map(({ cameras: { angle, shift, focal }, points }) => [
      angle,
      shift,
      focal,
      points,
    ]);
    for (const mode of ["auto", "forward", "reverse"] as const) {
      for (const format of ["csr", "csc", "coo"] as const) {
        const j = sparseJacobian(f, { wrt: ["cameras", "points"], mode, format });
        const { pattern } = j;
        expect(pattern.inputs.map(({ path }) => path)).toEqual([
          "cameras.angle",
          "cameras.shift",
          "cameras.focal",
          "points",
        ]);
        // Of an error: the angle, one of the shifts, the focal length and the two of the point.
        expect(pattern.nonzeros).toBe(8 * 2 * 5 + 3);
        const dense = pattern.toDense(j(at));
        const expected = joined(pattern, blocks);
        dense.forEach((value, i) => {
          expect(value).toBeCloseTo(expected[i]!, 13);
        });
        expect(j.explain().notes.join("\n")).toContain(`sparse Jacobian (${format})`);
        if (mode !== "auto") expect(j.explain().notes.join("\n")).toContain(`${mode} (as asked`);
      }
    }
  });

  test("in sessions, asynchronously, in batches and inside other functions", async () => {
    const j = sparseJacobian(chain);
    const x = [1, 2, 3, 4];
    const expected = j({ x });
    const session = j.session();
    session.inputs.x.set(x);
    session.run();
    expect(session.outputs).toEqual(expected);
    session.dispose();
    expect(await j.async({ x })).toEqual(expected);
    expect(j.batch({ x: [x, x] })).toEqual(f64(...expected, ...expected));
    const total = fn({ x: vector(4) }, (given) => j(given).square().sum());
    expect(total({ x })).toBe(expected.reduce((sum, value) => sum + value * value, 0));
    expect(grad(total)({ x })).toEqual({ x: f64(8, 16, 24, 0) });
    expect(j.name).toBe("sparseJacobian(f)");
    j.dispose();
    expect(j.pattern.nonzeros).toBe(6);
  });

  test("where derivatives are infinite or chosen", () => {
    const g = fn({ x: vector(4), y: vector(4) }, ({ x, y }) => [
      where(x.greater(0), x.sqrt(), 0).mul(y),
      x.abs().add(y.sqrt()),
    ]);
    const given = { x: [0, 1, -1, 4], y: [1, 0, 2, 0] };
    const j = sparseJacobian(g);
    const dense = jacobian(g)(given).map(({ x, y }) => [x, y] as Float64Array[]);
    expect(j.pattern.toDense(j(given))).toEqual(joined(j.pattern, dense));
    expect(j.pattern.nonzeros).toBe(16);
  });

  test("of a periodic stencil", () => {
    const ring = fn({ x: vector(6) }, ({ x }) => {
      const next = concat([x.slice([1, null]), x.slice([0, 1])]);
      const last = concat([x.slice([-1, null]), x.slice([0, -1])]);
      return next.add(last).sub(x.mul(x));
    });
    const j = sparseJacobian(ring);
    expect(j.pattern.nonzeros).toBe(18);
    const x = numbers(6);
    expect(j.pattern.toDense(j({ x }))).toEqual(jacobian(ring)({ x }).x);
  });
});

describe("what has no blocks", () => {
  test("is dense, and says by what", () => {
    const f = fn({ x: vector(70), i: vector(5) }, ({ x, i }) => ({
      order: x.cumsum(),
      picked: x.gather(i),
      own: x.square(),
    }));
    const j = sparseJacobian(f, { wrt: ["x"] });
    const notes = j.explain().notes.join("\n");
    expect(notes).toMatch(/dense 70 by 70 because of cumsum at .*sparse\.test\.ts:\d+:\d+/);
    expect(notes).toMatch(/dense 5 by 70 because of gather at .*sparse\.test\.ts:\d+:\d+/);
    expect(notes).toContain("70 times 1 by 1");
    expect(j.pattern.nonzeros).toBe(70 * 70 + 5 * 70 + 70);
    const given = { x: numbers(70), i: [7, 7, 0, 69, 3] };
    const { order, picked, own } = jacobian(f, { wrt: ["x"] })(given);
    const expected = joined(j.pattern, [[order.x], [picked.x as Float64Array], [own.x]]);
    expect(j.pattern.toDense(j(given))).toEqual(expected);
  });
});

describe("errors", () => {
  const code = (call: () => unknown, kind: Parameters<typeof thrown>[0]) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("sparse.test.ts");
    return error.message;
  };

  test("malformed options", () => {
    expect(code(() => sparseJacobian(chain, { format: any("ccs") }), ArgumentError)).toContain(
      'format is "csr", "csc" or "coo", got "ccs"',
    );
    expect(code(() => sparseJacobian(chain, { mode: any(3) }), ArgumentError)).toContain("mode is");
    expect(code(() => sparseJacobian(chain, any({ colour: 1 })), ArgumentError)).toContain(
      "colour",
    );
    expect(code(() => sparseJacobian(chain, any(null)), ArgumentError)).toContain("options");
    expect(code(() => sparseJacobian(chain, { wrt: any(["y"]) }), NameError)).toContain("y");
    expect(code(() => sparseJacobian(any(() => 3)), ArgumentError)).toContain("made by fn");
  });

  test("values that do not fit the pattern", () => {
    const { pattern } = sparseJacobian(chain);
    expect(code(() => pattern.toDense([1, 2]), ShapeError)).toContain("expected 6 values, got 2");
    expect(code(() => pattern.toDense(any("123456")), ArgumentError)).toContain("an array");
  });

  test("matrices that are too large", () => {
    const wide = fn({ x: vector(70_000) }, ({ x }) => x.square());
    const { pattern } = sparseJacobian(wide);
    expect(pattern.nonzeros).toBe(70_000);
    code(() => pattern.toDense(new Float64Array(70_000)), LimitError);
    code(() => sparseJacobian(fn({ x: vector(70_000) }, ({ x }) => x.cumsum())), LimitError);
  });

  test("booleans", () => {
    const f = fn({ x: vector(2) }, ({ x }) => x.greater(0));
    expect(sparseJacobian(f).pattern).toMatchObject({ rows: 2, columns: 2, nonzeros: 0 });
  });
});
