/** What is behind every function: a tape, how names map to its inputs and outputs, and its sessions. */
import type { SourceLocation } from "./error.js";
import { converted, convertedHere, failedNode, here } from "./fail.js";
import { ArgumentError, ShapeError, StateError } from "./generated/errors.js";
import { type NativePlan, type NativeTape, native } from "./native.js";
import { describe, isNumericArray, shapeOfNested } from "./numbers.js";
import { makePacker, makeUnpacker, type Packer, type Unpacker } from "./pack.js";
import { type AsyncOptions, asyncOptions, type Layout, runSlot, Slot } from "./session.js";
import { currentTrace, isValue, type Trace } from "./trace.js";
import { assemble, leavesOf, match, numbered, type Tree } from "./tree.js";

/** Idle sessions that a function keeps for its next calls. */
const maxIdle = 4;
/** Batched versions, one for each number of lanes, that a function keeps. */
const maxBatches = 8;

export interface CoreParts {
  readonly name: string;
  readonly tape: NativeTape;
  /** One tree for each argument; leaves are numbered through all of them. */
  readonly args: readonly Tree[];
  readonly result: Tree;
  /** What was chosen and why, for `explain`. */
  readonly notes?: readonly string[];
  /** Finds the user's line that made a node of the traced tape. */
  readonly locate?: (node: number) => SourceLocation | undefined;
}

/** A plan with everything that copies plain numbers in and out. */
interface Compiled extends Layout {
  readonly plan: NativePlan;
  readonly packers: readonly Packer[];
  readonly unpack: Unpacker;
}

export class Core {
  readonly name: string;
  readonly args: readonly Tree[];
  readonly result: Tree;
  readonly notes: readonly string[];
  readonly locate: (node: number) => SourceLocation | undefined;
  readonly #tape: NativeTape;
  #compiled: Compiled | undefined;
  #idle: Slot[] = [];
  readonly #batches = new Map<string, Core>();
  #disposed = false;

  constructor(parts: CoreParts) {
    this.name = parts.name;
    this.#tape = parts.tape;
    this.notes = parts.notes ?? [];
    this.locate = parts.locate ?? (() => undefined);
    const inputs = parts.tape.inputs();
    let first = 0;
    this.args = parts.args.map((tree) => {
      const own = numbered(tree, inputs, first);
      first += leavesOf(own).length;
      return own;
    });
    this.result = numbered(parts.result, parts.tape.outputs());
  }

  get tape(): NativeTape {
    if (this.#disposed) throw this.#disposedError();
    return this.#tape;
  }

  get compiled(): Compiled {
    if (this.#disposed) throw this.#disposedError();
    return (this.#compiled ??= this.#compile());
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  #disposedError(): StateError {
    return new StateError(`${this.name}: used after dispose`, here());
  }

  #compile(): Compiled {
    try {
      const plan = this.#tape.plan();
      const layout = plan.layout();
      const inputOffsets = layout.inputs.map(({ offset }) => offset);
      const outputOffsets = layout.outputs.map(({ offset }) => offset);
      return {
        plan,
        doubles: layout.doubles,
        args: this.args,
        result: this.result,
        inputOffsets,
        outputOffsets,
        packers: this.args.map((tree) => makePacker(tree, inputOffsets)),
        unpack: makeUnpacker(this.result, outputOffsets),
        explain: (error) => this.explainError(error),
      };
    } catch (error) {
      throw convertedHere(error);
    }
  }

  /** The error to throw of one that a run threw: names the line that made the failing operation. */
  explainError(error: unknown): unknown {
    const node = failedNode(error);
    const location = node === undefined ? undefined : this.locate(node);
    return converted(error, { location });
  }

  newSlot(): Slot {
    const { plan, doubles } = this.compiled;
    try {
      return new Slot(plan.session(), doubles);
    } catch (error) {
      throw convertedHere(error);
    }
  }

  /** A slot nobody uses. Packing can run the user's code (getters), which can call this function again. */
  #take(): Slot {
    return this.#idle.pop() ?? this.newSlot();
  }

  #giveBack(slot: Slot): void {
    if (this.#disposed || this.#idle.length >= maxIdle) slot.dispose();
    else this.#idle.push(slot);
  }

  #pack(slot: Slot, given: readonly unknown[]): void {
    const { packers } = this.compiled;
    for (let i = 0; i < packers.length; i++) packers[i]!(given[i], slot.memory);
  }

