import { admittances, type OpfPoint } from "./opf.js";
import type { Case } from "./opf-case.js";
import { hessianPlaces, jacobianPlaces, limitedOf } from "./opf-places.js";

// The derivatives of optimal power flow by hand: one sine and one cosine of every branch. With d = va_from - va_to the square
// of the apparent power at `from` is A vf^4 + B vf^2 vt^2 + vf^3 vt (C cos d + D sin d), and likewise at `to`.

const columns = 19;

/**
 * [branches][19]: from, to, place among the limited or -1; ff [2], ft [2], tf [2], tt [2] of `admittances`; A, B, C, D of the
 * square at `from` and those at `to`.
 */
export function branchTable(network: Case): Float64Array {
  const limited = limitedOf(network);
  return Float64Array.from(
    network.branches.flatMap((branch, i) => {
      const { ff, ft, tf, tt } = admittances(branch);
      const square = (own: readonly number[], mutual: readonly number[], sign: number) => [
        own[0]! ** 2 + own[1]! ** 2,
        mutual[0]! ** 2 + mutual[1]! ** 2,
        2 * (own[0]! * mutual[0]! + own[1]! * mutual[1]!),
        sign * 2 * (own[0]! * mutual[1]! - own[1]! * mutual[0]!),
      ];
      return [
        ...[branch.from, branch.to, limited[i]!, ...ff, ...ft, ...tf, ...tt],
        ...[...square(ff, ft, 1), ...square(tt, tf, -1)],
      ];
    }),
  );
}

/** [buses][2]: conductances and susceptances of shunts. */
export const shuntTable = ({ buses }: Case): Float64Array =>
  Float64Array.from(buses.flatMap(({ shunt }) => shunt));

/** The values of the constraints' Jacobian, into `values`. Returns the first. */
export function opfJacobianByHand(network: Case, { va, vm }: OpfPoint, values: Float64Array) {
  const table = branchTable(network);
  const shunts = shuntTable(network);
  const { at, rowStarts } = jacobianPlaces(network);
  const [buses, branches] = [network.buses.length, network.branches.length];
  const balances = rowStarts[2 * buses]!;
  return (): number => {
    values.fill(0, 0, balances);
    let place = 0;
    for (let i = 0; i < branches * columns; i += columns, place += 26) {
      const from = table[i]!;
      const to = table[i + 1]!;
      const vf = vm[from]!;
      const vt = vm[to]!;
      const d = va[from]! - va[to]!;
      const cos = Math.cos(d);
      const sin = Math.sin(d);
      const v = vf * vt;
      const e = table[i + 5]! * cos + table[i + 6]! * sin;
      const de = table[i + 6]! * cos - table[i + 5]! * sin;
      const g = table[i + 7]! * cos - table[i + 8]! * sin;
      const dg = -table[i + 7]! * sin - table[i + 8]! * cos;
      values[at[place]!]! -= v * de;
      values[at[place + 1]!]! += v * de;
      values[at[place + 2]!]! -= 2 * table[i + 3]! * vf + vt * e;
      values[at[place + 3]!]! -= vf * e;
      values[at[place + 4]!]! -= v * e;
      values[at[place + 5]!]! += v * e;
      values[at[place + 6]!]! += 2 * table[i + 4]! * vf + vt * de;
      values[at[place + 7]!]! += vf * de;
      values[at[place + 8]!]! -= v * dg;
      values[at[place + 9]!]! += v * dg;
      values[at[place + 10]!]! -= vt * g;
      values[at[place + 11]!]! -= 2 * table[i + 9]! * vt + vf * g;
      values[at[place + 12]!]! += v * g;
      values[at[place + 13]!]! -= v * g;
      values[at[place + 14]!]! -= vt * dg;
      values[at[place + 15]!]! += 2 * table[i + 10]! * vt - vf * dg;
      if (table[i + 2]! >= 0) {
        const f = table[i + 13]! * cos + table[i + 14]! * sin;
        const h = table[i + 17]! * cos + table[i + 18]! * sin;
        const bf = 2 * table[i + 12]!;
        const bt = 2 * table[i + 16]!;
        const byF = vf * vf * v * (table[i + 14]! * cos - table[i + 13]! * sin);
        const byT = vt * vt * v * (table[i + 18]! * cos - table[i + 17]! * sin);
        values[at[place + 16]!] = byF;
        values[at[place + 17]!] = -byF;
        values[at[place + 18]!] = vf * (vf * (4 * table[i + 11]! * vf + 3 * vt * f) + bf * vt * vt);
        values[at[place + 19]!] = vf * vf * (bf * vt + vf * f);
        values[at[place + 20]!] = byT;
        values[at[place + 21]!] = -byT;
        values[at[place + 22]!] = vt * vt * (bt * vf + vt * h);
        values[at[place + 23]!] = vt * (vt * (4 * table[i + 15]! * vt + 3 * vf * h) + bt * vf * vf);
      }
      values[at[place + 24]!] = 1;
      values[at[place + 25]!] = -1;
    }
    for (let i = 0; i < buses; i++, place += 2) {
      values[at[place]!]! -= 2 * shunts[2 * i]! * vm[i]!;
      values[at[place + 1]!]! += 2 * shunts[2 * i + 1]! * vm[i]!;
    }
    for (; place < at.length; place++) values[at[place]!] = 1;
    return values[0]!;
  };
}

