/** A solve under way on the core's threads: its signal and its progress. */
import { onAbort } from "../signal.js";
import { addon, type StartedSolve } from "./native.js";

const progressInterval = 100; // ms

/** What a solve under way tells. */
export interface Progress {
  readonly iterations: number;
  readonly sumOfSquares: number;
}

/** What a solve gives; canceled by the signal, and telling of its progress several times a second. */
export async function followed<T>(
  { promise, task }: StartedSolve<T>,
  signal: AbortSignal | undefined,
  onProgress: ((progress: Progress) => void) | undefined,
): Promise<T> {
  const cancel = () => addon.cancelSolve(task);
  if (signal?.aborted) cancel();
  const forget = signal === undefined ? undefined : onAbort(signal, cancel);
  const poll = () => {
    const now = addon.solveProgress(task);
    if (now !== null) onProgress?.({ iterations: now[0], sumOfSquares: now[1] });
  };
  const timer = onProgress === undefined ? undefined : setInterval(poll, progressInterval);
  try {
    return await promise;
  } finally {
    forget?.();
    clearInterval(timer);
  }
}
