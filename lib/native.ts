/**
 * The native addon, typed: every function that crosses the boundary, and nothing else.
 * Values on a tape under construction are integers (`NodeId`), operations are the codes of generated/operations.ts.
 *
 * Every function throws, or rejects with, an `Error` that carries {@link NativeFailure}. Arguments are copied
 * before anything is done with them, so getters and proxies may do what they like. A method called on something
 * that is not an object of its class is refused by the engine with a TypeError.
 */
import { loadAddon } from "./loader.js";

export type NodeId = number;

/** What an `Error` from the addon carries beside its message; errors.ts makes its classes of it. */
export interface NativeFailure {
  /** One of the codes of native/tape/errors.def, e.g. "ERR_SHAPE". */
  adjointCode: string;
  /** For a run that failed: the node, numbered as in the tape the user traced, where that is known. */
  node?: number;
  /** Its operation's name. */
  operation?: string;
  /** The element at fault, the value found there (an index), and the limit it broke. */
  element?: number;
  value?: number;
  limit?: number;
  /** Within a loop over steps: which step, by its index, and the node at fault, numbered as in the body that was traced. */
  step?: number;
  stepNode?: number;
}

/** A tape under construction. */
export interface NativeBuilder {
  input(name: string, shape: readonly number[], isBool?: boolean): NodeId;
  /** A scalar constant. */
  constant(value: number): NodeId;
  /** A dense row-major constant; the values are copied. */
  data(values: Float64Array, shape: readonly number[], isBool: boolean): NodeId;
  /** One elementwise operation on one to three operands: the fast doors. */
  op1(op: number, a: NodeId): NodeId;
  op2(op: number, a: NodeId, b: NodeId): NodeId;
  op3(op: number, a: NodeId, b: NodeId, c: NodeId): NodeId;
  /** Any operation with integer attributes. */
  op(op: number, operands: readonly NodeId[], attrs: readonly number[]): NodeId;
  /** Copies a finished tape onto this one; returns the nodes of its outputs. */
  call(tape: NativeTape, operands: readonly NodeId[]): NodeId[];
  /** A function with derivative rules of its own; rules may be null. */
  custom(
    name: string,
    primal: NativeTape,
    jvp: NativeTape | null,
    vjp: NativeTape | null,
    operands: readonly NodeId[],
  ): NodeId[];
  /**
   * A loop (native/ops/loop.h); the nodes of its items. Inputs of `step` are carries..., rows of streams..., the index
   * where `indexed`, constants...; the first `unread` carries are missing. `numbers` are length, carries, streams, unread,
   * trips, reverse, indexed, and policy, slots, diskSlots and bytes of its checkpoints, whose files go to `directory`.
   * Operands are constants..., initial carries..., streams..., and the number of steps where `trips` says so.
   */
  loop(
    name: string,
    step: NativeTape,
    numbers: readonly number[],
    directory: string,
    operands: readonly NodeId[],
  ): NodeId[];
  /**
   * The solution of dy/dt = f(t, y) (native/transform/ode.h): rows of the values of y at the times, then the numbers of
   * steps taken and rejected. Inputs of `rhs` are t, y..., constants...; outputs the derivatives of y.... `numbers` are the
   * number of values of y, method, adjoint, steps, maxSteps, and policy, slots, diskSlots and bytes of checkpoints, whose
   * files go to `directory`; `tolerances` are firstStep, rtol..., atol.... Operands are times, y0..., constants....
   */
  ode(
    rhs: NativeTape,
    numbers: readonly number[],
    tolerances: Float64Array,
    directory: string,
    operands: readonly NodeId[],
  ): NodeId[];
  shape(node: NodeId): number[];
  isBool(node: NodeId): boolean;
  /** Number of nodes so far. */
  size(): number;
  /** Ends the tape; the builder is spent afterwards. */
  finish(names: readonly string[], nodes: readonly NodeId[]): NativeTape;
  dispose(): void;
}

export interface NativePort {
  name: string;
  shape: number[];
  isBool: boolean;
}

