import { constant, fn, sparseHessian, sparseJacobian, type Value, vector } from "adjoint";
import { Random } from "../harness/random.js";
import type { Branch, Case } from "./opf-case.js";

// Alternating current optimal power flow in polar coordinates: angles va and magnitudes vm of the buses' voltages, active and
// reactive powers pg and qg of the generators. The cost of generation is the objective; constraints are the balance of both
// powers at every bus, squares of apparent powers at both ends of every branch that has a limit, differences of angles along
// branches, and the angles of reference buses. Everything is in units of the base, angles in radians.

type Vector = Value<[number]>;

/** The voltages and powers of a case. */
export const variablesOf = ({ buses, generators }: Case) => ({
  va: vector(buses.length),
  vm: vector(buses.length),
  pg: vector(generators.length),
  qg: vector(generators.length),
});

export const variableNames = ["va", "vm", "pg", "qg"] as const;

type Variables = Readonly<Record<(typeof variableNames)[number], Vector>>;

/** How many constraints of each kind there are, in the order of rows. */
export const countsOf = ({ buses, branches }: Case) => {
  const limited = branches.filter(({ limit }) => limit < Number.POSITIVE_INFINITY).length;
  return {
    active: buses.length,
    reactive: buses.length,
    from: limited,
    to: limited,
    angle: branches.length,
    reference: buses.filter(({ isReference }) => isReference).length,
  };
};

export const constraintNames = ["active", "reactive", "from", "to", "angle", "reference"] as const;

/**
 * The factors of the powers that enter a branch at its ends. With v = |v_from| |v_to|, d = va_from - va_to:
 *   p_from = ff[0] |v_from|^2 + v (ft[0] cos d + ft[1] sin d), q_from = -ff[1] |v_from|^2 + v (ft[0] sin d - ft[1] cos d),
 * and likewise p_to, q_to with tt, tf and -d.
 */
export function admittances({ series: [g, b], charging, ratio, shift }: Branch) {
  const [cos, sin] = [Math.cos(shift) / ratio, Math.sin(shift) / ratio];
  return {
    ff: [g / ratio ** 2, (b + charging / 2) / ratio ** 2],
    ft: [b * sin - g * cos, -b * cos - g * sin],
    tf: [-g * cos - b * sin, g * sin - b * cos],
    tt: [g, b + charging / 2],
  } as const;
}

const positions = (all: readonly number[]): Int32Array => Int32Array.from(all);

/** The powers that enter all branches at both ends. */
function flowsOf({ branches }: Case, { va, vm }: Variables) {
  const from = positions(branches.map((branch) => branch.from));
  const to = positions(branches.map((branch) => branch.to));
  const factors = branches.map(admittances);
  const column = (end: "ff" | "ft" | "tf" | "tt", part: 0 | 1) =>
    constant(Float64Array.from(factors, (all) => all[end][part])) as Vector;
  const [vFrom, vTo] = [vm.gather(from), vm.gather(to)];
  const difference = va.gather(from).sub(va.gather(to));
  const product = vFrom.mul(vTo);
  const cos = difference.cos().mul(product);
  const sin = difference.sin().mul(product);
  const [fromSquare, toSquare] = [vFrom.square(), vTo.square()];
  return {
    from,
    to,
    difference,
    pFrom: fromSquare
      .mul(column("ff", 0))
      .add(cos.mul(column("ft", 0)))
      .add(sin.mul(column("ft", 1))),
    qFrom: sin
      .mul(column("ft", 0))
      .sub(cos.mul(column("ft", 1)))
      .sub(fromSquare.mul(column("ff", 1))),
    pTo: toSquare
      .mul(column("tt", 0))
      .add(cos.mul(column("tf", 0)))
      .sub(sin.mul(column("tf", 1))),
    qTo: cos
      .mul(column("tf", 1))
      .add(sin.mul(column("tf", 0)))
      .neg()
      .sub(toSquare.mul(column("tt", 1))),
  };
}

