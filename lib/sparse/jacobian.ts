/** Jacobians and Hessians of functions of many instances, without the zeros. */
import type { Core, Note } from "../core.js";
import { type AdjointFunction, coreOf } from "../function.js";
import type { NativeJacobianBlock, NativeSparseJacobian } from "../native.js";
import { oneOf } from "../numbers.js";
import {
  choice,
  derived,
  type JacobianOptions,
  modeOf,
  requireScalar,
  wrtOf,
} from "../transforms.js";
import type { Tree } from "../tree.js";
import type { NamesOf, ScalarResult } from "../types.js";
import type { Value } from "../value.js";
import {
  formats,
  type PatternOf,
  patternOf,
  type SparseFormat,
  type Triangle,
  triangles,
} from "./pattern.js";

/** How a sparse Jacobian is computed, and how its pattern is given. */
export interface SparseJacobianOptions<W extends string, F extends SparseFormat = SparseFormat>
  extends JacobianOptions<W> {
  /**
   * "csr" (the default): rows in order, columns ascending within each, one entry for each place.
   * "csc": likewise, columns in order, rows ascending within each.
   * "coo": instance by instance, without an order of rows; entries of one place, where there are several, add up.
   */
  readonly format?: F;
}

/** A function that gives the values of a sparse Jacobian's entries. */
export type SparseFunction<A extends readonly unknown[], F extends SparseFormat> = AdjointFunction<
  A,
  Value<[number]>
> & { readonly pattern: PatternOf<F> };

/**
 * The Jacobian of a function that does the same for many instances (a `vmap`, differences of neighbors, gathered
 * parameters), each of which depends on a few elements of the inputs. `sparseJacobian(f)(x)` is a Float64Array with the
 * entries' values; `sparseJacobian(f).pattern` says where they belong. The derivatives of an instance are taken forward
 * or reverse, whichever is cheaper. What has no such structure, or indices known only at run time, is a dense block:
 * always right, and `explain()` names the operation that made it so.
 * @throws NameError when `wrt` names no input; LimitError when there are more rows, columns or entries than 2^31 - 1.
 */
export function sparseJacobian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
>(
  f: AdjointFunction<A, R>,
  options?: SparseJacobianOptions<NamesOf<A[0], W>, F>,
): SparseFunction<A, F> {
  const core = coreOf(f, "sparseJacobian");
  const inputs = wrtOf(core, "sparseJacobian", options, ["mode", "format"]);
  return sparse(core, inputs, "sparseJacobian", {
    mode: modeOf("sparseJacobian", options),
    format: oneOf("sparseJacobian", "format", options?.format, formats),
    triangle: "full",
  });
}

/** How a sparse Hessian is computed, and how its pattern is given. */
export interface SparseHessianOptions<W extends string, F extends SparseFormat = SparseFormat>
  extends SparseJacobianOptions<W, F> {
  /** "full" (the default), or the half that solvers ask for: "lower" has columns up to the row's, "upper" from it on. */
  readonly triangle?: Triangle;
}

/**
 * The Hessian of a function with one scalar result that is a sum over many instances, each of which depends on a few
 * elements of the inputs: the sparse Jacobian of its gradient. `sparseHessian(f)(x)` is a Float64Array with the entries'
 * values, `sparseHessian(f).pattern` says where they belong. For a Lagrangian make the weights an input that `wrt` does not
 * name.
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input; LimitError when there are
 * more rows, columns or entries than 2^31 - 1.
 */
export function sparseHessian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
  const F extends SparseFormat = "csr",
>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: SparseHessianOptions<NamesOf<A[0], W>, F>,
): SparseFunction<A, F> {
  const core = coreOf(f, "sparseHessian");
  requireScalar(core, "sparseHessian");
  const inputs = wrtOf(core, "sparseHessian", options, ["mode", "format", "triangle"]);
  return sparse(core, inputs, "sparseHessian", {
    mode: modeOf("sparseHessian", options),
    format: oneOf("sparseHessian", "format", options?.format, formats),
    triangle: oneOf("sparseHessian", "triangle", options?.triangle, triangles),
  });
}

interface Layout {
  readonly mode: "auto" | "forward" | "reverse";
  readonly format: SparseFormat;
  readonly triangle: Triangle;
}

/** The Jacobian of a function, or of its gradient. */
function sparse<A extends readonly unknown[], F extends SparseFormat>(
  core: Core,
  { tree, positions }: ReturnType<typeof wrtOf>,
  transform: "sparseJacobian" | "sparseHessian",
  { mode, format, triangle }: Layout,
): SparseFunction<A, F> {
  const isHessian = transform === "sparseHessian";
  let found: NativeSparseJacobian | undefined;
  const result = derived<A, Value<[number]>>(core, transform, () => {
    const tape = isHessian ? core.tape.gradient(positions) : core.tape;
    try {
      found = tape.sparseJacobian(positions, mode, format, triangle);
    } finally {
      if (isHessian) tape.dispose();
    }
    const kind = `sparse ${isHessian ? "Hessian" : "Jacobian"}`;
    const shape = [format, ...(triangle === "full" ? [] : [`${triangle} triangle`])].join(", ");
    return {
      tape: found.tape,
      result: leaf,
      notes: notesOf(core, found, `${kind} (${shape})`, mode),
    };
  });
  const pattern = patternOf(found!, format, triangle, isHessian ? tree : core.result, tree);
  return Object.defineProperty(result, "pattern", { value: pattern }) as SparseFunction<A, F>;
}

/** One value; its shape is the tape's. */
const leaf: Tree = { kind: "leaf", index: 0, path: "", shape: [0], isBool: false, count: 0 };

/** Blocks that are said one by one. */
const maxBlocks = 12;

function notesOf(
  core: Core,
  { tape, rows, columns, blocks }: NativeSparseJacobian,
  what: string,
  mode: string,
): Note[] {
  const size = `${rows} rows, ${columns} columns, ${tape.outputs()[0]!.shape[0]} entries`;
  const left = blocks.length - maxBlocks;
  return [
    `${what}: ${size}`,
    ...blocks.slice(0, maxBlocks).map((block) => noteOf(core, block, mode)),
    ...(left > 0 ? [`and ${left} more blocks`] : []),
  ];
}

function noteOf(core: Core, block: NativeJacobianBlock, mode: string): Note {
  const { lanes, outputs, inputs, operation, node } = block;
  const how = choice(block, mode);
  if (operation === undefined || node === undefined) {
    return `${lanes} times ${outputs} by ${inputs}: ${how}`;
  }
  return () => {
    const place = core.locate(node);
    const where = place === undefined ? "" : ` at ${place.file}:${place.line}:${place.column}`;
    return `dense ${outputs} by ${inputs} because of ${operation}${where}: ${how}`;
  };
}
