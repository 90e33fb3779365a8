import type { Contender } from "./measure.js";

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
  /** One contender for each backend of each peer that is there. */
  contenders(f: PeerFunction, inputs: readonly PeerInput[]): Contender[];
}

/** Makes one contender; throws when the backend lacks an operation. */
type Make = (f: PeerFunction, inputs: readonly PeerInput[]) => Contender;

interface Tensor {
  dataSync(): Float32Array;
}

interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  enableProdMode(): void;
  tensor(values: Float32Array, shape: readonly number[], dtype: "float32"): Tensor;
  tidy<R>(body: () => R): R;
  valueAndGrads(
    f: (...inputs: Tensor[]) => Tensor,
  ): (inputs: Tensor[]) => { value: Tensor; grads: Tensor[] };
  scalar(value: number): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  square(a: Tensor): Tensor;
  exp(a: Tensor): Tensor;
  sum(a: Tensor, axis?: number): Tensor;
  logSumExp(a: Tensor, axis?: number): Tensor;
  slice(a: Tensor, begin: readonly number[], size: readonly number[]): Tensor;
  reshape(a: Tensor, shape: readonly number[]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  transpose(a: Tensor): Tensor;
}

function tensorFlowOps(tf: TensorFlow): ArrayOps<Tensor> {
  return {
    constant: (values, shape) => tf.tensor(Float32Array.from(values), shape, "float32"),
    add: (a, b) => tf.add(a, b),
    sub: (a, b) => tf.sub(a, b),
    mul: (a, b) => tf.mul(a, b),
    scale: (a, factor, offset) => {
      const scaled = factor === 1 ? a : tf.mul(a, tf.scalar(factor));
      return offset === undefined ? scaled : tf.add(scaled, tf.scalar(offset));
    },
    square: (a) => tf.square(a),
    exp: (a) => tf.exp(a),
    sum: (a, axis) => tf.sum(a, axis),
    logsumexp: (a, axis) => tf.logSumExp(a, axis),
    slice: (a, begin, size) => tf.slice(a, begin, size),
    reshape: (a, shape) => tf.reshape(a, shape),
    matmul: (a, b) => tf.matMul(a, b),
    transpose: (a) => tf.transpose(a),
  };
}

function tensorFlowContender(tf: TensorFlow, backend: string): Make {
  return (f, inputs) => {
    void tf.setBackend(backend);
    const derivative = tf.valueAndGrads(f(tensorFlowOps(tf)));
    const staging = inputs.map(({ values }) => new Float32Array(values.length));
    const gradient = new Float32Array(inputs.reduce((sum, { values }) => sum + values.length, 0));
    let value = 0;
    const body = (): void => {
      const tensors = inputs.map(({ values, shape }, i) => {
        const copy = staging[i]!;
        copy.set(values);
        return tf.tensor(copy, shape, "float32");
      });
      const { value: y, grads } = derivative(tensors);
      value = y.dataSync()[0]!;
      let offset = 0;
      for (const grad of grads) {
        const data = grad.dataSync();
        gradient.set(data, offset);
        offset += data.length;
      }
    };
    const contender: Contender = {
      tool: "TensorFlow.js",
      backend,
      dtype: "f32",
      // Synchronous for a backend that was initialized before.
      select: () => void tf.setBackend(backend),
      run: () => {
        tf.tidy(body);
        return value;
      },
      gradient: () => gradient,
    };
    contender.run();
    return contender;
  };
}

