import { diffusion, type State } from "./brusselator.js";

/**
 * The entries of the Jacobian, row by row. A point and its neighbors are five columns, of which four have the same value, so
 * that only the place of the point's own matters: the middle, but one later in the last row and column of the grid, whose
 * neighbors are around the corner, and one earlier in the first. Returns the first entry.
 */
export function brusselatorByHand(n: number, { u, v }: State, values: Float64Array): number {
  const a = diffusion(n);
  let [ofU, ofV] = [0, 6 * n * n];
  for (let y = 0; y < n; y++) {
    const middle = y === 0 ? 1 : y === n - 1 ? 3 : 2;
    for (let x = 0; x < n; x++) {
      const own = x === 0 ? middle - 1 : x === n - 1 ? middle + 1 : middle;
      const i = y * n + x;
      const square = u[i]! * u[i]!;
      const product = 2 * u[i]! * v[i]!;
      values[ofU] = a;
      values[ofU + 1] = a;
      values[ofU + 2] = a;
      values[ofU + 3] = a;
      values[ofU + 4] = a;
      values[ofU + own] = product - 4.4 - 4 * a;
      values[ofU + 5] = square;
      values[ofV] = 3.4 - product;
      values[ofV + 1] = a;
      values[ofV + 2] = a;
      values[ofV + 3] = a;
      values[ofV + 4] = a;
      values[ofV + 5] = a;
      values[ofV + 1 + own] = -square - 4 * a;
      ofU += 6;
      ofV += 6;
    }
  }
  return values[0]!;
}
