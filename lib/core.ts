/** What is behind every function: a tape, how names map to its inputs and outputs, and its sessions. */
import { type Lanes, lanesOf } from "./batch.js";
import { AdjointError, amend, type SourceLocation } from "./error.js";
import { completed, failedNode, failedStepNode, here, outOfMemory } from "./fail.js";
import { ArgumentError, DTypeError, ShapeError, StateError } from "./generated/errors.js";
import { type CallSite, callSite, frameOf } from "./location.js";
import type { NativePlan, NativeTape } from "./native.js";
import { describe } from "./numbers.js";
import { makePacker, makeUnpacker, type Packer, packLeaf, type Unpacker } from "./pack.js";
import { asyncOptions, type Layout, Slot } from "./session.js";
import { currentTrace, isValue, type Trace } from "./trace.js";
import { assemble, holdsValue, type Leaf, leavesOf, match, numbered, type Tree } from "./tree.js";

/** Idle sessions that a function keeps for its next calls. */
const maxIdle = 4;
/** Batched versions, one for each number of lanes, that a function keeps. */
const maxBatches = 8;
/** Instances of a batch that failed which are run again, one by one, to find out which one it was. */
const maxSearch = 2 ** 16;

/** A line for `explain`; one that takes time to find is a function. */
export type Note = string | (() => string);

/** Finds the user's line that made a node of the traced tape or, where that is a loop, a node of its body. */
export type Locate = (node: number, stepNode?: number) => SourceLocation | undefined;

