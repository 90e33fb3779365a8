/**
 * node bench/build.mjs && node bench/native/build.mjs && node build/bench/sparse-setup.js [text] [rounds]
 *
 * What it takes before the first sparse derivative is computed, step by step, beside ADOL-C, which finds patterns on its
 * tape, and ColPack, which colors them, in the same run: interleaved medians in milliseconds. Problems have the text in
 * their names. Steps that a derivative does by itself, not by pattern and coloring, have no peer.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  colorPattern,
  type DetectedPattern,
  sparseHessian,
  sparseJacobian,
  sparsity,
} from "adjoint";
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
  detect(traced: Made): DetectedPattern;
  derive(traced: Made): Made;
  readonly method: "columns" | "star";
  readonly peer?: {
    readonly name: string;
    readonly sizes: number[];
    readonly inputs: Float64Array[];
  };
}

/** What is timed. */
const steps = ["record", "pattern", "natural", "smallestLast", "derivative", "compiled"] as const;
type Step = (typeof steps)[number];

function brusselatorProblem(n: number): Problem {
  const { u, v } = brusselatorInput(n);
  return {
    name: `Brusselator N=${n}, Jacobian`,
    trace: () => brusselator(n),
    detect: (traced) => sparsity(traced as ReturnType<typeof brusselator>),
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
    detect: (traced) => sparsity(traced as Function, { of: "hessian", wrt: ["x"] }),
    derive: (traced) => sparseHessian(traced as Function, { wrt: ["x"], triangle: "lower" }),
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
      detect: (traced) => sparsity(traced as ReturnType<typeof opfConstraints>),
      derive: (traced) => sparseJacobian(traced as ReturnType<typeof opfConstraints>),
      method: "columns",
    },
    {
      name: `optimal power flow ${name}, Hessian`,
      trace: () => opfLagrangian(network),
      detect: (traced) => sparsity(traced as Lagrangian, { of: "hessian", wrt: variableNames }),
      derive: (traced) =>
        sparseHessian(traced as Lagrangian, { wrt: variableNames, triangle: "lower" }),
      method: "star",
    },
  ];
}

/** One contender a step. */
function ours(problem: Problem): Contender[] {
  const traced = problem.trace();
  const pattern = problem.detect(traced);
  const { method } = problem;
  const runs: Record<Step, () => number> = {
    record: () => {
      problem.trace().dispose();
      return 0;
    },
    pattern: () => problem.detect(traced).nonzeros,
    natural: () => colorPattern(pattern, { method, order: "natural" }).count,
    smallestLast: () => colorPattern(pattern, { method, order: "smallestLast" }).count,
    derivative: () => {
      problem.derive(traced).dispose();
      return 0;
    },
    // A function's plan is made once, with its first session.
    compiled: () => {
      const made = problem.derive(traced);
      made.session().dispose();
      made.dispose();
      return 0;
    },
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
  const own = (step: Step) => timings[steps.indexOf(step)]!.seconds * 1e3;
  const others = (step: Step) => {
    const place = peers[steps.indexOf(step)];
    return place === undefined ? undefined : timings[place]!.seconds * 1e3;
  };
  const row = (label: string, ...of: Step[]) =>
    print(problem.name, label, of.map(own), of.map(others));
  row("record", "record");
  row("pattern", "pattern");
  row("coloring, natural order", "natural");
  row("coloring, smallest last", "smallestLast");
  row("pattern and coloring, natural order", "pattern", "natural");
  row("from recording to a session of the derivative", "record", "compiled");
  row("of that: the derivative's graph, pattern included", "derivative");
  for (const contender of contenders) contender.dispose?.();
}
natives.dispose();

function print(name: string, label: string, own: number[], others: (number | undefined)[]): void {
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b);
  const known = others.filter((other) => other !== undefined);
  const isWhole = known.length === others.length;
  const theirs = isWhole ? sum(known).toPrecision(3) : "";
  const ratio = isWhole ? (sum(own) / sum(known)).toPrecision(2) : "";
  console.log(`| ${name} | ${label} | ${sum(own).toPrecision(3)} | ${theirs} | ${ratio} |`);
}
