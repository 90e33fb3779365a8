import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { byHand } from "../harness/adjoint.js";
import { sparseContender } from "../harness/sparse.js";
import { countsOf, type OpfPoint, opfHessian, opfJacobian, opfPoint } from "./opf.js";
import { branchTable, opfHessianByHand, opfJacobianByHand, shuntTable } from "./opf-by-hand.js";
import { type Case, readCase } from "./opf-case.js";
import { hessianPlaces, jacobianPlaces } from "./opf-places.js";
import type { Problem } from "./problem.js";

/** Where pglib's case of this name is, as far as ADJOINT_DATA names the folder of data and it has it. */
export function pglibFile(name: string): string | undefined {
  const data = process.env.ADJOINT_DATA;
  const file = data && join(data, "pglib", `pglib_opf_${name}.m`);
  return file && existsSync(file) ? file : undefined;
}

function jacobianSession(network: Case, point: OpfPoint) {
  const jacobian = opfJacobian(network);
  const session = jacobian.session();
  for (const name of ["va", "vm", "pg", "qg"] as const) session.inputs[name].set(point[name]);
  return { pattern: jacobian.pattern, session };
}

function hessianSession(network: Case, point: OpfPoint) {
  const hessian = opfHessian(network);
  const session = hessian.session();
  const { inputs } = session;
  for (const name of ["va", "vm", "pg", "qg", "cost"] as const) inputs[name].set(point[name]);
  for (const name of ["active", "reactive", "from", "to", "angle", "reference"] as const)
    inputs.weights[name].set(point.weights[name]);
  return { pattern: hessian.pattern, session };
}

/** The same for bench/native. */
function nativeInputs(network: Case, point: OpfPoint, places: ReturnType<typeof jacobianPlaces>) {
  const { generators, buses, branches } = network;
  const { weights } = point;
  const coefficients = Math.max(...generators.map(({ cost }) => cost.length));
  const costs = generators.flatMap(({ cost }) =>
    Array.from({ length: coefficients }, (_, k) => cost[k] ?? 0),
  );
  return {
    sizes: [
      ...[buses.length, generators.length, branches.length, countsOf(network).from],
      ...[places.at.length, places.columnIndices.length, coefficients],
    ],
    inputs: [
      ...[point.va, point.vm, point.pg, point.cost],
      ...[weights.active, weights.reactive, weights.from, weights.to],
      ...[branchTable(network), shuntTable(network), Float64Array.from(costs)],
      Float64Array.from(places.at),
    ],
  };
}

const kinds = [
  {
    name: "Jacobian",
    placesOf: jacobianPlaces,
    byHand: opfJacobianByHand,
    session: jacobianSession,
  },
  { name: "Hessian", placesOf: hessianPlaces, byHand: opfHessianByHand, session: hessianSession },
] as const;

/** Of the case in a file: the Jacobian of its constraints and the lower triangle of its Lagrangian's Hessian. */
export function opfProblems(name: string, file: string): Problem[] {
  const read = () => {
    const network = readCase(readFileSync(file, "utf8"));
    return { network, point: opfPoint(network) };
  };
  return kinds.map((kind) => ({
    name: "optimal power flow",
    size: `${name}, ${kind.name}`,
    native: () => {
      const { network, point } = read();
      const inputs = nativeInputs(network, point, kind.placesOf(network));
      return { name: `opf-${kind.name.toLowerCase()}`, ...inputs, unit: "derivative" };
    },
    contenders: () => {
      const { network, point } = read();
      const places = kind.placesOf(network);
      const values = new Float64Array(places.columnIndices.length);
      return [
        byHand("", values, kind.byHand(network, point, values)),
        sparseContender(`sparse${kind.name}`, () => kind.session(network, point), places),
      ];
    },
  }));
}
