/** How the states of a loop are kept for its reverse sweep, as programs say it and as the core takes it. */
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { here } from "./fail.js";
import { ArgumentError } from "./generated/errors.js";
import { describe, optionsOf, shown, wholeOf } from "./numbers.js";
import { currentTrace } from "./trace.js";

type Unit = "B" | "KB" | "KiB" | "MB" | "MiB" | "GB" | "GiB";

/** Bytes: a whole number, or text like "512MB" or "1.5 GiB". MB are 10^6 bytes, MiB are 2^20. */
export type ByteSize = number | `${number}${Unit}` | `${number} ${Unit}`;

/**
 * Which states (carries) of a loop are kept while it runs forward, for derivatives that need them in reverse
 * order; the others are computed again from the last one before them. Results do not depend on it by a bit.
 *
 * Without a policy all are kept where they fit in 256 MiB, otherwise the schedule that computes least within.
 *
 * - `{ maxMemory }`: the same with another limit;
 * - `"all"`: every state, no step is computed twice;
 * - `{ every: k }`: every k-th state, and in reverse the k between two of them; `"sqrt"`: with k the square root
 *   of the number of steps;
 * - `{ revolve: slots }`: that many states, by the binomial schedule, which computes the fewest steps again
 *   (Griewank & Walther, Algorithm 799, 2000);
 * - `{ online: slots }`: that many, where the number of steps is not known beforehand (Stumm & Walther, New
 *   algorithms for optimal online checkpointing, 2010);
 * - `{ multistage: { memory, disk, directory } }`: so many in memory and in files, which are made in
 *   `directory` (that for temporary files by default) and gone when the run ends. Where a file is lost or damaged,
 *   its state is computed again.
 *
 * A `whileLoop`, whose number of steps is not known beforehand, keeps all states or is `{ online }`: with the slots of
 * `revolve`, those of `multistage` in memory, and as many as `every` and `"sqrt"` of `maxSteps` would take.
 */
export type CheckpointPolicy =
  | "all"
  | "sqrt"
  | { readonly every: number }
  | { readonly revolve: number }
  | { readonly online: number }
  | {
      readonly multistage: {
        readonly memory: number;
        readonly disk: number;
        readonly directory?: string;
      };
    }
  | { readonly maxMemory: ByteSize };

/** `Checkpoints` of native/ops/loop.h, and where files go. */
export interface NativeCheckpoints {
  /** Policy, slots, slots on disk, bytes. */
  readonly numbers: readonly [number, number, number, number];
  readonly directory: string;
}

/** `CheckpointPolicy` of native/ops/loop.h. */
const policies = { auto: 0, all: 1, every: 2, sqrt: 3, revolve: 4, online: 5, multistage: 6 };

const defaultBytes = 2 ** 28;
const maxSlots = 2 ** 31 - 1;

const unitBytes: Readonly<Record<Unit, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
};

function bytesOf(what: string, given: unknown): number {
  if (typeof given !== "string") return wholeOf(what, "maxMemory", given, 1);
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMG]i?B|B)$/.exec(given) ?? [];
  const bytes = Math.floor(Number(number) * unitBytes[unit as Unit]);
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  const units = Object.keys(unitBytes).join(", ");
  throw new ArgumentError(
    `${what}: maxMemory is a number of bytes or a size like "512MB" in ${units}, got ${shown(given)}`,
    here(),
  );
}

function directoryOf(what: string, given: unknown): string {
  const directory = given === undefined ? tmpdir() : given;
  if (typeof directory !== "string") {
    throw new ArgumentError(`${what}: directory is a path, got ${describe(directory)}`, here());
  }
  // It may be gone where a body is traced again, to find a line.
  if (currentTrace()?.looksForLine) return directory;
  // A path with a NUL character throws.
  try {
    if (statSync(directory).isDirectory()) return directory;
  } catch {}
  throw new ArgumentError(`${what}: there is no directory ${shown(directory)}`, here());
}

/** @throws ArgumentError for what is no policy. */
export function checkpointsOf(loop: string, given: unknown): NativeCheckpoints {
  const what = `${loop}: checkpoint`;
  const made = (
    policy: keyof typeof policies,
    slots = 0,
    { disk = 0, bytes = defaultBytes, directory = "" } = {},
  ): NativeCheckpoints => ({ numbers: [policies[policy], slots, disk, bytes], directory });
  if (given === undefined) return made("auto");
  if (given === "all" || given === "sqrt") return made(given);
  const kinds = ["every", "revolve", "online", "multistage", "maxMemory"] as const;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const list = kinds.map((kind) => `{ ${kind} }`).join(", ");
    throw new ArgumentError(
      `${what} is "all", "sqrt" or one of ${list}, got ${shown(given)}`,
      here(),
    );
  }
  const options = optionsOf(what, given, kinds);
  const [kind, ...more] = kinds.filter((name) => options[name] !== undefined);
  if (kind === undefined || more.length > 0) {
    throw new ArgumentError(`${what} is one of ${kinds.join(", ")}, and one only`, here());
  }
  if (kind === "maxMemory") {
    return made("auto", 0, { bytes: bytesOf(what, options.maxMemory) });
  }
  if (kind === "multistage") {
    const stages = optionsOf(`${what}: multistage`, options.multistage, [
      "memory",
      "disk",
      "directory",
    ]);
    const slots = wholeOf(`${what}: multistage`, "memory", stages.memory, 1, maxSlots);
    const disk = wholeOf(`${what}: multistage`, "disk", stages.disk, 0, maxSlots);
    return made(kind, slots, { disk, directory: directoryOf(what, stages.directory) });
  }
  return made(kind, wholeOf(what, kind, options[kind], 1, maxSlots));
}
