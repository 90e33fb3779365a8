/** Tests of sparsity patterns that users give. */

import type { Core } from "../core.js";
import { completed, here } from "../fail.js";
import { type AdjointFunction, coreOf } from "../function.js";
import { ArgumentError } from "../generated/errors.js";
import { native } from "../native.js";
import { describe, optionsOf } from "../numbers.js";
import { derived, type WrtOptions } from "../transforms.js";
import { assemble, type Leaf, leavesOf, match, record, select, type Tree } from "../tree.js";
import type { NamesOf } from "../types.js";
import { type ColorablePattern, colorable, colorPattern, givenPattern } from "./coloring.js";
import type { SparseMatrix } from "./matrix.js";
import { requireShape, requireWhole } from "./pattern.js";
import type { PatternArrays } from "./places.js";
import {
  argumentsAt,
  type DetectedPattern,
  type PointOf,
  rangeAt,
  type SparsityOf,
  sparsity,
} from "./sparsity.js";

/** How a pattern is checked. */
export interface CheckPatternOptions<A extends readonly unknown[], W extends string>
  extends WrtOptions<W> {
  /** The matrix whose pattern it is; "jacobian" by default. */
  readonly of?: SparsityOf;
  /** The inputs at which derivatives are computed: a list where the function takes several arguments. */
  readonly at: PointOf<A>;
  /** Whether to throw when entries are missing, or only to report; true by default. */
  readonly throws?: boolean;
}

/** An entry that a pattern lacks although it is not zero. */
export interface MissingEntry {
  readonly row: number;
  readonly column: number;
  /** The output (of a Hessian: the input) whose element the row is, and which element, row-major. */
  readonly output: string;
  readonly outputIndex: number;
  /** The input whose element the column is, and which. */
  readonly input: string;
  readonly inputIndex: number;
  /** The derivative; NaN counts as an entry. */
  readonly value: number;
}

/** What `checkPattern` found. */
export interface PatternReport {
  readonly ok: boolean;
  /** Entries that are missing, by column. */
  readonly missing: readonly MissingEntry[];
  /** Entries that are not in the pattern and zero at these inputs, but may not be elsewhere. */
  readonly undecided: number;
}

/**
 * Checks a sparsity pattern: whether an entry that it says is zero is not, at these inputs. Entries that are zero for all inputs
 * are known (`sparsity`); the derivatives of the others are computed, columns that share no row together. A triangle stands for the
 * whole symmetric matrix.
 * @throws ArgumentError when entries are missing (unless `throws` is false), and for a malformed pattern; ShapeError when
 * the pattern is not of the function's size; NameError when `wrt` names no input.
 */
export function checkPattern<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(
  f: AdjointFunction<A, R>,
  pattern: PatternArrays | SparseMatrix,
  options: CheckPatternOptions<A, NamesOf<A[0], W>>,
): PatternReport {
  const core = coreOf(f, "checkPattern");
  const given = optionsOf("checkPattern", options, ["wrt", "of", "at", "throws"]);
  const expected = givenPattern("checkPattern", pattern);
  if (given.at === undefined) {
    throw new ArgumentError("checkPattern: the option at is missing", here());
  }
  const throws = given.throws ?? true;
  if (typeof throws !== "boolean") {
    throw new ArgumentError(
      `checkPattern: throws is true or false, got ${describe(throws)}`,
      here(),
    );
  }
  const { wrt, of, at } = options;
  if ("triangle" in expected) requireWhole("checkPattern", expected.triangle, of ?? "jacobian");
  const whole = sparsity(f, { ...(wrt && { wrt }), ...(of && { of }) });
  requireShape("checkPattern", expected, whole.rows, whole.columns);
  const isHessian = of === "hessian";
  const absent = absentEntries(whole, colorable(expected, isHessian));
  const { tree, positions } = select(core.args[0]!, wrt);
  let missing: MissingEntry[] = [];
  if (absent.rows.length > 0) {
    missing = nonzerosOf(core, { tree, positions, isHessian }, at, whole, absent);
  } else {
    // Nothing is to be computed, but the inputs may be wrong.
    core.call(argumentsAt(core, at));
  }
  if (missing.length > 0 && throws) throw lacking(core, missing);
  return { ok: missing.length === 0, missing, undecided: absent.rows.length - missing.length };
}

