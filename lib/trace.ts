/**
 * A function while its body runs: every operation on its values is recorded on one builder.
 * This file makes values but does not know their class, which extends generated code that calls it.
 */
import type { SourceLocation } from "./error.js";
import { convertedHere, here } from "./fail.js";
import { ArgumentError, TraceError } from "./generated/errors.js";
import { currentLocation } from "./location.js";
import { type NativeBuilder, type NodeId, native } from "./native.js";
import { shown } from "./numbers.js";
import type { AnyValue, BoolOperand, Dims, Operand } from "./types.js";

/** Thrown through the user's body to end a trace that only looks for one line. Never seen by users. */
export class Located {
  constructor(readonly location: SourceLocation | undefined) {}
}

/** What a trace that looks for a line waits for. */
export interface Watch {
  /** The node that is made when the builder's size passes this number. */
  readonly node?: number | undefined;
  /** Not of this trace, but of the body of a loop on it, counted from 0. */
  readonly body?: number | undefined;
  /** The comparison with this number, counted from 0. */
  readonly comparison?: number;
}

type ValueClass = new (trace: Trace, id: NodeId) => AnyValue;

const stack: Trace[] = [];

/** Set by value.ts, which can not be imported from here: its class extends code that imports this file. */
let ValueOf: ValueClass | undefined;
let isOfClass: (operand: object) => boolean = () => false;
/** @param isMade whether the class made an object; a prototype says nothing, since it can be forged */
export function setValueClass(value: ValueClass, isMade: (operand: object) => boolean): void {
  ValueOf = value;
  isOfClass = isMade;
}

/** What a trace is for. */
export interface TraceOptions {
  /** For the body of a loop: the trace that the loop is on, whose values the body may use. */
  readonly parent?: Trace | undefined;
  readonly watch?: Watch | undefined;
  /** Comparisons may go unused; in the bodies of loops where they may around them. */
  readonly allowsUnused?: boolean | undefined;
}

export class Trace {
  readonly builder: NativeBuilder;
  /** False when the body has returned: its values are of no use any more. */
  open = true;
  /** Results of comparisons that nothing has used yet, with their numbers. */
  readonly unused = new Map<AnyValue, number>();
  /** Nodes of the parent that the body uses, in the order of the inputs that stand for them here. */
  readonly captured = new Map<NodeId, NodeId>();
  readonly allowsUnused: boolean;
  readonly parent: Trace | undefined;
  private readonly watch: Watch | undefined;
  private comparisons = 0;
  /** Loops whose bodies were traced on this trace, by their nodes, with the numbers of these bodies. */
  readonly bodies = new Map<NodeId, number>();
  private nextBodyNumber = 0;

  constructor({ parent, watch, allowsUnused }: TraceOptions = {}) {
    this.parent = parent;
    this.watch = watch;
    this.allowsUnused = allowsUnused ?? parent?.allowsUnused ?? false;
    this.builder = new native.Builder();
  }

  /**
   * The traced value of a node of this trace. Its shape and kind are what the caller's operation says
   * they are: the one place where the types of shapes are taken on trust.
   */
  make<T extends AnyValue>(id: NodeId): T {
    const { node, body } = this.watch ?? {};
    if (node !== undefined && body === undefined && this.builder.size() > node)
      throw new Located(currentLocation());
    return new ValueOf!(this, id) as T;
  }

  /** Whether this one, or one around it, is only there to find a line. */
  get looksForLine(): boolean {
    return this.watch !== undefined || this.parent?.looksForLine === true;
  }

  /** The number of the body of a loop that is about to be traced, and what its trace waits for. */
  nextBody(): { readonly body: number; readonly watch: Watch | undefined } {
    const body = this.nextBodyNumber++;
    const isWatched = this.watch?.body === body;
    return { body, watch: isWatched ? { node: this.watch.node } : undefined };
  }

