import { fn, grad, vector as vectorSpec } from "adjoint";
import { ode as solution } from "../../problems/ode.js";
import { count, fields, InputError, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

/** Steps are written out on the tape. */
const mostSteps = 100_000;

function read(input: unknown) {
  const given = fields(input);
  const x = vector(given.x, "x");
  if (x.length === 0) throw new InputError("x is empty");
  return { s: count(given.s, "s", 1, mostSteps), x };
}

export const ode: EvalModule = {
  primal: (input) => {
    const { s, x } = read(input);
    return prepared(solution(x.length, s), { x }, (y) => Array.from(y));
  },
  gradient: (input) => {
    const { s, x: values } = read(input);
    const n = values.length;
    const all = solution(n, s);
    const last = fn({ x: vectorSpec(n) }, ({ x }) => all({ x }).at(n - 1));
    return prepared(grad(last), { x: values }, (g) => Array.from(g.x));
  },
};
