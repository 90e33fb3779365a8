import { fn, type Value, vector } from "adjoint";
import { argmax, argmin, type Mode, objective, slopeOf } from "./descent.js";

// The x that minimizes the maximum over y of |x|^2 - |y|^2, and that y. All descents begin at the same point; the one
// that finds y in the end is by the outer mode, as the eval's text has it.

type Vector = Value<[number]>;

const height = objective(2, 2, (y, x) => x.square().sum().sub(y.square().sum()));

export function saddle(outer: Mode, inner: Mode) {
  const highest = (mode: Mode) => {
    const slope = slopeOf(height, mode);
    return (x: Vector, start: Vector) => argmax((y) => slope(y, x), start);
  };
  const innermost = highest(inner);
  const ridge = objective(2, 2, (x, start) => height.f({ at: innermost(x, start), given: x }));
  const slope = slopeOf(ridge, outer);
  return fn({ start: vector(2) }, ({ start }) => {
    const x = argmin((at) => slope(at, start), start);
    return { x, y: highest(outer)(x, start) };
  });
}
