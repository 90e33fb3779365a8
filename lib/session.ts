import { isAbort } from "./fail.js";
import { AbortError, ArgumentError, StateError } from "./generated/errors.js";
import { type CallSite, callSite } from "./location.js";
import { type NativeSession, native } from "./native.js";
import { describe, optionsOf, shown } from "./numbers.js";
import { isAborted, onAbort } from "./signal.js";
import { assemble, type Leaf, type Tree } from "./tree.js";
import type { ViewArguments, Views } from "./types.js";

/** How a run is computed. */
export interface RunOptions {
  /**
   * How many threads may work on batches, long loops and large products, the calling one included: an integer from 1
   * to 256. The bits of the result do not depend on it. By default one for a synchronous run and
   * as many as there are processors for an asynchronous one.
   */
  readonly threads?: number | undefined;
}

/** How an asynchronous call is computed, and how it may end early. */
export interface AsyncOptions extends RunOptions {
  /** Ends the call soon after it is aborted; the promise rejects with AbortError. */
  readonly signal?: AbortSignal | null | undefined;
  /** Milliseconds from the call after which it is ended; the promise rejects with AbortError. */
  readonly deadline?: number | undefined;
  /** Is told several times a second how far the call is. What it throws ends the call, which rejects with that. */
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
}

/** How far an asynchronous run is: in steps of the plan, and of its loops over steps. */
export interface RunProgress {
  readonly done: number;
  /** All that are known to be taken, those that reverse sweeps do again included; those of a `whileLoop` when they show. */
  readonly planned: number;
}

/** The same, checked. */
interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly deadline: number;
  readonly onProgress: ((progress: RunProgress) => void) | undefined;
  /** 0: as many as there are processors. */
  readonly threads: number;
}

/**
 * Makes the error to throw of one that a call threw: with the user's line where it is known, else that
 * of the call.
 */
export type Explain = (error: unknown, site?: CallSite) => unknown;

/** What a session needs to know of the function it belongs to. */
export interface Layout {
  /** The function's. */
  readonly name: string;
  readonly doubles: number;
  readonly args: readonly Tree[];
  readonly result: Tree;
  readonly inputOffsets: readonly number[];
  readonly outputOffsets: readonly number[];
  readonly explain: Explain;
}

const { next } = native;
const progressInterval = 50; // ms

/** One arena with a workspace, as plain calls and sessions use it. */
export class Slot {
  readonly memory: Float64Array;
  /** The first byte of the buffer: undefined once that was transferred, which costs nothing to see. */
  readonly first: Uint8Array;
  readonly #session: NativeSession;
  readonly #handle: number;
  #disposed = false;

  constructor(session: NativeSession, doubles: number) {
    this.memory = new Float64Array(session.buffer, session.byteOffset, doubles);
    this.first = new Uint8Array(session.buffer, 0, 1);
    this.#session = session;
    this.#handle = session.handle;
  }

  /** Runs at once, in memory that has not been transferred. */
  run(): void {
    next[0] = this.#handle;
    native.runNext();
  }

