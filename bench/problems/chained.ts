import { fn, sparseHessian, vector } from "adjoint";
import { byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import { sparseContender } from "../harness/sparse.js";
import { chainedHessianByHand } from "./chained-by-hand.js";
import type { Problem } from "./problem.js";

// The Lagrangian of Luksan and Vlcek's chained problem: the sum over i < n-1 of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, plus
// the sum over k < n-2 of weights[k] (3 x[k+1]^3 + 2 x[k+2] - 5 + sin(x[k+1] - x[k+2]) sin(x[k+1] + x[k+2]) + 4 x[k+1]
// - x[k] exp(x[k] - x[k+1]) - 3). The Hessian is tridiagonal: its lower triangle has 2n - 1 entries.

export interface ChainedInput {
  readonly x: Float64Array;
  readonly weights: Float64Array;
}

export function chainedInput(n: number): ChainedInput {
  const random = new Random(90);
  return { x: random.uniforms(n, -1, 1), weights: random.uniforms(n - 2, -1, 1) };
}

export const chained = (n: number) =>
  fn({ x: vector(n), weights: vector(n - 2) }, ({ x, weights }) => {
    const [a, b] = [x.slice([0, n - 1]), x.slice([1, n])];
    const objective = b.sub(a.square()).square().mul(100).add(a.sub(1).square());
    const [l, m, r] = [x.slice([0, n - 2]), x.slice([1, n - 1]), x.slice([2, n])];
    const constraints = m
      .square()
      .mul(m)
      .mul(3)
      .add(r.mul(2))
      .sub(5)
      .add(m.sub(r).sin().mul(m.add(r).sin()))
      .add(m.mul(4))
      .sub(l.mul(l.sub(m).exp()))
      .sub(3);
    return objective.sum().add(constraints.mul(weights).sum());
  });

export function chainedProblem(n: number): Problem {
  const input = chainedInput(n);
  return {
    name: "chained Lagrangian",
    size: `n=${n}, Hessian`,
    native: () => ({
      ...{ name: "chained", sizes: [n], inputs: [input.x, input.weights], unit: "derivative" },
    }),
    contenders: () => {
      const values = new Float64Array(2 * n - 1);
      return [
        byHand("", values, () => chainedHessianByHand(input, values)),
        sparseContender("sparseHessian", () => {
          const hessian = sparseHessian(chained(n), { wrt: ["x"], triangle: "lower" });
          const session = hessian.session();
          session.inputs.x.set(input.x);
          session.inputs.weights.set(input.weights);
          return { pattern: hessian.pattern, session };
        }),
      ];
    },
  };
}
