/** What loops, branches and maps have in common: trees of values as operands, and the node of a loop. */
import { nodesOf, type ResultLeaf, type Step } from "./body.js";
import type { NativeCheckpoints } from "./checkpoints.js";
import { completed, here } from "./fail.js";
import { ArgumentError, DTypeError, ShapeError } from "./generated/errors.js";
import type { NativeBuilder, NativePort, NodeId } from "./native.js";
import { describe, wholeOf } from "./numbers.js";
import { isValue, type Trace } from "./trace.js";
import { assemble, buildTree, leavesOf, numbered, type Tree } from "./tree.js";
import type { AnyValue } from "./types.js";

/** Most steps of one loop, as the core has it. */
export const maxSteps = 2 ** 31 - 1;

/** `LoopTrips` of native/ops/loop.h. */
export const Trips = { Fixed: 0, While: 1, Counted: 2 } as const;

/** A tree of values that a loop is given. */
export interface Operands {
  readonly tree: Tree;
  readonly nodes: readonly NodeId[];
  readonly ports: readonly NativePort[];
}

export function operandsOf(trace: Trace, given: unknown, what: string): Operands {
  const found = buildTree<ResultLeaf>(
    given,
    what,
    (value) => (isValue(value) || typeof value === "number" ? value : undefined),
    true,
    here(),
  );
  const nodes = nodesOf(trace, found.leaves);
  const shapes = nodes.map((node) => portOf(trace.builder, "", node));
  const tree = numbered(found.tree, shapes);
  const ports = leavesOf(tree).map(({ path, shape, isBool }) => ({
    name: path === "" ? what : `${what} ${path}`,
    shape: [...shape],
    isBool,
  }));
  return { tree, nodes, ports };
}

export function portOf(builder: NativeBuilder, name: string, node: NodeId): NativePort {
  return { name, shape: builder.shape(node), isBool: builder.isBool(node) };
}

/** The tree with these values for its leaves. */
export function valuesOf(tree: Tree, values: readonly AnyValue[]): never {
  return assemble(tree, ({ index }) => values[index]) as never;
}

/** The tree with the values of these nodes. */
export function made(trace: Trace, tree: Tree, nodes: readonly NodeId[]): unknown {
  return assemble(tree, ({ index }) => trace.make(nodes[index]!));
}

function kindOf(isBool: boolean): string {
  return isBool ? "booleans" : "numbers";
}

/**
 * The leaves of what stands in the place of `expected`, in its order.
 * @param what the former, for messages: "the next carry"
 */
export function leavesLike(
  name: string,
  what: string,
  expected: Tree,
  given: { readonly tree: Tree; readonly leaves: readonly ResultLeaf[] },
): ResultLeaf[] {
  const want = leavesOf(expected);
  const got = new Map(leavesOf(given.tree).map(({ path, index }) => [path, given.leaves[index]!]));
  const list = (paths: Iterable<string>): string =>
    Array.from(paths, (path) => (path === "" ? "one value" : path)).join(", ") || "nothing";
  if (want.length !== got.size || want.some(({ path }) => !got.has(path))) {
    throw new ArgumentError(
      `${name}: ${what} is ${list(got.keys())}, where ${list(want.map(({ path }) => path))} should be`,
      here(),
    );
  }
  return want.map(({ path, shape, isBool }) => {
    const leaf = got.get(path)!;
    const gotShape = isValue(leaf) ? leaf.shape : [];
    const gotBool = isValue(leaf) && leaf.dtype === "bool";
    const which = path === "" ? what : `${path} of ${what}`;
    if (
      gotShape.length !== shape.length ||
      gotShape.some((extent, axis) => extent !== shape[axis])
    ) {
      throw new ShapeError(
        `${name}: ${which} has shape [${gotShape.join(",")}], where [${shape.join(",")}] should be`,
        here(),
      );
    }
    if (gotBool !== isBool) {
      throw new DTypeError(
        `${name}: ${which} is ${kindOf(gotBool)}, where ${kindOf(isBool)} should be`,
        here(),
      );
    }
    return leaf;
  });
}

