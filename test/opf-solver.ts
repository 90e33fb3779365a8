// A primal-dual interior point method for optimal power flow, with dense linear algebra: it is there to find out whether
// derivatives, constraints and limits are what they should be, not to be fast.
import { type CsrPattern, grad } from "adjoint";
import {
  constraintNames,
  countsOf,
  opfConstraints,
  opfCost,
  opfHessian,
  opfJacobian,
  type variableNames,
} from "../bench/problems/opf.js";
import type { Case } from "../bench/problems/opf-case.js";

/** The limits of variables, in their order. */
function boundsOf({ buses, generators }: Case): (readonly [number, number])[] {
  return [
    ...buses.map(() => [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const),
    ...buses.map(({ voltage }) => voltage),
    ...generators.map(({ active }) => active),
    ...generators.map(({ reactive }) => reactive),
  ];
}

/** The limits of constraints' values; both ends are 0 where there is equality. */
function limitsOf(network: Case): (readonly [number, number])[] {
  const counts = countsOf(network);
  const zeros = (count: number) => Array.from({ length: count }, () => [0, 0] as const);
  const squares = network.branches
    .filter(({ limit }) => limit < Number.POSITIVE_INFINITY)
    .map(({ limit }) => [Number.NEGATIVE_INFINITY, limit ** 2] as const);
  return [
    ...zeros(counts.active + counts.reactive),
    ...[...squares, ...squares],
    ...network.branches.map(({ angle }) => angle),
    ...zeros(counts.reference),
  ];
}

/** Solves a x = b by elimination with row pivots, in place; the solution is left in b. */
function solve(a: Float64Array[], b: Float64Array): void {
  const n = b.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i]![k]!) > Math.abs(a[pivot]![k]!)) pivot = i;
    [a[k], a[pivot]] = [a[pivot]!, a[k]!];
    [b[k], b[pivot]] = [b[pivot]!, b[k]!];
    const row = a[k]!;
    for (let i = k + 1; i < n; i++) {
      const factor = a[i]![k]! / row[k]!;
      if (factor === 0) continue;
      const other = a[i]!;
      for (let j = k; j < n; j++) other[j]! -= factor * row[j]!;
      b[i]! -= factor * b[k]!;
    }
  }
  for (let k = n - 1; k >= 0; k--) {
    let sum = b[k]!;
    for (let j = k + 1; j < n; j++) sum -= a[k]![j]! * b[j]!;
    b[k] = sum / a[k]![k]!;
  }
}

function eachEntry(
  { rows, rowStarts, columnIndices }: CsrPattern,
  visit: (row: number, column: number, entry: number) => void,
): void {
  for (let row = 0; row < rows; row++)
    for (let k = rowStarts[row]!; k < rowStarts[row + 1]!; k++) visit(row, columnIndices[k]!, k);
}

/** sign (value - bound), of a variable or of a constraint. */
interface Side {
  readonly ofVariable: boolean;
  readonly index: number;
  readonly sign: 1 | -1;
  readonly bound: number;
}

function sidesOf(network: Case): { readonly equal: Side[]; readonly atMost: Side[] } {
  const equal: Side[] = [];
  const atMost: Side[] = [];
  const add = (ofVariable: boolean) => (range: readonly [number, number], index: number) => {
    const [least, most] = range;
    if (least === most) equal.push({ ofVariable, index, sign: 1, bound: least });
    else {
      if (least > -1e9) atMost.push({ ofVariable, index, sign: -1, bound: least });
      if (most < 1e9) atMost.push({ ofVariable, index, sign: 1, bound: most });
    }
  };
  limitsOf(network).forEach(add(false));
  boundsOf(network).forEach(add(true));
  return { equal, atMost };
}

export interface Solution {
  readonly cost: number;
  readonly steps: number;
  /** The largest violation of a constraint or limit. */
  readonly violation: number;
}

/**
 * The cost at a local optimum, from voltages of 1 and powers in the middle. After Wang, Murillo-Sanchez, Zimmerman and Thomas,
 * On computational issues of market-based optimal power flow, 2007.
 */
