import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { fit as fitData, htmlReport, Table } from "../lib/fit/index.js";
import { formatNumber } from "../lib/fit/text.js";
import { fn } from "../lib/function.js";
import {
  AbortError,
  ArgumentError,
  DataError,
  FitError,
  NameError,
  ParseError,
  ShapeError,
} from "../lib/generated/errors.js";
import { scalar, vector } from "../lib/spec.js";
import { digits, nistModels, readNist } from "./fit-nist.js";

const own = fileURLToPath(new URL("data/nist/", import.meta.url));
const all = process.env.ADJOINT_DATA;
const ownSets = ["Misra1a", "DanWood", "MGH09", "Nelson"];

function fitNist(folder: string, name: string, start: 0 | 1) {
  const set = readNist(join(folder, `${name}.dat`));
  const { model, y = "y" } = nistModels[name]!;
  return { set, result: fitData({ data: set.columns, y, model, start: set.starts[start] }) };
}

function parameterDigits(folder: string, name: string, start: 0 | 1) {
  const { set, result } = fitNist(folder, name, start);
  const found = result.parameters.map((each) =>
    digits(each.estimate, set.certified.get(each.name)!.value),
  );
  const errors = result.parameters.map((each) =>
    digits(each.standardError, set.certified.get(each.name)!.deviation),
  );
  return {
    converged: result.converged,
    least: Math.min(...found),
    mean: found.reduce((sum, each) => sum + each) / found.length,
    errors: Math.min(...errors),
    sum: digits(result.statistics.residualSumOfSquares, set.residualSumOfSquares),
    residualError: digits(result.statistics.residualStandardError, set.residualError),
  };
}

describe("NIST's reference data sets", () => {
  it.each(ownSets)("%s: the certified values from both starts", (name) => {
    for (const start of [0, 1] as const) {
      const found = parameterDigits(own, name, start);
      expect(found.converged).toBe(true);
      expect(found.least).toBeGreaterThan(8);
      expect(found.errors).toBeGreaterThan(8);
      expect(found.sum).toBeGreaterThan(8);
      expect(found.residualError).toBeGreaterThan(8);
    }
  });

  const reason =
    all === undefined ? " (skipped: ADJOINT_DATA does not name the folder of data)" : "";
  it.skipIf(all === undefined)(`all 14 sets${reason}`, () => {
    const folder = join(all!, "nist");
    let fromFirst = 0;
    const table: Record<string, string>[] = [];
    for (const name of Object.keys(nistModels)) {
      expect(existsSync(join(folder, `${name}.dat`)), name).toBe(true);
      const [first, second] = [parameterDigits(folder, name, 0), parameterDigits(folder, name, 1)];
      const reached = ({ least, mean, errors, sum }: typeof first) =>
        least >= 6 && mean >= 8 && errors >= 6 && sum >= 6;
      if (reached(first)) fromFirst++;
      expect(reached(second), name).toBe(true);
      for (const [start, found] of [first, second].entries()) {
        const row: Record<string, string> = { name, start: String(start + 1) };
        for (const [key, value] of Object.entries(found)) row[key] = formatNumber(Number(value), 4);
        table.push(row);
      }
    }
    if (process.env.ADJOINT_VERBOSE !== undefined) console.table(table);
    expect(fromFirst).toBeGreaterThanOrEqual(12);
  });
});

/** y = 3 + 2x with a little noise that a formula makes. */
const x = Array.from({ length: 40 }, (_, i) => i / 4);
const noise = x.map((_, i) => Math.sin(37 * i) / 10);
const line = { x, y: x.map((each, i) => 3 + 2 * each + noise[i]!) };
const straight = { data: line, y: "y", model: "a+b*x", start: { a: 0, b: 0 } } as const;

