/** Formulas in programs (`ex`) and from users (`parse`). */
import { here } from "./fail.js";
import { evaluate, type FormulaLimits, type Program, parseParts } from "./formula.js";
import { ArgumentError, NameError } from "./generated/errors.js";
import { cut, describe, isList } from "./numbers.js";
import { isValue, requireTrace } from "./trace.js";
import type { AnyValue, BoolOperand, Dims, Operand } from "./types.js";
import type { Value } from "./value.js";

/** The numbers of a formula without traced parts become a constant of the function being traced. */
function asValue<T>(result: Operand | BoolOperand): T {
  if (isValue(result)) return result as T;
  const trace = requireTrace("formula");
  return trace.make<AnyValue>(trace.builder.constant(Number(result))) as T;
}

// A template's strings are the same object every time the expression runs, so it is parsed once.
const programs = new WeakMap<object, Program>();

/**
 * A formula with infix signs: ``ex`${x} * sin(${y}) + 2` ``. Holes are traced values, numbers and booleans;
 * signs are `+ - * / ^` (or `**`), `< <= > >= == !=`, `&& || !`; every elementwise operation can be called,
 * and `where`, `max`, `min`, `sum`, `mean`, ...; `pi` and `e` are constants. `-x^2` is -(x^2), and `a^b^c`
 * is a^(b^c).
 *
 * @throws ParseError with the position; NameError for names it does not know; ShapeError, DTypeError as the
 *   operations do.
 */
export function ex<T extends AnyValue = Value<Dims>>(
  strings: TemplateStringsArray,
  ...holes: readonly (Operand | BoolOperand)[]
): T {
  if (!Array.isArray(strings) || !Array.isArray(strings.raw)) {
    throw new ArgumentError("ex: is a template tag, used as ex`...` (parse takes text)", here());
  }
  let program = programs.get(strings);
  if (program === undefined) {
    program = parseParts(strings.raw, new Set(), {}, here());
    programs.set(strings, program);
  }
  return asValue<T>(
    evaluate(program, holes, () => {
      throw new NameError("formula: a name without a value", here());
    }),
  );
}

/** A formula given as text, as a function of the values its names stand for. */
export interface Formula<N extends string = string> {
  /**
   * The value of the formula, recorded in the function being traced. Names it does not use may be there.
   * @throws NameError when one that it uses is missing; ShapeError, DTypeError as the operations do.
   */
  (values: { readonly [K in N]: Operand | BoolOperand }): Value<Dims>;
  /** The names it uses, in order of appearance. */
  readonly names: readonly N[];
  readonly text: string;
}

/**
 * Parses a formula that may come from anyone: arithmetic, comparisons, calls and names, with limits on
 * length, depth and work. It is never evaluated as JavaScript and can reach nothing but the names given.
 * See `ex` for what can be written.
 *
 * @param names the names it may use; they win over the constants pi and e. Without them any name may stand.
 * @throws ParseError with the position; NameError for unknown names and functions; LimitError past a limit.
 */
export function parse<const N extends string = string>(
  text: string,
  names?: readonly N[],
  limits: FormulaLimits = {},
): Formula<N> {
  if (typeof text !== "string") throw new ArgumentError("parse: the formula is a string", here());
  if (names !== undefined && !isList(names, "parse")) {
    throw new ArgumentError("parse: names are an array of strings", here());
  }
  const given = names === undefined ? undefined : Array.from<unknown>(names);
  const wrong = given?.findIndex((name) => typeof name !== "string") ?? -1;
  if (wrong >= 0) {
    const got = describe(given![wrong]);
    throw new ArgumentError(`parse: names are strings, got ${got} at position ${wrong}`, here());
  }
  const allowed = given === undefined ? undefined : new Set(given as string[]);
  const program = parseParts([text], allowed, limits, here());
  const formula = (values: unknown): AnyValue => {
    if (typeof values !== "object" || values === null) {
      throw new ArgumentError("formula: takes a record of values", here());
    }
    return asValue(
      evaluate(program, [], (name) => {
        if (!Object.hasOwn(values, name)) {
          throw new NameError(`formula: ${JSON.stringify(cut(name))} is not given`, here());
        }
        return (values as Record<string, Operand>)[name]!;
      }),
    );
  };
  return Object.defineProperties(formula, {
    names: { value: Object.freeze([...program.names]) },
    text: { value: text },
  }) as unknown as Formula<N>;
}
