/** From a table and formulas to the numbers that are fitted: rows without missing values. */
import { ArgumentError, DataError, NameError } from "../generated/errors.js";
import { evaluateFormula, namesOf } from "./formula.js";
import { type NumberColumn, numbersOf, type Table } from "./table.js";

/** A formula or a column's name, or numbers. */
export type Term = string | ArrayLike<number>;

/** What names stand for: columns by their own names and by those given to them. */
export class Scope {
  constructor(
    readonly table: Table,
    private readonly renamed: Readonly<Record<string, string>> = {},
  ) {
    if (typeof renamed !== "object" || renamed === null) {
      throw new ArgumentError("fit: x is a record of columns by the names that formulas use");
    }
    for (const [name, column] of Object.entries(renamed)) {
      if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) {
        throw new NameError(`fit: ${JSON.stringify(name)} is no name that a formula can use`);
      }
      if (name !== column && table.has(name)) {
        throw new NameError(`fit: ${name} can not stand for ${column}: it is a column of its own`);
      }
      table.column(column);
    }
  }

  has = (name: string): boolean => Object.hasOwn(this.renamed, name) || this.table.has(name);

  /** The column's own name. */
  columnName(name: string): string {
    return Object.hasOwn(this.renamed, name) ? this.renamed[name]! : name;
  }

  column(name: string): NumberColumn {
    return this.table.column(this.columnName(name));
  }

  /** The values of a term in every row; NaN where something it needs is missing. */
  values(term: Term, what: string): Float64Array {
    if (typeof term !== "string") return this.numbers(term, what);
    if (this.has(term)) return this.column(term).values;
    const names = namesOf(term, this.has);
    const unknown = names.filter((name) => !this.has(name));
    if (unknown.length > 0) {
      throw new NameError(
        `fit: ${what} ${term}: ${unknown.join(", ")} ${unknown.length === 1 ? "is no column" : "are no columns"}; ` +
          `the columns are ${this.table.listed}`,
      );
    }
    const used = names.filter(this.has);
    if (used.length === 0) throw new NameError(`fit: ${what} ${term} uses no column`);
    const columns = used.map((name) => [name, this.column(name).values] as const);
    const values = evaluateFormula(term, Object.fromEntries(columns));
    for (const [row, value] of values.entries()) {
      if (!Number.isFinite(value) && columns.every(([, column]) => Number.isFinite(column[row]!))) {
        throw new DataError(`${this.table.place(row)}: ${what} ${term} is ${value}`);
      }
    }
    return values;
  }

  private numbers(term: ArrayLike<number>, what: string): Float64Array {
    if (typeof term !== "object" || term === null || typeof term.length !== "number") {
      throw new ArgumentError(`fit: ${what} is neither a formula nor an array of numbers`);
    }
    const values = numbersOf(term, `fit: ${what}`);
    if (values.length !== this.table.rows) {
      throw new DataError(`fit: ${what} has ${values.length} rows, the data ${this.table.rows}`);
    }
    return values;
  }
}

export interface Observations {
  readonly response: Float64Array;
  /** 1/variance; empty when all are alike. */
  readonly weights: Float64Array;
  readonly columns: readonly Float64Array[];
  /** Rows of the table that these are. */
  readonly rows: Int32Array;
  /** Rows left out because something is missing, or because their weight is zero. */
  readonly dropped: number;
  readonly unweighted: number;
}

/** What is told of how well each observation is known. */
export interface Weighting {
  readonly weights?: Term | undefined;
  readonly sigma?: Term | undefined;
}

/** @throws DataError, NameError naming the line or the name */
export function observe(
  scope: Scope,
  response: Term,
  weighting: Weighting,
  predictors: readonly string[],
): Observations {
  const y = scope.values(response, "response");
  const weights = weightsOf(scope, weighting);
  const columns = predictors.map((name) => scope.values(name, "predictor"));
  for (const [k, values] of [y, ...columns].entries()) {
    const row = values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
    const name = k === 0 ? "the response" : predictors[k - 1];
    if (row >= 0) throw new DataError(`${scope.table.place(row)}: ${name} is ${values[row]}`);
  }
  const rows: number[] = [];
  let unweighted = 0;
  for (let row = 0; row < y.length; row++) {
    if (!columns.every((column) => Number.isFinite(column[row]!)) || !Number.isFinite(y[row]!)) {
      continue;
    }
    const weight = weights === undefined ? 1 : weights[row]!;
    if (Number.isNaN(weight)) continue;
    if (weight === 0) unweighted++;
    else rows.push(row);
  }
  if (rows.length === 0) {
    const what = unweighted > 0 ? "a weight that is not zero and " : "";
    throw new DataError(
      `${scope.table.source}: no row has ${what}all the values that the fit needs`,
    );
  }
  const kept = Int32Array.from(rows);
  const take = (values: Float64Array) => {
    const taken = new Float64Array(kept.length);
    for (let i = 0; i < taken.length; i++) taken[i] = values[kept[i]!]!;
    return taken;
  };
  return {
    response: take(y),
    weights: weights === undefined ? new Float64Array() : take(weights),
    columns: columns.map(take),
    rows: kept,
    dropped: y.length - rows.length - unweighted,
    unweighted,
  };
}

function weightsOf(scope: Scope, { weights, sigma }: Weighting): Float64Array | undefined {
  if (weights !== undefined && sigma !== undefined) {
    throw new ArgumentError("fit: give weights or sigma, not both: weights are 1/sigma^2");
  }
  if (sigma !== undefined) {
    const values = scope.values(sigma, "sigma");
    for (const [row, value] of values.entries()) {
      if (value <= 0 || 1 / (value * value) === Number.POSITIVE_INFINITY) {
        const what = value <= 0 ? "not positive" : "too small: 1/sigma^2 is infinite";
        throw new DataError(`${scope.table.place(row)}: sigma is ${value}, ${what}`);
      }
    }
    return values.map((value) => 1 / (value * value));
  }
  if (weights === undefined) return undefined;
  const values = scope.values(weights, "weight");
  for (const [row, value] of values.entries()) {
    if (value < 0 || value === Number.POSITIVE_INFINITY)
      throw new DataError(`${scope.table.place(row)}: the weight is ${value}`);
  }
  return values;
}
