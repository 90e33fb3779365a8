import {
  burgersTransport as c1,
  burgersDiffusion as c2,
  burgersCells as cells,
} from "./burgers.js";

// By hand, with two levels of checkpoints: every sqrt(s)-th state is kept, and in reverse the states between two of
// them, which takes the steps twice. A state has a copy of its last cell before it and of its first behind it.

const padded = cells + 2;

function wrap(u: Float64Array, at: number): void {
  u[at] = u[at + cells]!;
  u[at + cells + 1] = u[at + 1]!;
}

function step(from: Float64Array, u: number, to: Float64Array, v: number): void {
  let left = from[u]!;
  let middle = from[u + 1]!;
  for (let i = 1; i <= cells; i++) {
    const right = from[u + i + 1]!;
    to[v + i] = middle - c1 * (right * right - left * left) + c2 * (right - 2 * middle + left);
    left = middle;
    middle = right;
  }
  wrap(to, v);
}

/** The cotangent at `w` from that at `v`. */
function reverse(states: Float64Array, u: number, bars: Float64Array, v: number, w: number): void {
  let left = bars[v]!;
  let middle = bars[v + 1]!;
  for (let i = 1; i <= cells; i++) {
    const right = bars[v + i + 1]!;
    bars[w + i] =
      middle + 2 * c1 * states[u + i]! * (right - left) + c2 * (right - 2 * middle + left);
    left = middle;
    middle = right;
  }
  wrap(bars, w);
}

/** Value, and gradient with respect to the first state. */
export function burgersByHand(steps: number, start: Float64Array, target: Float64Array) {
  const block = Math.ceil(Math.sqrt(steps));
  const blocks = Math.ceil(steps / block);
  const lengthOf = (index: number): number => Math.min(block, steps - index * block);
  const pair = new Float64Array(2 * padded);
  const bars = new Float64Array(2 * padded);
  const checkpoints = new Float64Array(blocks * padded);
  const states = new Float64Array(block * padded);
  const gradient = new Float64Array(cells);
  const run = (): number => {
    pair.set(start, 1);
    wrap(pair, 0);
    let [u, v] = [0, padded];
    for (let index = 0; index < blocks; index++) {
      checkpoints.set(pair.subarray(u, u + padded), index * padded);
      for (let k = lengthOf(index); k > 0; k--) {
        step(pair, u, pair, v);
        [u, v] = [v, u];
      }
    }
    let value = 0;
    let [vBar, uBar] = [0, padded];
    for (let i = 0; i < cells; i++) {
      const difference = pair[u + 1 + i]! - target[i]!;
      value += difference * difference;
      bars[1 + i] = 2 * difference;
    }
    wrap(bars, 0);
    for (let index = blocks - 1; index >= 0; index--) {
      const count = lengthOf(index);
      states.set(checkpoints.subarray(index * padded, (index + 1) * padded));
      for (let k = 0; k + 1 < count; k++) step(states, k * padded, states, (k + 1) * padded);
      for (let k = count - 1; k >= 0; k--) {
        reverse(states, k * padded, bars, vBar, uBar);
        [vBar, uBar] = [uBar, vBar];
      }
    }
    gradient.set(bars.subarray(vBar + 1, vBar + 1 + cells));
    return value;
  };
  return { run, gradient };
}
