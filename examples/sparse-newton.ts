// Bratu's equation u'' + exp(u) = 0 with u(0) = u(1) = 0 by Newton's method: the Jacobian of 999 differences has three entries
// a row, whose places are known before the first step.
import assert from "node:assert/strict";
import { fn, sparseJacobian, vector } from "adjoint";

const n = 999;
const h = 1 / (n + 1);
const differences = fn({ u: vector(n) }, ({ u }) => {
  const padded = u.pad([[1, 1]]);
  const neighbors = padded.slice([0, n]).add(padded.slice([2, n + 2]));
  return neighbors
    .sub(u.mul(2))
    .div(h * h)
    .add(u.exp());
});

const jacobian = sparseJacobian(differences);
const { rowStarts, columnIndices, nonzeros } = jacobian.pattern;
assert.equal(nonzeros, 3 * n - 2);

/** Solves with a matrix whose entries are next to the diagonal, row by row. */
function solveTridiagonal(values: Float64Array, right: Float64Array): Float64Array {
  const above = new Float64Array(n);
  const x = Float64Array.from(right);
  for (let row = 0; row < n; row++) {
    let [left, own, next] = [0, 0, 0];
    for (let k = rowStarts[row]!; k < rowStarts[row + 1]!; k++) {
      if (columnIndices[k]! < row) left = values[k]!;
      else if (columnIndices[k] === row) own = values[k]!;
      else next = values[k]!;
    }
    const pivot = row === 0 ? own : own - left * above[row - 1]!;
    above[row] = next / pivot;
    x[row] = (x[row]! - (row === 0 ? 0 : left * x[row - 1]!)) / pivot;
  }
  for (let row = n - 2; row >= 0; row--) x[row]! -= above[row]! * x[row + 1]!;
  return x;
}

const u = new Float64Array(n);
for (let step = 0; step < 6; step++) {
  const error = differences({ u });
  console.log(
    step,
    error.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  );
  const change = solveTridiagonal(jacobian({ u }), error);
  for (let i = 0; i < n; i++) u[i]! -= change[i]!;
}

// u(x) = 2 log(cosh(t / 4) / cosh((x - 1 / 2) t / 2)) where t = sqrt(2) cosh(t / 4); differences are right up to h^2.
let t = 1;
for (let i = 0; i < 100; i++) t = Math.SQRT2 * Math.cosh(t / 4);
const middle = 2 * Math.log(Math.cosh(t / 4));
console.log("in the middle", u[(n - 1) / 2], "exactly", middle);
assert.ok(Math.abs(u[(n - 1) / 2]! - middle) < 1e-7);
