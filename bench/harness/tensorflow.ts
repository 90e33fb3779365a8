import type { Contender } from "./measure.js";
import type { ArrayOps, Make } from "./peers.js";

interface Tensor {
  dataSync(): Float32Array;
}

export interface TensorFlow {
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

export function tensorFlowContender(tf: TensorFlow, backend: string): Make {
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