export function solveOpf(network: Case): Solution {
  const constraints = opfConstraints(network);
  const objective = opfCost(network);
  const gradient = grad(objective, { wrt: ["pg"] });
  const [jacobian, hessian] = [opfJacobian(network), opfHessian(network)];
  const counts = countsOf(network);
  const { equal, atMost } = sidesOf(network);
  const n = jacobian.pattern.columns;
  const x = Float64Array.from(boundsOf(network), ([least, most], i) => {
    if (i < network.buses.length) return 0;
    if (i < 2 * network.buses.length) return 1;
    return Number.isFinite(least + most) ? (least + most) / 2 : 0;
  });
  const split = () => {
    let start = 0;
    return Object.fromEntries(
      jacobian.pattern.inputs.map(({ path, count }) => [path, x.slice(start, (start += count))]),
    ) as Record<(typeof variableNames)[number], Float64Array>;
  };
  /** Of costs, which are otherwise large next to constraints. */
  const factor = 1e-3;
  const rows = jacobian.pattern.rows;

  const valuesAt = () => {
    const given = split();
    const parts = constraints(given);
    const c = constraintNames.flatMap((name) => [...(parts[name] as Float64Array)]);
    const value = ({ ofVariable, index, sign, bound }: Side) =>
      sign * ((ofVariable ? x : c)[index]! - bound);
    return { given, g: equal.map(value), h: atMost.map(value) };
  };

  let { given, g, h } = valuesAt();
  const z = h.map((value) => Math.max(1e-2, -value));
  const mu = z.map((value) => 1e-2 / value);
  const lambda = g.map(() => 0);
  const violation = () => Math.max(...g.map(Math.abs), ...h.map((value) => Math.max(0, value)), 0);

  let steps = 0;
  for (; steps < 100; steps++) {
    const gap = z.reduce((sum, value, i) => sum + value * mu[i]!, 0) / z.length;
    const weights = new Float64Array(rows);
    for (const [i, side] of equal.entries())
      if (!side.ofVariable) weights[side.index]! += lambda[i]!;
    for (const [i, side] of atMost.entries())
      if (!side.ofVariable) weights[side.index]! += side.sign * mu[i]!;
    let start = 0;
    const named = Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, weights.slice(start, (start += count))]),
    ) as Record<keyof typeof counts, Float64Array>;

    const j = Array.from({ length: rows }, () => new Float64Array(n));
    const jValues = jacobian(given);
    eachEntry(jacobian.pattern, (row, column, k) => {
      j[row]![column]! = jValues[k]!;
    });
    const unit = (index: number) => new Float64Array(n).fill(1, index, index + 1);
    const rowOf = ({ ofVariable, index }: Side) => (ofVariable ? unit(index) : j[index]!);

    const size = n + equal.length;
    const kkt = Array.from({ length: size }, () => new Float64Array(size));
    const right = new Float64Array(size);
    const hValues = hessian({ ...given, cost: [factor], weights: named });
    eachEntry(hessian.pattern, (row, column, k) => {
      kkt[row]![column]! += hValues[k]!;
      if (row !== column) kkt[column]![row]! += hValues[k]!;
    });
    const slope = gradient(given).pg;
    for (let i = 0; i < slope.length; i++)
      right[2 * network.buses.length + i]! -= factor * slope[i]!;
    for (const [i, side] of equal.entries()) {
      const row = rowOf(side);
      for (let k = 0; k < n; k++) {
        kkt[n + i]![k] = kkt[k]![n + i] = row[k]!;
        right[k]! -= lambda[i]! * row[k]!;
      }
      right[n + i] = -g[i]!;
    }
    const target = 0.1 * gap;
    for (const [i, side] of atMost.entries()) {
      const row = rowOf(side);
      const at = Array.from(row.keys()).filter((k) => row[k] !== 0);
      const pull = (mu[i]! * z[i]! + target + mu[i]! * h[i]!) / z[i]!;
      for (const k of at) {
        right[k]! -= side.sign * row[k]! * pull;
        for (const l of at) kkt[k]![l]! += (mu[i]! / z[i]!) * row[k]! * row[l]!;
      }
    }
    if (violation() < 1e-8 && gap < 1e-9) break;

    solve(kkt, right);
    const dz = atMost.map((side, i) => {
      const row = rowOf(side);
      let change = 0;
      for (let k = 0; k < n; k++) change += row[k]! * right[k]!;
      return -h[i]! - z[i]! - side.sign * change;
    });
    const dmu = dz.map((change, i) => -mu[i]! + (target - mu[i]! * change) / z[i]!);
    const longest = (from: number[], by: number[]) =>
      Math.min(1, ...from.map((value, i) => (by[i]! < 0 ? (-0.9995 * value) / by[i]! : 1)));
    const [primal, dual] = [longest(z, dz), longest(mu, dmu)];
    for (let k = 0; k < n; k++) x[k]! += primal * right[k]!;
    for (let i = 0; i < z.length; i++) {
      z[i]! += primal * dz[i]!;
      mu[i]! += dual * dmu[i]!;
    }
    for (let i = 0; i < g.length; i++) lambda[i]! += dual * right[n + i]!;
    ({ given, g, h } = valuesAt());
  }
  return { cost: objective(given), steps, violation: violation() };
}
