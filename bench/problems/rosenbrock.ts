import { fn, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// Rosenbrock's function: the sum over i < n-1 of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2.

export const rosenbrockInput = (n: number): Float64Array => new Random(20).uniforms(n, -1.5, 1.5);

/** Value and gradient by hand, in one pass, two terms at a time so that the additions overlap. */
export function rosenbrockByHand(x: Float64Array, gradient: Float64Array): number {
  const last = x.length - 1;
  let even = 0;
  let odd = 0;
  let carry = 0;
  let a = x[0]!;
  let i = 0;
  for (; i + 1 < last; i += 2) {
    const b = x[i + 1]!;
    const c = x[i + 2]!;
    const u = b - a * a;
    const v = 1 - a;
    const w = c - b * b;
    const z = 1 - b;
    even += 100 * u * u + v * v;
    odd += 100 * w * w + z * z;
    gradient[i] = carry - 400 * a * u - 2 * v;
    gradient[i + 1] = 200 * u - 400 * b * w - 2 * z;
    carry = 200 * w;
    a = c;
  }
  if (i < last) {
    const u = x[last]! - a * a;
    const v = 1 - a;
    even += 100 * u * u + v * v;
    gradient[i] = carry - 400 * a * u - 2 * v;
    carry = 200 * u;
  }
  gradient[last] = carry;
  return even + odd;
}

export const rosenbrock = (n: number) =>
  fn({ x: vector(n) }, ({ x }) => {
    const a = x.slice([0, n - 1]);
    const b = x.slice([1, n]);
    return b.sub(a.square()).square().mul(100).add(a.sub(1).square()).sum();
  });

const peer =
  (n: number): PeerFunction =>
  (ops) =>
  (x) => {
    const a = ops.slice(x!, [0], [n - 1]);
    const b = ops.slice(x!, [1], [n - 1]);
    const u = ops.scale(ops.square(ops.sub(b, ops.square(a))), 100);
    return ops.sum(ops.add(u, ops.square(ops.scale(a, 1, -1))));
  };

export function rosenbrockProblem(n: number): Problem {
  return {
    name: "Rosenbrock",
    size: `n=${n}`,
    native: () => ({ name: "rosenbrock", sizes: [n], inputs: [rosenbrockInput(n)] }),
    contenders: (peers) => {
      const x = rosenbrockInput(n);
      const gradient = new Float64Array(n);
      return [
        byHand("", gradient, () => rosenbrockByHand(x, gradient)),
        adjointContender("", ["x"], () => {
          const session = valueAndGrad(rosenbrock(n)).session();
          session.inputs.x.set(x);
          return session;
        }),
        ...peers.contenders(peer(n), [{ values: x, shape: [n] }]),
      ];
    },
  };
}
