// Prints the bits of what plans of several kinds compute, and why the interpreter computed them, where it did.
import { fn, matrix, valueAndGrad, vector, vmap } from "../../dist/index.js";

const curve = fn({ x: vector(6) }, ({ x }) => x.mul(2).exp().add(x.erf()).sum().log());
const product = fn({ a: matrix(30, 30) }, ({ a }) =>
  a.matmul(a.transpose()).sin().sum({ axis: 0 }),
);
const lanes = 300;
const numbers = (count) => Float64Array.from({ length: count }, (_, i) => Math.sin(3 * i));
const found = [
  [valueAndGrad(curve), { x: numbers(6) }],
  [vmap(valueAndGrad(curve), lanes), { x: numbers(6 * lanes) }],
  [product, { a: numbers(900) }],
].map(([f, inputs]) => {
  const bits = [];
  const visit = (value) => {
    if (typeof value === "number") visit(Float64Array.of(value));
    else if (value instanceof Float64Array) bits.push(...new BigUint64Array(value.buffer));
    else Object.values(value).forEach(visit);
  };
  visit(f(inputs));
  const { interpreted, segments } = f.explain();
  return { bits: bits.map(String), interpreted, segments, text: String(f.explain()) };
});
console.log(JSON.stringify(found));
