/** Branches and maps in the body of a function, and bodies that are computed again in reverse sweeps. */
import { resultTree, traceStep } from "./body.js";
import { checkpointsOf } from "./checkpoints.js";
import { Core } from "./core.js";
import { completed, here } from "./fail.js";
import { type AdjointFunction, coreOf, isFunction, makeFunction } from "./function.js";
import { logicalNot, Op } from "./generated/operations.js";
import type { IfLike, LeadingOf, RowOf } from "./loop-types.js";
import { type NativeBuilder, type NativePort, type NodeId, native } from "./native.js";
import { elementCount } from "./numbers.js";
import {
  appendLoop,
  booleanOf,
  leavesLike,
  lengthOf,
  loopOn,
  made,
  operandsOf,
  requireBody,
  requireCondition,
  rowOf,
  Trips,
  valuesOf,
} from "./steps.js";
import { requireTrace, type Trace } from "./trace.js";
import { numbered, type Tree } from "./tree.js";
import type {
  AnyValue,
  BoolOperand,
  BoolValue,
  ResultTree,
  ValueTree,
  WithLeading,
} from "./types.js";

/** Of loops of one step, which have no state but the first. */
const keepAll = checkpointsOf("", "all");

/**
 * What one of two functions gives, and only that one runs: `whenTrue(...operands)` where the predicate, a boolean
 * scalar, is true, else `whenFalse(...operands)`. Both give the same structure, shapes and kinds. They may use traced
 * values around them, so operands are seldom needed. (`where` computes both sides, elementwise, and is cheaper for
 * little ones.) In a batch every instance takes its own branch.
 *
 *     const y = cond(x.greater(0), () => expensive(x), () => x);
 *
 * @throws ShapeError, DTypeError, ArgumentError when the branches differ, or the predicate is not a boolean scalar
 */
export function cond<A extends readonly unknown[], const T, const F>(
  predicate: BoolOperand,
  whenTrue: (...operands: A) => T,
  whenFalse: (...operands: A) => F,
  ...operands: A
): NoInfer<IfLike<T, F, ResultTree<T>>>;
export function cond(
  predicate: unknown,
  whenTrue: (...operands: readonly unknown[]) => unknown,
  whenFalse: (...operands: readonly unknown[]) => unknown,
  ...operands: readonly unknown[]
): unknown {
  const name = "cond";
  requireBody(name, "whenTrue", whenTrue);
  requireBody(name, "whenFalse", whenFalse);
  const trace = requireTrace(name);
  const value = typeof predicate === "boolean" ? booleanOf(trace, predicate) : predicate;
  const test = requireCondition(name, "the predicate", value) as BoolValue<[]>;
  const other = logicalNot(test) as AnyValue;
  // Each branch is a loop of at most one step, whose condition is false after it. The carries are the results: zeros
  // that the branch which runs replaces.
  const take = (go: AnyValue, branch: () => unknown, before?: Branched): Branched => {
    let tree: Tree | undefined = before?.tree;
    const step = traceStep(name, trace, [], (_, inner) => {
      const found = resultTree(name, branch());
      const no = booleanOf(inner, false);
      if (before !== undefined) {
        return [no, ...leavesLike(name, "what whenFalse gives", before.tree, found)];
      }
      tree = found.tree;
      return [no, ...found.leaves];
    });
    const [, ...ports] = step.tape.outputs();
    const nodes = before?.nodes ?? ports.map((port) => zeros(trace, port));
    const unread = 1 + ports.length;
    const kind = { length: 1, trips: Trips.While, checkpoints: keepAll, unread };
    const items = loopOn(trace, name, step, kind, [trace.own(go), ...nodes]);
    return { tree: numbered(tree!, ports), nodes: items.slice(1, unread) };
  };
  const first = take(test, () => whenTrue(...operands));
  const { tree, nodes } = take(other, () => whenFalse(...operands), first);
  return made(trace, tree, nodes);
}

/** What the branches so far give. */
interface Branched {
  readonly tree: Tree;
  readonly nodes: readonly NodeId[];
}

function zeros(trace: Trace, { shape, isBool }: NativePort): NodeId {
  return trace.builder.data(new Float64Array(elementCount(shape)), shape, isBool);
}

