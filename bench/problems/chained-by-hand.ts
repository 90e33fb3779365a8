import type { ChainedInput } from "./chained.js";

/**
 * The lower triangle by hand, row by row: [0, 0], then [i, i-1] and [i, i] of every further row. sin(a - b) sin(a + b) is
 * sin(a)^2 - sin(b)^2, so that it has no mixed derivative and second ones of 2 cos 2a and -2 cos 2b. Returns the first.
 */
export function chainedHessianByHand({ x, weights }: ChainedInput, values: Float64Array): number {
  const n = x.length;
  // What the last term and the last two constraints add to the diagonal of the row to come.
  let carried = 0;
  let before = 0;
  for (let i = 0; i < n; i++) {
    const a = x[i]!;
    const own = i < n - 2 ? weights[i]! : 0;
    const ofLeft = i > 0 && i < n - 1 ? weights[i - 1]! : 0;
    let diagonal = carried + 18 * ofLeft * a + 2 * (ofLeft - before) * Math.cos(2 * a);
    let below = 0;
    carried = 0;
    if (i < n - 1) {
      const b = x[i + 1]!;
      diagonal += 1200 * a * a - 400 * b + 2;
      below = -400 * a;
      carried = 200;
      if (i < n - 2) {
        const e = own * Math.exp(a - b);
        diagonal -= (2 + a) * e;
        below += (1 + a) * e;
        carried -= a * e;
      }
    }
    values[2 * i] = diagonal;
    if (i < n - 1) values[2 * i + 1] = below;
    before = ofLeft;
  }
  return values[0]!;
}
