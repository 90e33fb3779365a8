/** What a fit found, for programs and for people. */
import { converted } from "../fail.js";
import { ArgumentError, NameError } from "../generated/errors.js";
import type { Model } from "./model.js";
import { addon, type NativeFit, type StopReason } from "./native.js";
import type { Observations, Scope } from "./observations.js";
import { numbersOf } from "./table.js";
import { formatResult } from "./text.js";

export interface FitParameter {
  /** "b1", or "theta[0]" for an element of a tensor. */
  readonly name: string;
  readonly estimate: number;
  /** NaN, like all that follows from it, when the data does not determine the parameter. */
  readonly standardError: number;
  readonly tValue: number;
  /** Of a two-sided test that it is zero. */
  readonly pValue: number;
  readonly low: number;
  readonly high: number;
  readonly determined: boolean;
}

export interface FitStatistics {
  readonly observations: number;
  /** Rows left out because a value is missing. */
  readonly dropped: number;
  /** Rows left out because their weight is zero. */
  readonly unweighted: number;
  readonly degreesOfFreedom: number;
  /** Weighted, when there are weights; so are the rest. */
  readonly residualSumOfSquares: number;
  readonly residualStandardError: number;
  readonly rSquared: number;
  readonly adjustedRSquared: number;
  readonly logLikelihood: number;
  /** With the variance counted as a parameter. */
  readonly aic: number;
  readonly bic: number;
  readonly iterations: number;
  readonly evaluations: number;
  readonly reason: Exclude<StopReason, "non-finite">;
  /** Of the Jacobian with scaled columns. */
  readonly conditionNumber: number;
}

export interface FitPrediction {
  readonly values: Float64Array;
  /** Standard errors of the fitted curve, without the scatter of observations. */
  readonly standardErrors: Float64Array;
  readonly low: Float64Array;
  readonly high: Float64Array;
}

interface FitParts {
  readonly model: Model;
  readonly scope: Scope;
  readonly observations: Observations;
  readonly found: NativeFit;
  readonly response: string;
  readonly confidence: number;
}

const nearlyDependent = 1e8;

export class FitResult {
  /** The model's formula, or the function's name. */
  readonly model: string;
  readonly response: string;
  readonly confidence: number;
  readonly parameters: readonly FitParameter[];
  /** Estimates by name, nested as the start was: numbers, and row-major arrays for tensors. */
  readonly values: Readonly<Record<string, number | Float64Array>>;
  readonly statistics: FitStatistics;
  /** Of the estimates, n x n row-major. */
  readonly covariance: Float64Array;
  /** Whether the sum of squares is at a minimum. */
  readonly converged: boolean;
  readonly warnings: readonly string[];
  /** What was fitted, by observation. */
  readonly observed: Float64Array;
  readonly fitted: Float64Array;
  readonly residuals: Float64Array;
  /** Residuals over their standard deviation, weights counted. */
  readonly standardized: Float64Array;
  /** The predictors that the model uses, in its order. */
  readonly predictors: readonly {
    readonly name: string;
    /** The column's own name. */
    readonly column: string;
    readonly isDate: boolean;
    readonly values: Float64Array;
  }[];
  /** Whether the model is of one observation, so that it can be drawn anywhere: else of all at once. */
  readonly isPointwise: boolean;
  readonly #parts: FitParts;

  /** @internal */
  constructor(parts: FitParts) {
    const { model, scope, observations, found } = parts;
    this.#parts = parts;
    this.model = model.text;
    this.response = parts.response;
    this.isPointwise = model.isScalar;
    this.confidence = parts.confidence;
    this.parameters = model.elements.map((name, i) => ({
      name,
      estimate: found.parameters[i]!,
      standardError: found.standardErrors[i]!,
      tValue: found.tValues[i]!,
      pValue: found.pValues[i]!,
      low: found.low[i]!,
      high: found.high[i]!,
      determined: !found.undetermined[i],
    }));
    this.values = model.record(found.parameters);
    this.covariance = found.covariance;
    this.converged = found.reason === "converged" || found.reason === "exact-fit";
    this.observed = observations.response;
    this.fitted = found.fitted;
    this.residuals = found.residuals;
    const { weights } = observations;
    this.standardized = found.residuals.map(
      (residual, i) => (residual * Math.sqrt(weights[i] ?? 1)) / found.residualError,
    );
    this.predictors = model.predictors.map((name, i) => ({
      name,
      column: scope.columnName(name),
      isDate: scope.column(name).isDate,
      values: observations.columns[i]!,
    }));
    this.statistics = statistics(observations, found);
    this.warnings = warnings(this, found);
  }

