// Optimal power flow: the reader of cases, values against complex arithmetic, sparse derivatives against dense ones, differences
// and those by hand, optima against published ones.
import { readFileSync } from "node:fs";
import { hessian, jacobian } from "adjoint";
import { describe, expect, test } from "vitest";
import { relativeDifference } from "../bench/harness/compare.js";
import {
  constraintNames,
  countsOf,
  opfConstraints,
  opfCost,
  opfHessian,
  opfJacobian,
  opfLagrangian,
  opfPoint,
  variableNames,
} from "../bench/problems/opf.js";
import { opfHessianByHand, opfJacobianByHand } from "../bench/problems/opf-by-hand.js";
import { type Case, CaseError, readCase } from "../bench/problems/opf-case.js";
import { hessianPlaces, jacobianPlaces } from "../bench/problems/opf-places.js";
import { pglibFile } from "../bench/problems/opf-problem.js";
import { solveOpf } from "./opf-solver.js";

const text = readFileSync(new URL("data/network.m", import.meta.url), "utf8");
const network = readCase(text);

/** Of pglib, as far as the folder of data is there, with the five digits that its BASELINE.md has of optima found here. */
const published = Object.entries({
  case3_lmbd: 5812.6,
  case5_pjm: 17552,
  case14_ieee: 2178.1,
  case30_ieee: 8208.5,
  case118_ieee: 97214,
  case300_ieee: undefined,
}).flatMap(([name, cost]) => {
  const file = pglibFile(name);
  if (file === undefined) console.log(`skipped: ${name}, which ADJOINT_DATA does not have`);
  return file === undefined ? [] : [{ name, cost, file }];
});

describe("cases", () => {
  test("what is in service, in units of the base", () => {
    const { base, buses, generators, branches } = network;
    expect(base).toBe(50);
    expect(buses.map(({ id }) => id)).toEqual([10, 20, 30, 40, 55]);
    expect(buses[2]).toEqual({
      ...{ id: 30, isReference: false, demand: [0.7, 0.25], shunt: [0.03, 0.18] },
      voltage: [0.95, 1.05],
    });
    expect(buses.filter(({ isReference }) => isReference)).toEqual([buses[0]]);
    expect(generators.map(({ bus }) => bus)).toEqual([0, 1, 1]);
    expect(generators[1]!.active).toEqual([0.1, 1.2]);
    expect(generators[1]!.reactive).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(generators[1]!.cost).toEqual([50, 750, 25, 12.5]);
    expect(generators[2]!.cost).toEqual([0, 1000]);
    expect(branches.map(({ from, to }) => [from, to])).toEqual([
      ...[
        [0, 1],
        [0, 2],
        [0, 2],
        [1, 3],
      ],
      ...[
        [4, 2],
        [3, 4],
      ],
    ]);
    expect(branches[2]!.limit).toBe(Number.POSITIVE_INFINITY);
    expect(branches[2]!.angle).toEqual([-2 * Math.PI, 2 * Math.PI]);
    const { series, charging, ratio, shift, limit, angle } = branches[3]!;
    const square = 0.005 * 0.005 + 0.1 * 0.1;
    expect(series).toEqual([0.005 / square, -0.1 / square]);
    expect({ charging, ratio, limit }).toEqual({ charging: 0, ratio: 0.97, limit: 1 });
    expect(shift).toBe((2.5 * Math.PI) / 180);
    expect(angle).toEqual([-Math.PI / 4, Math.PI / 6]);
  });

  test("layouts: rows on one line, commas, other fields, Windows' line ends", () => {
    const other = text
      .replace(/\t/g, ", ")
      .replace(/\n/g, "\r\n")
      .replace("mpc.bus = [", "mpc.bus_name = {\r\n'a]'; % [\r\n};\r\nmpc.bus = [");
    expect(readCase(other)).toEqual(network);
    const joined = text.replace(/;\s*(%.*)?\n/g, "; ").replace(/\[\s*(%.*)?\n/g, "[ ");
    expect(readCase(joined.replace(/ (?=mpc|%%)/g, "\n"))).toEqual(network);
  });

  const line = (part: string): number => text.slice(0, text.indexOf(part)).split("\n").length;
  test.each([
    ["30	1	35	12.5", "30	1	3s5	12.5", 'expected a number, got "3s5"'],
    ["55	1	15	7", "40	1	15	7", "bus 40 is there twice"],
    ["55	1	15	7", "55	1	NaN	7", 'expected a number, got "NaN"'],
    ["55	1	15	7", "55	1	Inf	7", "Pd is Infinity"],
    ["55	30	0.004	0.11", "55	31	0.004	0.11", "there is no bus 31"],
    ["55	30	0.004	0.11", "55	30	0	0", "a branch without impedance"],
    ["55	30	0.004	0.11	0	45", "55	30	0.004	0.11	0	-45", "rateA is -45"],
    ["20	15	0	20	-20", "20	15	0	-30	-20", "reactive power from -0.4 to -0.6"],
    ["2	0	0	2	20", "1	0	0	2	20", "cost model 1: only polynomials, 2, are read"],
    [
      "2	0	0	2	20	0	0	0",
      "2	0	0	9	20	0	0	0",
      "a cost of 9 coefficients, which are not there",
    ],
    ["1	1	0	20	1	1.05	0.95;\n	55", "1;\n	55", "mpc.bus has 13 columns or more, got 7"],
  ])("errors name the line: %j as %j", (from, to, message) => {
    expect(text).toContain(from);
    const call = () => readCase(text.replace(from, to));
    expect(call).toThrow(CaseError);
    expect(call).toThrow(`line ${line(from)}: ${message}`);
  });

  test("errors of the whole", () => {
    const fails = (from: string | RegExp, to: string, message: string) => {
      const call = () => readCase(text.replace(from, to));
      expect(call).toThrow(CaseError);
      expect(call).toThrow(message);
    };
    fails("10	3	0", "10	2	0", "there is no reference bus");
    fails("mpc.baseMVA = 50", "mpc.baseMVA = 0", "baseMVA is 0");
    fails("mpc.gencost", "mpc.costs", "there is no mpc.gencost");
    fails("	2	0	0	1	7;\n", "", "5 generators and 4 costs");
    fails(/\];\s*$/, "", `line ${line("mpc.branch")}: mpc.branch has no end`);
    expect(() => readCase("")).toThrow("there is no mpc.baseMVA");
  });
});