/** The textbook's answer. */
function byHand({ x, y }: { x: number[]; y: number[] }, w: number[] = x.map(() => 1)) {
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + w[i]! * f(i), 0);
  const total = sum(() => 1);
  const [mx, my] = [sum((i) => x[i]!) / total, sum((i) => y[i]!) / total];
  const sxx = sum((i) => (x[i]! - mx) ** 2);
  const b = sum((i) => (x[i]! - mx) * (y[i]! - my)) / sxx;
  const a = my - b * mx;
  const rss = sum((i) => (y[i]! - a - b * x[i]!) ** 2);
  const tss = sum((i) => (y[i]! - my) ** 2);
  const s2 = rss / (x.length - 2);
  return { a, b, rss, rSquared: 1 - rss / tss, seB: Math.sqrt(s2 / sxx), mx, sxx, s2 };
}

describe("fit", () => {
  it("fits a line as the textbook does", () => {
    const expected = byHand(line);
    const result = fitData(straight);
    const { statistics } = result;
    expect(result.values.a).toBeCloseTo(expected.a, 12);
    expect(result.values.b).toBeCloseTo(expected.b, 12);
    expect(result.parameters[1]!.standardError).toBeCloseTo(expected.seB, 12);
    expect(statistics.residualSumOfSquares).toBeCloseTo(expected.rss, 12);
    expect(statistics.rSquared).toBeCloseTo(expected.rSquared, 12);
    expect(statistics.degreesOfFreedom).toBe(38);
    expect(result.converged).toBe(true);
    expect(result.warnings).toEqual([]);
    // t of 38 degrees of freedom at 95%
    const { low, high, estimate, standardError } = result.parameters[0]!;
    expect((high - estimate) / standardError).toBeCloseTo(2.02439416391197, 12);
    expect((estimate - low) / standardError).toBeCloseTo(2.02439416391197, 12);
  });

  it("predicts with the band of the textbook", () => {
    const { a, b, s2, mx, sxx } = byHand(line);
    const { values, standardErrors, low } = fitData(straight).predict({ x: [-1, 5] });
    expect(values[1]).toBeCloseTo(a + 5 * b, 12);
    expect(standardErrors[0]).toBeCloseTo(Math.sqrt(s2 * (1 / 40 + (-1 - mx) ** 2 / sxx)), 12);
    expect(low[1]!).toBeLessThan(values[1]!);
  });

  it("counts weights, and takes sigma for them", () => {
    const w = x.map((_, i) => 1 + (i % 5));
    const expected = byHand(line, w);
    const data = { ...line, w, s: w.map((each) => 1 / Math.sqrt(each)) };
    for (const weighting of [
      { weights: "w" },
      { weights: w },
      { weights: "2*w/2" },
      { sigma: "s" },
    ]) {
      const result = fitData({ ...straight, data, ...weighting });
      expect(result.values.b).toBeCloseTo(expected.b, 12);
      expect(result.parameters[1]!.standardError).toBeCloseTo(expected.seB, 12);
      expect(result.statistics.rSquared).toBeCloseTo(expected.rSquared, 12);
    }
  });

  it("leaves out rows with missing values, and those of weight zero", () => {
    const data = {
      x: [...x, 1, Number.NaN, 2],
      y: [...line.y, Number.NaN, 1, 1e6],
      w: [...x.map(() => 1), 1, 1, 0],
    };
    const result = fitData({ ...straight, data, weights: "w" });
    expect(result.statistics).toMatchObject({ observations: 40, dropped: 2, unweighted: 1 });
    expect(result.values.b).toBeCloseTo(byHand(line).b, 12);
  });

  it("takes several predictors, other names and a formula for the response", () => {
    const columns = {
      "first one": x,
      z: x.map((each) => each * each),
      y: x.map((each, i) => Math.exp(1 + 0.5 * each - 0.03 * each * each + noise[i]! / 100)),
    };
    const result = fitData({
      data: columns,
      y: "log(y)",
      model: "a+b*u+c*z",
      start: { a: 0, b: 0, c: 0 },
      x: { u: "first one" },
    });
    expect(result.values.b).toBeCloseTo(0.5, 2);
    expect(result.predictors.map(({ name, column }) => [name, column])).toEqual([
      ["u", "first one"],
      ["z", "z"],
    ]);
  });

  it("fits a function of one observation, and one of all", () => {
    const expected = byHand(line);
    const one = fn({ x: scalar(), p: vector(2) }, ({ x, p }) => p.at(0).add(p.at(1).mul(x)));
    const every = fn({ p: vector(2), x: vector(40) }, ({ x, p }) => p.at(0).add(p.at(1).mul(x)));
    for (const model of [one, every]) {
      const result = fitData({ ...straight, model: model as never, start: { p: [0, 0] } });
      expect(result.parameters.map(({ name }) => name)).toEqual(["p[0]", "p[1]"]);
      const p = result.values.p as Float64Array;
      expect(p[0]).toBeCloseTo(expected.a, 12);
      expect(p[1]).toBeCloseTo(expected.b, 12);
    }
    const data = { x: [1, 2, 3], y: [1, 2, 3] };
    expect(() =>
      fitData({ ...straight, data, model: every as never, start: { p: [0, 0] } }),
    ).toThrow(ShapeError);
  });

  it("names the parameters that the data does not determine", () => {
    const result = fitData({ ...straight, model: "a+b*c*x", start: { a: 0, b: 1, c: 1 } });
    expect(result.parameters.map(({ determined }) => determined)).toEqual([true, false, false]);
    expect(result.warnings[0]).toMatch(/does not determine b, c: the Jacobian has rank 2 of 3/);
    expect(result.parameters[0]!.standardError).toBeGreaterThan(0);
    expect(result.parameters[1]!.standardError).toBeNaN();
    expect(JSON.parse(JSON.stringify(result)).parameters[1].standardError).toBeNull();
  });

  it("says that the fit is exact, or has no degrees of freedom", () => {
    const exact = { x, y: x.map((each) => 1 + each) };
    expect(fitData({ ...straight, data: exact }).statistics.reason).toBe("exact-fit");
    const two = { x: [1, 2], y: [1, 3] };
    expect(fitData({ ...straight, data: two }).warnings.join()).toMatch(/as many parameters/);
  });

  it("stops at its limit of iterations", () => {
    const { columns, starts } = readNist(join(own, "MGH09.dat"));
    const { model } = nistModels.MGH09!;
    const result = fitData({ data: columns, y: "y", model, start: starts[0], maxIterations: 2 });
    expect(result.converged).toBe(false);
    expect(result.warnings[0]).toMatch(/limit of 2 iterations/);
  });

  it("is the same asynchronously, and tells how far it is", async () => {
    const steps: number[] = [];
    const result = await fitData.async({
      ...straight,
      onProgress: ({ iterations }) => steps.push(iterations),
    });
    expect(result.toJSON()).toEqual(fitData(straight).toJSON());
    const ofPoints = (n: number) => ({
      data: {
        x: Float64Array.from({ length: n }, (_, i) => i / n),
        y: Float64Array.from({ length: n }, (_, i) => Math.exp(-i / n) + Math.sin(i) / 10),
      },
      y: "y",
      model: "a*exp(-b*x)+c*exp(-d*x)",
      start: { a: 1, b: 0.1, c: 1, d: 9 },
    });
    let slow = ofPoints(200_000);
    const onProgress = ({ iterations }: { iterations: number }) => steps.push(iterations);
    await fitData.async({ ...slow, onProgress });
    // A fast machine is done before the first report.
    for (let n = 800_000; steps.length === 0 && n < 1e7; n *= 4) {
      slow = ofPoints(n);
      await fitData.async({ ...slow, onProgress });
    }
    expect(steps.length).toBeGreaterThan(0);
    const controller = new AbortController();
    const canceled = fitData.async({ ...slow, signal: controller.signal });
    controller.abort();
    await expect(canceled).rejects.toThrow(AbortError);
    await expect(fitData.async({ ...slow, signal: AbortSignal.abort() })).rejects.toThrow(
      AbortError,
    );
    await expect(fitData.async({ ...slow, deadline: 1e-3 })).rejects.toThrow(/deadline/);
  });
});