interface Entries {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

function absentEntries(whole: DetectedPattern, pattern: ColorablePattern): Entries {
  const { rows, columns } = whole;
  try {
    return native.missingEntries(
      [rows, columns],
      whole.rowStarts,
      whole.columnIndices,
      pattern.rowStarts,
      pattern.columnIndices,
    );
  } catch (error) {
    throw completed(error, "checkPattern");
  }
}

interface Derivative {
  readonly tree: Tree;
  readonly positions: readonly number[];
  readonly isHessian: boolean;
}

/** A function of a call's arguments and a tangent of the inputs `wrt`. */
type Push = (...given: unknown[]) => { readonly tangent: unknown };

/** Pushes tangents through the function, or through its gradient. */
function pushOf(core: Core, { tree, positions, isHessian }: Derivative) {
  return derived<unknown[], unknown>(core, "checkPattern", () => {
    const tape = isHessian ? core.tape.gradient(positions) : core.tape;
    const result = isHessian ? tree : core.result;
    try {
      return {
        tape: tape.jvp(positions),
        args: [...core.args, tree],
        result: record({ value: result, tangent: result }),
      };
    } finally {
      if (isHessian) tape.dispose();
    }
  });
}

/** Those entries whose derivatives are not zero. */
function nonzerosOf(
  core: Core,
  derivative: Derivative,
  at: unknown,
  whole: DetectedPattern,
  { rows, columns }: Entries,
): MissingEntry[] {
  const { tree, isHessian } = derivative;
  const { columnColors } = colorPattern(whole);
  const starts = new Map(leavesOf(tree).map((leaf, i) => [leaf.index, whole.inputs[i]!.start]));
  /** 1 for the columns of a color. */
  const seedOf = ({ index, shape, count }: Leaf, color: number): number | Float64Array => {
    const start = starts.get(index)!;
    const isOne = (_: unknown, i: number) => (columnColors[start + i] === color ? 1 : 0);
    const seed = Float64Array.from({ length: count }, isOne);
    return shape.length === 0 ? seed[0]! : seed;
  };
  const given = argumentsAt(core, at);
  const missing: MissingEntry[] = [];
  const push = pushOf(core, derivative);
  try {
    for (const color of new Set(Array.from(columns, (column) => columnColors[column]!))) {
      const seed = assemble(tree, (leaf) => seedOf(leaf, color));
      const { tangent } = (push as unknown as Push)(...given, seed);
      const values = flatten(isHessian ? tree : core.result, tangent, whole.rows);
      columns.forEach((column, i) => {
        const row = rows[i]!;
        if (columnColors[column] !== color || values[row] === 0) return;
        missing.push(entryOf(whole, row, column, values[row]!));
      });
    }
  } finally {
    push.dispose();
  }
  return missing.sort((a, b) => a.column - b.column || a.row - b.row);
}

function flatten(tree: Tree, given: unknown, length: number): Float64Array {
  const all = new Float64Array(length);
  let next = 0;
  match(tree, given, ({ count }, value) => {
    all.set(typeof value === "number" ? [value] : (value as Float64Array), next);
    next += count;
  });
  return all;
}

function entryOf(
  { outputs, inputs }: DetectedPattern,
  row: number,
  column: number,
  value: number,
): MissingEntry {
  const output = rangeAt(outputs, row);
  const input = rangeAt(inputs, column);
  return {
    row,
    column,
    output: output.path,
    outputIndex: row - output.start,
    input: input.path,
    inputIndex: column - input.start,
    value,
  };
}

/** Entries that an error names. */
const maxNamed = 5;

function lacking(core: Core, missing: readonly MissingEntry[]): ArgumentError {
  const named = missing
    .slice(0, maxNamed)
    .map(
      ({ output, outputIndex, input, inputIndex, value }) =>
        `${output}[${outputIndex}] by ${input}[${inputIndex}] is ${value}`,
    );
  const rest = missing.length > maxNamed ? `, and ${missing.length - maxNamed} more` : "";
  return new ArgumentError(
    `checkPattern(${core.name}): the pattern lacks ${missing.length} entries: ${named.join("; ")}${rest}`,
    here(),
  );
}
