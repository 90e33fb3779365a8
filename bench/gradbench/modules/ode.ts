import { grad } from "adjoint";
import { odeLast, ode as solution } from "../../problems/ode.js";
import { count, fields, InputError, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const given = fields(input);
  const x = vector(given.x, "x");
  if (x.length === 0) throw new InputError("x is empty");
  return { s: count(given.s, "s", 1), x };
}

export const ode: EvalModule = {
  primal: (input) => {
    const { s, x } = read(input);
    return prepared(solution(x.length, s), { x }, (y) => Array.from(y));
  },
  gradient: (input) => {
    const { s, x } = read(input);
    return prepared(grad(odeLast(x.length, s)), { x }, (g) => Array.from(g.x));
  },
};
