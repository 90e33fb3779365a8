/** Many instances in one call: how many there are, which inputs they share, and the numbers of one of them. */
import { ArgumentError, ShapeError } from "./generated/errors.js";
import { describe, isNumericArray, lengthOf, shapeOfNested } from "./numbers.js";
import { type Leaf, match, type Tree } from "./tree.js";
import type { Dims, TypedArray } from "./types.js";

/** What is given for one input. */
interface Given {
  readonly leaf: Leaf;
  readonly value: unknown;
  /** How many instances it holds; undefined when it is one instance's, for all. */
  readonly lanes: number | undefined;
}

/** What is given for a call of many instances. */
export interface Lanes {
  readonly count: number;
  /** Whether each input has a leading axis, in the order of inputs. */
  readonly batched: readonly boolean[];
  /** What one instance is given for each input. */
  readonly of: (lane: number) => { readonly leaf: Leaf; readonly value: unknown }[];
}

/** Reads what is given. @throws ShapeError when the numbers of instances differ, or there is none. */
export function lanesOf(args: readonly Tree[], given: readonly unknown[]): Lanes {
  const inputs: Given[] = [];
  args.forEach((tree, i) => {
    match(tree, given[i], (leaf, value) => {
      inputs.push({ leaf, value, lanes: lanesIn(value, leaf) });
    });
  });
  const count = commonLanes(inputs);
  return {
    count,
    batched: inputs.map(({ lanes }) => lanes !== undefined),
    of: (lane) =>
      inputs.map(({ leaf, value, lanes }) => ({
        leaf,
        value: lanes === undefined ? value : laneOf(value, leaf, lane),
      })),
  };
}

function lanesIn(value: unknown, { shape, count, path }: Leaf): number | undefined {
  const rank = shape.length;
  if (typeof value === "number") return undefined;
  if (isNumericArray(value)) {
    const length = lengthOf(value);
    // Of exactly one instance's length: for all, or the only lane; both mean the same.
    if (length === count) return rank === 0 ? 1 : undefined;
    if (count > 0 && length % count === 0) return length / count;
    throw new ShapeError(
      `${path}: ${length} numbers are not a multiple of the ${count} of one instance`,
    );
  }
  if (Array.isArray(value)) {
    const found = shapeOfNested(value);
    return found.length > rank || isListOfFlat(value, shape, count) ? found[0] : undefined;
  }
  throw new ArgumentError(`${path}: expected numbers, got ${describe(value)}`);
}

/** Whether this is a list with one flat array for each instance, and not one instance's rows. */
function isListOfFlat(value: readonly unknown[], shape: Dims, count: number): boolean {
  const first = value[0];
  if (shape.length < 2 || !isNumericArray(first) || lengthOf(first) !== count) return false;
  return !(shape.length === 2 && shape[0] === value.length && shape[1] === count);
}

function commonLanes(inputs: readonly Given[]): number {
  const [first, ...rest] = inputs.filter(({ lanes }) => lanes !== undefined);
  if (first === undefined) {
    throw new ShapeError(
      "batch: no input has a leading axis, so the number of instances is unknown",
    );
  }
  for (const { lanes, leaf } of rest) {
    if (lanes === first.lanes) continue;
    throw new ShapeError(
      `batch: ${first.leaf.path} has ${first.lanes} instances and ${leaf.path} has ${lanes}`,
    );
  }
  if (first.lanes === 0) throw new ShapeError(`batch: ${first.leaf.path} has no instances`);
  return first.lanes!;
}

function laneOf(value: unknown, { shape, count }: Leaf, lane: number): unknown {
  if (!isNumericArray(value)) return (value as readonly unknown[])[lane];
  if (shape.length === 0) return (value as TypedArray)[lane];
  return (value as Float64Array).subarray(lane * count, (lane + 1) * count);
}
