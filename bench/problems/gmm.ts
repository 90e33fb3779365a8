import { concat, constant, fn, matrix, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { gmmByHand, gmmByHandSimply, gmmScratch } from "./gmm-by-hand.js";
import { type GmmInput, gmmConstant, gmmInput } from "./gmm-input.js";
import type { Problem } from "./problem.js";

// The log posterior of a Gaussian mixture with a Wishart prior on the precisions: component c has weight
// softmax(alpha)[c], mean mu[c] and the inverse square root of its covariance L[c], lower triangular, with
// exp(q[c]) on the diagonal and l[c] below it, column by column.

/** For each element of L, row by row, where it is in [exp(q) flat, l flat, 0]. */
function factorPlaces(d: number, k: number): Int32Array {
  const strict = (d * (d - 1)) / 2;
  const places = new Int32Array(k * d * d).fill(k * (d + strict));
  for (let c = 0; c < k; c++) {
    let packed = k * d + c * strict;
    for (let i = 0; i < d; i++) {
      places[c * d * d + i * d + i] = c * d + i;
      for (let j = i + 1; j < d; j++) places[c * d * d + j * d + i] = packed++;
    }
  }
  return places;
}

/**
 * With the points as columns: all components' L (x - mu) come out of one matrix product, of [-L mu, L] with [1; x], and
 * no difference is needed for every pair of a point and a component. `l` has one unused column when d is 1.
 */
export const gmm = ({ d, k, n, gamma, m }: Pick<GmmInput, "d" | "k" | "n" | "gamma" | "m">) => {
  const strict = (d * (d - 1)) / 2;
  return fn(
    {
      x: matrix(n, d),
      alpha: vector(k),
      mu: matrix(k, d),
      q: matrix(k, d),
      l: matrix(k, Math.max(1, strict)),
    },
    ({ x, alpha, mu, q, l }) => {
      const diagonal = q.exp();
      const parts = [diagonal.reshape([-1]), ...(strict > 0 ? [l.reshape([-1])] : [])];
      const packed = concat([...parts, constant([0])]);
      const factor = packed.gather(factorPlaces(d, k)).reshape([k, d, d]);
      const shift = factor.mul(mu.reshape([k, 1, d])).sum({ axis: 2, keepDims: true });
      const ones = constant(new Float64Array(n).fill(1), [1, n]);
      const scaled = concat([shift.neg(), factor], { axis: 2 })
        .reshape([k * d, d + 1])
        .matmul(concat([ones, x.transpose()]))
        .reshape([k, d, n]);
      const sumQ = q.sum({ axis: 1 });
      const terms = alpha
        .add(sumQ)
        .reshape([k, 1])
        .sub(scaled.square().sum({ axis: 1 }).mul(0.5));
      const largest = terms.max({ axis: 0 }).stopGradient();
      const likelihood = terms.sub(largest).exp().sum({ axis: 0 }).log().add(largest).sum();
      const most = alpha.max().stopGradient();
      const weights = alpha.sub(most).exp().sum().log().add(most);
      let norm = diagonal.square().sum();
      if (strict > 0) norm = norm.add(l.square().sum());
      return likelihood
        .sub(weights.mul(n))
        .sub(norm.mul(0.5 * gamma * gamma))
        .add(sumQ.sum().mul(m))
        .add(gmmConstant(d, k, n, gamma, m));
    },
  );
};

export const gmmParameters = ["alpha", "mu", "q", "l"] as const;

const peer =
  (input: GmmInput): PeerFunction =>
  (ops) => {
    const { d, k, n, gamma, m } = input;
    const strict = (d * (d - 1)) / 2;
    const x = ops.constant(input.x, [n, d]);
    // Products with these put the diagonal and the packed triangle into place.
    const placeDiagonal = new Float64Array(d * d * d);
    const placeStrict = new Float64Array(strict * d * d);
    let packed = 0;
    for (let i = 0; i < d; i++) {
      placeDiagonal[i * d * d + i * d + i] = 1;
      for (let j = i + 1; j < d; j++) placeStrict[packed++ * d * d + j * d + i] = 1;
    }
    const diagonals = ops.constant(placeDiagonal, [d, d * d]);
    const triangles = ops.constant(placeStrict, [strict, d * d]);
    return (alpha, mu, q, l) => {
      const diagonal = ops.exp(q!);
      const factor = ops.add(ops.matmul(diagonal, diagonals), ops.matmul(l!, triangles));
      const blocks = ops.reshape(factor, [k, d, d]);
      const shift = ops.sum(ops.mul(blocks, ops.reshape(mu!, [k, 1, d])), 2);
      const product = ops.matmul(x, ops.transpose(ops.reshape(factor, [k * d, d])));
      const scaled = ops.sub(product, ops.reshape(shift, [1, k * d]));
      const squares = ops.sum(ops.reshape(ops.square(scaled), [n, k, d]), 2);
      const offset = ops.reshape(ops.add(alpha!, ops.sum(q!, 1)), [1, k]);
      const terms = ops.add(offset, ops.scale(squares, -0.5));
      const likelihood = ops.sum(ops.logsumexp(terms, 1));
      const weights = ops.scale(ops.logsumexp(alpha!), -n);
      const norm = ops.add(ops.sum(ops.square(diagonal)), ops.sum(ops.square(l!)));
      const prior = ops.add(ops.scale(norm, -0.5 * gamma * gamma), ops.scale(ops.sum(q!), m));
      const total = ops.add(ops.add(likelihood, weights), prior);
      return ops.scale(total, 1, gmmConstant(d, k, n, gamma, m));
    };
  };

export function gmmProblem(d: number, k: number, n: number): Problem {
  return {
    name: "Gaussian mixture",
    size: `d=${d}, k=${k}, n=${n}`,
    native: () => {
      const { gamma, m, x, alpha, mu, q, l } = gmmInput(d, k, n);
      const inputs = [Float64Array.of(gamma), x, alpha, mu, q, l];
      const variants = [{ name: "gmm-sixteen", backend: "sixteen points at a time, as vectors" }];
      return { name: "gmm", sizes: [d, k, n, m], inputs, variants };
    },
    contenders: (peers) => {
      const input = gmmInput(d, k, n);
      const gradient = () => new Float64Array(k + mu.length + q.length + l.length);
      const parts = (all: Float64Array) => {
        let end = 0;
        const part = (values: Float64Array) => all.subarray(end, (end += values.length));
        return { alpha: part(alpha), mu: part(mu), q: part(q), l: part(l) };
      };
      const { alpha, mu, q, l } = input;
      const scratch = gmmScratch(d, k);
      const [fours, ones] = [gradient(), gradient()];
      const [inFours, inOnes] = [parts(fours), parts(ones)];
      return [
        byHand("four points at a time", fours, () => gmmByHand(input, scratch, inFours)),
        byHand("one point at a time", ones, () => gmmByHandSimply(input, scratch, inOnes)),
        adjointContender("", gmmParameters, () => {
          const session = valueAndGrad(gmm(input), { wrt: gmmParameters }).session();
          for (const name of ["x", ...gmmParameters] as const)
            session.inputs[name].set(input[name]);
          return session;
        }),
        ...peers.contenders(peer(input), [
          { values: alpha, shape: [k] },
          { values: mu, shape: [k, d] },
          { values: q, shape: [k, d] },
          { values: l, shape: [k, (d * (d - 1)) / 2] },
        ]),
      ];
    },
  };
}
