/** Formulas of one observation: what names they use, and the functions they stand for. */
import { parse } from "../ex.js";
import { type AnyFunction, fn } from "../function.js";
import { ArgumentError } from "../generated/errors.js";
import { scalar } from "../spec.js";

/** Constants that give way to columns and parameters of the same name. */
const constants = ["pi", "e"];

// Of one observation they would be its own value: not what somebody means who writes mean(x).
const reductions = /\b(sum|mean|prod|var|std|norm|median|logsumexp|cumsum|dot)\s*\(/;

/**
 * The names a formula uses as numbers, in order of appearance.
 * @param known whether a name has a meaning, for `pi` and `e`
 * @throws ParseError, NameError for functions, LimitError; ArgumentError for functions of whole columns
 */
export function namesOf(formula: string, known: (name: string) => boolean): readonly string[] {
  const { names } = parse(formula);
  const reduction = reductions.exec(formula)?.[1];
  if (reduction !== undefined) {
    throw new ArgumentError(
      `fit: ${reduction} is a function of whole columns; the formula ${formula} is one of single observations`,
    );
  }
  const shadowed = constants.filter(known);
  return shadowed.length === 0 ? names : parse(formula, [...names, ...shadowed]).names;
}

/** What is left of a function's type when its inputs are known at run time only. */
interface Batched {
  batch(inputs: Readonly<Record<string, Float64Array>>): Float64Array;
}

/** A formula's value for each row of the columns it uses. */
export function evaluateFormula(
  formula: string,
  columns: Readonly<Record<string, Float64Array>>,
): Float64Array {
  const f = compileFormula(formula, Object.keys(columns));
  try {
    return (f as unknown as Batched).batch(columns);
  } finally {
    f.dispose();
  }
}

/** The function of these numbers that a formula describes. */
export function compileFormula(formula: string, names: readonly string[]): AnyFunction {
  const body = parse(formula, names);
  const spec = Object.fromEntries(names.map((name) => [name, scalar()] as const));
  return fn(spec, (values) => body(values), { name: "formula" }) as unknown as AnyFunction;
}
