import {
  constant,
  fn,
  jvp,
  type Value,
  valueAndGrad,
  vector,
  vmap,
  where,
  whileLoop,
} from "adjoint";

// GradBench's gradient descent, whose objectives contain derivatives, and descents, themselves.

/** How to differentiate: forward or in reverse. */
export type Mode = "f" | "r";

type Vector = Value<[number]>;

/** A function of the point `at` [n], and of what stays as it is, `given` [m]. */
export const objective = (n: number, m: number, f: (at: Vector, given: Vector) => Value<[]>) => ({
  n,
  m,
  f: fn({ at: vector(n), given: vector(m) }, ({ at, given }) => f(at, given)),
});

export type Objective = ReturnType<typeof objective>;

export interface Slope {
  readonly value: Value<[]>;
  readonly gradient: Vector;
}

function identity(n: number): Value<[number, number]> {
  const elements = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  return constant(elements, [n, n]);
}

/** Value and gradient by the point: all directions side by side, or one sweep back. */
export function slopeOf({ n, m, f }: Objective, mode: Mode): (at: Vector, given: Vector) => Slope {
  if (mode === "r") {
    const reverse = valueAndGrad(f, { wrt: ["at"] });
    return (at, given) => {
      const { value, grad } = reverse({ at, given });
      return { value, gradient: grad.at };
    };
  }
  const push = jvp(f, { wrt: ["at"] });
  const along = fn(
    { at: vector(n), given: vector(m), direction: vector(n) },
    ({ at, given, direction }) => push({ at, given }, { at: direction }),
  );
  const forward = vmap(along, n, { shared: ["at", "given"] });
  return (at, given) => {
    const { value, tangent } = forward({ at, given, direction: identity(n) });
    return { value: value.at(0), gradient: tangent };
  };
}

const tolerance = 1e-5;
const firstRate = 1e-5;
const streakToDouble = 10;

/** The length of a vector; where it is not a number it is not small either. */
const isSmall = (v: Vector) => v.square().sum().sqrt().lessEqual(tolerance);

/**
 * From `start` along the gradient, at a rate that doubles after ten steps down in a row and halves where a step does
 * not lead down, until gradient or step are short.
 */
export function argmin(f: (at: Vector) => Slope, start: Vector): Vector {
  const withNext = (at: Vector, slope: Slope, rate: Value<[]>, streak: Value<[]>) => {
    const doubles = streak.equal(streakToDouble);
    const nextRate = where(doubles, rate.mul(2), rate);
    return {
      ...{ at, ...slope, rate: nextRate, streak: where(doubles, 0, streak) },
      next: at.sub(slope.gradient.mul(nextRate)),
    };
  };
  const goes = ({ at, gradient, next }: { at: Vector; gradient: Vector; next: Vector }) =>
    isSmall(gradient)
      .logicalOr(isSmall(at.sub(next)))
      .logicalNot();
  const init = withNext(start, f(start), constant(firstRate), constant(0));
  const { at } = whileLoop(
    goes,
    ({ at, value, gradient, rate, streak, next }) => {
      const tried = f(next);
      const down = tried.value.less(value);
      const slope = {
        value: where(down, tried.value, value),
        gradient: where(down, tried.gradient, gradient),
      };
      return withNext(
        where(down, next, at),
        slope,
        where(down, rate, rate.div(2)),
        where(down, streak.add(1), 0),
      );
    },
    init,
  );
  return at;
}

export function argmax(f: (at: Vector) => Slope, start: Vector): Vector {
  return argmin((at) => {
    const { value, gradient } = f(at);
    return { value: value.neg(), gradient: gradient.neg() };
  }, start);
}
