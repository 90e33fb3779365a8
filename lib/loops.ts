/**
 * Loops in the body of a function. The body of a loop is traced once, as the step of one node of the graph, whatever
 * the number of steps; it may use traced values of the bodies around it.
 */
import { nodesOf, traceStep, valueTree } from "./body.js";
import { type CheckpointPolicy, checkpointsOf } from "./checkpoints.js";
import { here } from "./fail.js";
import { ArgumentError, DTypeError, ShapeError } from "./generated/errors.js";
import type { CarryOf, IfLike, LeadingOf, RowOf, Stacked } from "./loop-types.js";
import type { NativePort, NodeId } from "./native.js";
import { describe, optionsOf, shown, wholeOf } from "./numbers.js";
import {
  leavesLike,
  lengthOf,
  loopOn,
  made,
  maxSteps,
  operandsOf,
  portOf,
  requireBody,
  requireCondition,
  rowOf,
  Trips,
  valuesOf,
} from "./steps.js";
import { isValue, requireTrace, type Trace } from "./trace.js";
import type { Tree } from "./tree.js";
import type { AnyValue, BodyResult, BoolValue, ResultTree, ValueTree } from "./types.js";
import type { Value } from "./value.js";

/** How a loop's states are kept for reverse sweeps. */
export interface LoopOptions {
  readonly checkpoint?: CheckpointPolicy;
}

export interface ScanOptions<N extends number = number> extends LoopOptions {
  /** Steps; needed where there are no `xs`, which say it otherwise. */
  readonly length?: N;
  /** From the last row to the first; results stand where their rows do. */
  readonly reverse?: boolean;
}

export interface ForLoopOptions extends LoopOptions {
  /** The most steps there can be, where their number is a traced value; more are a LimitError. */
  readonly maxSteps?: number;
}

export interface WhileLoopOptions extends LoopOptions {
  /** The most steps that are taken, 1,000,000 by default; a loop that would go on is a LimitError. */
  readonly maxSteps?: number;
}

const defaultMaxSteps = 1e6;

const indexPort: NativePort = { name: "index", shape: [], isBool: false };

/**
 * A loop over rows that carries values from step to step: `step(carry, x, index)` is given the carry, a row of
 * `xs` and its position, and returns `[carry, y]`, the next carry and a row of the result (or `[carry]`). The
 * result is `[carry, ys]`: the last carry, and the rows y with a leading axis.
 *
 * `init`, `xs`, `y` are values or records of values; numbers are scalars. The carry keeps structure, shapes and
 * kinds. The step is traced once and may use values of the bodies around it.
 *
 *     const [sum, sums] = scan((s, x) => [s.add(x), s.add(x)], 0, xs);
 *
 * @throws ShapeError, DTypeError, ArgumentError when a step's carry is not like `init`, or `xs` differ in length
 */
export function scan<const I extends BodyResult, X extends ValueTree, const S>(
  step: (carry: ResultTree<I>, x: RowOf<X>, index: Value<[]>) => S,
  init: I,
  xs: X,
  options?: ScanOptions,
): NoInfer<IfLike<I, CarryOf<S>, [carry: ResultTree<I>, ys: Stacked<S, LeadingOf<X>>]>>;
export function scan<const I extends BodyResult, const S, const L extends number>(
  step: (carry: ResultTree<I>, x: undefined, index: Value<[]>) => S,
  init: I,
  xs: undefined,
  options: ScanOptions<L> & { readonly length: L },
): NoInfer<IfLike<I, CarryOf<S>, [carry: ResultTree<I>, ys: Stacked<S, L>]>>;
export function scan(
  step: (carry: never, x: never, index: Value<[]>) => readonly unknown[],
  init: unknown,
  xs?: unknown,
  options?: ScanOptions,
): unknown {
  const name = "scan";
  requireBody(name, "the step", step);
  const given = optionsOf(name, options, ["length", "reverse", "checkpoint"]);
  const checkpoints = checkpointsOf(name, given.checkpoint);
  const trace = requireTrace(name);
  const start = operandsOf(trace, init, "carry");
  const rows = xs === undefined ? undefined : operandsOf(trace, xs, "xs");
  const length = lengthOf(name, given.length, rows?.ports ?? []);
  const reverse = flagOf(name, "reverse", given.reverse);
  const carries = start.ports.length;
  const inputs = [...start.ports, ...(rows?.ports ?? []).map(rowOf), indexPort];
  let results: Tree | undefined;
  const traced = traceStep(name, trace, inputs, (values) => {
    const carry = valuesOf(start.tree, values.slice(0, carries));
    const row = rows === undefined ? undefined : valuesOf(rows.tree, values.slice(carries, -1));
    const result: unknown = step(carry, row as never, values.at(-1) as Value<[]>);
    if (!Array.isArray(result) || result.length < 1 || result.length > 2) {
      valueTree(name, result);
      const got = describe(result);
      throw new ArgumentError(
        `${name}: the step returns [carry, y] or [carry], got ${got}`,
        here(),
      );
    }
    const next = leavesLike(name, "the next carry", start.tree, valueTree(name, result[0]));
    if (result[1] === undefined) return next;
    const y = valueTree(name, result[1]);
    results = y.tree;
    return [...next, ...y.leaves];
  });
  const kind = { length, trips: Trips.Fixed, checkpoints, reverse, indexed: true };
  const items = loopOn(trace, name, traced, kind, start.nodes, rows?.nodes);
  const last = made(trace, start.tree, items);
  return [last, results === undefined ? undefined : made(trace, results, items.slice(carries))];
}

