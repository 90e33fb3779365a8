/**
 * node bench/build.mjs && node bench/native/build.mjs && node build/bench/sparse-setup.js [text] [rounds]
 *
 * What it takes before the first sparse derivative is computed, step by step, beside ADOL-C, which finds patterns on its
 * tape, and ColPack, which colors them, in the same run: interleaved medians in milliseconds. Problems have the text in
 * their names. Of adjoint the pattern comes with the derivative's graph; ADOL-C's and ColPack's steps have nothing like it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type CsrPattern, colorPattern, sparseHessian, sparseJacobian } from "adjoint";
import { describe, machine } from "./harness/machine.js";
import { type AnyContender, type Contender, measure } from "./harness/measure.js";
import { openNative } from "./harness/native.js";
import { brusselator, brusselatorInput } from "./problems/brusselator.js";
import { chained, chainedInput } from "./problems/chained.js";
import { withoutData } from "./problems/index.js";
import { opfConstraints, opfLagrangian, variableNames } from "./problems/opf.js";
import { readCase } from "./problems/opf-case.js";
import { pglibFile } from "./problems/opf-problem.js";

/** A function as far as it matters here. */
interface Made {
  session(): { dispose(): void };
  dispose(): void;
}

interface Problem {
  readonly name: string;
  trace(): Made;
  derive(traced: Made): Made & { readonly pattern: CsrPattern };
  /** The pattern that is colored, where that is not the derivative's. */
  whole?(traced: Made): CsrPattern;
  readonly method: "columns" | "star";
  readonly peer?: {
    readonly name: string;
    readonly sizes: number[];
    readonly inputs: Float64Array[];
  };
}

const steps = ["record", "pattern", "compile", "coloring"] as const;

function brusselatorProblem(n: number): Problem {
  const { u, v } = brusselatorInput(n);
  return {
    name: `Brusselator N=${n}, Jacobian`,
    trace: () => brusselator(n),
    derive: (traced) => sparseJacobian(traced as ReturnType<typeof brusselator>),
    method: "columns",
    peer: { name: "brusselator", sizes: [n], inputs: [u, v] },
  };
}

function chainedProblem(n: number): Problem {
  const { x, weights } = chainedInput(n);
  type Function = ReturnType<typeof chained>;
  return {
    name: `chained Lagrangian n=${n}, Hessian`,
    trace: () => chained(n),
    derive: (traced) => sparseHessian(traced as Function, { wrt: ["x"], triangle: "lower" }),
    whole: (traced) => sparseHessian(traced as Function, { wrt: ["x"] }).pattern,
    method: "star",
    peer: { name: "chained", sizes: [n], inputs: [x, weights] },
  };
}

function opfProblems(name: string): Problem[] {
  const file = pglibFile(name);
  if (file === undefined) return [];
  const network = readCase(readFileSync(file, "utf8"));
  type Lagrangian = ReturnType<typeof opfLagrangian>;
  return [
    {
      name: `optimal power flow ${name}, Jacobian`,
      trace: () => opfConstraints(network),
      derive: (traced) => sparseJacobian(traced as ReturnType<typeof opfConstraints>),
      method: "columns",
    },
    {
      name: `optimal power flow ${name}, Hessian`,
      trace: () => opfLagrangian(network),
      derive: (traced) =>
        sparseHessian(traced as Lagrangian, { wrt: variableNames, triangle: "lower" }),
      whole: (traced) => sparseHessian(traced as Lagrangian, { wrt: variableNames }).pattern,
      method: "star",
    },
  ];
}

/** One contender a step; the first one has what the second begins with, and so on. */
function ours(problem: Problem): Contender[] {
  const traced = problem.trace();
  const derived = problem.derive(traced);
  const pattern = problem.whole?.(traced) ?? derived.pattern;
  const order = "smallestLast";
  const runs: Record<(typeof steps)[number], () => number> = {
    record: () => {
      problem.trace().dispose();
      return 0;
    },
    pattern: () => {
      const made = problem.derive(traced);
      made.dispose();
      return made.pattern.nonzeros;
    },
    // A function's plan is made once, with its first session.
    compile: () => {
      const made = problem.derive(traced);
      made.session().dispose();
      made.dispose();
      return 0;
    },
    coloring: () => colorPattern(pattern, { method: problem.method, order }).count,
  };
  return steps.map((step) => ({
    ...{ tool: "adjoint", backend: step, dtype: "f64", run: runs[step] },
    gradient: () => [],
  }));
}

const [text = "", rounds = "5"] = process.argv.slice(2);
// From build/bench/sparse-setup.js.
const programs = fileURLToPath(new URL("native", import.meta.url));
const natives = await openNative(programs, ["adolc-sparse"]);
console.log([describe(machine()), ...natives.versions].join("; "));
for (const line of [...withoutData, ...natives.skipped]) console.log(`skipped: ${line}`);
const problems = [
  ...[32, 64, 128].map(brusselatorProblem),
  ...[10_000, 100_000, 1_000_000].map(chainedProblem),
  ...["case118_ieee", "case300_ieee"].flatMap(opfProblems),
];
console.log(
  "| problem | step | adjoint, ms | ADOL-C and ColPack, ms | ratio |\n|---|---|---:|---:|---:|",
);
for (const problem of problems.filter(({ name }) =>
  name.toLowerCase().includes(text.toLowerCase()),
)) {
  const contenders: AnyContender[] = ours(problem);
  const peers: (number | undefined)[] = [];
  for (const step of steps) {
    const { peer } = problem;
    const made = peer && (await natives.contenders({ ...peer, name: `${peer.name}-${step}` }))[0];
    peers.push(made && contenders.push(made) - 1);
  }
  const timings = await measure(contenders, { rounds: Number(rounds), roundSeconds: 0.02 });
  const own = timings.slice(0, steps.length).map(({ seconds }) => seconds * 1e3);
  // Compiling was timed together with what comes before it.
  own[2] = Math.max(0, own[2]! - own[1]!);
  const others = peers.map((place) => place && timings[place]!.seconds * 1e3);
  for (const [i, step] of steps.entries()) print(problem.name, step, own[i]!, others[i]);
  const [, pattern, , coloring] = others;
  print(
    problem.name,
    "pattern and coloring",
    own[1]! + own[3]!,
    pattern === undefined || coloring === undefined ? undefined : pattern + coloring,
  );
  print(problem.name, "all but coloring", own[0]! + own[1]! + own[2]!);
  for (const contender of contenders) contender.dispose?.();
}
natives.dispose();

function print(name: string, step: string, adjoint: number, other?: number): void {
  const ratio = other === undefined ? "" : (adjoint / other).toPrecision(2);
  const theirs = other === undefined ? "" : other.toPrecision(3);
  console.log(`| ${name} | ${step} | ${adjoint.toPrecision(3)} | ${theirs} | ${ratio} |`);
}
