// Logistic regression by gradient descent in a session: the loop copies and allocates nothing.
import assert from "node:assert/strict";
import { fn, matrix, scalar, valueAndGrad, vector } from "adjoint";

const [rows, columns] = [500, 3];
const loss = fn(
  { w: vector(columns), bias: scalar(), x: matrix(rows, columns), y: vector(rows) },
  ({ w, bias, x, y }) => {
    const score = x.matmul(w).add(bias);
    // -log of the likelihood: softplus(score) - y score, which never overflows.
    return score.softplus().sub(y.mul(score)).mean().add(w.square().sum().mul(1e-3));
  },
);

const session = valueAndGrad(loss, { wrt: ["w", "bias"] }).session();
const { w, bias, x, y } = session.inputs;
const truth = [2, -1, 0.5];
for (let row = 0; row < rows; row++) {
  let score = 0.3;
  for (let k = 0; k < columns; k++) {
    const value = Math.sin(row * (k + 1) * 12.9898) * 2;
    x[row * columns + k] = value;
    score += value * truth[k]!;
  }
  y[row] = score > 0 ? 1 : 0;
}

const { value, grad } = session.outputs;
for (let step = 0; step < 2000; step++) {
  session.run();
  for (let k = 0; k < columns; k++) w[k]! -= 0.5 * grad.w[k]!;
  bias[0]! -= 0.5 * grad.bias[0]!;
}
console.log("loss", value[0], "weights", w, "bias", bias[0]);

const norm = Math.hypot(...grad.w, grad.bias[0]!);
assert.ok(norm < 1e-3, `the gradient is ${norm}`);
truth.forEach((weight, k) => {
  assert.equal(Math.sign(w[k]!), Math.sign(weight));
});
session.dispose();
