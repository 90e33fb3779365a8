import { grad } from "adjoint";
import { llsq as objective } from "../../problems/llsq.js";
import { count, fields, InputError, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const given = fields(input);
  const x = vector(given.x, "x");
  if (x.length === 0) throw new InputError("x is empty");
  return { n: count(given.n, "n", 1), x };
}

export const llsq: EvalModule = {
  primal: (input) => {
    const { n, x } = read(input);
    return prepared(objective(n, x.length), { x }, (y) => y[0]);
  },
  gradient: (input) => {
    const { n, x } = read(input);
    return prepared(grad(objective(n, x.length)), { x }, (g) => Array.from(g.x));
  },
};
