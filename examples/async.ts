// Long work off the main thread, ended by an AbortSignal: the event loop stays free.
import assert from "node:assert/strict";
import { AbortError, fn, grad, type Value, vector } from "adjoint";

const n = 200_000;
const chain = fn({ x: vector(n) }, ({ x }) => {
  let y: Value<[typeof n]> = x;
  for (let i = 0; i < 20; i++) y = y.sin().cumsum({ axis: 0 }).mul(1e-5);
  return y.sum();
});
const slope = grad(chain);
const x = Float64Array.from({ length: n }, (_, i) => Math.sin(i));

let ticks = 0;
const timer = setInterval(() => ticks++, 1);
const [first, second] = await Promise.all([slope.async({ x }), chain.async({ x })]);
clearInterval(timer);
console.log("value", second, "slope", first.x[0], "- the timer ticked", ticks, "times meanwhile");

const controller = new AbortController();
const running = slope.async({ x }, { signal: controller.signal });
controller.abort();
await assert.rejects(running, AbortError);
assert.equal(second, chain({ x }));