interface JaxArray {
  readonly ref: JaxArray;
  dataSync(): Float32Array | Float64Array;
  add(b: JaxArray | number): JaxArray;
  sub(b: JaxArray | number): JaxArray;
  mul(b: JaxArray | number): JaxArray;
  sum(axis?: number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(): JaxArray;
  slice(...ranges: (readonly [number, number])[]): JaxArray;
}

interface Jax {
  init(device: string): Promise<string[]>;
  defaultDevice(device: string): unknown;
  jit<F>(f: F): F;
  valueAndGrad(
    f: (...inputs: JaxArray[]) => JaxArray,
    options: { argnums: number[] },
  ): (...inputs: JaxArray[]) => [JaxArray, JaxArray[]];
  numpy: {
    float32: unknown;
    float64: unknown;
    array(
      values: Float32Array | Float64Array,
      options: { shape: readonly number[]; dtype: unknown },
    ): JaxArray;
    square(a: JaxArray): JaxArray;
    exp(a: JaxArray): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
  nn: { logsumexp(a: JaxArray, axis?: number): JaxArray };
}

type Floats = Float32ArrayConstructor | Float64ArrayConstructor;

// Operations consume their operands; `.ref` keeps them for the next use. They only run while jit traces.
function jaxOps(jax: Jax, floats: Floats, dtype: unknown): ArrayOps<JaxArray> {
  const np = jax.numpy;
  return {
    constant: (values, shape) => np.array(floats.from(values), { shape, dtype }),
    add: (a, b) => a.ref.add(b.ref),
    sub: (a, b) => a.ref.sub(b.ref),
    mul: (a, b) => a.ref.mul(b.ref),
    scale: (a, factor, offset) => {
      const scaled = factor === 1 ? a.ref : a.ref.mul(factor);
      return offset === undefined ? scaled : scaled.add(offset);
    },
    square: (a) => np.square(a.ref),
    exp: (a) => np.exp(a.ref),
    sum: (a, axis) => a.ref.sum(axis),
    logsumexp: (a, axis) => jax.nn.logsumexp(a.ref, axis),
    slice: (a, begin, size) => a.ref.slice(...begin.map((b, i) => [b, b + size[i]!] as const)),
    reshape: (a, shape) => a.ref.reshape(shape),
    matmul: (a, b) => np.matmul(a.ref, b.ref),
    transpose: (a) => a.ref.transpose(),
  };
}

function jaxContender(jax: Jax, name: "f32" | "f64"): Make {
  const floats = name === "f32" ? Float32Array : Float64Array;
  const dtype = name === "f32" ? jax.numpy.float32 : jax.numpy.float64;
  return (f, inputs) => {
    const argnums = inputs.map((_, i) => i);
    const derivative = jax.jit(jax.valueAndGrad(f(jaxOps(jax, floats, dtype)), { argnums }));
    const gradient = new floats(inputs.reduce((sum, { values }) => sum + values.length, 0));
    const contender: Contender = {
      tool: "jax-js",
      backend: "wasm, jit",
      dtype: name,
      run: () => {
        const arrays = inputs.map(({ values, shape }) =>
          jax.numpy.array(floats === Float32Array ? floats.from(values) : values, { shape, dtype }),
        );
        const [value, grads] = derivative(...arrays);
        let offset = 0;
        for (const grad of grads) {
          const data = grad.dataSync();
          gradient.set(data, offset);
          offset += data.length;
        }
        return value.dataSync()[0]!;
      },
      gradient: () => gradient,
    };
    contender.run();
    return contender;
  };
}

const reason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

async function load(name: string): Promise<unknown> {
  // From build/bench/harness/ and from bench/harness/ alike, the package is some folders up.
  const depth = import.meta.url.includes("/build/bench/") ? "../../../bench" : "..";
  const { load: loadPeer } = (await import(`${depth}/peers/load.js`)) as {
    load(name: string): Promise<object>;
  };
  const module = (await loadPeer(name)) as { default?: unknown };
  return module.default ?? module;
}

/** Loads the peers that are installed in bench/peers and whose tool is among `wanted`. */
export async function loadPeers(wanted: readonly string[]): Promise<Peers> {
  const skipped: string[] = [];
  const makers: { name: string; make: Make }[] = [];
  if (wanted.includes("tfjs")) {
    try {
      const tf = (await load("@tensorflow/tfjs")) as TensorFlow;
      // No checks, and no greeting on the console.
      tf.enableProdMode();
      await load("@tensorflow/tfjs-backend-wasm");
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
      for (const dtype of ["f32", "f64"] as const) {
        makers.push({ name: `jax-js ${dtype}`, make: jaxContender(jax, dtype) });
      }
    } catch (error) {
      skipped.push(`jax-js: ${reason(error)}`);
    }
  }
  return {
    skipped,
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
