import type { CsrPattern } from "adjoint";
import type { Contender } from "./measure.js";

/** A sparse derivative whose inputs and values are views on a session's memory. */
export interface SparseSession {
  readonly pattern: CsrPattern;
  readonly session: { readonly outputs: Float64Array; run(): void; dispose(): void };
}

/** Compressed rows, columns ascending in each. */
export interface Places {
  readonly rowStarts: Int32Array;
  readonly columnIndices: Int32Array;
}

/** The values at these places. Those that there are none for are NaN, and what is elsewhere has to be zero. */
function valuesAt(places: Places, pattern: CsrPattern, values: Float64Array): Float64Array {
  const result = new Float64Array(places.columnIndices.length).fill(Number.NaN);
  for (let row = 0; row < pattern.rows; row++) {
    let place = places.rowStarts[row]!;
    const end = places.rowStarts[row + 1]!;
    for (let entry = pattern.rowStarts[row]!; entry < pattern.rowStarts[row + 1]!; entry++) {
      const column = pattern.columnIndices[entry]!;
      while (place < end && places.columnIndices[place]! < column) place++;
      if (place < end && places.columnIndices[place] === column) result[place] = values[entry]!;
      else if (values[entry] !== 0) throw new Error(`row ${row}, column ${column} is not zero`);
    }
  }
  return result;
}

/**
 * Times a session that computes a sparse derivative's values. `make` traces, finds the pattern and compiles, and writes the
 * inputs. What is compared is the values, in the order of compressed rows or, where the pattern may have more, at `places`.
 */
export function sparseContender(
  backend: string,
  make: () => SparseSession,
  places?: Places,
): Contender {
  const start = performance.now();
  const { pattern, session } = make();
  const setupSeconds = (performance.now() - start) / 1000;
  const { outputs } = session;
  return {
    ...{ tool: "adjoint", backend, dtype: "f64", setupSeconds },
    run: () => {
      session.run();
      return outputs[0]!;
    },
    gradient: () => (places ? valuesAt(places, pattern, outputs) : outputs),
    dispose: () => session.dispose(),
  };
}