  /**
   * The fitted curve at other values of the predictors, with its confidence band.
   * @param columns the predictors by the model's names
   * @throws NameError for missing names; ShapeError when a model of vectors is made for another number of rows
   */
  predict(
    columns: Readonly<Record<string, ArrayLike<number>>>,
    confidence = this.confidence,
  ): FitPrediction {
    const { model, found } = this.#parts;
    if (!(confidence > 0 && confidence < 1)) {
      throw new ArgumentError("predict: the confidence is between 0 and 1");
    }
    if (typeof columns !== "object" || columns === null) {
      throw new ArgumentError("predict: expected arrays by the predictors' names");
    }
    const given = model.predictors.map((name) => {
      const values = Object.hasOwn(columns, name) ? columns[name] : undefined;
      if (values === undefined) throw new NameError(`predict: no values for ${name}`);
      return numbersOf(values, `predict: ${name}`);
    });
    const length = given[0]?.length ?? 1;
    if (given.some((values) => values.length !== length)) {
      throw new ArgumentError("predict: the predictors have different lengths");
    }
    if (length === 0) throw new ArgumentError("predict: the predictors are empty");
    try {
      const { values, spread } = addon.predictCurve(model.tapeFor(length), model.parameterInputs, [
        found.parameters,
        found.factor,
        ...given,
      ]);
      const t = addon.studentQuantile(1 - confidence, found.degreesOfFreedom);
      const standardErrors = spread.map((each) => each * found.residualError);
      return {
        values,
        standardErrors,
        low: values.map((value, i) => value - t * standardErrors[i]!),
        high: values.map((value, i) => value + t * standardErrors[i]!),
      };
    } catch (error) {
      throw converted(error);
    }
  }

  /** The table of parameters and statistics that the command prints. */
  toString(): string {
    return formatResult(this);
  }

  /** Everything but the data, as plain values; what is not determined is null. */
  toJSON(): object {
    const { model, response, confidence, parameters, statistics, converged, warnings } = this;
    const n = parameters.length;
    const covariance = parameters.map((_, i) => [...this.covariance.subarray(i * n, (i + 1) * n)]);
    return { model, response, confidence, converged, parameters, statistics, covariance, warnings };
  }
}

function statistics(observations: Observations, found: NativeFit): FitStatistics {
  const { length } = observations.response;
  const { sumOfSquares, totalSumOfSquares, degreesOfFreedom, logLikelihood, rank } = found;
  const unexplained = sumOfSquares / totalSumOfSquares;
  return {
    observations: length,
    dropped: observations.dropped,
    unweighted: observations.unweighted,
    degreesOfFreedom,
    residualSumOfSquares: sumOfSquares,
    residualStandardError: found.residualError,
    rSquared: 1 - unexplained,
    adjustedRSquared: 1 - (unexplained * (length - 1)) / degreesOfFreedom,
    logLikelihood,
    aic: 2 * (rank + 1) - 2 * logLikelihood,
    bic: Math.log(length) * (rank + 1) - 2 * logLikelihood,
    iterations: found.iterations,
    evaluations: found.evaluations,
    reason: found.reason as FitStatistics["reason"],
    conditionNumber: found.conditionNumber,
  };
}

function warnings(result: FitResult, found: NativeFit): string[] {
  const list: string[] = [];
  const { reason, iterations } = result.statistics;
  if (reason === "max-iterations") {
    list.push(`The limit of ${iterations} iterations was reached before the fit converged.`);
  }
  if (reason === "stalled") {
    list.push(
      "The fit stalled: no step decreases the sum of squares, though its gradient is not zero.",
    );
  }
  const loose = result.parameters.filter(({ determined }) => !determined).map(({ name }) => name);
  if (loose.length > 0) {
    list.push(
      `The data does not determine ${loose.join(", ")}: the Jacobian has rank ${found.rank} of ` +
        `${result.parameters.length}. Fix a parameter, or take another start.`,
    );
  } else if (found.conditionNumber > nearlyDependent) {
    list.push(
      "The parameters are nearly dependent (condition number " +
        `${found.conditionNumber.toExponential(1)}): standard errors are uncertain.`,
    );
  }
  if (found.degreesOfFreedom === 0) {
    list.push("There are as many parameters as observations: no standard errors.");
  }
  if (reason === "exact-fit") {
    list.push("The residuals are rounding errors: standard errors and tests mean little.");
  }
  return list;
}
