/**
 * Many calls with one AbortSignal: one listener a signal, whatever the number of calls. Node warns of more
 * than ten as of a leak.
 */
const waiting = new WeakMap<
  AbortSignal,
  { readonly calls: Set<() => void>; readonly listener: () => void }
>();

/** Whether a signal is aborted; undefined when it only looks like one (its prototype is forged). */
export function isAborted(signal: AbortSignal): boolean | undefined {
  try {
    return signal.aborted;
  } catch {
    return undefined;
  }
}

/** Calls `stop` when the signal is aborted, until the function that it returns is called. */
export function onAbort(signal: AbortSignal, stop: () => void): () => void {
  let found = waiting.get(signal);
  if (found === undefined) {
    const calls = new Set<() => void>();
    const listener = () => {
      for (const call of calls) call();
    };
    found = { calls, listener };
    waiting.set(signal, found);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { calls, listener } = found;
  calls.add(stop);
  return () => {
    calls.delete(stop);
    if (calls.size > 0 || waiting.get(signal) !== found) return;
    waiting.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}
