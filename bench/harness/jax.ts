import type { Contender } from "./measure.js";
import type { ArrayOps, Make } from "./peers.js";

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

export interface Jax {
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

export function jaxContender(jax: Jax, name: "f32" | "f64"): Make {
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
