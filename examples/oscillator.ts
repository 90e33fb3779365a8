// Stiffness and damping of an oscillator from its measured path: gradient descent through 400 time steps, of which
// twenty states are kept for the reverse sweep.
import assert from "node:assert/strict";
import { fn, scalar, scan, valueAndGrad, vector } from "adjoint";

const steps = 400;
const dt = 0.025;

const path = fn({ stiffness: scalar(), damping: scalar() }, ({ stiffness, damping }) => {
  const [, positions] = scan(
    ({ x, v }) => {
      const next = v.sub(stiffness.mul(x).add(damping.mul(v)).mul(dt));
      const position = x.add(next.mul(dt));
      return [{ x: position, v: next }, position];
    },
    { x: 1, v: 0 },
    undefined,
    { length: steps, checkpoint: { revolve: 20 } },
  );
  return positions;
});

const loss = fn(
  { stiffness: scalar(), damping: scalar(), seen: vector(steps) },
  ({ stiffness, damping, seen }) => path({ stiffness, damping }).sub(seen).square().mean(),
);
const slope = valueAndGrad(loss, { wrt: ["stiffness", "damping"] });
const [plan] = slope.explain().loops;
console.log("steps run forward", plan?.forwardSteps, "bytes kept", plan?.checkpoints?.memoryBytes);

const truth = { stiffness: 4, damping: 0.3 };
const seen = path(truth);
const guess = { stiffness: 3.5, damping: 0.5 };
for (let round = 0; round < 500; round++) {
  const { grad } = slope({ ...guess, seen });
  guess.stiffness -= 0.5 * grad.stiffness;
  guess.damping -= grad.damping;
}

console.log("fitted", guess, "loss", loss({ ...guess, seen }));
assert.ok(Math.abs(guess.stiffness - truth.stiffness) < 1e-12);
assert.ok(Math.abs(guess.damping - truth.damping) < 1e-12);
