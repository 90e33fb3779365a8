import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { evals } from "../bench/gradbench/evals.js";
import { nested } from "../bench/gradbench/input.js";
import { Tool } from "../bench/gradbench/protocol.js";
import { mixedDifference } from "../bench/harness/compare.js";
import { Random } from "../bench/harness/random.js";
import { detByHand, detInput } from "../bench/problems/det.js";
import { type GmmInput, gmmByHand, gmmInput, gmmScratch } from "../bench/problems/gmm.js";
import { kmeansByHand, kmeansInput } from "../bench/problems/kmeans.js";
import { llsqByHandSimply, llsqPoints } from "../bench/problems/llsq.js";
import { logsumexpByHand } from "../bench/problems/logsumexp.js";
import { odeByHand, odeGradientByHand } from "../bench/problems/ode.js";

const tolerance = 1e-8;

interface Response {
  id: unknown;
  success?: boolean;
  output?: unknown;
  error?: string;
  timings?: { name: string; nanoseconds: number }[];
}

const tool = new Tool(evals);
const send = async (message: object): Promise<Response> =>
  JSON.parse(await tool.respond(JSON.stringify(message))) as Response;

/** The output of a function, which has to succeed. */
async function call(module: string, name: string, input: unknown): Promise<unknown> {
  const response = await send({ id: 1, kind: "evaluate", module, function: name, input });
  expect(response.error).toBeUndefined();
  expect(response).toMatchObject({ id: 1, success: true });
  return response.output;
}

/** Every number in a JSON value, in order, object keys sorted. */
function flat(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (Array.isArray(value)) return value.flatMap(flat);
  if (typeof value !== "object" || value === null) return [Number.NaN];
  return Object.keys(value)
    .sort()
    .flatMap((key) => flat((value as Record<string, unknown>)[key]));
}

/** The structure without the numbers: lengths of lists of numbers, keys of objects. */
function form(value: unknown): unknown {
  if (!Array.isArray(value)) {
    if (typeof value !== "object" || value === null) return typeof value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, v]) => [key, form(v)]),
    );
  }
  return value.every((v) => typeof v === "number") ? value.length : value.map(form);
}

function expectClose(actual: unknown, expected: unknown): void {
  expect(form(actual)).toEqual(form(expected));
  expect(mixedDifference(flat(actual), flat(expected))).toBeLessThanOrEqual(tolerance);
}

/** Central differences of a function of one vector. */
function finiteDifferences(f: (x: Float64Array) => number, x: Float64Array): Float64Array {
  return x.map((xi, i) => {
    const h = 1e-5 * Math.max(1, Math.abs(xi));
    const at = (value: number): number => f(x.with(i, value));
    return (at(xi + h) - at(xi - h)) / (2 * h);
  });
}

const runs = { min_runs: 1, min_seconds: 0 };

describe("hello", () => {
  test("square and its derivative", async () => {
    expect(await call("hello", "square", 3)).toBe(9);
    expect(await call("hello", "double", 3)).toBe(6);
    expect(await call("hello", "double", -0.75)).toBe(-1.5);
  });
});

describe("llsq", () => {
  test.each([
    [2, 1],
    [3, 2],
    [16, 8],
    [129, 30],
    [300, 128],
  ])("n=%i, m=%i", async (n, m) => {
    const x = new Random(n + m).uniforms(m, -1, 1);
    const t = llsqPoints(n);
    const gradient = new Float64Array(m);
    const value = llsqByHandSimply(t, t.map(Math.sign), x, gradient);
    const input = { x: Array.from(x), n, ...runs };
    expectClose(await call("llsq", "primal", input), value);
    expectClose(await call("llsq", "gradient", input), Array.from(gradient));
  });
});

describe("lse", () => {
  test.each([1, 2, 7, 1000])("n=%i", async (n) => {
    const x = new Random(n).uniforms(n, -40, 800);
    const gradient = new Float64Array(n);
    const value = logsumexpByHand(x, gradient);
    const input = { x: Array.from(x), ...runs };
    expectClose(await call("lse", "primal", input), value);
    expectClose(await call("lse", "gradient", input), Array.from(gradient));
  });
});

