import { type Jax, jaxContender } from "./jax.js";
import type { Contender } from "./measure.js";
import { type TensorFlow, tensorFlowContender } from "./tensorflow.js";

/**
 * The array operations the problems need, as TensorFlow.js and jax-js both have them, so that a problem is
 * written once for both. Every operation is one call of the library; nothing is computed here.
 */
export interface ArrayOps<T> {
  constant(values: ArrayLike<number>, shape: readonly number[]): T;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  /** a * factor + offset. */
  scale(a: T, factor: number, offset?: number): T;
  square(a: T): T;
  exp(a: T): T;
  /** Over one axis, or over all. */
  sum(a: T, axis?: number): T;
  logsumexp(a: T, axis?: number): T;
  slice(a: T, begin: readonly number[], size: readonly number[]): T;
  reshape(a: T, shape: readonly number[]): T;
  matmul(a: T, b: T): T;
  transpose(a: T): T;
}

/** A differentiable input: values that a run reads anew, and the shape they have. */
export interface PeerInput {
  readonly values: Float64Array;
  readonly shape: readonly number[];
}

/** A scalar function in array operations. It gets `ops` twice: to make constants once, and to compute. */
export type PeerFunction = <T>(ops: ArrayOps<T>) => (...inputs: T[]) => T;

export interface Peers {
  /** Lines that say what was not found or does not work, and why. */
  readonly skipped: readonly string[];
  /** Name and version of those that are there. */
  readonly versions: readonly string[];
  /** One contender for each backend of each peer that is there. */
  contenders(f: PeerFunction, inputs: readonly PeerInput[]): Contender[];
}

/** Makes one contender; throws when the backend lacks an operation. */
export type Make = (f: PeerFunction, inputs: readonly PeerInput[]) => Contender;

const reason = (error: unknown): string => {
  if ((error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND") {
    return "not installed; npm install --prefix bench/peers";
  }
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
};

/** What the command line calls the peers, and what they are. */
export const peerNames: Readonly<Record<string, { title: string; package: string }>> = {
  tfjs: { title: "TensorFlow.js", package: "@tensorflow/tfjs" },
  jax: { title: "jax-js", package: "@jax-js/jax" },
};

interface Loader {
  load(name: string): Promise<object>;
  /** The version that bench/peers/package.json asks for. */
  version(name: string): string;
}

async function loader(): Promise<Loader> {
  // From build/bench/harness/ and from bench/harness/ alike, the package is some folders up.
  const depth = import.meta.url.includes("/build/bench/") ? "../../../bench" : "..";
  return (await import(`${depth}/peers/load.js`)) as Loader;
}

/** Loads the peers that are installed in bench/peers and whose tool is among `wanted`. */
export async function loadPeers(wanted: readonly string[]): Promise<Peers> {
  const skipped: string[] = [];
  const versions: string[] = [];
  const peers = await loader();
  const load = async (name: string): Promise<unknown> => {
    const module = (await peers.load(name)) as { default?: unknown };
    return module.default ?? module;
  };
  const found = (name: string): void => {
    const { title, package: from } = peerNames[name]!;
    versions.push(`${title} ${peers.version(from)}`);
  };
  const makers: { name: string; make: Make }[] = [];
  if (wanted.includes("tfjs")) {
    try {
      const tf = (await load("@tensorflow/tfjs")) as TensorFlow;
      // No checks, and no greeting on the console.
      tf.enableProdMode();
      await load("@tensorflow/tfjs-backend-wasm");
      found("tfjs");
      for (const backend of ["cpu", "wasm"]) {
        if (!(await tf.setBackend(backend))) {
          skipped.push(`TensorFlow.js ${backend}: the backend does not start`);
          continue;
        }
        makers.push({
          name: `TensorFlow.js ${backend}`,
          make: tensorFlowContender(tf, backend),
        });
      }
    } catch (error) {
      skipped.push(`TensorFlow.js: ${reason(error)}`);
    }
  }
  if (wanted.includes("jax")) {
    try {
      // Node 20 has no Float16Array; jax-js only asks whether an array is one.
      (globalThis as { Float16Array?: unknown }).Float16Array ??= class Float16Array {};
      const jax = (await load("@jax-js/jax")) as Jax;
      if (!(await jax.init("wasm")).includes("wasm")) throw new Error("no wasm backend");
      jax.defaultDevice("wasm");
      found("jax");
      for (const dtype of ["f32", "f64"] as const) {
        makers.push({ name: `jax-js ${dtype}`, make: jaxContender(jax, dtype) });
      }
    } catch (error) {
      skipped.push(`jax-js: ${reason(error)}`);
    }
  }
  return {
    skipped,
    versions,
    contenders: (f, inputs) =>
      makers.flatMap(({ name, make }) => {
        try {
          return [make(f, inputs)];
        } catch (error) {
          skipped.push(`${name}: ${reason(error)}`);
          return [];
        }
      }),
  };
}
