import { callProblems } from "./calls.js";
import { curveProblem } from "./curvefit.js";
import { gmmProblem } from "./gmm.js";
import { llsqProblem } from "./llsq.js";
import { logsumexpProblem } from "./logsumexp.js";
import type { Problem } from "./problem.js";
import { rosenbrockProblem } from "./rosenbrock.js";

/** Every problem at every size of the table, in its order. */
export const problems: readonly Problem[] = [
  ...[2, 10, 1000, 1_000_000].map(rosenbrockProblem),
  ...[2500, 40_000].map(logsumexpProblem),
  llsqProblem(1024, 128),
  gmmProblem(2, 5, 1000),
  gmmProblem(10, 25, 1000),
  curveProblem(1),
  curveProblem(1000),
  ...callProblems,
];