/** A finished tape: immutable, shared between functions derived from it. */
export interface NativeTape {
  toString(): string;
  toDot(): string;
  size(): number;
  bytes(): number;
  inputs(): NativePort[];
  outputs(): NativePort[];
  /** Positions of inputs; see native/transform/transform.h for the order of the results' inputs and outputs. */
  jvp(wrt: readonly number[]): NativeTape;
  vjp(wrt: readonly number[]): NativeTape;
  valueAndGrad(wrt: readonly number[]): NativeTape;
  gradient(wrt: readonly number[]): NativeTape;
  vmap(lanes: number, batched: readonly boolean[]): NativeTape;
  jacobian(
    wrt: readonly number[],
    mode: "auto" | "forward" | "reverse",
  ): { tape: NativeTape; mode: "forward" | "reverse"; forwardCost: number; reverseCost: number };
  selectOutputs(positions: readonly number[]): NativeTape;
  /**
   * Rows of the table a textbook prints: every node with its value, its tangent for these seeds (one an input) and
   * its adjoint, the derivative of the output by it; empty unless there is one scalar output. Booleans have
   * zeros for both.
   */
  trace(inputs: readonly Float64Array[], seeds: readonly Float64Array[]): NativeTraceRow[];
  /** Compiles. */
  plan(): NativePlan;
  dispose(): void;
}

export interface NativeSparseDerivative {
  tape: NativeTape;
  rows: number;
  columns: number;
  /** The row of each entry; CSR: where each row starts, and the number of entries. */
  rowIndex: Int32Array;
  /** The column of each entry; CSC: where each column starts, likewise. */
  columnIndex: Int32Array;
  blocks: NativeJacobianBlock[];
  /** First the one taken; none where no other was looked at. */
  ways: NativeSparseWay[];
  /** Of the coloring that was taken. */
  columnColors: Int32Array;
  rowColors: Int32Array;
}

export interface NativeSparseWay {
  /** Of a coloring; missing for instances. */
  method?: string;
  order?: string;
  columnColors: number;
  rowColors: number;
  /** Estimated operations. */
  cost: number;
  /** It is over a limit, so that it was not looked at any further. */
  isTooLarge: boolean;
}

export interface NativeJacobianBlock {
  /** Instances of one function, and what each of them has. */
  lanes: number;
  outputs: number;
  inputs: number;
  mode: "forward" | "reverse";
  forwardCost: number;
  reverseCost: number;
  /** Of a dense block: the operation that made it so, and its node on the tape the user traced. */
  operation?: string;
  node?: number;
}

export interface NativeDetectedPattern {
  rows: number;
  columns: number;
  /** Where each row starts, and the number of entries. */
  rowIndex: Int32Array;
  columnIndex: Int32Array;
  dense: NativeDenseLines[];
}

/** Neighboring dense rows or columns, and the operation that made them so. */
export interface NativeDenseLines {
  areRows: boolean;
  first: number;
  count: number;
  /** Of the first one. */
  nonzeros: number;
  operation: string;
  /** Its node on the tape the user traced. */
  node: number;
  /** Where that is a loop, the node of its body, if it is known. */
  stepNode?: number;
}

export interface NativeTraceRow {
  node: number;
  text: string;
  shape: number[];
  primal: Float64Array;
  tangent: Float64Array;
  adjoint: Float64Array;
}

/** A compiled tape. */
export interface NativePlan {
  /** Kernels, buffers and estimates, for people. */
  toString(): string;
  stats(): {
    nodes: number;
    steps: number;
    kernels: number;
    segments: number;
    bytes: number;
    workspaceBytes: number;
    flops: number;
    /** Why nothing is machine code, where that is so. */
    obstacle?: string;
  };
  /** What every step does and should cost, in order. */
  costs(): NativeCost[];
  /** Every loop over steps (native/plan/loop_reports.h). */
  loops(): NativeLoop[];
  /** Places of inputs and outputs in a session's arena: offsets in doubles. */
  layout(): {
    doubles: number;
    inputs: { name: string; shape: number[]; isBool: boolean; offset: number; elements: number }[];
    outputs: { name: string; shape: number[]; isBool: boolean; offset: number; elements: number }[];
  };
  session(): NativeSession;
  /** A number by which `adoptPlan` of another thread gets this plan, without compiling again, while this one lives. */
  share(): number;
  dispose(): void;
}

