import { baProblem } from "./ba.js";
import { brusselatorProblem } from "./brusselator.js";
import { callProblems } from "./calls.js";
import { chainedProblem } from "./chained.js";
import { curveProblem } from "./curvefit.js";
import { detProblem } from "./det.js";
import { gmmProblem } from "./gmm.js";
import { htProblem } from "./ht.js";
import { kmeansProblem } from "./kmeans.js";
import { llsqProblem } from "./llsq.js";
import { logsumexpProblem } from "./logsumexp.js";
import { lstmProblem } from "./lstm.js";
import { baNative, htNative } from "./native-inputs.js";
import { odeProblem } from "./ode.js";
import { opfProblems, pglibFile } from "./opf-problem.js";
import { pairsProblem } from "./pairs.js";
import type { Problem } from "./problem.js";
import { rosenbrockProblem } from "./rosenbrock.js";

const networks = ["case118_ieee", "case300_ieee"];

/** Lines that say which problems there are no data for. */
export const withoutData: readonly string[] = networks
  .filter((name) => pglibFile(name) === undefined)
  .map((name) => `optimal power flow, ${name}: ADJOINT_DATA does not name a folder with it`);

/** Every problem at every size of the table, in its order. */
export const problems: readonly Problem[] = [
  ...[2, 10, 1000, 1_000_000].map(rosenbrockProblem),
  ...[2500, 40_000].map(logsumexpProblem),
  llsqProblem(1024, 128),
  gmmProblem(2, 5, 1000),
  ...[10, 32, 64].map((d) => gmmProblem(d, 25, 1000)),
  ...[1, 1000, 100_000].map(curveProblem),
  ...[6, 12].map(pairsProblem),
  kmeansProblem(1000, 100, 8),
  detProblem(8),
  odeProblem(1000, 10),
  ...[2, 6].map((l) => lstmProblem(l, 1024)),
  { ...baProblem(49, 7776, 31_843), native: () => baNative(49, 7776, 31_843) },
  ...[false, true].map((triangles) => ({
    ...htProblem(800, triangles),
    native: () => htNative(800, triangles),
  })),
  ...[32, 64, 128].map(brusselatorProblem),
  ...[10_000, 100_000, 1_000_000].map(chainedProblem),
  ...networks.flatMap((name) => {
    const file = pglibFile(name);
    return file === undefined ? [] : opfProblems(name, file);
  }),
  ...callProblems,
];
