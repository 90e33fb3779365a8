import { AbortError, ArgumentError, StateError } from "./generated/errors.js";
import { type NativeSession, native } from "./native.js";
import { assemble, type Leaf, type Tree } from "./tree.js";
import type { ViewArguments, Views } from "./types.js";

/** How an asynchronous call may end early. */
export interface AsyncOptions {
  /** Ends the call soon after it is aborted; the promise rejects with AbortError. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call after which it is ended; the promise rejects with AbortError. */
  readonly deadline?: number | undefined;
}

/** Makes the error to throw of one that a run threw, with the user's line where it is known. */
export type Explain = (error: unknown) => unknown;

/** What a session needs to know of the function it belongs to. */
export interface Layout {
  readonly doubles: number;
  readonly args: readonly Tree[];
  readonly result: Tree;
  readonly inputOffsets: readonly number[];
  readonly outputOffsets: readonly number[];
  readonly explain: Explain;
}

/** One arena with a workspace, as plain calls and sessions use it. */
export class Slot {
  readonly memory: Float64Array;
  readonly handle: number;

  constructor(
    readonly native: NativeSession,
    doubles: number,
  ) {
    this.memory = new Float64Array(native.buffer, native.byteOffset, doubles);
    this.handle = native.handle;
  }

  dispose(): void {
    this.native.dispose();
  }
}

function deadlineOf(options: AsyncOptions): number {
  const { deadline } = options;
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  if (typeof deadline !== "number" || Number.isNaN(deadline)) {
    throw new ArgumentError("deadline: expected milliseconds from now");
  }
  // The addon reads 0 as "none"; a deadline that is over ends the call at its first poll.
  return Math.max(deadline, 1e-3);
}

/** Checks the options of an asynchronous call. */
export function asyncOptions(given: unknown): AsyncOptions {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null) {
    throw new ArgumentError("async: options are an object, e.g. { signal, deadline }");
  }
  const { signal } = given as AsyncOptions;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ArgumentError("async: signal is not an AbortSignal");
  }
  return given;
}

function abortError(signal: AbortSignal): AbortError {
  return new AbortError("the call was aborted by its signal", { cause: signal.reason });
}

/** Runs a slot on the core's pool. */
export async function runSlot(slot: Slot, options: AsyncOptions, explain: Explain): Promise<void> {
  const { signal } = options;
  const deadline = deadlineOf(options);
  if (signal?.aborted) throw abortError(signal);
  const cancel = () => slot.native.cancel();
  try {
    const running = slot.native.runAsync(deadline);
    signal?.addEventListener("abort", cancel, { once: true });
    await running;
  } catch (error) {
    if (signal?.aborted && (error as { adjointCode?: unknown })?.adjointCode === "ERR_ABORT") {
      throw abortError(signal);
    }
    throw explain(error);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/**
 * A function bound to memory of its own: write `inputs`, call `run()`, read `outputs`. The views stay the
 * same for the session's life, so a run copies nothing and allocates nothing. Tensors are row-major; a
 * scalar is an array of length 1; booleans are 0 and 1.
 */
export class Session<A extends readonly unknown[], R> {
  /** Views on the inputs, one tree for each argument of the function. */
  readonly args: ViewArguments<A>;
  /** Views on the first argument: what `fn` names. */
  readonly inputs: Views<A[0]>;
  /** Views on the outputs; a bare result is one array. */
  readonly outputs: Views<R>;
  readonly #handle: number;
  readonly #slot: Slot;
  readonly #explain: Explain;
  #running = false;
  #disposed = false;

  /** @internal */
  constructor(slot: Slot, layout: Layout) {
    this.#slot = slot;
    this.#handle = slot.handle;
    this.#explain = layout.explain;
    const view = (offsets: readonly number[]) => (leaf: Leaf) => {
      const offset = offsets[leaf.index]!;
      return slot.memory.subarray(offset, offset + leaf.count);
    };
    this.args = layout.args.map((tree) =>
      assemble(tree, view(layout.inputOffsets)),
    ) as unknown as ViewArguments<A>;
    this.inputs = this.args[0] as Views<A[0]>;
    this.outputs = assemble(layout.result, view(layout.outputOffsets)) as Views<R>;
  }

  /**
   * Evaluates: reads the inputs and writes the outputs, synchronously.
   * @throws StateError after dispose, while an asynchronous run is under way, or when the memory was
   *   transferred away; IndexError when an index computed at run time is outside its axis.
   */
  run(): void {
    // Handles are used again, so a session that is gone must not run with its old one.
    if (this.#disposed) throw disposedError();
    try {
      native.run(this.#handle);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /**
   * Evaluates on the core's own threads, on a copy of the inputs as they are now; what is written to them
   * meanwhile counts for the next run.
   * @throws AbortError (rejects) when the signal or the deadline ends it; StateError when one is under way.
   */
  async runAsync(options?: AsyncOptions): Promise<void> {
    if (this.#disposed) throw disposedError();
    if (this.#running) throw new StateError("session: an asynchronous run is under way");
    this.#running = true;
    try {
      await runSlot(this.#slot, asyncOptions(options), this.#explain);
    } finally {
      this.#running = false;
    }
  }

  /** Steps of the plan that the asynchronous run under way has done; 0 without one. */
  progress(): number {
    return this.#disposed ? 0 : this.#slot.native.progress();
  }

  /** Frees the memory now. Its views become empty or stale: do not use them again. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#slot.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

function disposedError(): StateError {
  return new StateError("session: used after dispose");
}