  #requireArguments(count: number): void {
    if (count === this.args.length) return;
    throw new ArgumentError(
      `${this.name}: takes ${this.args.length} arguments, got ${count}`,
      here(),
    );
  }

  /** A call with plain numbers, or, inside the body of a function, with traced values. */
  call(given: readonly unknown[]): unknown {
    if (given.length !== this.args.length) this.#requireArguments(given.length);
    const trace = currentTrace();
    if (trace !== undefined && holdsValue(given, 0)) return this.callTraced(trace, given);
    const compiled = this.compiled;
    const slot = this.#take();
    try {
      this.#pack(slot, given);
      // Packing may have run the user's code, and that may have disposed of this function.
      if (this.#disposed) throw this.#disposedError();
      native.run(slot.handle);
      return compiled.unpack(slot.memory);
    } catch (error) {
      throw this.explainError(error);
    } finally {
      this.#giveBack(slot);
    }
  }

  async callAsync(given: readonly unknown[]): Promise<unknown> {
    const count = this.args.length;
    this.#requireArguments(Math.min(given.length, count));
    if (given.length > count + 1) this.#requireArguments(given.length);
    const options = asyncOptions(given[count]);
    const compiled = this.compiled;
    const slot = this.#take();
    return this.#runAsync(slot, given.slice(0, count), options, compiled);
  }

  async #runAsync(
    slot: Slot,
    given: readonly unknown[],
    options: AsyncOptions,
    compiled: Compiled,
  ): Promise<unknown> {
    try {
      this.#pack(slot, given);
      await runSlot(slot, options, compiled.explain);
      return compiled.unpack(slot.memory);
    } finally {
      this.#giveBack(slot);
    }
  }

  /** Copies this function's tape onto the caller's. */
  callTraced(trace: Trace, given: readonly unknown[]): unknown {
    const operands: number[] = [];
    this.args.forEach((tree, i) => {
      match(tree, given[i], (leaf, value) => {
        operands.push(nodeOfArgument(trace, value, leaf.path));
      });
    });
    try {
      const ids = trace.builder.call(this.tape, operands);
      return assemble(this.result, (leaf) => trace.make(ids[leaf.index]!));
    } catch (error) {
      throw convertedHere(error);
    }
  }

  /** The function over `lanes` instances; `batched` says which inputs have a leading axis. */
  vmap(lanes: number, batched: readonly boolean[]): Core {
    try {
      return new Core({
        name: `vmap(${this.name})`,
        tape: this.tape.vmap(lanes, batched),
        args: this.args,
        result: this.result,
        notes: [...this.notes, `${lanes} lanes`],
        locate: this.locate,
      });
    } catch (error) {
      throw convertedHere(error);
    }
  }

  /** Many instances in one call: values with a leading axis, or with one instance's shape for all. */
  batch(given: readonly unknown[]): unknown {
    this.#requireArguments(given.length);
    const leaves: { shape: readonly number[]; count: number; value: unknown; path: string }[] = [];
    this.args.forEach((tree, i) => {
      match(tree, given[i], (leaf, value) => leaves.push({ ...leaf, value }));
    });
    const lengths = leaves.map(({ value, shape, count, path }) =>
      lanesOf(value, shape.length, count, path),
    );
    const lanes = commonLanes(
      lengths,
      leaves.map(({ path }) => path),
    );
    const batched = lengths.map(({ lanes: own, isShared }) => own === lanes && !isShared);
    if (!batched.includes(true)) {
      throw new ShapeError(`${this.name}: batch needs at least one input with a leading axis`);
    }
    const key = `${lanes}:${batched.map(Number).join("")}`;
    let core = this.#batches.get(key);
    if (core === undefined) {
      if (this.#batches.size >= maxBatches) {
        const [oldest] = this.#batches;
        this.#batches.delete(oldest![0]);
        oldest![1].dispose();
      }
      core = this.vmap(lanes, batched);
      this.#batches.set(key, core);
    }
    return core.call(given);
  }

  /** Frees plans, sessions and the tape now. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const slot of this.#idle) slot.dispose();
    this.#idle = [];
    for (const core of this.#batches.values()) core.dispose();
    this.#batches.clear();
    this.#compiled?.plan.dispose();
    this.#compiled = undefined;
    this.#tape.dispose();
  }
}

function holdsValue(given: unknown, depth: number): boolean {
  if (isValue(given)) return true;
  if (typeof given !== "object" || given === null || ArrayBuffer.isView(given)) return false;
  if (depth > 64) return false;
  // A long list of numbers is data; the trees of arguments and results are short.
  if (Array.isArray(given)) {
    return given.length <= 1024 && given.some((child) => holdsValue(child, depth + 1));
  }
  for (const name of Object.keys(given)) {
    if (holdsValue((given as Record<string, unknown>)[name], depth + 1)) return true;
  }
  return false;
}

function nodeOfArgument(trace: Trace, value: unknown, path: string): number {
  const name = path === "" ? "the argument" : path;
  if (typeof value === "number") return trace.builder.constant(value);
  if (!isValue(value)) {
    throw new ArgumentError(
      `${name}: a call with traced values takes values and numbers, got ${describe(value)} (use constant)`,
      here(),
    );
  }
  return trace.own(value);
}

interface Lanes {
  readonly lanes: number | undefined;
  readonly isShared: boolean;
}

/** How many instances a plain value holds; undefined when it is one instance's, for all. */
function lanesOf(value: unknown, rank: number, count: number, path: string): Lanes {
  if (typeof value === "number") return { lanes: undefined, isShared: true };
  if (isNumericArray(value)) {
    // Of exactly one instance's length: shared, or the only lane; both mean the same.
    if (value.length === count) return { lanes: rank === 0 ? 1 : undefined, isShared: rank > 0 };
    if (count > 0 && value.length % count === 0) {
      return { lanes: value.length / count, isShared: false };
    }
    throw new ShapeError(
      `${path}: ${value.length} numbers are not a multiple of the ${count} of one instance`,
    );
  }
  if (Array.isArray(value)) {
    const shape = shapeOfNested(value);
    if (shape.length <= rank) return { lanes: undefined, isShared: true };
    return { lanes: shape[0]!, isShared: false };
  }
  throw new ArgumentError(`${path}: expected numbers, got ${describe(value)}`);
}

function commonLanes(lengths: readonly Lanes[], paths: readonly string[]): number {
  let lanes: number | undefined;
  let from = "";
  lengths.forEach((length, i) => {
    if (length.isShared || length.lanes === undefined) return;
    if (lanes !== undefined && lanes !== length.lanes) {
      throw new ShapeError(
        `batch: ${from} has ${lanes} instances and ${paths[i]} has ${length.lanes}`,
      );
    }
    lanes = length.lanes;
    from = paths[i]!;
  });
  if (lanes === undefined) {
    throw new ShapeError(
      "batch: no input has a leading axis, so the number of instances is unknown",
    );
  }
  return lanes;
}
