// The GradBench tool as the outside sees it: messages, the program, recorded conversations.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { linesOf } from "../bench/gradbench/lines.js";
import { odeGradientByHand } from "../bench/problems/ode.js";
import { call, expectClose, type Response, send, tool } from "./gradbench-tool.js";

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

describe("numbers that JSON does not have", () => {
  test.each([
    ["lse", "primal", { x: [Number.POSITIVE_INFINITY, 1] }, null],
    ["llsq", "primal", { x: [1, 2], n: 1 }, null],
    ["kmeans", "dir", { points: [[1], [2]], centroids: [[0], [9]] }, [[-1.5], [null]]],
  ])("%s %s: null in their place", async (module, name, input, output) => {
    // JSON writes infinity as a number too large, and has no way to write it back.
    const text = JSON.stringify({ id: 1, kind: "evaluate", module, function: name, input });
    const line = text.replace("[null,1]", "[1e999,1]");
    expect(JSON.parse(await tool.respond(line))).toMatchObject({ success: true, output });
  });
});

describe("lines", () => {
  test.each([
    ["one chunk", ["a\nb\n"], ["a", "b", ""]],
    ["pieces", ["a", "b\nc", "", "d\n\n", "e"], ["ab", "cd", "", "e"]],
    ["only a line feed ends one", ["a\rb\u2028c\u2029d\r\ne"], ["a\rb\u2028c\u2029d\r", "e"]],
    ["nothing", [], [""]],
  ])("%s", async (_, chunks, expected) => {
    const lines: string[] = [];
    for await (const line of linesOf(
      Readable.from(
        chunks.map((chunk) => Buffer.from(chunk)),
        { objectMode: false },
      ),
    ))
      lines.push(line);
    expect(lines).toEqual(expected);
  });

  test("a character in two chunks", async () => {
    const bytes = Buffer.from("\u00fc\n");
    const lines: string[] = [];
    for await (const line of linesOf(
      Readable.from([bytes.subarray(0, 1), bytes.subarray(1)], { objectMode: false }),
    ))
      lines.push(line);
    expect(lines).toEqual(["\u00fc", ""]);
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
  "ba_1_3",
  "ht_small_simple_1",
  "lstm_c64_256",
  "saddle_finite",
  "particle_finite",
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
