// Indices that are none: errors name the number that was given, whatever became of it in a table of many rows.
import {
  constant,
  fn,
  IndexError,
  jacobian,
  matrix,
  scalar,
  scan,
  takeAlongAxis,
  type Value,
  vector,
  vmap,
} from "adjoint";
import { expect, test } from "vitest";
import { thrown } from "./thrown.js";

function built(call: () => unknown): void {
  expect(thrown(IndexError, call).location?.file).toContain("index-errors.test.ts");
}

const x = Float64Array.from({ length: 8 }, (_, k) => k);
const one = (index: number) => Float64Array.of(0, 0, 0, index);
const functions = {
  gather: fn({ x: vector(2), i: scalar() }, ({ x, i }) => x.gather(i)),
  scatterAdd: fn({ x: vector(2), i: scalar() }, ({ x, i }) => x.scatterAdd(i, 1)),
};

test.each(["gather", "scatterAdd"] as const)("in vmap: %s", (name) => {
  const f = functions[name];
  const slope = jacobian(f, { wrt: ["x"] });
  const nested = vmap(vmap(f, 2), 2);
  for (const index of [2, 7, -1, 0.5, -0.5, 1e300, 2 ** 40, Number.NaN]) {
    const found = `${name}: index ${index} at element 3 is not in [0, 2)`;
    for (const run of [
      () => vmap(f, 4)({ x, i: one(index) }),
      () => vmap(slope, 4)({ x, i: one(index) }),
      () => nested({ x, i: one(index) }),
    ])
      expect(thrown(IndexError, run).message).toContain(found);
  }
});

test("in a loop over steps", () => {
  const body = vmap(functions.gather, 2);
  const f = fn({ x: matrix(2, 2), i: matrix(3, 2) }, ({ x, i }) =>
    scan((sum: Value<[2]>, row) => [sum.add(body({ x, i: row })), sum], constant([0, 0], [2]), i),
  );
  const run = () => f({ x: x.slice(0, 4), i: Float64Array.of(0, 1, 1, 2, 0, 0) });
  expect(thrown(IndexError, run).message).toContain(
    "gather: index 2 at element 1 is not in [0, 2)",
  );
});

test.each([0, 1] as const)("along axis %i of a matrix, where others have elements", (axis) => {
  const f = fn({ x: matrix(4, 4), i: matrix(4, 4) }, ({ x, i }) => takeAlongAxis(x, i, { axis }));
  const lanes = vmap(f, 2);
  const values = Float64Array.from({ length: 16 }, (_, k) => k);
  const indices = (index: number) => new Float64Array(16).fill(index, 5, 6);
  const taken = f({ x: values, i: indices(3) }) as Float64Array;
  expect(taken[5]).toBe(axis === 0 ? 13 : 7);
  for (const index of [4, -1, 0.5, 0.25, 1e300, Number.NaN]) {
    const found = `index ${index} at element`;
    const run = () => f({ x: values, i: indices(index) });
    expect(thrown(IndexError, run).message).toContain(`${found} 5 is not in [0, 4)`);
    const two = {
      x: new Float64Array(32),
      i: Float64Array.of(...new Float64Array(16), ...indices(index)),
    };
    expect(thrown(IndexError, () => lanes(two)).message).toContain(`${found} 21 is not in [0, 4)`);
  }
});

test("numbers, when the function is made", () => {
  for (const index of [3, -1, 0.5, Number.NaN]) {
    built(() => fn({ x: vector(3) }, ({ x }) => x.gather(index)));
    built(() => fn({ x: vector(3) }, ({ x }) => x.gather([0, index])));
    built(() => fn({ x: vector(3) }, ({ x }) => x.scatterAdd([index], constant([1]))));
    built(() => fn({ x: matrix(3, 2) }, ({ x }) => takeAlongAxis(x, [[0, index]], { axis: 0 })));
  }
  const edge = fn({ x: matrix(2, 3) }, ({ x }) => x.gather([2, 0], { axis: -1 }).sum());
  expect(edge({ x: x.slice(1, 7) })).toBe(14);
});