  /** The same for a comparison: whether it is ever used tells a branch (`if (x.gt(0))`) from a graph. */
  makeComparison<T extends AnyValue>(id: NodeId): T {
    const number = this.comparisons++;
    if (this.watch?.comparison === number) throw new Located(currentLocation());
    const value = this.make<T>(id);
    this.unused.set(value, number);
    return value;
  }

  /** The node of a value of this trace or, in the body of a loop, of one around it. */
  own(value: AnyValue): NodeId {
    if (value.trace !== this) return this.capture(value);
    this.unused.delete(value);
    return value.id;
  }

  /** The input that stands for a value of a trace around the loop: one of every body in between. */
  capture(value: AnyValue): NodeId {
    const { trace } = value;
    const path = this.pathTo(value);
    trace.unused.delete(value);
    return path.reduceRight((node, inner) => inner.captureFromParent(node), value.id);
  }

  /** The traces from this one out to the one inside a value's. @throws TraceError where there are none. */
  pathTo({ trace }: AnyValue): readonly Trace[] {
    if (!trace.open) throw closed(trace);
    const path: Trace[] = [];
    for (let inner: Trace = this; inner !== trace; inner = inner.parent) {
      path.push(inner);
      if (inner.parent === undefined) throw foreign();
    }
    return path;
  }

  private captureFromParent(node: NodeId): NodeId {
    const known = this.captured.get(node);
    if (known !== undefined) return known;
    const { builder } = this.parent!;
    const name = `constant${this.captured.size}`;
    const input = this.builder.input(name, builder.shape(node), builder.isBool(node));
    this.captured.set(node, input);
    return input;
  }

  /** Runs `body` with this as the innermost trace. */
  run<T>(body: () => T): T {
    stack.push(this);
    try {
      return body();
    } finally {
      stack.pop();
    }
  }

  close(): void {
    this.open = false;
    this.unused.clear();
    this.builder.dispose();
  }
}

/** The innermost function being traced, or undefined. */
export function currentTrace(): Trace | undefined {
  return stack[stack.length - 1];
}

function closed({ parent }: Trace): TraceError {
  const text =
    parent === undefined
      ? "a traced value is used outside the function it belongs to; return it from the body, or pass it as an input"
      : "a traced value of a loop's body is used outside of it; return it from the body as a carry or result";
  return new TraceError(text, here());
}

/** The trace that an operation without traced operands goes to. */
export function requireTrace(operation: string): Trace {
  const trace = currentTrace();
  if (trace !== undefined) return trace;
  throw new TraceError(
    `${operation}: no function is being traced; use it in the body of fn, or give it a traced value`,
    here(),
  );
}

/** Whether this is a traced value. */
export function isValue(operand: unknown): operand is AnyValue {
  return typeof operand === "object" && operand !== null && isOfClass(operand);
}

function foreign(): TraceError {
  return new TraceError(
    "a traced value of one function is used in the body of another; pass it as an input",
    here(),
  );
}

/** The innermost trace, where an operation on this value goes: its own, or that of a loop's body inside it. */
function traceOf(value: AnyValue): Trace {
  const { trace } = value;
  const innermost = stack[stack.length - 1];
  if (trace === innermost) return trace;
  if (innermost === undefined) throw trace.open ? foreign() : closed(trace);
  innermost.pathTo(value);
  return innermost;
}

function kindOf(operand: unknown): string {
  if (operand === null) return "null";
  if (Array.isArray(operand)) return "an array (use constant)";
  if (ArrayBuffer.isView(operand)) return "a typed array (use constant)";
  if (typeof operand === "function") return "a function";
  if (typeof operand === "object") return "an object";
  return typeof operand === "undefined" ? "undefined" : `a ${typeof operand}`;
}

/** Throws the error of an operand that is neither a value nor a number. */
export function badOperand(operand: unknown, operation = "an operation"): never {
  throw new ArgumentError(`${operation} takes values and numbers, got ${kindOf(operand)}`, here());
}