type Complex = readonly [number, number];
const times = ([a, b]: Complex, [c, d]: Complex): Complex => [a * c - b * d, a * d + b * c];
const conjugate = ([a, b]: Complex): Complex => [a, -b];
const plus = (a: Complex, b: Complex): Complex => [a[0] + b[0], a[1] + b[1]];
const scaled = (a: Complex, by: number): Complex => [a[0] * by, a[1] * by];
const polar = (size: number, angle: number): Complex => [
  size * Math.cos(angle),
  size * Math.sin(angle),
];

/** The constraints by way of voltages, currents and powers as complex numbers. */
function byComplexNumbers({ buses, generators, branches }: Case, point: Point) {
  const voltages = buses.map((_, i) => polar(point.vm[i]!, point.va[i]!));
  const balance = buses.map(({ demand, shunt }, i) => {
    const current = times(shunt, voltages[i]!);
    return plus(scaled(demand, -1), scaled(times(voltages[i]!, conjugate(current)), -1));
  });
  for (const [i, { bus }] of generators.entries())
    balance[bus] = plus(balance[bus]!, [point.pg[i]!, point.qg[i]!]);
  const squares: number[][] = [[], []];
  for (const { from, to, series, charging, ratio, shift, limit } of branches) {
    const [vFrom, vTo] = [voltages[from]!, voltages[to]!];
    const own = plus(series, [0, charging / 2]);
    const iFrom = plus(
      scaled(times(own, vFrom), 1 / ratio ** 2),
      scaled(times(times(series, polar(1, shift)), vTo), -1 / ratio),
    );
    const iTo = plus(
      times(own, vTo),
      scaled(times(times(series, polar(1, -shift)), vFrom), -1 / ratio),
    );
    const powers = [times(vFrom, conjugate(iFrom)), times(vTo, conjugate(iTo))] as const;
    balance[from] = plus(balance[from]!, scaled(powers[0], -1));
    balance[to] = plus(balance[to]!, scaled(powers[1], -1));
    if (limit < Number.POSITIVE_INFINITY)
      for (const [side, [p, q]] of powers.entries()) squares[side]!.push(p * p + q * q);
  }
  return [
    ...balance.map(([p]) => p),
    ...balance.map(([, q]) => q),
    ...squares.flat(),
    ...branches.map(({ from, to }) => point.va[from]! - point.va[to]!),
    ...buses.flatMap(({ isReference }, i) => (isReference ? [point.va[i]!] : [])),
  ];
}

type Point = ReturnType<typeof opfPoint>;

const variablesAt = ({ va, vm, pg, qg }: Point) => ({ va, vm, pg, qg });

/** All constraints' values, one after another. */
function valuesOf(f: ReturnType<typeof opfConstraints>, point: Point): Float64Array {
  const values = f(variablesAt(point));
  return Float64Array.from(constraintNames.flatMap((name) => [...(values[name] as Float64Array)]));
}

/** Blocks of a dense derivative, side by side and one above the other. */
function joined(blocks: readonly (readonly Float64Array[])[], rows: readonly number[]) {
  return Float64Array.from(
    blocks.flatMap((row, i) =>
      Array.from({ length: rows[i]! }).flatMap((_, k) =>
        row.flatMap((block) => {
          const width = block.length / rows[i]!;
          return [...block.subarray(k * width, (k + 1) * width)];
        }),
      ),
    ),
  );
}