  /** Runs at once on up to so many threads. */
  runOn(threads: number): void {
    native.runOn(this.#handle, threads);
  }

  measure(): Float64Array {
    return this.#session.measure();
  }

  /** Runs on the core's pool. */
  async runAsync({ signal, deadline, onProgress, threads }: Limits): Promise<void> {
    if (signal !== undefined && isAborted(signal)) throw abortError(signal);
    const forget = signal === undefined ? undefined : onAbort(signal, () => this.#cancel());
    let thrown: { readonly error: unknown } | undefined;
    const tell = () => {
      try {
        if (thrown === undefined) onProgress?.(this.progress());
      } catch (error) {
        thrown = { error };
        this.#cancel();
      }
    };
    const timer = onProgress === undefined ? undefined : setInterval(tell, progressInterval);
    try {
      await this.#session.runAsync(deadline, threads);
      if (thrown !== undefined) throw thrown.error;
    } catch (error) {
      if (thrown !== undefined) throw thrown.error;
      throw signal !== undefined && isAborted(signal) && isAbort(error)
        ? abortError(signal)
        : error;
    } finally {
      forget?.();
      clearInterval(timer);
    }
  }

  /** A run whose session is disposed of is ended already, and rejects for that. */
  #cancel(): void {
    if (!this.#disposed) this.#session.cancel();
  }

  progress(): RunProgress {
    return this.#disposed ? { done: 0, planned: 0 } : this.#session.progress();
  }

  dispose(): void {
    this.#disposed = true;
    this.#session.dispose();
  }
}

/** Checks the options of an asynchronous call. They are read once: getters may do what they like. */
export function asyncOptions(given: unknown): Limits {
  // The caller adds the function's name and the line.
  const { signal, deadline, onProgress, threads } = optionsOf(
    "async",
    given,
    ["signal", "deadline", "onProgress", "threads"],
    () => ({}),
  );
  return {
    signal: signalOf(signal),
    deadline: deadlineOf(deadline),
    onProgress: onProgressOf(onProgress),
    threads: threads === undefined ? 0 : threadsOf("async", threads),
  };
}

const maxThreads = 256;

function threadsOf(what: string, threads: unknown): number {
  if (Number.isInteger(threads) && (threads as number) >= 1 && (threads as number) <= maxThreads)
    return threads as number;
  throw new ArgumentError(
    `${what}: threads is an integer from 1 to ${maxThreads}, got ${shown(threads)}`,
  );
}

function deadlineOf(deadline: unknown): number {
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  if (typeof deadline !== "number" || Number.isNaN(deadline)) {
    throw new ArgumentError(
      `async: deadline is a number of milliseconds from now, got ${shown(deadline)}`,
    );
  }
  // The addon reads 0 as "none"; a deadline that is over ends the call at its first poll.
  return Math.max(deadline, 1e-3);
}

function onProgressOf(given: unknown): Limits["onProgress"] {
  if (given === undefined || typeof given === "function") return given as Limits["onProgress"];
  throw new ArgumentError(`async: onProgress is a function, got ${describe(given)}`);
}

function signalOf(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal === null) return undefined;
  if (signal instanceof AbortSignal && isAborted(signal) !== undefined) return signal;
  throw new ArgumentError("async: signal is not an AbortSignal");
}

function abortError(signal: AbortSignal): AbortError {
  return new AbortError("the call was aborted by its signal", { cause: signal.reason });
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
  readonly #first: Uint8Array;
  readonly #slot: Slot;
  readonly #layout: Layout;
  #running = false;
  #disposed = false;

  /** @internal */
  constructor(slot: Slot, layout: Layout) {
    this.#slot = slot;
    this.#first = slot.first;
    this.#layout = layout;
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
   * @throws ArgumentError for options that are none; StateError after dispose, while an asynchronous run is under way, or when the memory was
   *   transferred away; IndexError when an index computed at run time is outside its axis.
   */
  run(options?: RunOptions): void {
    try {
      // Handles are used again, so a session that is gone must not run with its old one.
      if (this.#disposed) throw disposedError();
      if (options !== undefined) this.#runOn(options);
      else if (this.#first[0] !== undefined) this.#slot.run();
      else throw new StateError("session: the buffer of its memory was transferred");
    } catch (error) {
      throw this.#layout.explain(error);
    }
  }

  #runOn(options: RunOptions): void {
    const { threads } = optionsOf("run", options, ["threads"], () => ({}));
    const count = threads === undefined ? 1 : threadsOf("run", threads);
    // Reading the options may have disposed of the session.
    if (this.#disposed) throw disposedError();
    this.#slot.runOn(count);
  }

  /**
   * Evaluates on the core's own threads, on a copy of the inputs as they are now; what is written to them
   * meanwhile counts for the next run.
   * @throws AbortError (rejects) when the signal or the deadline ends it; StateError when one is under way.
   */
  async runAsync(options?: AsyncOptions): Promise<void> {
    const site = callSite();
    let isMine = false;
    try {
      if (this.#disposed) throw disposedError();
      if (this.#running) throw new StateError("session: an asynchronous run is under way");
      this.#running = isMine = true;
      await this.#slot.runAsync(asyncOptions(options));
    } catch (error) {
      throw this.#layout.explain(error, site);
    } finally {
      if (isMine) this.#running = false;
    }
  }

  /** How far the asynchronous run under way is; nothing done and nothing planned without one. */
  progress(): RunProgress {
    return this.#slot.progress();
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