/** The node of an operand on this trace: numbers and booleans become constants. */
function nodeOf(trace: Trace, operand: AnyValue | number | boolean): NodeId {
  if (typeof operand === "number") return trace.builder.constant(operand);
  if (isValue(operand)) return operand.trace === trace ? operand.id : trace.capture(operand);
  if (typeof operand === "boolean") {
    return trace.builder.data(new Float64Array([operand ? 1 : 0]), [], true);
  }
  return badOperand(operand);
}

function traceOfAny(operation: string, operands: readonly unknown[]): Trace {
  for (const operand of operands) {
    if (isValue(operand)) return traceOf(operand);
  }
  return requireTrace(operation);
}

function used(trace: Trace, operands: readonly unknown[]): void {
  if (trace.unused.size === 0) return;
  for (const operand of operands) trace.unused.delete(operand as AnyValue);
}

/** A unary elementwise operation on numbers. */
export function op1<T extends AnyValue>(op: number, a: Operand): T {
  const trace = isValue(a) ? traceOf(a) : requireTrace("an operation on a number");
  try {
    return trace.make(trace.builder.op1(op, nodeOf(trace, a)));
  } catch (error) {
    throw convertedHere(error);
  }
}

/** A binary elementwise operation on numbers. */
export function op2<T extends AnyValue>(op: number, a: Operand, b: Operand): T {
  const trace = isValue(a)
    ? traceOf(a)
    : isValue(b)
      ? traceOf(b)
      : requireTrace("an operation on numbers");
  try {
    return trace.make(trace.builder.op2(op, nodeOf(trace, a), nodeOf(trace, b)));
  } catch (error) {
    throw convertedHere(error);
  }
}

/** A ternary elementwise operation. */
export function op3<T extends AnyValue>(
  op: number,
  a: Operand | BoolOperand,
  b: Operand | BoolOperand,
  c: Operand | BoolOperand,
): T {
  const operands = [a, b, c];
  const trace = traceOfAny("an operation on numbers", operands);
  used(trace, operands);
  try {
    return trace.make(trace.builder.op3(op, nodeOf(trace, a), nodeOf(trace, b), nodeOf(trace, c)));
  } catch (error) {
    throw convertedHere(error);
  }
}

/** An elementwise operation that takes or gives booleans. */
export function opBool<T extends AnyValue>(
  op: number,
  ...operands: readonly (Operand | BoolOperand)[]
): T {
  const trace = traceOfAny("an operation on numbers", operands);
  used(trace, operands);
  try {
    const id = trace.builder.op(
      op,
      operands.map((operand) => nodeOf(trace, operand)),
      [],
    );
    return trace.builder.isBool(id) ? trace.makeComparison(id) : trace.make(id);
  } catch (error) {
    throw convertedHere(error);
  }
}

/** Any operation with integer attributes. `name` is for messages only. */
export function opN<T extends AnyValue>(
  name: string,
  op: number,
  operands: readonly (Operand | BoolOperand | AnyValue)[],
  attrs: readonly number[] = [],
): T {
  const trace = traceOfAny(name, operands);
  used(trace, operands);
  for (const attr of attrs) {
    if (!Number.isSafeInteger(attr)) {
      throw new ArgumentError(`${name}: ${shown(attr)} is not an integer`, here());
    }
  }
  try {
    const ids: NodeId[] = [];
    for (const operand of operands) ids.push(nodeOf(trace, operand));
    return trace.make(trace.builder.op(op, ids, attrs));
  } catch (error) {
    throw convertedHere(error);
  }
}

/** A dense constant on the innermost trace. */
export function dataOn<T extends AnyValue>(trace: Trace, values: Float64Array, shape: Dims): T {
  try {
    return trace.make(trace.builder.data(values, shape, false));
  } catch (error) {
    throw convertedHere(error);
  }
}
