import { grad } from "adjoint";
import { logsumexp } from "../../problems/logsumexp.js";
import { fields, InputError, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const x = vector(fields(input).x, "x");
  if (x.length === 0) throw new InputError("x is empty");
  return { x };
}

export const lse: EvalModule = {
  primal: (input) => {
    const { x } = read(input);
    return prepared(logsumexp(x.length), { x }, (y) => y[0]);
  },
  gradient: (input) => {
    const { x } = read(input);
    return prepared(grad(logsumexp(x.length)), { x }, (g) => Array.from(g.x));
  },
};