function flagOf(name: string, option: string, given: unknown): boolean {
  if (given === undefined || typeof given === "boolean") return given ?? false;
  throw new ArgumentError(`${name}: ${option} is true or false, got ${shown(given)}`, here());
}

/**
 * `body(i, carry)` for i = 0, 1, ... n-1, from `init`: the last carry. `n` is a number, or a traced scalar with the
 * option `maxSteps`.
 *
 *     const power = forLoop(10, (i, y) => y.mul(x), 1);
 *
 * @throws ShapeError, DTypeError, ArgumentError when a step's carry is not like `init`; when it runs, LimitError
 *   for an `n` that is no whole number from 0 to maxSteps
 */
export function forLoop<const I extends BodyResult, const N>(
  n: number | Value<[]>,
  body: (i: Value<[]>, carry: ResultTree<I>) => N,
  init: I,
  options?: ForLoopOptions,
): NoInfer<IfLike<I, N, ResultTree<I>>>;
export function forLoop(
  n: unknown,
  body: (i: Value<[]>, carry: never) => unknown,
  init: unknown,
  options?: ForLoopOptions,
): unknown {
  const name = "forLoop";
  requireBody(name, "the body", body);
  const given = optionsOf(name, options, ["maxSteps", "checkpoint"]);
  const checkpoints = checkpointsOf(name, given.checkpoint);
  const trace = requireTrace(name);
  const count = isValue(n) ? countOf(trace, n) : undefined;
  if (count === undefined && given.maxSteps !== undefined) {
    throw new ArgumentError(`${name}: maxSteps is for a traced number of steps`, here());
  }
  const length =
    count === undefined
      ? wholeOf(name, "the number of steps", n, 0, maxSteps)
      : wholeOf(
          name,
          "maxSteps, which a traced number of steps needs,",
          given.maxSteps,
          0,
          maxSteps,
        );
  const start = operandsOf(trace, init, "carry");
  const traced = traceStep(name, trace, [...start.ports, indexPort], (values) => {
    const next = body(values.at(-1) as Value<[]>, valuesOf(start.tree, values));
    return leavesLike(name, "the next carry", start.tree, valueTree(name, next));
  });
  const trips = count === undefined ? Trips.Fixed : Trips.Counted;
  const kind = { length, trips, checkpoints, indexed: true };
  const steps = count === undefined ? [] : [count];
  const items = loopOn(trace, name, traced, kind, start.nodes, [], steps);
  return made(trace, start.tree, items);
}

function countOf(trace: Trace, n: AnyValue): NodeId {
  const node = trace.own(n);
  const { shape, isBool } = portOf(trace.builder, "", node);
  if (isBool) throw new DTypeError("forLoop: the number of steps is a boolean", here());
  if (shape.length === 0) return node;
  throw new ShapeError(
    `forLoop: the number of steps is a scalar, got shape [${shape.join(",")}]`,
    here(),
  );
}

/**
 * `body(carry)` as long as `condition(carry)`, a boolean scalar, is true, from `init`: the last carry.
 *
 *     const root = whileLoop((y) => y.mul(y).sub(x).abs().greater(1e-9), (y) => y.add(x.div(y)).mul(0.5), x);
 *
 * @throws ShapeError, DTypeError, ArgumentError when a step's carry is not like `init`, or the condition is not a
 *   boolean scalar; when it runs, LimitError when it would take more than `maxSteps` steps
 */
export function whileLoop<const I extends BodyResult, const N>(
  condition: (carry: ResultTree<I>) => BoolValue,
  body: (carry: ResultTree<I>) => N,
  init: I,
  options?: WhileLoopOptions,
): NoInfer<IfLike<I, N, ResultTree<I>>>;
export function whileLoop(
  condition: (carry: never) => unknown,
  body: (carry: never) => unknown,
  init: unknown,
  options?: WhileLoopOptions,
): unknown {
  const name = "whileLoop";
  requireBody(name, "the condition", condition);
  requireBody(name, "the body", body);
  const given = optionsOf(name, options, ["maxSteps", "checkpoint"]);
  const checkpoints = checkpointsOf(name, given.checkpoint);
  const limit = given.maxSteps === undefined ? defaultMaxSteps : given.maxSteps;
  const length = wholeOf(name, "maxSteps", limit, 0, maxSteps);
  const trace = requireTrace(name);
  const start = operandsOf(trace, init, "carry");
  const goes = (values: readonly AnyValue[]): AnyValue =>
    requireCondition(name, "the condition", condition(valuesOf(start.tree, values)));
  const go = trace.own(goes(start.nodes.map((node) => trace.make<AnyValue>(node))));
  const traced = traceStep(name, trace, start.ports, (values, inner) => {
    const result = body(valuesOf(start.tree, values));
    const leaves = leavesLike(name, "the next carry", start.tree, valueTree(name, result));
    const next = nodesOf(inner, leaves).map((node) => inner.make<AnyValue>(node));
    return [goes(next), ...next];
  });
  const kind = { length, trips: Trips.While, checkpoints, unread: 1 };
  const items = loopOn(trace, name, traced, kind, [go, ...start.nodes]);
  return made(trace, start.tree, items.slice(1));
}
