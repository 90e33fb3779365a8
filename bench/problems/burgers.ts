import { type CheckpointPolicy, concat, fn, scan, type Value, vector } from "adjoint";
import { Random } from "../harness/random.js";

// Burgers' equation on a ring of cells: a step takes u to
//   u[i] - c1 (u[i+1]^2 - u[i-1]^2) + c2 (u[i+1] - 2 u[i] + u[i-1]),
// and the objective is the squared distance from a target after so many of them.

export const burgersCells = 100;
export const burgersTransport = 2.5e-4;
export const burgersDiffusion = 2e-3;

export function burgersInput(): { start: Float64Array; target: Float64Array } {
  const random = new Random(110);
  const angle = (i: number): number => (2 * Math.PI * i) / burgersCells;
  const cells = Float64Array.from({ length: burgersCells }, (_, i) => i);
  return {
    start: cells.map((i) => 1.5 + Math.sin(angle(i)) + random.uniform(-0.01, 0.01)),
    target: cells.map((i) => 1.5 + 0.5 * Math.cos(angle(i))),
  };
}

type State = Value<[number]>;

function step(u: State): State {
  const right = concat([u.slice([1, null]), u.slice([0, 1])]);
  const left = concat([u.slice([-1, null]), u.slice([0, -1])]);
  const transport = right.square().sub(left.square()).mul(burgersTransport);
  const diffusion = right.sub(u.mul(2)).add(left).mul(burgersDiffusion);
  return u.sub(transport).add(diffusion);
}

export const burgers = (steps: number, checkpoint: CheckpointPolicy) =>
  fn({ start: vector(burgersCells), target: vector(burgersCells) }, ({ start, target }) => {
    const [end] = scan((u) => [step(u)], start, undefined, { length: steps, checkpoint });
    return end.sub(target).square().sum();
  });