describe("errors of fit", () => {
  const bad = (change: object) => () => fitData({ ...straight, ...change } as never);

  it("names what is neither a column nor a parameter", () => {
    expect(bad({ model: "a+b*x+k*exp(-q*x)" })).toThrow(NameError);
    expect(bad({ model: "a+b*x+k*exp(-q*x)*pi" })).toThrow(
      /k, q in the model are neither columns nor/,
    );
    expect(bad({ start: { a: 0, b: 0, c: 0 } })).toThrow(/does not use the parameter c/);
    expect(bad({ model: "a+x*y", start: { a: 0, x: 0 } })).toThrow(
      /x is both a column and a parameter/,
    );
    expect(bad({ y: "q" })).toThrow(/q is no column; the columns are "x", "y"/);
    expect(bad({ y: "2" })).toThrow(NameError);
    expect(bad({ x: { t: "Date" } })).toThrow(/no column "Date"/);
    expect(bad({ x: { "t t": "x" } })).toThrow(NameError);
  });

  it("says where a formula is wrong", () => {
    expect(bad({ model: "a+b*" })).toThrow(ParseError);
    expect(bad({ model: "a+b*quux(x)" })).toThrow(NameError);
    expect(bad({ y: "log(y" })).toThrow(ParseError);
    expect(bad({ model: "a+b*(x-mean(x))" })).toThrow(/mean is a function of whole columns/);
  });

  it("refuses wrong numbers", () => {
    expect(bad({ start: {} })).toThrow(/a, b in the model are neither/);
    expect(bad({ start: null })).toThrow(ArgumentError);
    expect(bad({ start: { a: "1", b: 0 } })).toThrow(ArgumentError);
    expect(bad({ start: { a: Number.NaN, b: 0 } })).toThrow(ArgumentError);
    expect(bad({ confidence: 1 })).toThrow(ArgumentError);
    expect(bad({ confidence: "high" })).toThrow(ArgumentError);
    expect(bad({ maxIterations: -1 })).toThrow(ArgumentError);
    expect(bad({ tolerance: 2 })).toThrow(ArgumentError);
    expect(bad({ weights: "x", sigma: "x" })).toThrow(ArgumentError);
    expect(bad({ model: 3 })).toThrow(ArgumentError);
    expect(() => fitData(undefined as never)).toThrow(ArgumentError);
    expect(bad({ y: [1, 2] })).toThrow(DataError);
  });

  it("names the row at fault", () => {
    expect(bad({ weights: x.map((each) => each - 1) })).toThrow(/row 0: the weight is -1/);
    expect(bad({ sigma: "x" })).toThrow(/row 0: sigma is 0/);
    expect(bad({ y: "log(x)" })).toThrow(/row 0: response log\(x\) is -Infinity/);
    const text = "x,y\n1,1\n2,2\n0,3\n4,4\n";
    const data = Table.parse(text, { source: "d.csv" });
    expect(bad({ data, model: "a+b/x" })).toThrow(FitError);
    expect(bad({ data, model: "a+b/x" })).toThrow(
      /not finite at the starting values \(d\.csv, line 4\)/,
    );
    expect(bad({ data: { x: [1], y: [1] } })).toThrow(FitError);
    expect(bad({ data: { x: [Number.NaN], y: [1] } })).toThrow(/no row has all the values/);
  });
});

describe("htmlReport", () => {
  it("is one page that loads nothing and escapes what users wrote", async () => {
    const name = "<img src=x onerror=alert(1)>";
    const data = Table.of({ [name]: x, y: line.y });
    const result = fitData({ ...straight, data, x: { x: name } });
    const html = await htmlReport(result, { title: "<script>alert(2)</script>", source: '"&' });
    expect(html).not.toContain("<img");
    expect(html).not.toContain("<script");
    expect(html).toContain("&lt;script&gt;");
    expect(html.match(/<svg/g)).toHaveLength(3);
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/\bNaN\b/);
  });

  it("draws observed against fitted for several predictors", async () => {
    const data = { ...line, z: x.map(Math.cos) };
    const result = fitData({ ...straight, data, model: "a+b*x+c*z", start: { a: 0, b: 0, c: 0 } });
    expect(await htmlReport(result)).toContain("Observed against fitted");
  });
});
