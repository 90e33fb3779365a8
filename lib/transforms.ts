/**
 * Functions from functions: derivatives and batches. Each is tape to tape, made when the transform is
 * called, so what can not be differentiated is said there; the results are functions like any other.
 * Derivatives are with respect to the first argument, or the inputs of it that `wrt` names.
 */
import { Core, type Note } from "./core.js";
import { completed, here } from "./fail.js";
import { type AdjointFunction, coreOf, makeFunction } from "./function.js";
import { ArgumentError, NameError, ShapeError } from "./generated/errors.js";
import type { NativeTape } from "./native.js";
import { optionsOf, shown } from "./numbers.js";
import { leavesOf, mapLeaves, record, select, type Tree } from "./tree.js";
import type {
  JacobianOf,
  NamesOf,
  ScalarResult,
  Select,
  WithLeading,
  WithLeadingExcept,
} from "./types.js";

/** Which inputs to differentiate by. */
export interface WrtOptions<W extends string> {
  /**
   * Names of inputs, nested ones by path ("camera.focal"); a record's name stands for all in it.
   * All inputs by default.
   */
  readonly wrt?: readonly W[];
}

/** How a Jacobian is computed. */
export interface JacobianOptions<W extends string> extends WrtOptions<W> {
  /** "auto" takes the cheaper of forward (a column at a time) and reverse (a row at a time). */
  readonly mode?: "auto" | "forward" | "reverse";
}

interface Derived {
  readonly tape: NativeTape;
  readonly args?: readonly Tree[];
  readonly result: Tree;
  readonly notes?: readonly Note[];
}

/** A derivative's function; what the core refuses is thrown with the line of the transform's call. */
export function derived<A extends readonly unknown[], R>(
  core: Core,
  transform: string,
  make: () => Derived,
): AdjointFunction<A, R> {
  try {
    const parts = make();
    return makeFunction(
      new Core({
        name: `${transform}(${core.name})`,
        tape: parts.tape,
        args: parts.args ?? core.args,
        result: parts.result,
        notes: [...core.notes, ...(parts.notes ?? [])],
        locate: core.locate,
      }),
    );
  } catch (error) {
    throw completed(error, `${transform}(${core.name})`);
  }
}

export function wrtOf(
  core: Core,
  transform: string,
  options: unknown,
  others: readonly string[] = [],
): { tree: Tree; positions: number[] } {
  const { wrt } = optionsOf(transform, options, ["wrt", ...others]);
  const tree = core.args[0];
  if (tree === undefined)
    throw new ArgumentError(`${transform}: ${core.name} takes nothing`, here());
  return select(tree, wrt, here(), `${transform}: wrt`);
}

