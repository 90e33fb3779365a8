import { grad } from "adjoint";
import { det as determinant } from "../../problems/det.js";
import { count, fields, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

/** A matrix of this size has 2^20 minors. */
const largest = 20;

function read(input: unknown) {
  const given = fields(input);
  const ell = count(given.ell, "ell", 1, largest);
  return { ell, a: vector(given.A, "A", ell * ell) };
}

export const det: EvalModule = {
  primal: (input) => {
    const { ell, a } = read(input);
    return prepared(determinant(ell), { a }, (y) => y[0]);
  },
  gradient: (input) => {
    const { ell, a } = read(input);
    return prepared(grad(determinant(ell)), { a }, (g) => Array.from(g.a));
  },
};
