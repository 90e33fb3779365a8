import { concat, constant, fn, matrix, sparseJacobian, type Value } from "adjoint";
import { byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import { sparseContender } from "../harness/sparse.js";
import { brusselatorByHand } from "./brusselator-by-hand.js";
import type { Problem } from "./problem.js";

// The Brusselator on a periodic grid of n times n points, h = 1 / (n - 1):
//   u' = 1 + u^2 v - 4.4 u + 10 / h^2 lap(u) + f, v' = 3.4 u - u^2 v + 10 / h^2 lap(v),
// lap is the sum of four neighbors less four times the point, f is 5 where (x - 0.3)^2 + (y - 0.6)^2 <= 0.01, else 0.
// Rows are all u' and then all v', columns all u and then all v: 12 n^2 entries.

export interface State {
  readonly u: Float64Array;
  readonly v: Float64Array;
}

export function brusselatorInput(n: number): State {
  const random = new Random(80);
  return { u: random.uniforms(n * n, 0.5, 1.5), v: random.uniforms(n * n, 0.5, 1.5) };
}

/** The factor of the differences. */
export const diffusion = (n: number): number => 10 * (n - 1) ** 2;

function source(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => {
    const [x, y] = [(i % n) / (n - 1), Math.floor(i / n) / (n - 1)];
    return (x - 0.3) ** 2 + (y - 0.6) ** 2 <= 0.01 ? 5 : 0;
  });
}

function laplacian(a: Value<[number, number]>): Value<[number, number]> {
  const north = concat([a.slice([-1, null]), a.slice([0, -1])]);
  const south = concat([a.slice([1, null]), a.slice([0, 1])]);
  const west = concat([a.slice(null, [-1, null]), a.slice(null, [0, -1])], { axis: 1 });
  const east = concat([a.slice(null, [1, null]), a.slice(null, [0, 1])], { axis: 1 });
  return north.add(south).add(west).add(east).sub(a.mul(4)) as Value<[number, number]>;
}

export const brusselator = (n: number) =>
  fn({ u: matrix(n, n), v: matrix(n, n) }, ({ u, v }) => {
    const reaction = u.square().mul(v);
    const forcing = constant(source(n), [n, n]);
    return {
      u: reaction
        .add(1)
        .sub(u.mul(4.4))
        .add(laplacian(u).mul(diffusion(n)))
        .add(forcing),
      v: u
        .mul(3.4)
        .sub(reaction)
        .add(laplacian(v).mul(diffusion(n))),
    };
  });

export function brusselatorProblem(n: number): Problem {
  const input = brusselatorInput(n);
  return {
    name: "Brusselator",
    size: `N=${n}, Jacobian`,
    native: () => ({
      ...{ name: "brusselator", sizes: [n], inputs: [input.u, input.v], unit: "derivative" },
    }),
    contenders: () => {
      const values = new Float64Array(12 * n * n);
      return [
        byHand("", values, () => brusselatorByHand(n, input, values)),
        sparseContender("sparseJacobian", () => {
          const jacobian = sparseJacobian(brusselator(n));
          const session = jacobian.session();
          session.inputs.u.set(input.u);
          session.inputs.v.set(input.v);
          return { pattern: jacobian.pattern, session };
        }),
      ];
    },
  };
}
