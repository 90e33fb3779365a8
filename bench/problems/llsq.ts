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
 * Value and gradient by hand, eight points at a time: the chains of dependent multiplications overlap and the gradient
 * is read and written an eighth as often. About four times as fast as the simple loop.
 */
export function llsqByHand(
  t: Float64Array,
  s: Float64Array,
  x: Float64Array,
  gradient: Float64Array,
): number {
  const n = t.length;
  const m = x.length;
  const whole = n - (n % 8);
  let value = 0;
  gradient.fill(0);
  for (let i = 0; i < whole; i += 8) {
    const t0 = t[i]!;
    const t1 = t[i + 1]!;
    const t2 = t[i + 2]!;
    const t3 = t[i + 3]!;
    const t4 = t[i + 4]!;
    const t5 = t[i + 5]!;
    const t6 = t[i + 6]!;
    const t7 = t[i + 7]!;
    let r0 = 0;
    let r1 = 0;
    let r2 = 0;
    let r3 = 0;
    let r4 = 0;
    let r5 = 0;
    let r6 = 0;
    let r7 = 0;
    for (let j = m - 1; j >= 0; j--) {
      const xj = x[j]!;
      r0 = r0 * t0 + xj;
      r1 = r1 * t1 + xj;
      r2 = r2 * t2 + xj;
      r3 = r3 * t3 + xj;
      r4 = r4 * t4 + xj;
      r5 = r5 * t5 + xj;
      r6 = r6 * t6 + xj;
      r7 = r7 * t7 + xj;
    }
    r0 -= s[i]!;
    r1 -= s[i + 1]!;
    r2 -= s[i + 2]!;
    r3 -= s[i + 3]!;
    r4 -= s[i + 4]!;
    r5 -= s[i + 5]!;
    r6 -= s[i + 6]!;
    r7 -= s[i + 7]!;
    value += r0 * r0 + r1 * r1 + r2 * r2 + r3 * r3 + (r4 * r4 + r5 * r5 + r6 * r6 + r7 * r7);
    for (let j = 0; j < m; j++) {
      gradient[j]! += r0 + r1 + (r2 + r3) + (r4 + r5 + (r6 + r7));
      r0 *= t0;
      r1 *= t1;
      r2 *= t2;
      r3 *= t3;
      r4 *= t4;
      r5 *= t5;
      r6 *= t6;
      r7 *= t7;
    }
  }
  for (let i = whole; i < n; i++) {
    const ti = t[i]!;
    let r = 0;
    for (let j = m - 1; j >= 0; j--) r = r * ti + x[j]!;
    r -= s[i]!;
    value += r * r;
    for (let j = 0; j < m; j++) {
      gradient[j]! += r;
      r *= ti;
    }
  }
  return value / 2;
}

/**
 * The polynomial in blocks of 16 coefficients: a product with the powers t^0 ... t^15 evaluates all blocks at all
 * points, and Horner's scheme in t^16 joins them. As many multiplications as Horner's scheme alone, most of them in a
 * matrix product.
 */
export const llsq = (n: number, m: number) =>
  fn({ x: vector(m) }, ({ x }) => {
    const points = llsqPoints(n);
    const width = Math.min(16, m);
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
    native: () => ({
      name: "llsq",
      sizes: [n, m],
      inputs: [llsqInput(m)],
      variants: [{ name: "llsq-eight", backend: "eight points at a time" }],
    }),
    contenders: (peers) => {
      const x = llsqInput(m);
      const t = llsqPoints(n);
      const s = t.map(Math.sign);
      const gradient = new Float64Array(m);
      const simple = new Float64Array(m);
      return [
        byHand("eight points at a time", gradient, () => llsqByHand(t, s, x, gradient)),
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
