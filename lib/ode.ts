/** Solutions of ordinary differential equations in the body of a function. */
import { type ResultLeaf, traceStep, valueTree } from "./body.js";
import { type CheckpointPolicy, checkpointsOf } from "./checkpoints.js";
import { completed, here } from "./fail.js";
import { ArgumentError, DTypeError, ShapeError } from "./generated/errors.js";
import type { IfLike, Stacked } from "./loop-types.js";
import type { NativePort, NodeId } from "./native.js";
import {
  describe,
  flatNumbers,
  isNumericArray,
  oneOf,
  optionsOf,
  shown,
  wholeOf,
} from "./numbers.js";
import {
  leavesLike,
  made,
  maxSteps,
  type Operands,
  operandsOf,
  requireBody,
  valuesOf,
} from "./steps.js";
import { isValue, requireTrace, type Trace } from "./trace.js";
import { buildTree, leavesOf, mapLeaves, type Tree } from "./tree.js";
import type { AnyValue, BodyResult, NestedNumbers, ResultTree, TypedArray } from "./types.js";
import type { Value } from "./value.js";

/** One number for all values of a state, or one for each in the state's structure. */
export type Tolerance = number | { readonly [name: string]: Tolerance } | readonly Tolerance[];

export interface OdeOptions {
  /**
   * - `"dopri5"` (default): the method of Dormand and Prince of order 5 with step size control and a continuous
   *   extension of order 4 for the times between its steps;
   * - `"rk4"`: the classical Runge-Kutta method of order 4, with `steps` equal steps from each time to the next.
   *
   * Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, 2nd ed. 1993, II.1, II.4 to II.6.
   */
  readonly method?: "dopri5" | "rk4";
  /**
   * What derivatives in reverse mode are:
   * - `"discrete"` (default): those of the steps that were taken, exact but for rounding;
   * - `"continuous"`: the solution of the adjoint equation, integrated backwards with the same method and
   *   tolerances. It keeps no states but those at `times`, and is as exact as the tolerances make it.
   */
  readonly adjoint?: "discrete" | "continuous";
  /** Of rk4: steps from each time to the next, 10 by default. */
  readonly steps?: number;
  /** Of dopri5: the error of a step is kept to about `atol + rtol |y|`; 1e-6 and 1e-9 by default. */
  readonly rtol?: Tolerance;
  readonly atol?: Tolerance;
  /** Of dopri5: the size of the first step, where it should not be found from the equation. */
  readonly firstStep?: number;
  /** Of dopri5: the most steps that are tried over all times, 100,000 by default; more are a LimitError. */
  readonly maxSteps?: number;
  /** Which states are kept for discrete derivatives in reverse mode. */
  readonly checkpoint?: CheckpointPolicy;
}

/** The times of a solution: numbers, or a traced vector. */
export type OdeTimes = readonly number[] | TypedArray | Value<readonly [number]>;

type CountOf<T> =
  T extends Value<readonly [infer N extends number]>
    ? N
    : T extends { readonly length: infer N extends number }
      ? N
      : number;

/** A solution and how many steps it took, scalars without derivatives. */
export type OdeStats<Y> = {
  readonly y: Y;
  readonly accepted: Value<[]>;
  readonly rejected: Value<[]>;
};

/** A tree like a state of this type, with a leading axis for the times T. */
type Rows<I, T> = Stacked<readonly [unknown, I], CountOf<T>>;

type NoParams = Readonly<Record<never, never>>;

/** Codes of native/transform/ode.h, in its order. */
const methods = ["dopri5", "rk4"] as const;
const adjoints = ["discrete", "continuous"] as const;

const defaults = { steps: 10, maxSteps: 1e5, rtol: 1e-6, atol: 1e-9 };

/**
 * The solution y of `dy/dt = rhs(t, y, params)` with y(times[0]) = y0, at all `times`: like y0, with a leading
 * axis for the times. The first row is y0.
 *
 * `y0` and `params` are values or records of values; numbers are scalars. `rhs` is traced once, and may use values
 * of the bodies around it as well. Times ascend or descend, and may be equal. The steps of dopri5 do not depend
 * on the times between the first and the last, and go past the last one.
 *
 *     const y = ode((t, y, { rate }) => y.mul(rate.neg()), y0, [0, 1, 2], { rate });
 *
 * There are derivatives by y0, params, the values that rhs uses, and times.
 *
 * @throws ShapeError, DTypeError, ArgumentError when the derivative is not like y0, or for wrong times and
 *   options; when it runs, LimitError when more than `maxSteps` steps would be tried, when the step size becomes
 *   too small (as where the solution ends, or is not a number), or for traced times in no order
 */
