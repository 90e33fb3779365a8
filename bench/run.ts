/**
 * npm run bench -- [--only TEXT] [--peers tfjs,jax|none] [--rounds N] [--ms N] [--json FILE] [--docs]
 *
 * Computes value and gradient of every problem by everyone, compares the answers, times all of them in
 * interleaved rounds, and prints one table. The baseline is hand-written JavaScript.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { relativeDifference } from "./harness/compare.js";
import { describe, machine } from "./harness/machine.js";
import { type Contender, measure } from "./harness/measure.js";
import { loadPeers, type Peers, peerNames } from "./harness/peers.js";
import { markdown, type Report, type Row, table } from "./harness/report.js";
import { problems } from "./problems/index.js";
import type { Problem } from "./problems/problem.js";

// From build/bench/run.js.
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    peers: { type: "string", default: "tfjs,jax" },
    rounds: { type: "string", default: "9" },
    ms: { type: "string", default: "50" },
    json: { type: "string", default: resolve(root, "build", "bench", "results.json") },
    docs: { type: "boolean", default: false },
  },
});
const rounds = positive("rounds", options.rounds);
const roundSeconds = positive("ms", options.ms) / 1000;
const chosen = problems.filter(({ name, size }) =>
  `${name} ${size}`.toLowerCase().includes(options.only.toLowerCase()),
);
if (chosen.length === 0) throw new Error(`--only ${options.only}: no problem has this in its name`);
const wanted = options.peers === "none" ? [] : options.peers.split(",");
for (const name of wanted) {
  if (!(name in peerNames))
    throw new Error(`--peers ${name}: not one of ${Object.keys(peerNames)}`);
}
if (options.docs && (chosen.length < problems.length || wanted.length < 2)) {
  throw new Error("--docs wants every problem and every peer");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value < 1e6)) throw new Error(`--${name} ${text}: not a number from 1 on`);
  return Math.round(value);
}

/** Our own answers that differ by more are wrong; those of others are shown and not judged. */
const tolerance = 1e-9;
let wrong = 0;

/** What a contender answers: the value, then the gradient. */
function answer(contender: Contender): Float64Array {
  contender.select?.();
  const value = contender.run();
  const gradient = contender.gradient();
  const all = new Float64Array(gradient.length + 1);
  all[0] = value;
  all.set(gradient, 1);
  return all;
}

/** The worse of the value's difference and the gradient's, each relative to its own size. */
function difference(actual: Float64Array, expected: Float64Array): number {
  return Math.max(
    relativeDifference(actual.subarray(0, 1), expected.subarray(0, 1)),
    relativeDifference(actual.subarray(1), expected.subarray(1)),
  );
}

function rowsOf(problem: Problem, peers: Peers): Row[] {
  const contenders = problem.contenders(peers);
  const expected = answer(contenders[0]!);
  const differences = contenders.map((contender) => difference(answer(contender), expected));
  const timings = measure(contenders, { rounds, roundSeconds });
  for (const contender of contenders) contender.dispose?.();
  const adjoint = timings[contenders.findIndex(({ tool }) => tool === "adjoint")]!.seconds;
  return contenders.map(({ tool, backend, dtype, setupSeconds }, i) => {
    const ours = tool === "adjoint" || tool === "JavaScript";
    if (ours && !(differences[i]! <= tolerance)) {
      wrong++;
      console.error(`WRONG: ${problem.name} ${problem.size} ${tool}: ${differences[i]}`);
    }
    const { seconds, fastest, slowest, runs } = timings[i]!;
    return {
      problem: problem.name,
      size: problem.size,
      tool,
      backend,
      dtype,
      seconds,
      fastest,
      slowest,
      runs,
      speedup: timings[0]!.seconds / seconds,
      slowdown: seconds / adjoint,
      difference: differences[i]!,
      setup: setupSeconds ?? 0,
    };
  });
}

const peers = await loadPeers(wanted);
const here = machine();
console.log(
  `${[describe(here), ...peers.versions].join("; ")}\n${rounds} rounds of ${roundSeconds * 1000} ms or more each\n`,
);
const rows: Row[] = [];
for (const problem of chosen) {
  process.stderr.write(`${problem.name}, ${problem.size}\n`);
  rows.push(...rowsOf(problem, peers));
}
const date = new Date().toISOString();
const skipped = [...new Set(peers.skipped)];
const { versions } = peers;
const report: Report = { machine: here, date, rounds, roundSeconds, versions, rows, skipped };

console.log(table(rows));
console.log("\nspeedup: time of the hand-written JavaScript / time of this row; more is faster");
console.log("/ adjoint: time of this row / time of adjoint");
for (const line of skipped) console.log(`skipped: ${line}`);
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
console.log(`written: ${options.json}`);

if (options.docs) {
  const file = resolve(root, "docs", "benchmarks.md");
  const [begin, end] = ["<!-- results: begin -->", "<!-- results: end -->"];
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} does not have the lines ${begin} and ${end}`);
  const head = text.slice(0, from + begin.length);
  writeFileSync(file, `${head}\n\n${markdown(report)}\n${text.slice(to)}`);
  console.log(`written: ${file}`);
}
if (wrong > 0) process.exitCode = 1;