function checkDerivatives(of: Case): void {
  const point = opfPoint(of);
  const counts = countsOf(of);
  const f = opfConstraints(of);

  const sparse = opfJacobian(of);
  const dense = jacobian(f)(variablesAt(point)) as unknown as Record<
    string,
    Record<string, Float64Array>
  >;
  const values = sparse.pattern.toDense(sparse(variablesAt(point)));
  const expected = joined(
    constraintNames.map((name) => variableNames.map((by) => dense[name]![by]!)),
    constraintNames.map((name) => counts[name]),
  );
  expect(relativeDifference(values, expected)).toBeLessThan(1e-14);

  const places = jacobianPlaces(of);
  expect(sparse.pattern.rowStarts).toEqual(places.rowStarts);
  expect(sparse.pattern.columnIndices).toEqual(places.columnIndices);
  const byHand = new Float64Array(places.columnIndices.length);
  opfJacobianByHand(of, point, byHand)();
  expect(relativeDifference(byHand, sparse(variablesAt(point)))).toBeLessThan(1e-13);

  const curvature = opfHessian(of);
  const whole = hessian(opfLagrangian(of), { wrt: variableNames })(point) as unknown as Record<
    string,
    Record<string, Float64Array>
  >;
  const n = sparse.pattern.columns;
  const all = joined(
    variableNames.map((row) => variableNames.map((by) => whole[row]![by]!)),
    variableNames.map((name) => point[name].length),
  );
  const lower = all.map((value, i) => (i % n <= Math.floor(i / n) ? value : 0));
  const found = curvature.pattern.toDense(curvature(point));
  expect(relativeDifference(found, lower)).toBeLessThan(1e-14);

  const hessianAt = hessianPlaces(of);
  const ofHessian = new Float64Array(hessianAt.columnIndices.length);
  opfHessianByHand(of, point, ofHessian)();
  const { rowStarts, columnIndices } = hessianAt;
  const spread = curvature.pattern.toDense(new Float64Array(curvature.pattern.nonzeros));
  for (let row = 0; row < n; row++)
    for (let k = rowStarts[row]!; k < rowStarts[row + 1]!; k++)
      spread[row * n + columnIndices[k]!] = ofHessian[k]!;
  expect(relativeDifference(spread, found)).toBeLessThan(1e-13);
}

describe("the model", () => {
  test("constraints are those of complex voltages and currents", () => {
    const point = opfPoint(network);
    const expected = byComplexNumbers(network, point);
    expect(relativeDifference(valuesOf(opfConstraints(network), point), expected)).toBeLessThan(
      1e-15,
    );
  });

  test("costs are of megawatts", () => {
    const pg = [1.2, 0.6, 0.4];
    const given = { va: new Float64Array(5), vm: new Float64Array(5), pg, qg: [0, 0, 0] };
    const [a, b, c] = [60, 30, 20] as const;
    const expected =
      0.02 * a * a + 11 * a + 100 + (1e-4 * b ** 3 + 0.01 * b * b + 15 * b + 50) + 20 * c;
    expect(opfCost(network)(given)).toBeCloseTo(expected, 10);
  });

  test("derivatives, entry by entry", () => checkDerivatives(network));

  test("derivatives are slopes of values", () => {
    const point = opfPoint(network);
    const f = opfConstraints(network);
    const sparse = opfJacobian(network);
    const entries = sparse.pattern.toDense(sparse(variablesAt(point)));
    const { rows, columns, inputs } = sparse.pattern;
    const step = 1e-5;
    for (const { path, start, count } of inputs) {
      for (let i = 0; i < count; i++) {
        const shifted = (by: number): Float64Array => {
          const other = point[path as "va"].slice();
          other[i]! += by;
          return valuesOf(f, { ...point, [path]: other });
        };
        const [more, less] = [shifted(step), shifted(-step)];
        for (let row = 0; row < rows; row++) {
          const slope = (more[row]! - less[row]!) / (2 * step);
          expect(Math.abs(slope - entries[row * columns + start + i]!)).toBeLessThan(1e-6);
        }
      }
    }
  });

  test("an optimum where limits bind", () => {
    const { cost, violation } = solveOpf(network);
    expect(violation).toBeLessThan(1e-8);
    expect(cost).toBeCloseTo(1642.5088682516, 6);
  });
});

test.each(published)("pglib: $name", ({ cost, file }) => {
  const of = readCase(readFileSync(file, "utf8"));
  checkDerivatives(of);
  if (cost === undefined) return;
  const solution = solveOpf(of);
  expect(solution.violation).toBeLessThan(1e-8);
  expect(Number(solution.cost.toPrecision(5))).toBe(cost);
});
