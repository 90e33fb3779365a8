/** The part of the addon that fits curves: native/binding/solve.cc in TypeScript. */
import { type NativeTape, native } from "../native.js";
import type { StartedSolve } from "../solve/native.js";

export type StopReason = "converged" | "exact-fit" | "stalled" | "max-iterations" | "non-finite";

export interface NativeFit {
  readonly reason: StopReason;
  /** The first observation where the model is not finite at the start, with the reason "non-finite". */
  readonly nonFiniteAt: number;
  readonly iterations: number;
  readonly evaluations: number;
  /** Over the elements of the parameters; NaN where not determined. */
  readonly parameters: Float64Array;
  readonly standardErrors: Float64Array;
  readonly tValues: Float64Array;
  readonly pValues: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
  /** n x n, row-major. */
  readonly covariance: Float64Array;
  readonly undetermined: readonly boolean[];
  /** For predictCurve. */
  readonly factor: Float64Array;
  readonly rank: number;
  readonly conditionNumber: number;
  readonly fitted: Float64Array;
  readonly residuals: Float64Array;
  readonly degreesOfFreedom: number;
  readonly sumOfSquares: number;
  readonly residualError: number;
  readonly totalSumOfSquares: number;
  readonly logLikelihood: number;
  readonly tQuantile: number;
  readonly gradientCosine: number;
}

/**
 * A model whose first inputs are the parameters; [response, weights or nothing, start, ...columns];
 * [maxIterations, tolerance, confidence]; milliseconds from now, 0 for no deadline.
 */
export type FitArguments = [
  model: NativeTape,
  parameterInputs: number,
  data: readonly Float64Array[],
  options: Float64Array,
  deadlineMs: number,
];

interface FitAddon {
  fitCurve(...request: FitArguments): NativeFit;
  fitCurveAsync(...request: FitArguments): StartedSolve<NativeFit>;
  /** data: [parameters, factor, ...columns]. */
  predictCurve(
    model: NativeTape,
    parameterInputs: number,
    data: readonly Float64Array[],
  ): { values: Float64Array; spread: Float64Array };
  /** The t that P(|T| > t) = p for Student's t. */
  studentQuantile(p: number, degreesOfFreedom: number): number;
}

export const addon = native as unknown as FitAddon;
