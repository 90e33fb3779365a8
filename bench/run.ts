/**
 * npm run bench -- [--only TEXT] [--peers NAME,...|none] [--rounds N] [--ms N] [--json FILE] [--docs]
 *
 * Computes value and gradient of every problem by everyone, compares the answers, times all of them in
 * interleaved rounds, and prints one table. Times are in units of the hand-written C++ primal, or, where that is said, of
 * the hand-written C++ derivative, and speedups over hand-written JavaScript.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { relativeDifference } from "./harness/compare.js";
import { draw } from "./harness/draw.js";
import { describe, machine } from "./harness/machine.js";
import { type AnyContender, type Contender, isRemote, measure } from "./harness/measure.js";
import { type NativePeers, openNative } from "./harness/native.js";
import { loadPeers, type Peers } from "./harness/peers.js";
import { explanation, type Report, type Row, table, writeResults } from "./harness/report.js";
import { chosen, docs, json, root, roundSeconds, rounds, wanted } from "./options.js";
import { withoutData } from "./problems/index.js";
import type { Problem } from "./problems/problem.js";

/** Our own answers that differ by more are wrong; those of others are shown and not judged. */
const tolerance = 1e-9;
let wrong = 0;
const failed: string[] = [];

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

/** How far a contender is from `expected`, the answer of the first one, or from the primal where that is what it has. */
async function differenceOf(
  contender: AnyContender,
  expected: Float64Array,
  primal: ArrayLike<number>,
): Promise<number> {
  if (!isRemote(contender)) return difference(answer(contender), expected);
  const actual = await contender.answer();
  if (contender.computes === "derivative") return relativeDifference(actual, expected.subarray(1));
  return relativeDifference(actual, primal);
}

/** Those that are ours to get right. */
const ours = new Set(["adjoint", "JavaScript", "C++"]);

async function rowsOf(problem: Problem, peers: Peers, natives: NativePeers): Promise<Row[]> {
  const candidates: AnyContender[] = problem.contenders(peers);
  const expected = answer(candidates[0] as Contender);
  const native = problem.native?.();
  if (native) candidates.push(...(await natives.contenders(native)));
  const primal = native?.primal?.() ?? expected.subarray(0, 1);
  const contenders: AnyContender[] = [];
  const differences: number[] = [];
  for (const candidate of candidates) {
    try {
      differences.push(await differenceOf(candidate, expected, primal));
      contenders.push(candidate);
    } catch (error) {
      // A program of somebody else that ends itself is out, and the others go on.
      if (!isRemote(candidate) || ours.has(candidate.tool)) throw error;
      failed.push(
        `${candidate.tool}, ${problem.name}, ${problem.size}: ${(error as Error).message}`,
      );
    }
  }
  const timings = await measure(contenders, { rounds, roundSeconds });
  for (const contender of contenders) contender.dispose?.();
  const adjoint = timings[contenders.findIndex(({ tool }) => tool === "adjoint")]!.seconds;
  const unit = native?.unit ?? "primal";
  const unitTiming =
    timings[contenders.findIndex((c) => isRemote(c) && c.tool === "C++" && c.computes === unit)];
  return contenders.map((contender, i) => {
    const { tool, backend, dtype, setupSeconds } = contender;
    if (ours.has(tool) && !(differences[i]! <= tolerance)) {
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
      computes: isRemote(contender) ? contender.computes : "derivative",
      seconds,
      fastest,
      slowest,
      runs,
      unit,
      primals: unitTiming ? seconds / unitTiming.seconds : null,
      speedup: timings[0]!.seconds / seconds,
      slowdown: seconds / adjoint,
      difference: differences[i]!,
      setup: setupSeconds ?? 0,
    };
  });
}

const peers = await loadPeers(wanted);
const natives = await openNative(resolve(root, "build", "bench", "native"), wanted);
const here = machine();
const versions = [...peers.versions, ...natives.versions];
console.log(
  `${[describe(here), ...versions].join("; ")}\n${rounds} rounds of ${roundSeconds * 1000} ms or more each\n`,
);
const rows: Row[] = [];
for (const problem of chosen) {
  process.stderr.write(`${problem.name}, ${problem.size}\n`);
  rows.push(...(await rowsOf(problem, peers, natives)));
}
natives.dispose();
const date = new Date().toISOString();
const skipped = [...new Set([...withoutData, ...peers.skipped, ...natives.skipped, ...failed])];
const report: Report = { machine: here, date, rounds, roundSeconds, versions, rows, skipped };

console.log(`${table(rows)}\n\n${explanation}`);
for (const line of skipped) console.log(`skipped: ${line}`);
mkdirSync(dirname(json), { recursive: true });
writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
console.log(`written: ${json}`);

if (docs) {
  const drawing = "benchmarks.svg";
  const notDrawn = await draw(resolve(root, "docs", drawing), report);
  if (notDrawn) console.log(`skipped: ${notDrawn}`);
  const page = resolve(root, "docs", "benchmarks.md");
  writeResults(page, report, notDrawn ? undefined : drawing);
  console.log(`written: ${page}`);
}
if (wrong > 0) process.exitCode = 1;
