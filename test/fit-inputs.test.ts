/** What fits refuse, and what their reports show, at the edges. */
import { describe, expect, it } from "vitest";
import { chartsOf } from "../lib/fit/charts.js";
import { fit as fitData, htmlReport } from "../lib/fit/index.js";
import { fn } from "../lib/function.js";
import { ArgumentError, DataError, NameError } from "../lib/generated/errors.js";
import { scalar, vector } from "../lib/spec.js";

const x = [1, 2, 3, 4];
const straight = {
  data: { x, y: [2.1, 3.9, 6.2, 8.1] },
  y: "y",
  model: "a+b*x",
  start: { a: 1, b: 1 },
};
const bad = (change: object) => () => fitData({ ...straight, ...change } as never);

describe("inputs of fit", () => {
  it("does not let a name stand for another column than its own", () => {
    expect(bad({ x: { y: "x" } })).toThrow(/y can not stand for x: it is a column of its own/);
    expect(fitData({ ...straight, x: { x: "x" } }).values.b).toBeCloseTo(2.03, 12);
    const renamed = fitData({
      ...straight,
      model: "a+b*gr\u00f6\u00dfe",
      x: { gr\u00f6\u00dfe: "x" },
    });
    expect(renamed.values.b).toBeCloseTo(2.03, 12);
  });

  it("lists the columns where a name is none", () => {
    expect(bad({ model: "a+b*z" })).toThrow(/the columns are "x", "y"/);
    const model = fn({ a: scalar(), z: scalar() }, ({ a, z }) => a.mul(z));
    expect(bad({ model, start: { a: 1 } })).toThrow(/z: neither .* the columns are "x", "y"/);
  });

  it("keeps columns and parameters of functions apart, too", () => {
    const model = fn({ a: scalar(), x: scalar() }, ({ a, x }) => a.mul(x));
    expect(bad({ model, start: { a: 1, x: 1 } })).toThrow(NameError);
  });

  it("names the row of weights that can not be", () => {
    expect(bad({ weights: [1, 1, 1, Number.POSITIVE_INFINITY] })).toThrow(/row 3: the weight is/);
    expect(bad({ sigma: [1, 1, 1e-200, 1] })).toThrow(/row 2: sigma is 1e-200, too small/);
    expect(bad({ weights: [0, 0, 0, 0] })).toThrow(/no row has a weight that is not zero/);
    expect(bad({ weights: [1, 1, "1", 1] })).toThrow(/weight, row 2: expected a number/);
  });

  it("does not take infinite numbers for missing ones", () => {
    const data = { x: [1, 2, Number.POSITIVE_INFINITY, 4], y: straight.data.y };
    expect(bad({ data })).toThrow(/row 2: x is Infinity/);
    expect(bad({ y: [1, 2, 3, Number.NEGATIVE_INFINITY] })).toThrow(/row 3: the response is/);
    expect(bad({ y: [1, 2, 3, Number.NEGATIVE_INFINITY] })).toThrow(DataError);
  });

  it("refuses arguments of wrong kinds with errors of its own", async () => {
    expect(bad({ data: null })).toThrow(ArgumentError);
    expect(bad({ x: null })).toThrow(ArgumentError);
    expect(bad({ maxIterations: 1.5 })).toThrow(/maxIterations is a whole number/);
    const { async } = fitData;
    await expect(async({ ...straight, signal: 3 as never })).rejects.toThrow(ArgumentError);
    await expect(async({ ...straight, onProgress: 3 as never })).rejects.toThrow(ArgumentError);
    const result = fitData(straight);
    expect(() => result.predict(null as never)).toThrow(ArgumentError);
    expect(() => result.predict({ x: 3 as never })).toThrow(DataError);
    expect(() => result.predict({ x: ["3"] as never })).toThrow(DataError);
    await expect(htmlReport(null as never)).rejects.toThrow(ArgumentError);
    await expect(htmlReport(result, null as never)).rejects.toThrow(ArgumentError);
  });
});

describe("fits of extreme numbers", () => {
  it("fits a response of zeros", () => {
    const result = fitData({ ...straight, y: [0, 0, 0, 0] });
    expect(result.statistics.reason).toBe("exact-fit");
    expect(result.values.b).toBeCloseTo(0, 12);
  });

  it("keeps standard errors where the sum of squares overflows", () => {
    const [small, large] = [1, 1e200].map((unit) =>
      fitData({ ...straight, y: straight.data.y.map((each) => each * unit) }),
    );
    expect(large!.converged).toBe(true);
    const [expected, found] = [small!, large!].map(({ parameters }) => parameters[1]!);
    expect(found!.standardError / 1e200).toBeCloseTo(expected!.standardError, 12);
    expect(found!.pValue).toBeCloseTo(expected!.pValue, 12);
    expect(large!.statistics.residualStandardError / 1e200).toBeCloseTo(
      small!.statistics.residualStandardError,
      12,
    );
  });
});

interface Layer {
  readonly data: { readonly values: readonly { readonly x: number }[] };
  readonly encoding: { readonly y: { readonly scale: { readonly domain: [number, number] } } };
}
const layersOf = (chart: object | undefined) =>
  (chart as { spec: { layer: [band: Layer, points: Layer, line: Layer] } }).spec.layer;

describe("charts", () => {
  it("shows the data of a model with a pole between them", () => {
    const data = { x: [-2, -1, -0.5, 0.5, 1, 2], y: [-1, -2.1, -4, 4.1, 2, 1] };
    const result = fitData({ data, y: "y", model: "a/(x-b)", start: { a: 1, b: 0 } });
    const { domain } = layersOf(chartsOf(result)[0])[0].encoding.y.scale;
    expect(domain).toEqual([-4 - 8.1 / 2, 4.1 + 8.1 / 2]);
  });

  it("draws a model of all observations at once where they are", async () => {
    const spec = { p: vector(2), x: vector(4) };
    const model = fn(spec, ({ p, x }) => p.at(0).add(p.at(1).mul(x)));
    const data = { x: [3, 1, 4, 2], y: [6.2, 2.1, 8.1, 3.9] };
    const result = fitData({ ...straight, data, model: model as never, start: { p: [0, 0] } });
    const [, , line] = layersOf(chartsOf(result)[0]);
    expect(line.data.values.map(({ x }) => x)).toEqual(x);
    expect(await htmlReport(result)).toContain("Data and fit");
  });

  it("draws all points of a close-up, however many there are in all", () => {
    const n = 100_000;
    const many = Float64Array.from({ length: n }, (_, i) => i);
    const data = { x: many, y: many.map((each) => each + Math.sin(each)) };
    const charts = chartsOf(fitData({ ...straight, data }));
    expect(charts[1]!.title).toBe("The 60 observations of greatest x");
    expect(layersOf(charts[1])[1].data.values).toHaveLength(60);
    expect(charts[1]!.caption).not.toMatch(/points are drawn/);
    expect(charts[0]!.caption).toMatch(/2500 of 100000 points are drawn/);
    const few = { x: many.map((each) => each % 10), y: data.y };
    const titles = chartsOf(fitData({ ...straight, data: few })).map(({ title }) => title);
    expect(titles).toEqual(["Data and fit", "Residuals", "Normal quantiles"]);
  });
});
