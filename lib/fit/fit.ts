/** Curve fits: the options, the call, and what comes back. */
import { converted } from "../fail.js";
import type { AnyFunction } from "../function.js";
import { ArgumentError, FitError, NameError } from "../generated/errors.js";
import { describe, shown } from "../numbers.js";
import { followed } from "../solve/follow.js";
import { Model, type StartValues } from "./model.js";
import { addon, type FitArguments, type NativeFit } from "./native.js";
import { type Observations, observe, Scope, type Term } from "./observations.js";
import { FitResult } from "./result.js";
import { Table } from "./table.js";

export interface FitOptions {
  /** A table, or columns of numbers by name; NaN is missing, and rows where something is are left out. */
  readonly data: Table | Readonly<Record<string, ArrayLike<number>>>;
  /** The response: a column's name, a formula of columns like "log(y)", or numbers. */
  readonly y: Term;
  /**
   * A formula of columns and parameters, or a function made by `fn` whose inputs are named after them: of one
   * observation (its columns are scalars), or of all at once (its columns are vectors, and so is its result).
   */
  readonly model: string | AnyFunction;
  /** Where to start, for every parameter: numbers, or arrays for tensors. */
  readonly start: StartValues;
  /** Other names for columns, by name: `{ t: "Date" }`. */
  readonly x?: Readonly<Record<string, string>>;
  /** What each observation counts: 1/sigma^2. A column, a formula or numbers. */
  readonly weights?: Term;
  /** The standard deviation of each observation, in the place of weights. */
  readonly sigma?: Term;
  /** Of the confidence intervals; 0.95 by default. */
  readonly confidence?: number;
  /** 2000 by default. */
  readonly maxIterations?: number;
  /** Relative change at which iterations end, 1e-10 by default; the last digits are won after that. */
  readonly tolerance?: number;
  /** Milliseconds after which the fit ends with AbortError. */
  readonly deadline?: number;
}

export interface FitProgress {
  readonly iterations: number;
  readonly sumOfSquares: number;
}

export interface AsyncFitOptions extends FitOptions {
  readonly signal?: AbortSignal;
  /** Called several times a second while the fit is under way. */
  readonly onProgress?: (progress: FitProgress) => void;
}

interface Prepared {
  readonly request: FitArguments;
  finish(found: NativeFit): FitResult;
}

function checkNumber(
  name: string,
  value: unknown,
  low: number,
  high: number,
  kind: "a number" | "a whole number" = "a number",
): number {
  const isKind = kind === "a number" ? typeof value === "number" : Number.isInteger(value);
  if (isKind && (value as number) >= low && (value as number) <= high) return value as number;
  throw new ArgumentError(`fit: ${name} is ${kind} from ${low} to ${high}, got ${shown(value)}`);
}

function prepare(options: FitOptions): Prepared {
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError(`fit: expected options, got ${describe(options)}`);
  }
  const { data, model: given, start, confidence = 0.95 } = options;
  const table = data instanceof Table ? data : Table.of(data);
  const scope = new Scope(table, options.x);
  const model = Model.of(given, start, scope);
  const unknown = model.predictors.filter((name) => !scope.has(name));
  if (unknown.length > 0) {
    throw new NameError(
      `fit: ${unknown.join(", ")}: neither a column nor a parameter with a starting value; ` +
        `the columns are ${table.listed}`,
    );
  }
  const observations = observe(scope, options.y, options, model.predictors);
  const { length } = observations.response;
  const numbers = Float64Array.of(
    checkNumber("maxIterations", options.maxIterations ?? 2000, 0, 1e15, "a whole number"),
    checkNumber("tolerance", options.tolerance ?? 1e-10, 0, 0.1),
    checkNumber("confidence", confidence, 1e-6, 1 - 1e-12),
  );
  const request: FitArguments = [
    model.tapeFor(length),
    model.parameterInputs,
    [observations.response, observations.weights, model.start, ...observations.columns],
    numbers,
    checkNumber("deadline", options.deadline ?? 0, 0, Number.POSITIVE_INFINITY),
  ];
  const response = typeof options.y === "string" ? options.y : "y";
  return {
    request,
    finish: (found) => {
      checkFinite(found, scope, observations);
      return new FitResult({ model, scope, observations, found, response, confidence });
    },
  };
}

function checkFinite(found: NativeFit, scope: Scope, { rows }: Observations): void {
  if (found.reason !== "non-finite") return;
  const row = rows[found.nonFiniteAt];
  const where = row === undefined ? "" : ` (${scope.table.place(row)})`;
  throw new FitError(
    `fit: the model or its derivatives are not finite at the starting values${where}; ` +
      "try others, closer to what is expected",
  );
}

function fitNow(options: FitOptions): FitResult {
  try {
    const { request, finish } = prepare(options);
    return finish(addon.fitCurve(...request));
  } catch (error) {
    throw converted(error);
  }
}

async function fitAsync(options: AsyncFitOptions): Promise<FitResult> {
  try {
    const { request, finish } = prepare(options);
    const { signal, onProgress } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new ArgumentError("fit: signal is not an AbortSignal");
    }
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw new ArgumentError("fit: onProgress is not a function");
    }
    return finish(await followed(addon.fitCurveAsync(...request), signal, onProgress));
  } catch (error) {
    throw converted(error, { cause: options?.signal?.aborted ? options.signal.reason : undefined });
  }
}

/**
 * Fits a model to data by least squares, natively: Levenberg-Marquardt with the exact Jacobian.
 * `fit.async` does the same on the core's own threads.
 *
 * @example
 *   const { values } = fit({
 *     data: { x, y }, y: "y", model: "b1*(1-exp(-b2*x))", start: { b1: 500, b2: 1e-4 },
 *   });
 *
 * @throws NameError for names that are neither columns nor parameters, ParseError for formulas, DataError for
 *   data, FitError when the model is not finite at the start or has more parameters than there are observations.
 *   A fit that ends before it converged is no error: see `converged` and `warnings` of the result.
 */
export const fit: {
  (options: FitOptions): FitResult;
  /** @throws AbortError by its signal or deadline, as a rejection; the rest as `fit` */
  async(options: AsyncFitOptions): Promise<FitResult>;
} = Object.assign((options: FitOptions) => fitNow(options), { async: fitAsync });
