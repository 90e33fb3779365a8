import { countsOf } from "./opf.js";
import type { Case } from "./opf-case.js";

// Where the derivatives of optimal power flow by hand put their values.

/** Compressed rows of these places, and where among them each place is. */
function compressed(rows: number, places: readonly (readonly [row: number, column: number])[]) {
  const columns: Set<number>[] = Array.from({ length: rows }, () => new Set());
  for (const [row, column] of places) columns[row]!.add(column);
  const rowStarts = new Int32Array(rows + 1);
  const sorted = columns.map((all, row) => {
    rowStarts[row + 1] = rowStarts[row]! + all.size;
    return [...all].sort((a, b) => a - b);
  });
  return {
    rowStarts,
    columnIndices: Int32Array.from(sorted.flat()),
    at: Int32Array.from(places, ([row, column]) => rowStarts[row]! + sorted[row]!.indexOf(column)),
  };
}

/** Positions of limited branches among these; -1 of others. */
export function limitedOf({ branches }: Case): Int32Array {
  let count = 0;
  return Int32Array.from(branches, ({ limit }) =>
    limit < Number.POSITIVE_INFINITY ? count++ : -1,
  );
}

/**
 * The Jacobian's, in this order:
 * [branches][26]: rows active and reactive at `from`, then at `to`, then limits at `from` and at `to`, by va_from, va_to,
 * vm_from, vm_to each, then the angle's row by the first two.
 * [buses][2]: active and reactive by vm. [generators][2]: active by pg, reactive by qg. [references]: by va.
 */
export function jacobianPlaces(network: Case) {
  const { buses, generators, branches } = network;
  const counts = countsOf(network);
  const n = buses.length;
  const limited = limitedOf(network);
  const ofAngles = 2 * n + 2 * counts.from;
  const places: [number, number][] = [];
  for (const [i, { from, to }] of branches.entries()) {
    const columns = [from, to, n + from, n + to];
    const limit = 2 * n + limited[i]!;
    // Where there is none, a row that has these columns anyway.
    const limits = limited[i]! < 0 ? [from, from] : [limit, limit + counts.from];
    for (const row of [from, n + from, to, n + to, ...limits])
      for (const column of columns) places.push([row, column]);
    for (const column of columns.slice(0, 2)) places.push([ofAngles + i, column]);
  }
  for (let i = 0; i < n; i++) places.push([i, n + i], [n + i, n + i]);
  for (const [i, { bus }] of generators.entries())
    places.push([bus, 2 * n + i], [n + bus, 2 * n + generators.length + i]);
  const references = buses.flatMap(({ isReference }, i) => (isReference ? [i] : []));
  for (const [i, bus] of references.entries()) places.push([ofAngles + branches.length + i, bus]);
  return compressed(ofAngles + branches.length + references.length, places);
}

/**
 * Those of the Lagrangian's Hessian, its lower triangle: [branches][10] by (va_from, va_from), (va_to, va_to), (va_from, va_to),
 * (vm_from, va_from), (vm_from, va_to), (vm_to, va_from), (vm_to, va_to), (vm_from, vm_from), (vm_to, vm_to), (vm_from, vm_to),
 * [buses] by (vm, vm), and, where costs are not linear, [generators] by (pg, pg).
 */
export function hessianPlaces({ buses, generators, branches }: Case) {
  const n = buses.length;
  const places: [number, number][] = [];
  for (const { from, to } of branches) {
    const [f, t] = [n + from, n + to];
    places.push([from, from], [to, to], [Math.max(from, to), Math.min(from, to)]);
    places.push([f, from], [f, to], [t, from], [t, to]);
    places.push([f, f], [t, t], [Math.max(f, t), Math.min(f, t)]);
  }
  for (let i = 0; i < n; i++) places.push([n + i, n + i]);
  if (generators.some(({ cost }) => cost.length > 2))
    for (let i = 0; i < generators.length; i++) places.push([2 * n + i, 2 * n + i]);
  return compressed(2 * (n + generators.length), places);
}
