/** Patterns of Jacobians and Hessians, element by element. */
import type { Core } from "../core.js";
import { formatLocation, type SourceLocation } from "../error.js";
import { completed, here } from "../fail.js";
import { type AdjointFunction, coreOf } from "../function.js";
import { ArgumentError } from "../generated/errors.js";
import { type NativeDenseLines, native } from "../native.js";
import { oneOf, wholeOf } from "../numbers.js";
import { derived, requireScalar, type WrtOptions, wrtOf } from "../transforms.js";
import { numbered, type Tree } from "../tree.js";
import type { NamesOf, Plain, PlainArguments } from "../types.js";
import { type CsrPattern, type PatternRange, patternIn, rangesOf } from "./pattern.js";

/** The inputs of a function of one argument, or the list of all arguments. */
export type PointOf<A extends readonly unknown[]> = A extends readonly [infer X]
  ? Plain<X>
  : PlainArguments<A>;

/** The matrix whose pattern is wanted. */
export type SparsityOf = "jacobian" | "hessian";

/** Which pattern is detected. */
export interface SparsityOptions<A extends readonly unknown[], W extends string>
  extends WrtOptions<W> {
  /** "jacobian" by default; "hessian" needs one scalar result. */
  readonly of?: SparsityOf;
  /**
   * The pattern at these inputs only: of `where` the branch that is taken there, of maxima, minima and sorts the elements
   * that are chosen, of indices computed at run time their values. Without it the pattern holds for all inputs.
   */
  readonly at?: PointOf<A>;
  /** More nonzeros are refused: by default 2^27, which take half a gigabyte. */
  readonly maxNonzeros?: number;
}

/**
 * Neighboring rows that have more than half as many entries as the largest input has elements, columns likewise as the
 * largest output; 32 at least.
 */
export interface DenseLines {
  readonly kind: "row" | "column";
  /** The output or input whose elements they are. */
  readonly path: string;
  /** The first element, row-major, and their number. */
  readonly index: number;
  readonly count: number;
  /** Entries of the first one. */
  readonly nonzeros: number;
  /** The operation that made them dense. */
  readonly operation: string;
  /** Where it is written, if that is known. */
  readonly location: SourceLocation | undefined;
  /** All of it as a line of text. */
  toString(): string;
}

/** A pattern as compressed sparse rows, columns ascending. */
export interface DetectedPattern extends CsrPattern {
  /** What is dense, and why: the first twelve causes; of columns only where not most of the rows are dense. */
  readonly dense: readonly DenseLines[];
}

const kinds = ["jacobian", "hessian"] as const;
const defaultMaxNonzeros = 2 ** 27;

/**
 * Which elements of the results depend on which elements of the inputs; `of: "hessian"`: which pairs of elements have a
 * second derivative. What is not an entry is zero, at all inputs or (with `at`) at these. An entry may still be zero: values
 * do not count, so a product with a constant 0 is an entry, while comparisons, rounding, indices and `stopGradient` make
 * none. Indices known only at run time are taken to be any of their axis, within their lane, unless `at` is given.
 * (Griewank and Walther, Evaluating Derivatives, 2008, section 7.1; Walther, Computing sparse Hessians with automatic
 * differentiation, 2008.)
 * @throws ShapeError when a Hessian is wanted and the result is not one scalar; NameError when `wrt` names no input;
 * LimitError when there are more nonzeros than `maxNonzeros`.
 */
export function sparsity<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(f: AdjointFunction<A, R>, options?: SparsityOptions<A, NamesOf<A[0], W>>): DetectedPattern {
  const core = coreOf(f, "sparsity");
  const { tree, positions } = wrtOf(core, "sparsity", options, ["of", "at", "maxNonzeros"]);
  const of = oneOf("sparsity", "of", options?.of, kinds);
  if (of === "hessian") requireScalar(core, "sparsity");
  const { at, maxNonzeros = defaultMaxNonzeros } = options ?? {};
  const most = wholeOf("sparsity", "maxNonzeros", maxNonzeros, 0);
  try {
    const decisions = at === undefined ? null : decisionsAt(core, positions, at);
    const found = native.detectPattern(core.tape, positions, of, most, decisions);
    const { rows, columns, rowIndex, columnIndex } = found;
    const outputs = rangesOf(of === "hessian" ? tree : core.result);
    const inputs = rangesOf(tree);
    const dense = found.dense.map((lines) =>
      denseLines(core, lines, lines.areRows ? outputs : inputs),
    );
    const common = { rows, columns, triangle: "full", outputs, inputs, dense } as const;
    return patternIn("csr", common, rowIndex, columnIndex) as DetectedPattern;
  } catch (error) {
    throw completed(error, `sparsity(${core.name})`);
  }
}

/** The arguments of a call at a point. */
export function argumentsAt(core: Core, at: unknown): unknown[] {
  if (core.args.length === 1) return [at];
  if (Array.isArray(at)) return at;
  throw new ArgumentError(
    `at: ${core.name} takes ${core.args.length} arguments, expected a list of them`,
    here(),
  );
}

/** The values that decide the pattern at a point. */
function decisionsAt(core: Core, positions: readonly number[], at: unknown): Float64Array[] {
  const given = argumentsAt(core, at);
  const tape = native.decisionTape(core.tape, positions);
  const outputs = tape.outputs();
  if (outputs.length === 0) {
    tape.dispose();
    // Nothing is to be decided, but the inputs may be wrong.
    core.call(given);
    return [];
  }
  const list: Tree = {
    kind: "array",
    names: outputs.map((_, i) => `${i}`),
    children: outputs.map(() => leaf),
    path: "",
  };
  const decide = derived<unknown[], unknown>(core, "sparsity", () => ({
    tape,
    result: numbered(list, outputs),
  }));
  try {
    const values = (decide as unknown as (...given: unknown[]) => unknown)(...given);
    return (values as (number | Float64Array)[]).map((value) =>
      typeof value === "number" ? Float64Array.of(value) : value,
    );
  } finally {
    decide.dispose();
  }
}

const leaf: Tree = { kind: "leaf", index: 0, path: "", shape: [], isBool: false, count: 1 };

/** The range that a row or column is of. */
export function rangeAt(ranges: readonly PatternRange[], line: number): PatternRange {
  return ranges.find(({ start, count }) => line >= start && line < start + count)!;
}

function denseLines(
  core: Core,
  { areRows, first, count, nonzeros, operation, node, stepNode }: NativeDenseLines,
  ranges: readonly PatternRange[],
): DenseLines {
  const { path, start } = rangeAt(ranges, first);
  const kind = areRows ? "row" : "column";
  return {
    kind,
    path,
    index: first - start,
    count,
    nonzeros,
    operation,
    get location() {
      return core.locate(node, stepNode);
    },
    toString() {
      const index = first - start;
      const lines = count > 1 ? `${kind}s ${index} to ${index + count - 1}` : `${kind} ${index}`;
      const place = core.locate(node, stepNode);
      const where = place === undefined ? "" : ` at ${formatLocation(place)}`;
      return `dense ${lines}${path === "" ? "" : ` of ${path}`}, ${nonzeros} entries, because of ${operation}${where}`;
    },
  };
}
