/** Nonlinear least squares: the options, the call, and what comes back. */
import type { Core } from "../core.js";
import { here, isAbort } from "../fail.js";
import { type AdjointFunction, coreOf } from "../function.js";
import { AbortError, ArgumentError, NameError } from "../generated/errors.js";
import { callSite, frameOf } from "../location.js";
import { describe, oneOf, shown } from "../numbers.js";
import { makeUnpacker, packLists } from "../pack.js";
import { isAborted } from "../signal.js";
import { type WrtOptions, wrtOf } from "../transforms.js";
import { leavesOf } from "../tree.js";
import type { NamesOf, Plain, Result } from "../types.js";
import { followed } from "./follow.js";
import {
  addon,
  type LeastSquaresArguments,
  type LeastSquaresEnd,
  type NativeLeastSquares,
} from "./native.js";

/** What to minimize from where, and when to end. */
export interface LeastSquaresOptions<A extends readonly unknown[], W extends string>
  extends WrtOptions<W> {
  /** Values of all inputs: where to start, and the data. */
  readonly x0: Plain<A[0]>;
  /**
   * How derivatives are kept: "dense", or "sparse", without those that are zero by structure. "auto" (the default) takes
   * "sparse" where there are more than 8 variables and less than a quarter of the entries can be other than zero.
   */
  readonly jacobian?: "auto" | "dense" | "sparse";
  /**
   * "cholesky" of the damped normal equations, which is fast, or "qr" of the Jacobian, which keeps the digits where the
   * columns are nearly dependent. "auto" (the default) is "qr" for dense Jacobians and "cholesky" for sparse ones.
   */
  readonly factorization?: "auto" | "cholesky" | "qr";
  /** 200 by default. */
  readonly maxIterations?: number;
  /** Ends where the residuals are that orthogonal to every column of the Jacobian, a cosine; 1e-10 by default. */
  readonly gradientTolerance?: number;
  /** Ends after a step that short, relative to the variables (both scaled by the Jacobian); 1e-10 by default. */
  readonly stepTolerance?: number;
  /** Ends after a step that changes the cost so little, relative to it, in fact and by the linear model; 1e-14 by default. */
  readonly costTolerance?: number;
  /** Milliseconds after which the call ends with AbortError. */
  readonly deadline?: number;
}

/** What a solve under way tells. */
export interface LeastSquaresProgress {
  readonly iterations: number;
  readonly cost: number;
}

export interface AsyncLeastSquaresOptions<A extends readonly unknown[], W extends string>
  extends LeastSquaresOptions<A, W> {
  readonly signal?: AbortSignal | null | undefined;
  /** Called several times a second while the solve is under way. */
  readonly onProgress?: (progress: LeastSquaresProgress) => void;
}

/**
 * Why a solve ended. Converged: "gradient", "step" and "cost" by the tolerance of that name, "zero" as the residuals are
 * zero but for rounding. Not converged: "maxIterations"; "stalled" where no step decreases the cost although the gradient
 * does not vanish; "singular" where no damping gives equations that can be solved; "notFinite" where residuals or their
 * derivatives are not finite at the start.
 */
export type LeastSquaresStatus = LeastSquaresEnd;

export interface LeastSquaresResult<A extends readonly unknown[], R> {
  /** All inputs, those of `wrt` where the cost is least: what the function takes. */
  readonly x: Result<A[0]>;
  /** What the function gives there. */
  readonly residuals: Result<R>;
  /** Half the sum of squares of the residuals. */
  readonly cost: number;
  readonly converged: boolean;
  readonly status: LeastSquaresStatus;
  /** The status as a sentence. */
  readonly message: string;
  readonly iterations: number;
  /** How often the residuals were computed. */
  readonly evaluations: number;
  /** The largest cosine of the angle between the residuals and a column of the Jacobian: 0 at a minimum. */
  readonly gradientCosine: number;
  /** What was chosen, and entries of the Jacobian and of its triangular factor. */
  readonly jacobian: "dense" | "sparse";
  readonly factorization: "cholesky" | "qr";
  readonly jacobianEntries: number;
  readonly factorEntries: number;
  /** Seconds it took to derive, to compile and to analyze the pattern, and to iterate. */
  readonly prepareSeconds: number;
  readonly solveSeconds: number;
}

