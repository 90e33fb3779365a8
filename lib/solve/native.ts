/** The part of the addon that solves: native/binding/least_squares.cc and solve_task.cc in TypeScript. */
import { type NativeTape, native } from "../native.js";

export type LeastSquaresEnd =
  | "gradient"
  | "step"
  | "cost"
  | "zero"
  | "maxIterations"
  | "singular"
  | "notFinite"
  | "stalled";

export interface NativeLeastSquares {
  readonly end: LeastSquaresEnd;
  /** The first residual that is not finite at the start, or whose derivatives are not, with the end "notFinite". */
  readonly nonFiniteAt: number;
  readonly iterations: number;
  readonly evaluations: number;
  /** Elements of the inputs to find, one after another. */
  readonly variables: Float64Array;
  readonly residuals: Float64Array;
  readonly cost: number;
  readonly gradientCosine: number;
  readonly jacobian: "dense" | "sparse";
  readonly factorization: "cholesky" | "qr";
  readonly jacobianEntries: number;
  readonly factorEntries: number;
  readonly prepareSeconds: number;
  readonly solveSeconds: number;
}

/**
 * The residuals; positions of the inputs to find; values of all inputs; [maxIterations, gradient, step and cost tolerance,
 * Jacobian (0 auto, 1 dense, 2 sparse), factorization (0 auto, 1 Cholesky, 2 QR)]; milliseconds from now, 0 for no deadline.
 */
export type LeastSquaresArguments = [
  residuals: NativeTape,
  wrt: readonly number[],
  inputs: readonly Float64Array[],
  options: Float64Array,
  deadlineMs: number,
];

/** A solve on the core's threads. */
export interface StartedSolve<T> {
  readonly promise: Promise<T>;
  /** For solveProgress and cancelSolve. */
  readonly task: number;
}

interface SolveAddon {
  leastSquares(...request: LeastSquaresArguments): NativeLeastSquares;
  leastSquaresAsync(...request: LeastSquaresArguments): StartedSolve<NativeLeastSquares>;
  /** [iterations, sum of squares], or null when the solve is over. */
  solveProgress(task: number): [number, number] | null;
  cancelSolve(task: number): void;
}

export const addon = native as unknown as SolveAddon;