export function ode<
  const I extends BodyResult,
  const N,
  const T extends OdeTimes,
  const P extends BodyResult = NoParams,
>(
  rhs: (t: Value<[]>, y: ResultTree<I>, params: ResultTree<P>) => N,
  y0: I,
  times: T,
  params?: P,
  options?: OdeOptions,
): NoInfer<IfLike<I, N, Rows<I, T>>>;
export function ode(
  rhs: (t: Value<[]>, y: never, params: never) => unknown,
  y0: unknown,
  times: unknown,
  params?: unknown,
  options?: OdeOptions,
): unknown {
  return solve("ode", rhs, y0, times, params, options).y;
}

/**
 * The same with the numbers of steps that were taken and rejected.
 *
 *     const { y, accepted, rejected } = odeStats(rhs, y0, times, params);
 */
export function odeStats<
  const I extends BodyResult,
  const N,
  const T extends OdeTimes,
  const P extends BodyResult = NoParams,
>(
  rhs: (t: Value<[]>, y: ResultTree<I>, params: ResultTree<P>) => N,
  y0: I,
  times: T,
  params?: P,
  options?: OdeOptions,
): NoInfer<IfLike<I, N, OdeStats<Rows<I, T>>>>;
export function odeStats(
  rhs: (t: Value<[]>, y: never, params: never) => unknown,
  y0: unknown,
  times: unknown,
  params?: unknown,
  options?: OdeOptions,
): unknown {
  return solve("odeStats", rhs, y0, times, params, options);
}

const timePort: NativePort = { name: "t", shape: [], isBool: false };

function solve(
  name: string,
  rhs: (t: Value<[]>, y: never, params: never) => unknown,
  y0: unknown,
  times: unknown,
  params: unknown,
  options: OdeOptions | undefined,
): OdeStats<unknown> {
  requireBody(name, "the right-hand side", rhs);
  const trace = requireTrace(name);
  const state = operandsOf(trace, y0, "y");
  requireNumbers(name, state);
  const time = timesOf(name, trace, times);
  const given = operandsOf(trace, params === undefined ? {} : params, "params");
  const { numbers, tolerances, directory } = codesOf(name, state.tree, options);
  const parameters = valuesOf(
    given.tree,
    given.nodes.map((node) => trace.make<AnyValue>(node)),
  );
  const step = traceStep(name, trace, [timePort, ...state.ports], ([t, ...y]) => {
    const slope = rhs(t as Value<[]>, valuesOf(state.tree, y), parameters);
    return leavesLike(name, "the derivative", state.tree, valueTree(name, slope));
  });
  try {
    const operands = [time, ...state.nodes, ...step.captured];
    const items = trace.builder.ode(step.tape, numbers, tolerances, directory, operands);
    const [accepted, rejected] = items.slice(-2).map((node) => trace.make<Value<[]>>(node));
    return { y: made(trace, state.tree, items), accepted: accepted!, rejected: rejected! };
  } catch (error) {
    throw completed(error, name);
  } finally {
    step.tape.dispose();
  }
}

function requireNumbers(name: string, { ports }: Operands): void {
  if (ports.length === 0) throw new ArgumentError(`${name}: the state has no values`, here());
  const wrong = ports.find(({ isBool }) => isBool);
  if (wrong === undefined) return;
  throw new DTypeError(`${name}: ${wrong.name} is booleans, where numbers should be`, here());
}

function timesOf(name: string, trace: Trace, given: unknown): NodeId {
  if (isValue(given)) {
    const shape = given.shape;
    if (given.dtype === "bool") {
      throw new DTypeError(`${name}: times are numbers, got booleans`, here());
    }
    if (shape.length === 1 && shape[0]! > 0) return trace.own(given);
    const got = shape.join(",");
    throw new ShapeError(`${name}: times are a vector of one or more, got shape [${got}]`, here());
  }
  if (!Array.isArray(given) && !isNumericArray(given)) {
    const got = describe(given);
    throw new ArgumentError(`${name}: times are numbers or a traced vector, got ${got}`, here());
  }
  const { values, shape } = flatNumbers(given as NestedNumbers, `${name}: times`);
  if (shape.length !== 1) {
    throw new ShapeError(
      `${name}: times are a list of numbers, got shape [${shape.join(",")}]`,
      here(),
    );
  }
  requireOrder(name, values);
  return trace.builder.data(values, shape, false);
}