const messages: Readonly<Record<LeastSquaresEnd, string>> = {
  gradient: "converged: the gradient vanishes to the tolerance",
  step: "converged: the last step is shorter than the tolerance",
  cost: "converged: the cost does not change any more",
  zero: "converged: the residuals are zero but for rounding",
  maxIterations: "not converged: the limit of iterations",
  stalled: "not converged: no step decreases the cost although the gradient does not vanish",
  singular: "failed: the damped equations are singular",
  notFinite: "failed: residuals or derivatives are not finite at the starting values",
};

const convergedEnds: ReadonlySet<LeastSquaresEnd> = new Set(["gradient", "step", "cost", "zero"]);
const jacobians = ["auto", "dense", "sparse"] as const;
const factorizations = ["auto", "cholesky", "qr"] as const;
const optionNames = [
  "x0",
  "jacobian",
  "factorization",
  "maxIterations",
  "gradientTolerance",
  "stepTolerance",
  "costTolerance",
  "deadline",
] as const;
const asyncNames = [...optionNames, "signal", "onProgress"] as const;

interface Prepared<A extends readonly unknown[], R> {
  readonly core: Core;
  readonly request: LeastSquaresArguments;
  finish(found: NativeLeastSquares): LeastSquaresResult<A, R>;
}

function numberFrom(
  name: string,
  given: unknown,
  initial: number,
  low: number,
  high: number,
): number {
  if (given === undefined) return initial;
  if (typeof given === "number" && given >= low && given <= high) return given;
  throw new ArgumentError(
    `leastSquares: ${name} is a number from ${low} to ${high}, got ${shown(given)}`,
    here(),
  );
}

function iterationsOf(given: unknown): number {
  const found = numberFrom("maxIterations", given, 200, 0, 1e9);
  if (Number.isInteger(found)) return found;
  throw new ArgumentError(`leastSquares: maxIterations is a whole number, got ${found}`, here());
}

function prepare<A extends readonly unknown[], R>(
  core: Core,
  options: unknown,
  names: readonly string[],
): Prepared<A, R> {
  const { positions } = wrtOf(core, "leastSquares", options, names);
  if (core.args.length !== 1) {
    throw new ArgumentError(
      `leastSquares: ${core.name} takes ${core.args.length} arguments, which is not one record of inputs`,
      here(),
    );
  }
  // Checked by wrtOf.
  const given = options as { readonly [name: string]: unknown } | undefined;
  if (given?.x0 === undefined) {
    throw new NameError("leastSquares: x0 is missing: values of all inputs to start from", here());
  }
  const tolerance = (name: string, initial: number) =>
    numberFrom(name, given[name], initial, 0, 0.5);
  const numbers = Float64Array.of(
    iterationsOf(given.maxIterations),
    tolerance("gradientTolerance", 1e-10),
    tolerance("stepTolerance", 1e-10),
    tolerance("costTolerance", 1e-14),
    jacobians.indexOf(oneOf("leastSquares", "jacobian", given.jacobian as never, jacobians)),
    factorizations.indexOf(
      oneOf("leastSquares", "factorization", given.factorization as never, factorizations),
    ),
  );
  const deadline = numberFrom(
    "deadline",
    given.deadline,
    Number.POSITIVE_INFINITY,
    0,
    Number.POSITIVE_INFINITY,
  );
  const inputs = packLists(core.args[0]!, given.x0);
  return {
    core,
    // The addon reads 0 as "none"; a deadline that is over ends the call at its first poll.
    request: [core.tape, positions, inputs, numbers, Math.max(deadline, 1e-3)],
    finish: (found) => resultOf(core, positions, inputs, found),
  };
}

/** Values of leaves that lie one after another, as results are given. */
function unpacked(tree: Core["result"], memory: Float64Array): unknown {
  let next = 0;
  const offsets: number[] = [];
  for (const { index, count } of leavesOf(tree)) {
    offsets[index] = next;
    next += count;
  }
  return makeUnpacker(tree, offsets)(memory);
}

