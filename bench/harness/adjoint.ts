import type { Contender } from "./measure.js";

/** A session of a value-and-gradient function: views on its memory. */
export interface GradientSession {
  readonly outputs: {
    readonly value: Float64Array;
    readonly grad: Readonly<Record<string, Float64Array>>;
  };
  run(): void;
  dispose(): void;
}

/**
 * Times what a session does in a run. `make` traces, derives and compiles, and writes the inputs; the value is the
 * sum of the value's elements, and the gradient has its parts in the order of `names`.
 */
export function adjointContender(
  backend: string,
  names: readonly string[],
  make: () => GradientSession,
): Contender {
  const start = performance.now();
  const session = make();
  const setupSeconds = (performance.now() - start) / 1000;
  const { value, grad } = session.outputs;
  const parts = names.map((name) => grad[name]!);
  return {
    tool: "adjoint",
    backend,
    dtype: "f64",
    setupSeconds,
    run: () => {
      session.run();
      let sum = 0;
      for (let i = 0; i < value.length; i++) sum += value[i]!;
      return sum;
    },
    gradient: () => {
      const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        all.set(part, offset);
        offset += part.length;
      }
      return all;
    },
    dispose: () => session.dispose(),
  };
}

/** The hand-written JavaScript, which computes into `gradient`. */
export function byHand(backend: string, gradient: Float64Array, run: () => number): Contender {
  return { tool: "JavaScript", backend, dtype: "f64", run, gradient: () => gradient };
}
