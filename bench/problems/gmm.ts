import { concat, constant, fn, matrix, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// The log posterior of a Gaussian mixture with a Wishart prior on the precisions: component c has weight
// softmax(alpha)[c], mean mu[c] and the inverse square root of its covariance L[c], lower triangular, with
// exp(q[c]) on the diagonal and l[c] below it, column by column.

export interface GmmInput {
  readonly d: number;
  readonly k: number;
  readonly n: number;
  readonly gamma: number;
  readonly m: number;
  /** [n][d] */
  readonly x: Float64Array;
  /** [k] */
  readonly alpha: Float64Array;
  /** [k][d] */
  readonly mu: Float64Array;
  /** [k][d] */
  readonly q: Float64Array;
  /** [k][d(d-1)/2] */
  readonly l: Float64Array;
}

export interface GmmGradient {
  readonly alpha: Float64Array;
  readonly mu: Float64Array;
  readonly q: Float64Array;
  readonly l: Float64Array;
}

export function gmmInput(d: number, k: number, n: number, gamma = 1, m = 0): GmmInput {
  const random = new Random(50 + d);
  return {
    d,
    k,
    n,
    gamma,
    m,
    x: random.normals(n * d),
    alpha: random.normals(k),
    mu: random.uniforms(k * d),
    q: random.normals(k * d),
    l: random.normals((k * d * (d - 1)) / 2),
  };
}

/** log(gamma(x)) for x > 0: Stirling's series, after the recurrence has made x large. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 16; z++) shift += Math.log(z);
  const w = 1 / (z * z);
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** What no parameter changes: the normalization of the Gaussians and of the prior. */
export function gmmConstant(d: number, k: number, n: number, gamma: number, m: number): number {
  const degrees = d + m + 1;
  let multigamma = 0.25 * d * (d - 1) * Math.log(Math.PI);
  for (let j = 0; j < d; j++) multigamma += logGamma(0.5 * (degrees - j));
  const prior = degrees * d * (Math.log(gamma) - 0.5 * Math.log(2)) - multigamma;
  return k * prior - 0.5 * n * d * Math.log(2 * Math.PI);
}

/** Everything a run of the hand-written version needs, so that none allocates. */
export interface GmmScratch {
  readonly factor: Float64Array;
  readonly factorBar: Float64Array;
  readonly offset: Float64Array;
  readonly centered: Float64Array;
  readonly scaled: Float64Array;
  readonly scaledBar: Float64Array;
  readonly terms: Float64Array;
  readonly weight: Float64Array;
}

export function gmmScratch(d: number, k: number): GmmScratch {
  const triangle = (d * (d + 1)) / 2;
  return {
    factor: new Float64Array(k * triangle),
    factorBar: new Float64Array(k * triangle),
    offset: new Float64Array(k),
    centered: new Float64Array(k * d),
    scaled: new Float64Array(k * d),
    scaledBar: new Float64Array(k * d),
    terms: new Float64Array(k),
    weight: new Float64Array(k),
  };
}

/**
 * Value and gradient by hand. The factors are unpacked row by row, so that the loops over points are dot
 * products; the gradient of the means is linear in the points and waits until after them.
 */
export function gmmByHand(input: GmmInput, scratch: GmmScratch, gradient: GmmGradient): number {
  const { d, k, n, gamma, m, x, alpha, mu, q, l } = input;
  const { factor, factorBar, offset, centered, scaled, scaledBar, terms, weight } = scratch;
  const triangle = (d * (d + 1)) / 2;
  const strict = (d * (d - 1)) / 2;
  for (let c = 0; c < k; c++) {
    const base = c * triangle;
    let packed = c * strict;
    let sum = alpha[c]!;
    for (let i = 0; i < d; i++) {
      const qi = q[c * d + i]!;
      sum += qi;
      factor[base + (i * (i + 3)) / 2] = Math.exp(qi);
      for (let j = i + 1; j < d; j++) factor[base + (j * (j + 1)) / 2 + i] = l[packed++]!;
    }
    offset[c] = sum;
  }
  factorBar.fill(0);
  scaledBar.fill(0);
  weight.fill(0);
  let value = gmmConstant(d, k, n, gamma, m);

  for (let p = 0; p < n; p++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < k; c++) {
      const o = c * d;
      for (let i = 0; i < d; i++) centered[o + i] = x[p * d + i]! - mu[o + i]!;
      let t = c * triangle;
      let squares = 0;
      for (let j = 0; j < d; j++) {
        let y = 0;
        for (let i = o; i <= o + j; i++) y += factor[t++]! * centered[i]!;
        scaled[o + j] = y;
        squares += y * y;
      }
      const term = offset[c]! - 0.5 * squares;
      terms[c] = term;
      if (term > largest) largest = term;
    }
    let sum = 0;
    for (let c = 0; c < k; c++) {
      const e = Math.exp(terms[c]! - largest);
      terms[c] = e;
      sum += e;
    }
    value += largest + Math.log(sum);
    const inverse = 1 / sum;
    for (let c = 0; c < k; c++) {
      const o = c * d;
      const r = terms[c]! * inverse;
      weight[c]! += r;
      let t = c * triangle;
      for (let j = 0; j < d; j++) {
        const yBar = -r * scaled[o + j]!;
        scaledBar[o + j]! += yBar;
        for (let i = o; i <= o + j; i++) factorBar[t++]! += yBar * centered[i]!;
      }
    }
  }

  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < k; c++) if (alpha[c]! > largest) largest = alpha[c]!;
  let sum = 0;
  for (let c = 0; c < k; c++) sum += Math.exp(alpha[c]! - largest);
  value -= n * (largest + Math.log(sum));

  const square = gamma * gamma;
  let norm = 0;
  for (let c = 0; c < k; c++) {
    gradient.alpha[c] = weight[c]! - (n * Math.exp(alpha[c]! - largest)) / sum;
    const base = c * triangle;
    let packed = c * strict;
    for (let i = 0; i < d; i++) {
      const o = c * d + i;
      const diagonal = base + (i * (i + 3)) / 2;
      const e = factor[diagonal]!;
      norm += e * e;
      value += m * q[o]!;
      gradient.q[o] = factorBar[diagonal]! * e + weight[c]! - square * e * e + m;
      let muBar = -e * scaledBar[o]!;
      for (let j = i + 1; j < d; j++) {
        const at = base + (j * (j + 1)) / 2 + i;
        const lij = factor[at]!;
        norm += lij * lij;
        muBar -= lij * scaledBar[c * d + j]!;
        gradient.l[packed++] = factorBar[at]! - square * lij;
      }
      gradient.mu[o] = muBar;
    }
  }
  return value - 0.5 * square * norm;
}

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
 * With the points as columns: all components' L (x - mu) come out of one matrix product, because L x - L mu needs no
 * difference for every pair of a point and a component. `l` has one unused column when d is 1.
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
      const scaled = factor
        .reshape([k * d, d])
        .matmul(x.transpose())
        .reshape([k, d, n])
        .sub(shift);
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
    contenders: (peers) => {
      const input = gmmInput(d, k, n);
      const gradient = new Float64Array(k + input.mu.length + input.q.length + input.l.length);
      let end = 0;
      const part = (values: Float64Array): Float64Array =>
        gradient.subarray(end, (end += values.length));
      const { alpha, mu, q, l } = input;
      const parts = { alpha: part(alpha), mu: part(mu), q: part(q), l: part(l) };
      const scratch = gmmScratch(d, k);
      return [
        byHand("", gradient, () => gmmByHand(input, scratch, parts)),
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
