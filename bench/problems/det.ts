import { fn, type Value, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// The determinant by expansion by minors along the first row, every minor computed once. The minors of the last
// r rows are named by their columns, as the bits of a number: 2^ell of them in all.

export const detInput = (ell: number): Float64Array => new Random(70 + ell).uniforms(ell * ell);

/** Value and gradient by hand. `minors` and `bars` have 2^ell elements. */
export function detByHand(
  a: Float64Array,
  ell: number,
  minors: Float64Array,
  bars: Float64Array,
  gradient: Float64Array,
): number {
  const all = (1 << ell) - 1;
  minors[0] = 1;
  for (let mask = 1; mask <= all; mask++) {
    const row = (ell - bits(mask)) * ell;
    let sum = 0;
    let sign = 1;
    for (let j = 0; j < ell; j++) {
      if (((mask >> j) & 1) === 0) continue;
      sum += sign * a[row + j]! * minors[mask ^ (1 << j)]!;
      sign = -sign;
    }
    minors[mask] = sum;
  }
  bars.fill(0);
  gradient.fill(0);
  bars[all] = 1;
  for (let mask = all; mask > 0; mask--) {
    const row = (ell - bits(mask)) * ell;
    let signed = bars[mask]!;
    for (let j = 0; j < ell; j++) {
      if (((mask >> j) & 1) === 0) continue;
      const minor = mask ^ (1 << j);
      gradient[row + j]! += signed * minors[minor]!;
      bars[minor]! += signed * a[row + j]!;
      signed = -signed;
    }
  }
  return minors[all]!;
}

/** How many bits are set. */
export function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** The same expansion, as a function of the matrix row by row. */
export const det = (ell: number) =>
  fn({ a: vector(ell * ell) }, ({ a }) => {
    const elements = Array.from({ length: ell * ell }, (_, i) => a.at(i));
    const all = (1 << ell) - 1;
    const minors: Value[] = [];
    for (let mask = 1; mask <= all; mask++) {
      const row = (ell - bits(mask)) * ell;
      let sum: Value | undefined;
      let negative = false;
      for (let j = 0; j < ell; j++) {
        if (((mask >> j) & 1) === 0) continue;
        const rest = mask ^ (1 << j);
        const term = rest === 0 ? elements[row + j]! : elements[row + j]!.mul(minors[rest]!);
        sum = sum === undefined ? term : negative ? sum.sub(term) : sum.add(term);
        negative = !negative;
      }
      minors[mask] = sum!;
    }
    return minors[all]!;
  });

export function detProblem(ell: number): Problem {
  return {
    name: "determinant",
    size: `ell=${ell}`,
    native: () => ({ name: "det", sizes: [ell], inputs: [detInput(ell)] }),
    contenders: () => {
      const a = detInput(ell);
      const gradient = new Float64Array(ell * ell);
      const [minors, bars] = [new Float64Array(2 ** ell), new Float64Array(2 ** ell)];
      return [
        byHand("", gradient, () => detByHand(a, ell, minors, bars, gradient)),
        adjointContender("", ["a"], () => {
          const session = valueAndGrad(det(ell)).session();
          session.inputs.a.set(a);
          return session;
        }),
      ];
    },
  };
}