/**
 * `f` of every row of `xs`, a value or record of values with a common leading axis; results have that axis. All
 * rows are computed at once, as by `vmap`; values around it that `f` uses are shared by them.
 *
 *     const lengths = map((p) => p.norm(), points);
 *
 * @throws ShapeError when `xs` differ in length
 */
export function map<X extends ValueTree, R>(
  f: AdjointFunction<[RowOf<X>], R>,
  xs: X,
): WithLeading<R, LeadingOf<X>>;
export function map<X extends ValueTree, const R>(
  f: (x: RowOf<X>) => R,
  xs: X,
): WithLeading<ResultTree<R>, LeadingOf<X>>;
export function map(f: (x: never) => unknown, xs: unknown): unknown {
  const name = "map";
  requireBody(name, "the body", f);
  const trace = requireTrace(name);
  const rows = operandsOf(trace, xs, "xs");
  const lanes = lengthOf(name, undefined, rows.ports);
  let tree: Tree;
  const step = traceStep(name, trace, rows.ports.map(rowOf), (values) => {
    const found = resultTree(name, f(valuesOf(rows.tree, values)));
    tree = found.tree;
    return found.leaves;
  });
  if (lanes === 0) {
    const none = step.tape.outputs().map(({ shape, ...port }) => {
      return zeros(trace, { ...port, shape: [0, ...shape] });
    });
    step.tape.dispose();
    return made(trace, tree!, none);
  }
  try {
    const isMapped = [...rows.nodes.map(() => true), ...step.captured.map(() => false)];
    const mapped = step.tape.vmap(lanes, isMapped);
    try {
      const nodes = trace.builder.call(mapped, [...rows.nodes, ...step.captured]);
      return made(trace, tree!, nodes);
    } finally {
      mapped.dispose();
    }
  } catch (error) {
    throw completed(error, name);
  } finally {
    step.tape.dispose();
  }
}

/** Results of a loop of one step, without the axis of its steps. */
function withoutSteps(
  builder: NativeBuilder,
  items: readonly NodeId[],
  ports: readonly NativePort[],
): NodeId[] {
  return items.map((item, i) => builder.op(Op.Reshape, [item], ports[i]!.shape));
}

const once = { length: 1, trips: Trips.Fixed, checkpoints: keepAll } as const;

/**
 * The same function, whose intermediate values reverse sweeps do not keep but compute again from its inputs:
 * memory for time. Of a function made by `fn` or a transform it gives another one; of a plain function, which is
 * called in a body and may use values around it, one that is called in its place.
 *
 *     const layer = checkpoint((h) => matmul(w, h).tanh());
 */
export function checkpoint<A extends readonly unknown[], R>(
  f: AdjointFunction<A, R>,
): AdjointFunction<A, R>;
export function checkpoint<A extends readonly unknown[], const R>(
  f: (...inputs: A) => R,
): (...inputs: A) => ResultTree<R>;
export function checkpoint(f: (...inputs: never[]) => unknown): unknown {
  const name = "checkpoint";
  requireBody(name, "it takes a function; this", f);
  if (isFunction(f)) return checkpointed(coreOf(f, name));
  return (...inputs: never[]): unknown => {
    const trace = requireTrace(name);
    let tree: Tree;
    const step = traceStep(name, trace, [], () => {
      const found = resultTree(name, f(...inputs));
      tree = found.tree;
      return found.leaves;
    });
    const ports = step.tape.outputs();
    const items = loopOn(trace, name, step, once, []);
    return made(trace, tree!, withoutSteps(trace.builder, items, ports));
  };
}

function checkpointed(core: Core): AdjointFunction<readonly unknown[], unknown> {
  const { args, result } = core;
  const name = `checkpoint(${core.name})`;
  const builder = new native.Builder();
  try {
    const captured = core.tape
      .inputs()
      .map((input) => builder.input(input.name, input.shape, input.isBool));
    const outputs = core.tape.outputs();
    const items = appendLoop(builder, name, { tape: core.tape, captured }, once, []);
    const tape = builder.finish(
      outputs.map((port) => port.name),
      withoutSteps(builder, items, outputs),
    );
    const notes = [...core.notes, "computed again in reverse sweeps"];
    // All that runs is one node, whose line is that of this call.
    const { location } = here();
    const locate = () => location;
    return makeFunction(new Core({ name, tape, args, result, notes, locate }));
  } catch (error) {
    throw completed(error, name);
  } finally {
    builder.dispose();
  }
}