export function requireBody(name: string, what: string, given: unknown): void {
  if (typeof given === "function") return;
  throw new ArgumentError(`${name}: ${what} is a function, got ${describe(given)}`, here());
}

export function booleanOf(trace: Trace, value: boolean): AnyValue {
  return trace.make(trace.builder.data(new Float64Array([value ? 1 : 0]), [], true));
}

/** @throws DTypeError, ShapeError, ArgumentError unless this is a boolean scalar of the graph. */
export function requireCondition(name: string, what: string, given: unknown): AnyValue {
  if (!isValue(given)) {
    throw new ArgumentError(`${name}: ${what} is a boolean value, got ${describe(given)}`, here());
  }
  if (given.dtype !== "bool") {
    throw new DTypeError(`${name}: ${what} is a boolean, got numbers; compare them`, here());
  }
  if (given.shape.length > 0) {
    const shape = given.shape.join(",");
    throw new ShapeError(`${name}: ${what} is a scalar, got shape [${shape}]`, here());
  }
  return given;
}

/** What one step sees of a stacked value. */
export function rowOf({ name, shape, isBool }: NativePort): NativePort {
  return { name, shape: shape.slice(1), isBool };
}

/** The number of steps that the leading axes of `xs` and the option `length` agree on. */
export function lengthOf(name: string, given: unknown, xs: readonly NativePort[]): number {
  let length = given === undefined ? undefined : wholeOf(name, "length", given, 0, maxSteps);
  let first = "the option length";
  for (const port of xs) {
    const [extent] = port.shape;
    if (extent === undefined) {
      throw new ShapeError(`${name}: ${port.name} is a scalar and has no rows`, here());
    }
    if (length !== undefined && length !== extent) {
      throw new ShapeError(
        `${name}: ${port.name} has ${extent} rows, where ${first} ${given === undefined ? "has" : "is"} ${length}`,
        here(),
      );
    }
    if (length === undefined) {
      length = extent;
      first = port.name;
    }
  }
  if (length !== undefined) return length;
  throw new ArgumentError(
    `${name}: without xs the option length says how many steps there are`,
    here(),
  );
}

export interface LoopKind {
  readonly length: number;
  readonly trips: (typeof Trips)[keyof typeof Trips];
  readonly checkpoints: NativeCheckpoints;
  /** Leading carries that are no inputs of the step. */
  readonly unread?: number;
  readonly reverse?: boolean;
  readonly indexed?: boolean;
}

/** The nodes of a loop's items: last carries, stacked results, and the number of steps of a `While`. */
export function appendLoop(
  builder: NativeBuilder,
  name: string,
  { tape, captured }: Step,
  { length, trips, checkpoints, unread = 0, reverse = false, indexed = false }: LoopKind,
  carries: readonly NodeId[],
  streams: readonly NodeId[] = [],
  steps: readonly NodeId[] = [],
): NodeId[] {
  const { numbers, directory } = checkpoints;
  const shape = [length, carries.length, streams.length, unread];
  const kind = [trips, Number(reverse), Number(indexed)];
  const operands = [...captured, ...carries, ...streams, ...steps];
  try {
    return builder.loop(name, tape, [...shape, ...kind, ...numbers], directory, operands);
  } catch (error) {
    throw completed(error, name);
  }
}

/** The same on a trace, for a step that is of no use afterwards. */
export function loopOn(
  { builder }: Trace,
  name: string,
  step: Step,
  kind: LoopKind,
  carries: readonly NodeId[],
  streams?: readonly NodeId[],
  steps?: readonly NodeId[],
): NodeId[] {
  try {
    return appendLoop(builder, name, step, kind, carries, streams, steps);
  } finally {
    step.tape.dispose();
  }
}
