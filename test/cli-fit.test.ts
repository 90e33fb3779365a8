import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command, interruptCommand, runCommand } from "./command.js";

const data = fileURLToPath(new URL("data/", import.meta.url));
const co2 = fileURLToPath(
  new URL("../node_modules/vega-datasets/data/co2-concentration.csv", import.meta.url),
);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adjoint-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const adjoint = (...args: string[]) => runCommand(folder, args);
const adjointWith = (input: string, ...args: string[]) => runCommand(folder, args, input);

const misra = join(data, "misra1a.csv");
const options = [
  "--y",
  "volume",
  "--model",
  "b1*(1-exp(-b2*pressure))",
  "--start",
  "b1=500,b2=1e-4",
];

describe("adjoint fit", () => {
  it("prints the table of parameters and the statistics", () => {
    const { status, stdout, stderr } = adjoint("fit", misra, ...options);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("volume ~ b1*(1-exp(-b2*pressure))");
    expect(stdout).toMatch(/^b1 +238\.942 +2\.7070 /m);
    expect(stdout).toMatch(/^b2 +0\.000550156 /m);
    expect(stdout).toMatch(/^residual sum of squares +0\.12455139$/m);
    expect(stdout).toMatch(/^ended +converged$/m);
  });

  it("prints JSON", () => {
    const { status, stdout } = adjoint("fit", misra, ...options, "--json", "--confidence", "0.9");
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.confidence).toBe(0.9);
    expect(result.parameters[0].estimate).toBeCloseTo(238.94212918, 7);
    expect(result.statistics.observations).toBe(14);
    expect(result.covariance).toHaveLength(2);
  });

  it("reads semicolons, decimal commas, quotes, dates and missing values", () => {
    const file = join(data, "river.csv");
    const { status, stdout, stderr } = adjoint(
      ...["fit", file, "--y", "log(Flow m3/s)".replace("Flow m3/s", "q"), "--x", "q=Flow, m3/s"],
      ...["--x", "t=Day", "--model", "a+b*(t-2024)", "--start", "a=1,b=0", "--json"],
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { statistics, parameters } = JSON.parse(stdout);
    expect(statistics).toMatchObject({ observations: 10, dropped: 2 });
    // The file is exp(2 - 0.5 (t - 2024)) to six digits.
    expect(parameters[0].estimate).toBeCloseTo(2, 5);
    expect(parameters[1].estimate).toBeCloseTo(-0.5, 5);
  });

  it.skipIf(!existsSync(co2))("fits trend and seasons of the CO2 series, with a report", () => {
    const report = join(folder, "deep", "co2.html");
    const { status, stdout } = adjoint(
      ...["fit", co2, "--y", "CO2", "--x", "t=Date", "--html", report],
      ...[
        "--model",
        "a+b*(t-1990)+c*(t-1990)^2+s1*sin(2*pi*t)+c1*cos(2*pi*t)+s2*sin(4*pi*t)+c2*cos(4*pi*t)",
      ],
      ...["--start", "a=350,b=1,c=0,s1=1,c1=1,s2=0,c2=0"],
    );
    expect(status).toBe(0);
    expect(stdout).toContain(`The report is in ${report}`);
    const html = readFileSync(report, "utf8");
    expect(html.startsWith("<!DOCTYPE html>")).toBe(true);
    expect(html).toContain("<svg");
    expect(stdout).toMatch(/^R squared +0\.99/m);
  });

  it("reads the standard input", () => {
    const { status, stdout } = adjointWith(readFileSync(misra, "utf8"), "fit", "-", ...options);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^b1 +238\.942 /m);
    expect(adjointWith("volume,pressure\n1,2\n3\n", "fit", "-", ...options)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^adjoint: ERR_DATA: standard input, line 3: 1 cells/),
    });
  });

  it("finds that a report can not be written before it reads the data", () => {
    const none = join(folder, "none.csv");
    const file = join(folder, "file");
    writeFileSync(file, "");
    for (const report of ["", folder, join(file, "report.html"), "/proc/none/report.html"]) {
      const { status, stderr } = adjoint("fit", none, ...options, "--html", report);
      expect(status, report).toBe(1);
      expect(stderr).toMatch(/^adjoint: ERR_DATA: .*report/);
    }
  });

  it.skipIf(!existsSync("/dev/full"))("says that its output has no place", () => {
    const full = openSync("/dev/full", "w");
    try {
      const { status, stderr } = spawnSync(process.execPath, [command, "fit", misra, ...options], {
        encoding: "utf8",
        stdio: ["ignore", full, "pipe"],
      });
      expect(status).toBe(1);
      expect(stderr).toMatch(/^adjoint: error: standard output: .*\n$/);
    } finally {
      closeSync(full);
    }
  });

  it("exits with 130 when interrupted", async () => {
    const { status, stderr } = await interruptCommand(
      folder,
      ["fit", "-", ...options],
      "volume,pressure\n",
    );
    expect(status).toBe(130);
    expect(stderr).toMatch(/^adjoint: ERR_ABORT: /);
  });

  it("says nothing when quiet", () => {
    expect(adjoint("fit", misra, ...options, "--quiet")).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("exits with 1 and a typed message for what is wrong with data, model or fit", () => {
    const ragged = join(folder, "ragged.csv");
    writeFileSync(ragged, "volume,pressure\n1,2\n3\n");
    expect(adjoint("fit", ragged, ...options)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^adjoint: ERR_DATA: .*ragged\.csv, line 3: 1 cells/),
    });
    expect(adjoint("fit", join(folder, "none.csv"), ...options)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("ERR_DATA"),
    });
    const [y, , ...rest] = options;
    expect(adjoint("fit", misra, y!, "weight", ...rest)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^adjoint: ERR_NAME: .*its? ?.*columns are "volume", "pressure"/,
      ),
    });
    const unknown = adjoint("fit", misra, ...options.slice(0, -1), "b1=500");
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(
      /ERR_NAME: fit: b2 in the model is neither a column nor a parameter/,
    );
    expect(unknown.stderr).not.toMatch(/\bat \S+\.js:/);
    const misspelled = adjoint(
      "fit",
      misra,
      "--y",
      "volume",
      "--model",
      "b1*exq(2)",
      ...options.slice(4),
    );
    expect(misspelled).toMatchObject({
      status: 1,
      stderr:
        'adjoint: ERR_NAME: formula: unknown function "exq" at position 3\n  b1*exq(2)\n     ^\n',
    });
    const debug = adjoint("fit", misra, ...options.slice(0, -1), "b1=500", "--debug");
    expect(debug.stderr).toMatch(/\bat .*\.js:/);
  });

  it("exits with 1 when the fit did not converge, and still prints it", () => {
    const { status, stdout, stderr } = adjoint("fit", misra, ...options, "--max-iterations", "1");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^b1 /m);
    expect(stderr).toMatch(/ERR_FIT: the fit did not converge/);
  });

  it("exits with 2 for a wrong call", () => {
    for (const args of [
      [],
      ["fit"],
      ["quux"],
      ["fit", misra],
      ["fit", misra, ...options, "--quux"],
      ["fit", misra, ...options.slice(0, -1), "b1"],
      ["fit", misra, ...options.slice(0, -1), "b1=x"],
      ["fit", misra, ...options.slice(0, -1), "b1=1,b1=2"],
      ["fit", misra, ...options, "--confidence", "much"],
      ["fit", misra, ...options, "--delimiter", "x"],
    ]) {
      const { status, stdout, stderr } = adjoint(...args);
      expect([status, stdout], args.join(" ")).toEqual([2, ""]);
      expect(stderr).not.toBe("");
    }
  });

  it("helps", () => {
    expect(adjoint("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("fit") });
    expect(adjoint("fit", "--help").stdout).toContain("--model <formula>");
    expect(adjoint("--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