describe("det", () => {
  /** Laplace's expansion as it stands in the textbook. */
  function laplace(a: number[][]): number {
    if (a.length === 1) return a[0]![0]!;
    return a[0]!.reduce((sum, v, j) => {
      const minor = a.slice(1).map((row) => row.filter((_, column) => column !== j));
      return sum + (j % 2 === 0 ? v : -v) * laplace(minor);
    }, 0);
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("ell=%i", async (ell) => {
    const a = detInput(ell);
    const gradient = new Float64Array(ell * ell);
    const size = 1 << ell;
    const value = detByHand(a, ell, new Float64Array(size), new Float64Array(size), gradient);
    expectClose(value, laplace(nested(a, ell, ell)));
    const input = { A: Array.from(a), ell, ...runs };
    expectClose(await call("det", "primal", input), value);
    expectClose(await call("det", "gradient", input), Array.from(gradient));
  });

  test("a singular matrix has a gradient: its cofactors", async () => {
    const input = { A: [1, 2, 2, 4], ell: 2, ...runs };
    expect(await call("det", "primal", input)).toBe(0);
    expect(await call("det", "gradient", input)).toEqual([4, -2, -2, 1]);
  });
});

describe("ode", () => {
  test.each([
    [1, 1],
    [1, 3],
    [2, 5],
    [10, 1],
    [10, 10],
    [100, 7],
  ])("n=%i, s=%i", async (n, s) => {
    const x = new Random(n * s).uniforms(n, 0.2, 1.5);
    const gradient = odeGradientByHand(x, s);
    const input = { x: Array.from(x), s, ...runs };
    expectClose(await call("ode", "primal", input), Array.from(odeByHand(x, s)));
    expectClose(await call("ode", "gradient", input), Array.from(gradient));
    const differences = finiteDifferences((at) => odeByHand(at, s)[n - 1]!, x);
    expect(mixedDifference(gradient, differences)).toBeLessThan(1e-6);
  });
});

describe("gmm", () => {
  function message(g: GmmInput): object {
    const { d, k, n, gamma, m } = g;
    return {
      ...{ d, k, n, gamma, m, alpha: Array.from(g.alpha), ...runs },
      x: nested(g.x, n, d),
      mu: nested(g.mu, k, d),
      q: nested(g.q, k, d),
      l: nested(g.l, k, (d * (d - 1)) / 2),
    };
  }

  function byHand(g: GmmInput) {
    const gradient = {
      alpha: new Float64Array(g.alpha.length),
      mu: new Float64Array(g.mu.length),
      q: new Float64Array(g.q.length),
      l: new Float64Array(g.l.length),
    };
    const value = gmmByHand(g, gmmScratch(g.d, g.k), gradient);
    return { value, gradient };
  }

  test.each([
    [1, 1, 1, 1, 0],
    [1, 3, 10, 0.7, 2],
    [2, 1, 5, 1, 0],
    [2, 5, 40, 1, 0],
    [3, 4, 30, 1.5, 1],
    [10, 5, 20, 1, 0],
    [20, 2, 9, 0.5, 3],
  ])("d=%i, k=%i, n=%i, gamma=%d, m=%i", async (d, k, n, gamma, m) => {
    const g = gmmInput(d, k, n, gamma, m);
    const { value, gradient } = byHand(g);
    expectClose(await call("gmm", "objective", message(g)), value);
    expectClose(await call("gmm", "jacobian", message(g)), {
      alpha: Array.from(gradient.alpha),
      mu: nested(gradient.mu, k, d),
      q: nested(gradient.q, k, d),
      l: nested(gradient.l, k, (d * (d - 1)) / 2),
    });
  });

  test("the reference's gradient is that of its value", () => {
    const g = gmmInput(3, 2, 15, 1.2, 1);
    const { gradient } = byHand(g);
    for (const name of ["alpha", "mu", "q", "l"] as const) {
      const differences = finiteDifferences((at) => byHand({ ...g, [name]: at }).value, g[name]);
      expect(mixedDifference(gradient[name], differences)).toBeLessThan(1e-6);
    }
  });
});

describe("kmeans", () => {
  test.each([
    [1, 1, 1],
    [20, 3, 1],
    [100, 5, 3],
    [64, 10, 8],
    [300, 40, 2],
  ])("n=%i, k=%i, d=%i", async (n, k, d) => {
    const g = kmeansInput(n, k, d);
    const { cost, dir } = kmeansByHand(g);
    const input = { points: nested(g.points, n, d), centroids: nested(g.centroids, k, d), ...runs };
    expectClose(await call("kmeans", "cost", input), cost);
    expectClose(await call("kmeans", "dir", input), nested(dir, k, d));
  });
});

describe("protocol", () => {
  test("start, define, and messages of other kinds", async () => {
    expect(await send({ id: 7, kind: "start", eval: "gmm" })).toEqual({ id: 7, tool: "adjoint" });
    expect(await send({ id: 8, kind: "define", module: "lse" })).toMatchObject({
      id: 8,
      success: true,
    });
    expect(await send({ id: 9, kind: "define", module: "nothing" })).toMatchObject({
      id: 9,
      success: false,
    });
    expect(await send({ id: 10, kind: "analysis", of: 9, valid: true })).toEqual({ id: 10 });
    expect(await send({ id: "x" })).toEqual({ id: "x" });
  });

  test("a run is repeated as often and as long as asked, each with its own timing", async () => {
    const input = { x: [1, 2, 3], min_runs: 5, min_seconds: 0 };
    const message = { id: 1, kind: "evaluate", module: "lse", function: "primal", input };
    const five = (await send(message)).timings!;
    expect(five.map(({ name }) => name)).toEqual(["prepare", ...Array(5).fill("evaluate")]);
    const long = (await send({ ...message, input: { ...input, min_seconds: 0.02 } })).timings!;
    const sum = long.slice(1).reduce((total, { nanoseconds }) => total + nanoseconds, 0);
    expect(sum).toBeGreaterThanOrEqual(0.02e9);
    expect(long.every(({ nanoseconds }) => nanoseconds >= 0)).toBe(true);
  });

  const evaluate = (fields: object): string =>
    JSON.stringify({ id: 3, kind: "evaluate", ...fields });
  test.each([
    ["not JSON", "{"],
    ["a number", "5"],
    ["null", "null"],
    ["a list", "[]"],
    ["an empty object", "{}"],
    ["no module", evaluate({ function: "primal" })],
    ["a name every object has", evaluate({ module: "constructor", function: "primal" })],
    ["a function every object has", evaluate({ module: "lse", function: "toString" })],
    ["no input", evaluate({ module: "lse", function: "primal" })],
    ["input null", evaluate({ module: "gmm", function: "objective", input: null })],
    ["strings", evaluate({ module: "lse", function: "primal", input: { x: ["1"] } })],
    ["empty x", evaluate({ module: "lse", function: "primal", input: { x: [] } })],
    [
      "ragged",
      evaluate({
        module: "kmeans",
        function: "dir",
        input: { points: [[1], [1, 2]], centroids: [[1]] },
      }),
    ],
    ["wrong length", evaluate({ module: "det", function: "primal", input: { A: [1, 2], ell: 2 } })],
    ["ell zero", evaluate({ module: "det", function: "primal", input: { A: [], ell: 0 } })],
    ["ell huge", evaluate({ module: "det", function: "primal", input: { A: [1], ell: 1e9 } })],
    ["s fractional", evaluate({ module: "ode", function: "primal", input: { x: [1], s: 1.5 } })],
    ["s negative", evaluate({ module: "ode", function: "gradient", input: { x: [1], s: -1 } })],
    ["n huge", evaluate({ module: "llsq", function: "primal", input: { x: [1], n: 1e15 } })],
    ["hello with a list", evaluate({ module: "hello", function: "square", input: [2] })],
  ])("malformed: %s", async (_, line) => {
    const answer = await tool.respond(line);
    expect(answer).not.toContain("\n");
    const response = JSON.parse(answer) as Response;
    expect(response).toHaveProperty("id");
    expect(response.success ?? false).toBe(false);
    expect(await call("hello", "square", 3)).toBe(9);
  });
});

const repository = fileURLToPath(new URL("..", import.meta.url));
const built = existsSync(join(repository, "dist", "index.js"));

describe("the program", () => {
  test.skipIf(!built)(
    "answers a line each, from any folder, and ends with its input",
    async () => {
      const program = join(repository, "bench", "gradbench", "tool.js");
      const child = spawn(process.execPath, [program], {
        cwd: tmpdir(),
        stdio: ["pipe", "pipe", "inherit"],
      });
      const messages = [
        { id: 0, kind: "start", eval: "hello" },
        { id: 1, kind: "define", module: "hello" },
        { id: 2, kind: "evaluate", module: "hello", function: "double", input: 21 },
      ];
      child.stdin.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
      child.stdin.end("nonsense\n");
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
      const status = await new Promise((resolve) => child.on("close", resolve));
      expect(status).toBe(0);
      const lines = output.trimEnd().split("\n");
      expect(lines).toHaveLength(4);
      const responses = lines.map((line) => JSON.parse(line) as Response);
      expect(responses.slice(0, 3)).toMatchObject([
        { id: 0, tool: "adjoint" },
        { id: 1, success: true },
        { id: 2, success: true, output: 42 },
      ]);
    },
    120_000,
  );
  if (!built) console.log("skipped: the GradBench program, because dist/ is not built");
});

const data = process.env.ADJOINT_DATA;
const transcripts = data ? join(data, "gradbench") : "";
const recorded = [
  "hello",
  "llsq_small",
  "lse_small",
  "det_1_8",
  "ode_small",
  "gmm_n50",
  "kmeans_small",
];

describe("recorded transcripts", () => {
  if (!data) {
    console.log(
      `skipped: ${recorded.length} GradBench transcripts, because ADJOINT_DATA is not set`,
    );
  }
  test.skipIf(!data).each(recorded)(
    "%s",
    async (name) => {
      const lines = readFileSync(join(transcripts, `${name}.jsonl`), "utf8")
        .trim()
        .split("\n");
      let compared = 0;
      for (const line of lines) {
        const { message, response } = JSON.parse(line) as {
          message: {
            id: unknown;
            kind: string;
            module?: string;
            function?: string;
            input?: unknown;
          };
          response: Response;
        };
        const answer = await send(message);
        expect(answer.id).toBe(message.id);
        if (message.kind === "define") expect(answer.success).toBe(true);
        if (message.kind !== "evaluate" || response.success !== true) continue;
        let expected = response.output;
        if (message.module === "ode" && message.function === "gradient") {
          // The recorded gradient is that of the exact solution, not of the steps.
          const { x, s } = message.input as { x: number[]; s: number };
          expected = Array.from(odeGradientByHand(Float64Array.from(x), s));
        }
        expect(answer.error).toBeUndefined();
        expectClose(answer.output, expected);
        compared++;
      }
      expect(compared).toBeGreaterThan(0);
    },
    120_000,
  );
});