export interface CoreParts {
  readonly name: string;
  readonly tape: NativeTape;
  /** One tree for each argument; leaves are numbered through all of them. */
  readonly args: readonly Tree[];
  readonly result: Tree;
  /** What was chosen and why, for `explain`. */
  readonly notes?: readonly Note[];
  readonly locate?: Locate;
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
  readonly notes: readonly Note[];
  readonly locate: Locate;
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
    const plan = this.#tape.plan();
    const layout = plan.layout();
    const inputOffsets = layout.inputs.map(({ offset }) => offset);
    const outputOffsets = layout.outputs.map(({ offset }) => offset);
    return {
      plan,
      name: this.name,
      doubles: layout.doubles,
      args: this.args,
      result: this.result,
      inputOffsets,
      outputOffsets,
      packers: this.args.map((tree) => makePacker(tree, inputOffsets)),
      unpack: makeUnpacker(this.result, outputOffsets),
      explain: (error, site) => this.explain(error, site),
    };
  }

  /**
   * The error to throw of one that a call threw: names this function, and the line that made the failing
   * operation, or the line of the call where the call itself is wrong.
   */
  explain(error: unknown, site?: CallSite): unknown {
    const node = failedNode(error);
    const stepNode = failedStepNode(error);
    return completed(outOfMemory(error), this.name, () => {
      const made = node === undefined ? undefined : this.locate(node, stepNode);
      return made ?? frameOf(site ?? callSite(64));
    });
  }

  /** Does what a user asked of this function. */
  guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.explain(error);
    }
  }

  newSlot(): Slot {
    const { plan, doubles } = this.compiled;
    return new Slot(plan.session(), doubles);
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
    throw new ArgumentError(`takes ${this.args.length} arguments, got ${count}`);
  }

  /** A call with plain numbers, or, inside the body of a function, with traced values. */
  call(given: readonly unknown[]): unknown {
    try {
      if (given.length !== this.args.length) this.#requireArguments(given.length);
      const trace = currentTrace();
      if (trace !== undefined && this.args.some((tree, i) => holdsValue(tree, given[i]))) {
        return this.#callTraced(trace, given);
      }
      return this.#callPlain(given);
    } catch (error) {
      throw this.explain(error);
    }
  }

  #callPlain(given: readonly unknown[]): unknown {
    const compiled = this.compiled;
    const slot = this.#take();
    try {
      this.#pack(slot, given);
      // Packing may have run the user's code, and that may have disposed of this function.
      if (this.#disposed) throw this.#disposedError();
      slot.run();
      return compiled.unpack(slot.memory);
    } finally {
      this.#giveBack(slot);
    }
  }

  /** Runs for a while: the median seconds of every step and, as the last, of a whole run. */
  measure(given: readonly unknown[]): Float64Array {
    this.#requireArguments(given.length);
    const slot = this.#take();
    try {
      this.#pack(slot, given);
      if (this.#disposed) throw this.#disposedError();
      return slot.measure();
    } finally {
      this.#giveBack(slot);
    }
  }

  async callAsync(given: readonly unknown[]): Promise<unknown> {
    const site = callSite();
    const count = this.args.length;
    let slot: Slot | undefined;
    try {
      if (given.length !== count + 1) this.#requireArguments(given.length);
      const limits = asyncOptions(given[count]);
      const compiled = this.compiled;
      slot = this.#take();
      this.#pack(slot, given);
      if (this.#disposed) throw this.#disposedError();
      await slot.runAsync(limits);
      return compiled.unpack(slot.memory);
    } catch (error) {
      throw this.explain(error, site);
    } finally {
      if (slot !== undefined) this.#giveBack(slot);
    }
  }

  /** Copies this function's tape onto the caller's. */
  #callTraced(trace: Trace, given: readonly unknown[]): unknown {
    const operands: number[] = [];
    this.args.forEach((tree, i) => {
      match(tree, given[i], (leaf, value) => {
        const node = nodeOfArgument(trace, value, leaf.path);
        requireFit(trace, node, leaf);
        operands.push(node);
      });
    });
    const ids = trace.builder.call(this.tape, operands);
    // A bare boolean is a comparison, to be watched for branches; one of many results may go unused.
    const { result } = this;
    if (result.kind === "leaf" && result.isBool) return trace.makeComparison(ids[result.index]!);
    return assemble(result, (leaf) => trace.make(ids[leaf.index]!));
  }

  /** The function over `lanes` instances; `batched` says which inputs have a leading axis. */
  vmap(lanes: number, batched: readonly boolean[]): Core {
    return new Core({
      name: `vmap(${this.name})`,
      tape: this.tape.vmap(lanes, batched),
      args: this.args,
      result: this.result,
      notes: [...this.notes, `${lanes} lanes`],
      locate: this.locate,
    });
  }

  /** Many instances in one call: values with a leading axis, or with one instance's shape for all. */
  batch(given: readonly unknown[]): unknown {
    let lanes: Lanes | undefined;
    try {
      this.#requireArguments(given.length);
      lanes = lanesOf(this.args, given);
      return this.#batched(lanes).#callPlain(given);
    } catch (error) {
      const node = failedNode(error);
      throw (node === undefined ? undefined : this.#failureOf(lanes)) ?? this.explain(error);
    }
  }

  /** The version for this many lanes; the last ones are kept. */
  #batched({ count, batched }: Lanes): Core {
    const key = `${count}:${batched.map(Number).join("")}`;
    let core = this.#batches.get(key);
    if (core !== undefined) return core;
    if (this.#batches.size >= maxBatches) {
      const [oldest] = this.#batches;
      this.#batches.delete(oldest![0]);
      oldest![1].dispose();
    }
    core = this.vmap(count, batched);
    this.#batches.set(key, core);
    return core;
  }

  /**
   * What the first instance of a batch throws that fails on its own, with its number. Only the run of one
   * instance tells the element at fault, since a batch counts through all of them.
   */
  #failureOf(lanes: Lanes | undefined): AdjointError | undefined {
    if (lanes === undefined || lanes.count > maxSearch) return undefined;
    const { inputOffsets } = this.compiled;
    const slot = this.#take();
    try {
      for (let lane = 0; lane < lanes.count; lane++) {
        try {
          for (const { leaf, value } of lanes.of(lane)) {
            packLeaf(leaf, value, slot.memory, inputOffsets[leaf.index]!);
          }
          slot.run();
        } catch (error) {
          const found = this.explain(error);
          if (!(found instanceof AdjointError)) return undefined;
          const { length } = `${this.name}: `;
          amend(found, (text) => `${this.name}: lane ${lane}: ${text.slice(length)}`, { lane });
          return found;
        }
      }
      return undefined;
    } finally {
      this.#giveBack(slot);
    }
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

function nodeOfArgument(trace: Trace, value: unknown, path: string): number {
  if (typeof value === "number") return trace.builder.constant(value);
  if (!isValue(value)) {
    const name = path === "" ? "the argument" : path;
    throw new ArgumentError(
      `${name}: a call with traced values takes values and numbers, got ${describe(value)} (use constant)`,
    );
  }
  return trace.own(value);
}

/** The addon checks this too, but knows neither names nor the function. */
function requireFit(trace: Trace, node: number, { shape, isBool, path }: Leaf): void {
  const name = path === "" ? "the argument" : path;
  const got = trace.builder.shape(node);
  if (got.length !== shape.length || got.some((extent, axis) => extent !== shape[axis])) {
    throw new ShapeError(`${name}: expected shape [${shape.join(",")}], got [${got.join(",")}]`);
  }
  if (trace.builder.isBool(node) !== isBool) {
    throw new DTypeError(
      `${name}: expected ${isBool ? "a boolean" : "numbers"}, got ${isBool ? "numbers" : "a boolean"}`,
    );
  }
}