export function requireScalar(core: Core, transform: string): void {
  const { result } = core;
  if (result.kind === "leaf" && result.shape.length === 0) return;
  const found =
    result.kind === "leaf"
      ? `a value of shape [${result.shape.join(",")}]`
      : `${leavesOf(result).length} values`;
  throw new ShapeError(
    `${transform}: ${core.name} gives ${found}; a gradient needs one scalar (use jacobian or vjp)`,
    here(),
  );
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** Where `transform` replaces only some outputs of an intermediate tape, the rest is freed at once. */
function selectOutputs(tape: NativeTape, positions: readonly number[]): NativeTape {
  try {
    return tape.selectOutputs(positions);
  } finally {
    tape.dispose();
  }
}

/**
 * The gradient of a function with one scalar result: `grad(f)(x)` is a record like the inputs, each entry
 * of the shape of its input. One reverse sweep, whatever the number of inputs.
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input.
 */
export function grad<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<A, Select<A[0], W>> {
  const core = coreOf(f, "grad");
  requireScalar(core, "grad");
  const { tree, positions } = wrtOf(core, "grad", options);
  return derived(core, "grad", () => ({
    tape: core.tape.gradient(positions),
    result: tree,
    notes: ["gradient: one reverse sweep"],
  }));
}

/**
 * Value and gradient in one evaluation: `{ value, grad }`, the gradient a record like the inputs.
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input.
 */
export function valueAndGrad<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<A, { readonly value: R; readonly grad: Select<A[0], W> }> {
  const core = coreOf(f, "valueAndGrad");
  requireScalar(core, "valueAndGrad");
  const { tree, positions } = wrtOf(core, "valueAndGrad", options);
  return derived(core, "valueAndGrad", () => ({
    tape: core.tape.valueAndGrad(positions),
    result: record({ value: core.result, grad: tree }),
    notes: ["value and gradient: one forward and one reverse sweep"],
  }));
}

/**
 * Pushes a tangent forward: `jvp(f)(x, dx)` is `{ value, tangent }`, the tangent J dx of the shape of the
 * result. `dx` is a record like the inputs (those that `wrt` names). Costs a small multiple of f.
 */
export function jvp<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
  f: AdjointFunction<A, R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<[...A, Select<A[0], W>], { readonly value: R; readonly tangent: R }> {
  const core = coreOf(f, "jvp");
  const { tree, positions } = wrtOf(core, "jvp", options);
  return derived(core, "jvp", () => ({
    tape: core.tape.jvp(positions),
    args: [...core.args, tree],
    result: record({ value: core.result, tangent: core.result }),
    notes: ["directional derivative: one forward sweep"],
  }));
}

/**
 * Pulls a cotangent back: `vjp(f)(x, yBar)` is `{ value, grad }`, where `yBar` is like the result and the
 * gradient, yBar^T J, a record like the inputs. Costs a small multiple of f.
 */
export function vjp<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
  f: AdjointFunction<A, R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<[...A, R], { readonly value: R; readonly grad: Select<A[0], W> }> {
  const core = coreOf(f, "vjp");
  const { tree, positions } = wrtOf(core, "vjp", options);
  return derived(core, "vjp", () => ({
    tape: core.tape.vjp(positions),
    args: [...core.args, core.result],
    result: record({ value: core.result, grad: tree }),
    notes: ["pullback: one reverse sweep"],
  }));
}

/**
 * All partial derivatives: by output (where the result is a record), then by input, row-major of shape
 * [...output, ...input].
 */
export function jacobian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(
  f: AdjointFunction<A, R>,
  options?: JacobianOptions<NamesOf<A[0], W>>,
): AdjointFunction<A, JacobianOf<R, Select<A[0], W>>> {
  const core = coreOf(f, "jacobian");
  const { tree, positions } = wrtOf(core, "jacobian", options, ["mode"]);
  return jacobianOf(core, "jacobian", tree, positions, modeOf("jacobian", options));
}

/** The option `mode`, checked. */
export function modeOf(
  transform: string,
  options: { readonly mode?: unknown } | undefined,
): "auto" | "forward" | "reverse" {
  const mode = options?.mode === undefined ? "auto" : options.mode;
  if (mode === "auto" || mode === "forward" || mode === "reverse") return mode;
  throw new ArgumentError(`${transform}: mode is "auto", "forward" or "reverse"`, here());
}

/** Which way a Jacobian is computed, and why. */
export function choice(
  found: {
    readonly mode: string;
    readonly forwardCost: number;
    readonly reverseCost: number;
  },
  asked: string,
): string {
  const forward = Math.round(found.forwardCost);
  const reverse = Math.round(found.reverseCost);
  const why =
    asked === "auto"
      ? `forward would take ${forward} operations, reverse ${reverse}`
      : "as asked for";
  return `${found.mode} (${why})`;
}

function jacobianOf<A extends readonly unknown[], R>(
  core: Core,
  transform: string,
  tree: Tree,
  positions: readonly number[],
  mode: "auto" | "forward" | "reverse",
): AdjointFunction<A, R> {
  return derived(core, transform, () => {
    const found = core.tape.jacobian(positions, mode);
    return {
      tape: found.tape,
      result: mapLeaves(core.result, () => tree),
      notes: [`${transform}: ${choice(found, mode)}`],
    };
  });
}

/**
 * The second derivatives of a function with one scalar result: by input, by input, row-major of shape
 * [...input, ...input].
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input.
 */
export function hessian<
  A extends readonly [unknown, ...unknown[]],
  R,
  const W extends string = never,
>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<A, JacobianOf<Select<A[0], W>, Select<A[0], W>>> {
  const core = coreOf(f, "hessian");
  requireScalar(core, "hessian");
  const { tree, positions } = wrtOf(core, "hessian", options);
  const gradient = grad(f as never, options as never) as unknown;
  const inner = coreOf(gradient);
  try {
    const outer = jacobianOf(inner, "hessian", tree, positions, "auto");
    return renamed(outer, `hessian(${core.name})`);
  } finally {
    inner.dispose();
  }
}

/** The same function under the name a user would give it. */
function renamed<A extends readonly unknown[], R>(f: unknown, name: string): AdjointFunction<A, R> {
  const { tape, args, result, notes, locate } = coreOf(f);
  return makeFunction(new Core({ name, tape, args, result, notes, locate }));
}

/**
 * Hessian times vector: `hvp(f)(x, v)` is a record like the inputs. Forward over reverse: costs a small
 * multiple of f and never makes the Hessian.
 * @throws ShapeError when the result is not one scalar; NameError when `wrt` names no input.
 */
export function hvp<A extends readonly [unknown, ...unknown[]], R, const W extends string = never>(
  f: AdjointFunction<A, R> & ScalarResult<R>,
  options?: WrtOptions<NamesOf<A[0], W>>,
): AdjointFunction<[...A, Select<A[0], W>], Select<A[0], W>> {
  const core = coreOf(f, "hvp");
  requireScalar(core, "hvp");
  const { tree, positions } = wrtOf(core, "hvp", options);
  return derived(core, "hvp", () => {
    const { length } = positions;
    const gradient = core.tape.gradient(positions);
    try {
      const pushed = gradient.jvp(positions);
      return {
        tape: selectOutputs(pushed, range(length, length)),
        args: [...core.args, tree],
        result: tree,
        notes: ["Hessian times vector: forward over reverse"],
      };
    } finally {
      gradient.dispose();
    }
  });
}

/** Which inputs all lanes share. */
export interface VmapOptions<W extends string> {
  /** Names of inputs without a leading axis, the same for all lanes; nested ones by path. */
  readonly shared?: readonly W[];
}

/**
 * The function over `lanes` instances at once: every input (but the shared ones) and every result has a
 * leading axis of that extent.
 * @throws ArgumentError when `lanes` is not a count; NameError when `shared` names no input.
 */
export function vmap<
  A extends readonly [unknown, ...unknown[]],
  R,
  const N extends number,
  const W extends string = never,
>(
  f: AdjointFunction<A, R>,
  lanes: N,
  options: VmapOptions<NamesOf<A[0], W>> = {},
): AdjointFunction<
  A extends readonly [infer First, ...infer Rest]
    ? [WithLeadingExcept<First, N, W>, ...{ [K in keyof Rest]: WithLeading<Rest[K], N> }]
    : never,
  WithLeading<R, N>
> {
  const core = coreOf(f, "vmap");
  if (!Number.isSafeInteger(lanes) || lanes < 1) {
    throw new ArgumentError(`vmap: lanes is a count, got ${shown(lanes)}`, here());
  }
  const leaves = core.args.flatMap(leavesOf);
  const batched = leaves.map(() => true);
  const { shared } = optionsOf("vmap", options, ["shared"]);
  if (shared !== undefined && !(Array.isArray(shared) && shared.length === 0)) {
    if (core.args.length === 0) throw new NameError(`vmap: ${core.name} takes nothing`, here());
    const { positions } = select(core.args[0]!, shared, here(), "vmap: shared");
    for (const position of positions) batched[position] = false;
  }
  return makeFunction(core.guard(() => core.vmap(lanes, batched)));
}
