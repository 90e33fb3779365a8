import { constant, fn, type Value, vector, whileLoop } from "adjoint";
import { argmin, type Mode, objective, slopeOf } from "./descent.js";

// A particle between two charges, at (10, 10 - w) and (10, 0), by Euler's steps; the w is sought for which it meets
// the x-axis closest to the origin. Its acceleration is the negative gradient of the potential.

type Vector = Value<[number]>;

const timeStep = 0.1;
/** Position and velocity. */
const launch = [0, 8, 0.75, 0];

const potential = objective(2, 1, (at, w) => {
  const x2 = at.at(0).sub(10).square();
  const y = at.at(1);
  const upper = x2.add(y.sub(w.at(0).neg().add(10)).square());
  const lower = x2.add(y.square());
  return upper.sqrt().reciprocal().add(lower.sqrt().reciprocal());
});

/** The square of where the particle meets the axis, by w. */
function miss(mode: Mode) {
  const slope = slopeOf(potential, mode);
  return objective(1, 4, (w, start) => {
    const position = start.slice([0, 2]);
    const velocity = start.slice([2, 4]);
    const moved = (x: Vector, v: Vector): Vector => x.add(v.mul(timeStep));
    // A velocity follows from the one before and from the acceleration where the particle was before.
    const { x, v } = whileLoop(
      ({ x }) => x.at(1).lessEqual(0).logicalNot(),
      ({ before, x, v }) => {
        const next = moved(v, slope(before, w).gradient.neg());
        return { before: x, x: moved(x, next), v: next };
      },
      { before: position, x: moved(position, velocity), v: velocity },
    );
    const rest = x.at(1).neg().div(v.at(1));
    return x
      .at(0)
      .add(rest.mul(v.at(0)))
      .square();
  });
}

export function particle(outer: Mode, inner: Mode) {
  const slope = slopeOf(miss(inner), outer);
  return fn({ w: vector(1) }, ({ w }) => argmin((at) => slope(at, constant(launch)), w).at(0));
}