function requireOrder(name: string, times: Float64Array): void {
  if (times.length === 0) {
    throw new ShapeError(`${name}: there are no times; the first is that of y0`, here());
  }
  const wrong = times.findIndex((time) => !Number.isFinite(time));
  if (wrong >= 0) {
    throw new ArgumentError(`${name}: time ${wrong} is ${times[wrong]}`, here());
  }
  const direction = Math.sign(times[times.length - 1]! - times[0]!);
  for (let i = 1; i < times.length; ++i) {
    const step = times[i]! - times[i - 1]!;
    if (step === 0 || Math.sign(step) === direction) continue;
    const both = `${times[i - 1]} and ${times[i]}`;
    throw new ArgumentError(`${name}: times neither ascend nor descend, at ${both}`, here());
  }
}

/** Options as the core takes them (lib/native.ts). */
interface Codes {
  readonly numbers: readonly number[];
  readonly tolerances: Float64Array;
  readonly directory: string;
}

const ofMethod = {
  dopri5: ["rtol", "atol", "firstStep", "maxSteps"],
  rk4: ["steps"],
} as const;

function codesOf(name: string, state: Tree, options: OdeOptions | undefined): Codes {
  const given = optionsOf(name, options, [
    "method",
    "adjoint",
    "checkpoint",
    ...ofMethod.rk4,
    ...ofMethod.dopri5,
  ]);
  const method = oneOf(name, "method", given.method, methods);
  const adjoint = oneOf(name, "adjoint", given.adjoint, adjoints);
  for (const option of ofMethod[method === "rk4" ? "dopri5" : "rk4"]) {
    if (given[option] === undefined) continue;
    throw new ArgumentError(`${name}: ${option} is no option of the method ${method}`, here());
  }
  if (adjoint === "continuous" && given.checkpoint !== undefined) {
    throw new ArgumentError(`${name}: checkpoint is for the discrete adjoint`, here());
  }
  const steps = wholeOf(name, "steps", given.steps ?? defaults.steps, 1, maxSteps);
  const most = wholeOf(name, "maxSteps", given.maxSteps ?? defaults.maxSteps, 1, maxSteps);
  const firstStep = firstStepOf(name, given.firstStep);
  const rtol = toleranceOf(name, "rtol", state, given.rtol);
  const atol = toleranceOf(name, "atol", state, given.atol);
  leavesOf(state).forEach(({ path }, i) => {
    if (rtol[i] !== 0 || atol[i] !== 0) return;
    throw new ArgumentError(`${name}: rtol and atol are both 0${path && ` for ${path}`}`, here());
  });
  const { numbers, directory } = checkpointsOf(name, given.checkpoint);
  const codes = [methods.indexOf(method), adjoints.indexOf(adjoint)];
  return {
    numbers: [rtol.length, ...codes, steps, most, ...numbers],
    tolerances: Float64Array.of(firstStep, ...rtol, ...atol),
    directory,
  };
}

/** 0 where it is to be found. */
function firstStepOf(name: string, given: unknown): number {
  if (given === undefined) return 0;
  if (typeof given === "number" && given > 0 && given < Infinity) return given;
  throw new ArgumentError(`${name}: firstStep is a number above 0, got ${shown(given)}`, here());
}

/** One number for each value of the state. */
function toleranceOf(name: string, option: "rtol" | "atol", state: Tree, given: unknown): number[] {
  const leaves = leavesOf(state);
  if (given === undefined) return leaves.map(() => defaults[option]);
  const tolerance = (value: unknown): number => {
    if (typeof value === "number" && value >= 0 && value < Infinity) return value;
    throw new ArgumentError(
      `${name}: ${option} is a number from 0 on, got ${shown(value)}`,
      here(),
    );
  };
  if (typeof given !== "object" || given === null) return leaves.map(() => tolerance(given));
  const found = buildTree<number>(
    given,
    `${name}: ${option}`,
    (value) => (typeof value === "object" && value !== null ? undefined : tolerance(value)),
    true,
    here(),
  );
  const scalars = mapLeaves(state, (leaf) => ({ ...leaf, shape: [] }));
  return leavesLike(
    name,
    option,
    scalars,
    found as { tree: Tree; leaves: ResultLeaf[] },
  ) as number[];
}
