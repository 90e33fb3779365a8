import { fn, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// log(sum(exp(x))), by way of the largest element. x is uniform in [0, 1), as in GradBench's lse.

export const logsumexpInput = (n: number): Float64Array => new Random(30).uniforms(n);

/** Value and gradient by hand: the exponentials are kept in the gradient and scaled at the end. */
export function logsumexpByHand(x: Float64Array, gradient: Float64Array): number {
  const n = x.length;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < n; i++) {
    const a = x[i]!;
    if (a > largest) largest = a;
  }
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const e = Math.exp(x[i]! - largest);
    gradient[i] = e;
    sum += e;
  }
  const scale = 1 / sum;
  for (let i = 0; i < n; i++) gradient[i]! *= scale;
  return largest + Math.log(sum);
}

/** In primitives. The largest element is there for the range of exp only, and the value does not depend on it. */
export const logsumexp = (n: number) =>
  fn({ x: vector(n) }, ({ x }) => {
    const largest = x.max().stopGradient();
    return x.sub(largest).exp().sum().log().add(largest);
  });

const peer: PeerFunction = (ops) => (x) => ops.logsumexp(x!);

export function logsumexpProblem(n: number): Problem {
  return {
    name: "logsumexp",
    size: `n=${n}`,
    native: () => ({ name: "logsumexp", sizes: [n], inputs: [logsumexpInput(n)] }),
    contenders: (peers) => {
      const x = logsumexpInput(n);
      const gradient = new Float64Array(n);
      return [
        byHand("", gradient, () => logsumexpByHand(x, gradient)),
        adjointContender("", ["x"], () => {
          const session = valueAndGrad(logsumexp(n)).session();
          session.inputs.x.set(x);
          return session;
        }),
        ...peers.contenders(peer, [{ values: x, shape: [n] }]),
      ];
    },
  };
}