function resultOf<A extends readonly unknown[], R>(
  core: Core,
  positions: readonly number[],
  inputs: readonly Float64Array[],
  found: NativeLeastSquares,
): LeastSquaresResult<A, R> {
  const { end, nonFiniteAt, variables, residuals, ...rest } = found;
  let first = 0;
  for (const position of positions) {
    const input = inputs[position]!;
    input.set(variables.subarray(first, first + input.length));
    first += input.length;
  }
  const all = new Float64Array(inputs.reduce((sum, { length }) => sum + length, 0));
  let next = 0;
  for (const input of inputs) {
    all.set(input, next);
    next += input.length;
  }
  const where = end === "notFinite" ? ` (residual ${nonFiniteAt})` : "";
  return {
    x: unpacked(core.args[0]!, all) as Result<A[0]>,
    residuals: unpacked(core.result, residuals) as Result<R>,
    converged: convergedEnds.has(end),
    status: end,
    message: `${messages[end]}${where}`,
    ...rest,
  };
}

function solveNow<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
  f: AdjointFunction<A, R>,
  options: LeastSquaresOptions<A, NamesOf<A[0], W>>,
): LeastSquaresResult<A, R> {
  const core = coreOf(f, "leastSquares");
  return core.guard(() => {
    const { request, finish } = prepare<A, R>(core, options, optionNames);
    return finish(addon.leastSquares(...request));
  });
}

async function solveAsync<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(
  f: AdjointFunction<A, R>,
  options: AsyncLeastSquaresOptions<A, NamesOf<A[0], W>>,
): Promise<LeastSquaresResult<A, R>> {
  const site = callSite();
  const core = coreOf(f, "leastSquares");
  let signal: AbortSignal | undefined;
  try {
    const { request, finish } = prepare<A, R>(core, options, asyncNames);
    signal = signalOf(options.signal);
    const report = progressOf(options.onProgress);
    return finish(await followed(addon.leastSquaresAsync(...request), signal, report));
  } catch (error) {
    const isOurs = signal !== undefined && isAborted(signal) && isAbort(error);
    const details = { cause: signal?.reason, location: frameOf(site) };
    throw isOurs
      ? new AbortError("leastSquares: aborted by its signal", details)
      : core.explain(error, site);
  }
}

function signalOf(given: unknown): AbortSignal | undefined {
  if (given === undefined || given === null) return undefined;
  if (given instanceof AbortSignal && isAborted(given) !== undefined) return given;
  throw new ArgumentError("leastSquares: signal is not an AbortSignal");
}

function progressOf(given: unknown) {
  if (given === undefined) return undefined;
  if (typeof given !== "function") {
    throw new ArgumentError(`leastSquares: onProgress is a function, got ${describe(given)}`);
  }
  return ({ iterations, sumOfSquares }: { iterations: number; sumOfSquares: number }) =>
    given({ iterations, cost: sumOfSquares / 2 });
}

/**
 * Nonlinear least squares: the inputs x that `wrt` names (all by default) such that 1/2 |r(x)|^2 is least, r being all
 * results of the function. Levenberg-Marquardt, natively from the first to the last iteration, with the exact Jacobian,
 * dense or sparse. `leastSquares.async` does the same on the core's own threads. How a solve ends is said by `status`,
 * and is no error.
 *
 * @example
 *   const rosenbrock = fn({ x: vector(2) }, ({ x }) => ({
 *     a: x.at(1).sub(x.at(0).square()).mul(10), b: sub(1, x.at(0)),
 *   }));
 *   leastSquares(rosenbrock, { x0: { x: [-1.2, 1] } }).x;  // { x: Float64Array [1, 1] }
 *
 * @throws NameError, ShapeError, ArgumentError for options and values that do not fit or are not finite; DTypeError when a
 *   result is a boolean; LimitError and MemoryError when the matrices are too large; IndexError as calls of the function
 *   do; AbortError past the deadline.
 */
export const leastSquares: {
  <A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
    f: AdjointFunction<A, R>,
    options: LeastSquaresOptions<A, NamesOf<A[0], W>>,
  ): LeastSquaresResult<A, R>;
  /** @throws AbortError by its signal or deadline, as a rejection; the rest as `leastSquares` */
  async<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
    f: AdjointFunction<A, R>,
    options: AsyncLeastSquaresOptions<A, NamesOf<A[0], W>>,
  ): Promise<LeastSquaresResult<A, R>>;
} = Object.assign(solveNow, { async: solveAsync });