export interface NativeLoop {
  name: string;
  depth: number;
  steps: number;
  trips: "fixed" | "while" | "counted";
  forwardSteps?: number;
  checkpoints?: {
    policy: "all" | "every" | "revolve" | "online" | "multistage";
    slots: number;
    memoryBytes: number;
    files: number;
    diskBytes: number;
    /** Empty where there are no files. */
    directory: string;
  };
}

export interface NativeCost {
  text: string;
  by: "machine code" | "interpreter" | "library";
  /** How often a run computes each operation, the most frequent first. */
  operations: Record<string, number>;
  bytesRead: number;
  bytesWritten: number;
  /** Estimated. */
  seconds: number;
}

/** An arena with a workspace. The arena is one ArrayBuffer that JavaScript views; `byteOffset` is where it starts. */
export interface NativeSession {
  readonly buffer: ArrayBuffer;
  readonly byteOffset: number;
  /** Small integer for native.run(). */
  readonly handle: number;
  /**
   * Runs on the pool on copies of the inputs; outputs are written to the arena before the promise settles.
   * `deadlineMs` counts from now; 0 or Infinity is none. Past it, and after `cancel()`, it rejects with ERR_ABORT.
   * `threads` 0: as many as there are processors.
   */
  runAsync(deadlineMs: number, threads: number): Promise<void>;
  /** Runs for a while; the median seconds of every step and, as the last, of a whole run. */
  measure(): Float64Array;
  /** Ends the async run under way soon, if there is one. */
  cancel(): void;
  /** Steps the async run under way has done, and all that it is known to take; 0 without one. */
  progress(): { done: number; planned: number };
  dispose(): void;
}

export interface NativeAddon {
  Builder: new () => NativeBuilder;
  /** One crossing with one integer: evaluates the session. Throws as the error classes of errors.ts. */
  run(handle: number): void;
  /**
   * The same for the session whose handle was written here just before, and without a look at its arena: whoever lets
   * others see that makes sure that its buffer has not been transferred. It takes half the time.
   */
  readonly next: Float64Array;
  runNext(): void;
  /** The same on up to so many threads, the calling one included. */
  runOn(handle: number, threads: number): void;
  /** The plan shared under this number; ERR_STATE when it is gone. */
  adoptPlan(token: number): NativePlan;
  /** See native/binding/coloring.cc; arrays are empty where the method colors none of that side. */
  colorPattern(
    method: string,
    order: string,
    rowsColumnsSeed: readonly number[],
    rowStarts: Int32Array,
    columnIndices: Int32Array,
  ): { columnColors: Int32Array; columnCount: number; rowColors: Int32Array; rowCount: number };
  /**
   * See native/sparsity/detection.h. `decisions` are the outputs of `decisionTape` at a point, or null for the pattern at
   * all points.
   */
  detectPattern(
    tape: NativeTape,
    wrt: readonly number[],
    of: "jacobian" | "hessian",
    maxNonzeros: number,
    decisions: readonly Float64Array[] | null,
  ): NativeDetectedPattern;
  /**
   * See native/binding/sparse.cc. Names: of, method, mode, format, triangle, and method and order of the coloring or "". Numbers:
   * the seed, the most nonzeros and colors, 1 where the function's values are outputs too, and rows and columns of a pattern.
   */
  sparseDerivative(
    tape: NativeTape,
    wrt: readonly number[],
    names: readonly string[],
    numbers: readonly number[],
    rowStarts: Int32Array,
    columnIndices: Int32Array,
  ): NativeSparseDerivative;
  /** What decides a pattern at one point, as a function of the same inputs. */
  decisionTape(tape: NativeTape, wrt: readonly number[]): NativeTape;
  /** Entries of the first pattern, given by where its rows start and its column indices, that the second one lacks. */
  missingEntries(
    rowsColumns: readonly number[],
    rowStarts: Int32Array,
    columnIndices: Int32Array,
    otherRowStarts: Int32Array,
    otherColumnIndices: Int32Array,
  ): { rows: Int32Array; columns: Int32Array };
  /** Bytes of native memory now held by builders, tapes, plans and sessions of this environment. */
  nativeBytes(): number;
  version(): string;
}

export const native: NativeAddon = loadAddon() as NativeAddon;
