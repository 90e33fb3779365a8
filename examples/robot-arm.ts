// Inverse kinematics: the angles that bring the hand of a three-link arm to a point, by Gauss-Newton steps
// with the exact Jacobian.
import assert from "node:assert/strict";
import { constant, fn, jacobian, stack, vector } from "adjoint";

const hand = fn({ angles: vector(3) }, ({ angles }) => {
  const directions = angles.cumsum({ axis: 0 });
  const lengths = constant([1, 0.8, 0.5], [3]);
  return stack([directions.cos().dot(lengths), directions.sin().dot(lengths)]);
});
const slopes = jacobian(hand);
const target = [1.2, 0.9];

let angles = Float64Array.of(0.3, 0.3, 0.3);
for (let step = 0; step < 20; step++) {
  const at = hand({ angles });
  const [rx, ry] = [target[0]! - at[0]!, target[1]! - at[1]!];
  // The step of least norm, J^T (J J^T)^-1 r; J is row-major, 2 by 3.
  const j = slopes({ angles }).angles;
  const row = (i: number) => j.subarray(3 * i, 3 * i + 3);
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
  const [a, b, c] = [dot(row(0), row(0)), dot(row(0), row(1)), dot(row(1), row(1))];
  const det = a * c - b * b;
  const [u, v] = [(c * rx - b * ry) / det, (a * ry - b * rx) / det];
  angles = angles.map((angle, i) => angle + j[i]! * u + j[3 + i]! * v);
}

const reached = hand({ angles });
console.log("angles", angles, "reach", reached);
assert.ok(Math.hypot(reached[0]! - target[0]!, reached[1]! - target[1]!) < 1e-12);