/** What is zero or within limits at a feasible point. */
function constraintsOf(network: Case, variables: Variables) {
  const { buses, generators, branches } = network;
  const { va, vm, pg, qg } = variables;
  const { from, to, difference, pFrom, qFrom, pTo, qTo } = flowsOf(network, variables);
  const at = positions(generators.map(({ bus }) => bus));
  const of = (part: (bus: Case["buses"][number]) => number) =>
    constant(Float64Array.from(buses, part)) as Vector;
  const square = vm.square();
  const limited = positions(
    branches.flatMap(({ limit }, i) => (limit < Number.POSITIVE_INFINITY ? [i] : [])),
  );
  const apparent = (p: Value, q: Value) =>
    p.gather(limited).square().add(q.gather(limited).square());
  const references = positions(buses.flatMap(({ isReference }, i) => (isReference ? [i] : [])));
  return {
    active: square
      .mul(of(({ shunt }) => -shunt[0]))
      .sub(of(({ demand }) => demand[0]))
      .scatterAdd(at, pg)
      .scatterAdd(from, pFrom.neg())
      .scatterAdd(to, pTo.neg()),
    reactive: square
      .mul(of(({ shunt }) => shunt[1]))
      .sub(of(({ demand }) => demand[1]))
      .scatterAdd(at, qg)
      .scatterAdd(from, qFrom.neg())
      .scatterAdd(to, qTo.neg()),
    from: apparent(pFrom, qFrom),
    to: apparent(pTo, qTo),
    angle: difference,
    reference: va.gather(references),
  };
}

/** The polynomials of all generators, by Horner's scheme. */
function costOf({ generators }: Case, { pg }: Variables): Value<[]> {
  const degree = Math.max(0, ...generators.map(({ cost }) => cost.length - 1));
  const coefficient = (k: number) => Float64Array.from(generators, ({ cost }) => cost[k] ?? 0);
  let total: Value = constant(coefficient(degree));
  for (let k = degree - 1; k >= 0; k--) total = total.mul(pg).add(constant(coefficient(k)));
  return total.sum() as Value<[]>;
}

/** The cost of generation in money an hour. */
export const opfCost = (network: Case) =>
  fn(variablesOf(network), (variables) => costOf(network, variables));

export const opfConstraints = (network: Case) =>
  fn(variablesOf(network), (variables) => constraintsOf(network, variables));

/** The cost times a factor and the constraints times their weights. */
export function opfLagrangian(network: Case) {
  const counts = countsOf(network);
  const weights = Object.fromEntries(
    constraintNames.map((name) => [name, vector(counts[name])]),
  ) as Record<(typeof constraintNames)[number], ReturnType<typeof vector>>;
  return fn(
    { ...variablesOf(network), cost: vector(1), weights },
    ({ cost, weights, ...variables }) => {
      const constraints = constraintsOf(network, variables);
      return constraintNames.reduce(
        (sum: Value, name) => sum.add(constraints[name].mul(weights[name]).sum()),
        costOf(network, variables).mul(cost.at(0)),
      ) as Value<[]>;
    },
  );
}

export const opfJacobian = (network: Case) => sparseJacobian(opfConstraints(network));
export const opfHessian = (network: Case) =>
  sparseHessian(opfLagrangian(network), { wrt: variableNames, triangle: "lower" });

/** Where derivatives are taken, and weights of a Lagrangian. */
export interface OpfPoint {
  readonly va: Float64Array;
  readonly vm: Float64Array;
  readonly pg: Float64Array;
  readonly qg: Float64Array;
  /** [1] */
  readonly cost: Float64Array;
  readonly weights: Readonly<Record<(typeof constraintNames)[number], Float64Array>>;
}

/** Voltages next to flat ones, powers and weights like those of a solver on its way. */
export function opfPoint(network: Case): OpfPoint {
  const random = new Random(100);
  const counts = countsOf(network);
  const [n, m] = [network.buses.length, network.generators.length];
  return {
    va: random.uniforms(n, -0.3, 0.3),
    vm: random.uniforms(n, 0.95, 1.05),
    pg: random.uniforms(m, 0, 2),
    qg: random.uniforms(m, -1, 1),
    cost: random.uniforms(1, 0.5, 1),
    weights: Object.fromEntries(
      constraintNames.map((name) => [name, random.uniforms(counts[name], -1, 1)]),
    ) as OpfPoint["weights"],
  };
}
