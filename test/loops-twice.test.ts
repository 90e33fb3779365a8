/** Reverse mode twice through loops: the second loop of a pair is read backwards itself. */
import { concat, fn, forLoop, grad, hessian, jacobian, scan, vector, whileLoop } from "adjoint";
import { expect, test } from "vitest";

const at = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => Math.sin(i + 1));

function expectSame(found: Float64Array, expected: Float64Array): void {
  const largest = Math.max(...expected.map(Math.abs));
  found.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(64 * Number.EPSILON * largest);
  });
}

test.each(["all", "sqrt", { revolve: 3 }] as const)("policy %o", (checkpoint) => {
  for (const reverse of [false, true]) {
    const f = fn({ x: vector(4), u: vector(9) }, ({ x, u }) => {
      const [last, rows] = scan(
        (carry, row) => {
          const next = concat([carry.slice([1, null]), carry.slice([0, 1])])
            .mul(row)
            .tanh();
          return [next.add(carry), next.sum()];
        },
        x,
        u,
        { reverse, checkpoint },
      );
      return last.square().sum().add(rows.sin().sum());
    });
    const inputs = { x: at(4), u: at(9) };
    const forward = jacobian(grad(f), { mode: "forward" })(inputs);
    const backward = jacobian(grad(f), { mode: "reverse" })(inputs);
    for (const [of, by] of [
      ["x", "x"],
      ["x", "u"],
      ["u", "x"],
      ["u", "u"],
    ] as const)
      expectSame(backward[of][by], forward[of][by]);
  }
});

test("loops that end by themselves, and loops in loops", () => {
  const f = fn({ x: vector(3) }, ({ x }) => {
    const grown = whileLoop(
      (v) => v.square().sum().less(50),
      (v) => v.add(forLoop(3, (i, w) => w.mul(v).sin().add(i.mul(0.1)), x)),
      x,
      { maxSteps: 1000 },
    );
    return grown.mul(x).sum();
  });
  const inputs = { x: at(3) };
  const forward = jacobian(grad(f), { mode: "forward" })(inputs).x.x;
  expectSame(jacobian(grad(f), { mode: "reverse" })(inputs).x.x, forward);
  expectSame(hessian(f)(inputs).x.x, forward);
});
