/**
 * node bench/build.mjs && node bench/native/build.mjs && node build/bench/least-squares.js [rounds]
 *
 * Bundle adjustment from perturbed cameras and points to the least squares, beside Ceres on one thread, which is given the
 * same numbers and tolerances; interleaved rounds, medians. An iteration's time is that of all iterations over their number.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { leastSquares } from "adjoint";
import { describe, machine } from "./harness/machine.js";
import { Random } from "./harness/random.js";
import { type BaInput, ba, baInput, baValues } from "./problems/ba.js";

interface Run {
  readonly name: string;
  readonly iterations: number;
  readonly cost: number;
  /** Seconds before the first iteration, and of all. */
  readonly prepare: number;
  readonly solve: number;
}

/** Features are what true cameras see of true points, but for noise; the start is not far from the truth. */
function problemOf(n: number, m: number, p: number): BaInput {
  const truth = baInput(n, m, p);
  const random = new Random(7);
  const f = ba(truth);
  const w = new Float64Array(p).fill(1);
  const { reprojection } = f({ ...baValues(truth), w, feats: new Float64Array(2 * p) });
  f.dispose();
  const noise = random.normals(2 * p);
  const feats = reprojection.map((value, i) => value + 0.5 * noise[i]!);
  const near = (values: Float64Array, part: number) =>
    values.map((value) => value * (1 + part * random.uniform(-1, 1)));
  return { ...truth, w, feats, cams: near(truth.cams, 0.02), x: near(truth.x, 0.02) };
}

const tolerances = {
  maxIterations: 100,
  costTolerance: 1e-9,
  stepTolerance: 1e-12,
  gradientTolerance: 1e-15,
};

function ours(input: BaInput): Run {
  const f = ba(input);
  const x0 = baValues(input) as never;
  const found = leastSquares(f, { x0, wrt: ["cams", "x"], jacobian: "sparse", ...tolerances });
  f.dispose();
  const { iterations, cost, prepareSeconds: prepare, solveSeconds: solve } = found;
  return { name: "adjoint", iterations, cost, prepare, solve };
}

const program = fileURLToPath(new URL("native/ceres-solver", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "adjoint-ceres-"));

function theirs({ n, m, p, cams, x, w, feats }: BaInput): Run[] {
  if (!existsSync(program)) return [];
  const file = join(folder, "numbers");
  const all = [cams, x, w, feats].map((values) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  writeFileSync(file, Buffer.concat(all));
  const ended = spawnSync(program, [file, ...[n, m, p].map(String)], { encoding: "utf8" });
  if (ended.status !== 0) throw new Error(`ceres-solver: ${ended.stderr}`);
  const [version, ...lines] = ended.stdout.trim().split("\n");
  return lines.map((line) => {
    const [name, ...numbers] = line.split(" ");
    const [iterations, cost, prepare, solve] = numbers.map(Number);
    const title = `${version}, ${name}`;
    return { name: title, iterations: iterations!, cost: cost!, prepare: prepare!, solve: solve! };
  });
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

const rounds = Number(process.argv[2] ?? 5);
const sizes = [
  [21, 1000, 5000],
  [49, 4000, 20_000],
] as const;

console.log(describe(machine()));
if (!existsSync(program)) console.log("skipped: Ceres (Debian: apt-get install libceres-dev)");
console.log(
  "| problem | solver | iterations | cost | prepare, ms | iteration, ms | all, ms | adjoint / it, by iteration | in all |\n" +
    "|---|---|---:|---:|---:|---:|---:|---:|---:|",
);
try {
  for (const [n, m, p] of sizes) {
    const input = problemOf(n, m, p);
    const found = Array.from({ length: rounds }, () => [ours(input), ...theirs(input)]);
    const rows = found[0]!.map((run, i) => {
      const prepare = median(found.map((runs) => runs[i]!.prepare));
      const solve = median(found.map((runs) => runs[i]!.solve));
      return { ...run, prepare, each: solve / run.iterations, all: prepare + solve };
    });
    const own = rows[0]!;
    for (const { name, iterations, cost, prepare, each, all } of rows) {
      const ms = [prepare, each, all].map((seconds) => (seconds * 1e3).toPrecision(3));
      const ratios = [own.each / each, own.all / all].map((ratio) => ratio.toPrecision(2));
      const problem = `${n} cameras, ${m} points, ${p} observations`;
      console.log(
        `| ${[problem, name, iterations, cost.toPrecision(10), ...ms, ...ratios].join(" | ")} |`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