/** The values of the lower triangle of the Lagrangian's Hessian, into `values`. Returns the first. */
export function opfHessianByHand(
  network: Case,
  { va, vm, pg, cost, weights }: OpfPoint,
  values: Float64Array,
) {
  const table = branchTable(network);
  const shunts = shuntTable(network);
  const { at } = hessianPlaces(network);
  const [buses, branches] = [network.buses.length, network.branches.length];
  const { active, reactive, from: limitsFrom, to: limitsTo } = weights;
  const costs = network.generators.map((generator) => generator.cost);
  return (): number => {
    values.fill(0);
    let place = 0;
    for (let i = 0; i < branches * columns; i += columns, place += 10) {
      const from = table[i]!;
      const to = table[i + 1]!;
      const limit = table[i + 2]!;
      const vf = vm[from]!;
      const vt = vm[to]!;
      const d = va[from]! - va[to]!;
      const cos = Math.cos(d);
      const sin = Math.sin(d);
      const v = vf * vt;
      const [pf, qf, pt, qt] = [active[from]!, reactive[from]!, active[to]!, reactive[to]!];
      // Factors of cos d and sin d in what is bilinear in vf and vt.
      const x = -pf * table[i + 5]! + qf * table[i + 6]! - pt * table[i + 7]! + qt * table[i + 8]!;
      const y = -pf * table[i + 6]! - qf * table[i + 5]! + pt * table[i + 8]! + qt * table[i + 7]!;
      const e = x * cos + y * sin;
      const de = y * cos - x * sin;
      let ofAngles = -v * e;
      let byFrom = vt * de;
      let byTo = vf * de;
      let fromFrom = 2 * (qf * table[i + 4]! - pf * table[i + 3]!);
      let toTo = 2 * (qt * table[i + 10]! - pt * table[i + 9]!);
      let fromTo = e;
      if (limit >= 0) {
        const [wf, wt] = [limitsFrom[limit]!, limitsTo[limit]!];
        const f = wf * (table[i + 13]! * cos + table[i + 14]! * sin);
        const df = wf * (table[i + 14]! * cos - table[i + 13]! * sin);
        const g = wt * (table[i + 17]! * cos + table[i + 18]! * sin);
        const dg = wt * (table[i + 18]! * cos - table[i + 17]! * sin);
        const b = 2 * (wf * table[i + 12]! + wt * table[i + 16]!);
        const [ff, tt] = [vf * vf, vt * vt];
        ofAngles -= v * (ff * f + tt * g);
        byFrom += vt * (3 * ff * df + tt * dg);
        byTo += vf * (ff * df + 3 * tt * dg);
        fromFrom += 12 * wf * table[i + 11]! * ff + b * tt + 6 * v * f;
        toTo += 12 * wt * table[i + 15]! * tt + b * ff + 6 * v * g;
        fromTo += 3 * (ff * f + tt * g) + 2 * b * v;
      }
      values[at[place]!]! += ofAngles;
      values[at[place + 1]!]! += ofAngles;
      values[at[place + 2]!]! -= ofAngles;
      values[at[place + 3]!]! += byFrom;
      values[at[place + 4]!]! -= byFrom;
      values[at[place + 5]!]! += byTo;
      values[at[place + 6]!]! -= byTo;
      values[at[place + 7]!]! += fromFrom;
      values[at[place + 8]!]! += toTo;
      values[at[place + 9]!]! += fromTo;
    }
    for (let i = 0; i < buses; i++, place++)
      values[at[place]!]! += 2 * (reactive[i]! * shunts[2 * i + 1]! - active[i]! * shunts[2 * i]!);
    for (let i = 0; place < at.length; i++, place++) {
      let sum = 0;
      for (let k = costs[i]!.length - 1; k >= 2; k--)
        sum = sum * pg[i]! + k * (k - 1) * costs[i]![k]!;
      values[at[place]!] = cost[0]! * sum;
    }
    return values[0]!;
  };
}
