import { fn, grad, scalar, vector } from "adjoint";
import type { Contender } from "../harness/measure.js";
import type { Problem } from "./problem.js";

// What a call costs when there is next to nothing to compute: plain JavaScript functions, and adjoint called the
// ways there are. x changes from run to run.

/** `run` gets x. Rounds start from the same x, so that answers can be compared. */
function caller(
  tool: string,
  backend: string,
  run: (x: number) => number,
  gradient: () => ArrayLike<number> = () => [],
): Contender {
  let i = 0;
  return {
    ...{ tool, backend, dtype: "f64", gradient },
    select: () => {
      i = 0;
    },
    run: () => run(++i & 7),
  };
}

/** Through the views of a session: x is their first element, and what is returned the first of the output. */
function inPlace(
  session: { run(): void },
  input: Float64Array,
  output: Float64Array,
  gradient?: () => Float64Array,
): Contender {
  const run = (x: number): number => {
    input[0] = x;
    session.run();
    return output[0]!;
  };
  return caller("adjoint", "session.run()", run, gradient);
}

const increment = () => fn({ x: scalar() }, ({ x }) => x.add(1));
const guide = () => fn({ x: vector(2) }, ({ x }) => x.at(0).mul(x.at(1)).add(x.at(0).sin()));

const incrementByHand = (x: Float64Array, y: Float64Array): void => {
  y[0] = x[0]! + 1;
};
type Point = { x: number[] };
const guideByHand = ({ x }: Point): number => x[0]! * x[1]! + Math.sin(x[0]!);
const slopeByHand = ({ x }: Point): { x: Float64Array } => ({
  x: Float64Array.of(x[1]! + Math.cos(x[0]!), x[0]!),
});

/** The same point every time, with another x0: what an argument costs to make is not what is measured. */
function pointAt(): (x0: number) => Point {
  const point = { x: [2, 3] };
  return (x0) => {
    point.x[0] = x0;
    return point;
  };
}

function plusOne(): Contender[] {
  const [input, output] = [new Float64Array(1), new Float64Array(1)];
  const f = increment();
  const session = f.session();
  return [
    caller("JavaScript", "", (value) => {
      input[0] = value;
      incrementByHand(input, output);
      return output[0]!;
    }),
    inPlace(session, session.inputs.x, session.outputs),
    caller("adjoint", "f(x)", (value) => f({ x: value })),
  ];
}

function ofTwo(): Contender[] {
  const at = pointAt();
  const f = guide();
  const session = f.session();
  session.inputs.x[1] = 3;
  return [
    caller("JavaScript", "", (value) => guideByHand(at(value))),
    inPlace(session, session.inputs.x, session.outputs),
    caller("adjoint", "f(x)", (value) => f(at(value))),
  ];
}

function slopeOfTwo(): Contender[] {
  const at = pointAt();
  const slope = grad(guide());
  const session = slope.session();
  session.inputs.x[1] = 3;
  const g = session.outputs.x;
  let [byHand, byCall]: ArrayLike<number>[] = [[], []];
  return [
    caller(
      "JavaScript",
      "",
      (value) => (byHand = slopeByHand(at(value)).x)[0]!,
      () => byHand!,
    ),
    inPlace(session, session.inputs.x, g, () => g),
    caller(
      "adjoint",
      "grad(f)(x)",
      (value) => (byCall = slope(at(value)).x)[0]!,
      () => byCall!,
    ),
  ];
}

export const callProblems: readonly Problem[] = [
  { name: "call", size: "x + 1", contenders: plusOne },
  { name: "call", size: "x0 x1 + sin x0", contenders: ofTwo },
  { name: "call", size: "its gradient", contenders: slopeOfTwo },
];
