import { constant, fn, type Value, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// Half the sum over n points of (s_i - x_0 - x_1 t_i - x_2 t_i^2 - ...)^2, t from -1 to 1, s_i = sign(t_i).

/** The points, as GradBench computes them: one point alone is at NaN there, as 0/0. */
export const llsqPoints = (n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => -1 + (i * 2) / (n - 1));

export const llsqInput = (m: number): Float64Array => new Random(40).uniforms(m);

/** Value and gradient by hand, a point at a time: what one writes first. */
export function llsqByHandSimply(
  t: Float64Array,
  s: Float64Array,
  x: Float64Array,
  gradient: Float64Array,
): number {
  const m = x.length;
  gradient.fill(0);
  let value = 0;
  for (let i = 0; i < t.length; i++) {
    const ti = t[i]!;
    let r = -s[i]!;
    for (let j = 0, power = 1; j < m; j++) {
      r += x[j]! * power;
      power *= ti;
    }
    value += r * r;
    for (let j = 0; j < m; j++) {
      gradient[j]! += r;
      r *= ti;
    }
  }
  return value / 2;
}

/**
 * Value and gradient by hand, four points at a time: the four chains of dependent multiplications overlap and
 * the gradient is read and written a quarter as often. About three times as fast as the simple loop.
 */
export function llsqByHand(
  t: Float64Array,
  s: Float64Array,
  x: Float64Array,
  gradient: Float64Array,
): number {
  const n = t.length;
  const m = x.length;
  const whole = n - (n % 4);
  let value = 0;
  gradient.fill(0);
  for (let i = 0; i < whole; i += 4) {
    const a = t[i]!;
    const b = t[i + 1]!;
    const c = t[i + 2]!;
    const d = t[i + 3]!;
    let p = 0;
    let q = 0;
    let u = 0;
    let v = 0;
    for (let j = m - 1; j >= 0; j--) {
      const xj = x[j]!;
      p = p * a + xj;
      q = q * b + xj;
      u = u * c + xj;
      v = v * d + xj;
    }
    p -= s[i]!;
    q -= s[i + 1]!;
    u -= s[i + 2]!;
    v -= s[i + 3]!;
    value += p * p + q * q + u * u + v * v;
    for (let j = 0; j < m; j++) {
      gradient[j]! += p + q + (u + v);
      p *= a;
      q *= b;
      u *= c;
      v *= d;
    }
  }
  for (let i = whole; i < n; i++) {
    const a = t[i]!;
    let p = 0;
    for (let j = m - 1; j >= 0; j--) p = p * a + x[j]!;
    p -= s[i]!;
    value += p * p;
    for (let j = 0; j < m; j++) {
      gradient[j]! += p;
      p *= a;
    }
  }
  return value / 2;
}

/**
 * The polynomial in blocks of 8 coefficients: a product with the powers t^0 ... t^7 evaluates all blocks at all
 * points, and Horner's scheme in t^8 joins them. As many multiplications as Horner's scheme alone, most of them in a
 * matrix product.
 */
export const llsq = (n: number, m: number) =>
  fn({ x: vector(m) }, ({ x }) => {
    const points = llsqPoints(n);
    const width = Math.min(8, m);
    const blocks = Math.ceil(m / width);
    const powers = powersOf(points, width + 1);
    const low = constant(powers.subarray(0, width * n), [width, n]);
    const step = constant(powers.subarray(width * n), [n]);
    const rows = x
      .pad([[0, blocks * width - m]])
      .reshape([blocks, width])
      .matmul(low);
    let polynomial: Value = rows.at(blocks - 1);
    for (let b = blocks - 2; b >= 0; b--) polynomial = polynomial.mul(step).add(rows.at(b));
    return polynomial
      .sub(constant(points.map(Math.sign), [n]))
      .square()
      .sum()
      .mul(0.5);
  });

/** t^0, t^1, ... of every point, a power a row. */
function powersOf(t: Float64Array, count: number): Float64Array {
  const n = t.length;
  const powers = new Float64Array(count * n).fill(1, 0, n);
  for (let i = n; i < powers.length; i++) powers[i] = powers[i - n]! * t[i % n]!;
  return powers;
}

/** As a product with the matrix of powers, which is the form that suits libraries of array operations. */
const peer =
  (n: number, m: number): PeerFunction =>
  (ops) => {
    const t = llsqPoints(n);
    const matrix = ops.transpose(ops.constant(powersOf(t, m), [m, n]));
    const signs = ops.constant(t.map(Math.sign), [n, 1]);
    return (x) => {
      const residual = ops.sub(ops.matmul(matrix, ops.reshape(x!, [m, 1])), signs);
      return ops.scale(ops.sum(ops.square(residual)), 0.5);
    };
  };

export function llsqProblem(n: number, m: number): Problem {
  return {
    name: "least squares",
    size: `n=${n}, m=${m}`,
    contenders: (peers) => {
      const x = llsqInput(m);
      const t = llsqPoints(n);
      const s = t.map(Math.sign);
      const gradient = new Float64Array(m);
      const simple = new Float64Array(m);
      return [
        byHand("four points at a time", gradient, () => llsqByHand(t, s, x, gradient)),
        byHand("one point at a time", simple, () => llsqByHandSimply(t, s, x, simple)),
        adjointContender("", ["x"], () => {
          const session = valueAndGrad(llsq(n, m)).session();
          session.inputs.x.set(x);
          return session;
        }),
        ...peers.contenders(peer(n, m), [{ values: x, shape: [m] }]),
      ];
    },
  };
}
