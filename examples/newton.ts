// The lowest point of Rosenbrock's valley by Newton's method, with the exact Hessian.
import assert from "node:assert/strict";
import { ex, fn, grad, hessian, vector } from "adjoint";

const rosenbrock = fn({ x: vector(2) }, ({ x }) => {
  const [a, b] = [x.at(0), x.at(1)];
  return ex`(1 - ${a})^2 + 100 * (${b} - ${a}^2)^2`;
});
const gradient = grad(rosenbrock);
const curvature = hessian(rosenbrock);

let x = [-1.2, 1];
for (let step = 0; step < 10; step++) {
  const [g0, g1] = gradient({ x }).x as unknown as [number, number];
  const [h00, h01, , h11] = curvature({ x }).x.x as unknown as [number, number, number, number];
  const det = h00 * h11 - h01 * h01;
  x = [x[0]! - (h11 * g0 - h01 * g1) / det, x[1]! - (h00 * g1 - h01 * g0) / det];
  console.log(step + 1, x, rosenbrock({ x }));
}

assert.ok(Math.hypot(x[0]! - 1, x[1]! - 1) < 1e-12);
