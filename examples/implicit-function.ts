// A rule of its own: Kepler's equation E - e sin(E) = M, solved by unrolled Newton steps whose derivative
// comes from the implicit function theorem, dE/dM = 1 / (1 - e cos E), instead of from the steps.
import assert from "node:assert/strict";
import { checkGrads, custom, fn, grad, scalar, type Value } from "adjoint";

const solve = fn({ m: scalar(), e: scalar() }, ({ m, e }) => {
  let anomaly: Value<[]> = m;
  for (let step = 0; step < 12; step++) {
    const miss = anomaly.sub(e.mul(anomaly.sin())).sub(m);
    anomaly = anomaly.sub(miss.div(e.mul(anomaly.cos()).neg().add(1)));
  }
  return anomaly;
});

const kepler = custom(solve, {
  vjp: ({ e }, anomaly, bar) => {
    const slope = bar.div(e.mul(anomaly.cos()).neg().add(1));
    return { m: slope, e: slope.mul(anomaly.sin()) };
  },
});

const at = { m: 1, e: 0.3 };
const anomaly = kepler(at);
console.log("E =", anomaly, "gradient", grad(kepler)(at));
console.log(
  "nodes: own rule",
  grad(kepler).explain().nodes,
  "unrolled",
  grad(solve).explain().nodes,
);

assert.ok(Math.abs(anomaly - 0.3 * Math.sin(anomaly) - 1) < 1e-15);
assert.ok(checkGrads(kepler, at).ok);
assert.ok(Math.abs(grad(kepler)(at).m - grad(solve)(at).m) < 1e-14);
