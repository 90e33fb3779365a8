import { ArgumentError, fn, StateError, valueAndGrad, vector, vmap } from "adjoint";
import { expect, test } from "vitest";
import { thrown } from "./thrown.js";

const lanes = 5000;
const f = fn({ x: vector(4), y: vector(6) }, ({ x, y }) =>
  x.at(0).mul(y).sub(x.at(1)).exp().sum().log().add(x.sum()),
);
const batch = vmap(valueAndGrad(f), lanes);

function session() {
  const made = batch.session();
  made.inputs.x.forEach((_, i, x) => {
    x[i] = Math.sin(i);
  });
  made.inputs.y.forEach((_, i, y) => {
    y[i] = Math.cos(3 * i);
  });
  return made;
}

const bits = (values: Float64Array) => [...new BigUint64Array(values.slice().buffer)];

test("the bits do not depend on the number of threads", async () => {
  const one = session();
  one.run();
  for (const threads of [1, 2, 3, 7]) {
    const some = session();
    some.run({ threads });
    expect(bits(some.outputs.grad.x)).toEqual(bits(one.outputs.grad.x));
    expect(bits(some.outputs.value)).toEqual(bits(one.outputs.value));
    some.outputs.value.fill(0);
    await some.runAsync({ threads });
    expect(bits(some.outputs.grad.y)).toEqual(bits(one.outputs.grad.y));
    expect(bits(some.outputs.value)).toEqual(bits(one.outputs.value));
    some.dispose();
  }
});

test("one lane of a batch is the single call", () => {
  const all = session();
  all.run();
  const single = valueAndGrad(f).session();
  for (const lane of [0, 1, 63, 64, lanes - 1]) {
    single.inputs.x.set(all.inputs.x.subarray(4 * lane, 4 * lane + 4));
    single.inputs.y.set(all.inputs.y.subarray(6 * lane, 6 * lane + 6));
    single.run();
    expect(single.outputs.value[0]).toBe(all.outputs.value[lane]);
    expect(bits(single.outputs.grad.y)).toEqual(
      bits(all.outputs.grad.y.subarray(6 * lane, 6 * lane + 6)),
    );
  }
});

test("numbers of threads that are none", async () => {
  const made = session();
  for (const threads of [0, -1, 1.5, 257, Number.NaN, "2", null]) {
    const options = { threads } as { threads: number };
    thrown(ArgumentError, () => made.run(options));
    const got = threads === null ? "null" : JSON.stringify(threads).replace("null", "NaN");
    await expect(made.runAsync(options)).rejects.toThrow(
      `threads is an integer from 1 to 256, got ${got}`,
    );
    await expect(f.async({ x: [1, 2, 3, 4], y: [1, 2, 3, 4, 5, 6] }, options)).rejects.toThrow(
      ArgumentError,
    );
  }
  made.run({});
  made.dispose();
  thrown(StateError, () => made.run({ threads: 2 }));
});

test("a run on threads is refused while an asynchronous one is under way", async () => {
  const made = session();
  const running = made.runAsync();
  thrown(StateError, () => made.run({ threads: 2 }));
  await running;
});
