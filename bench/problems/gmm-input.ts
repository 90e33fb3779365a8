import { Random } from "../harness/random.js";

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
