import { grad } from "adjoint";
import { gmmParameters, gmm as posterior } from "../../problems/gmm.js";
import { count, fields, nested, number, rows, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const given = fields(input);
  const d = count(given.d, "d", 1);
  const k = count(given.k, "k", 1);
  const n = count(given.n, "n", 1);
  const strict = (d * (d - 1)) / 2;
  const gamma = number(given.gamma, "gamma");
  const m = count(given.m, "m", 0);
  const values = {
    x: rows(given.x, "x", { rows: n, columns: d }).values,
    alpha: vector(given.alpha, "alpha", k),
    mu: rows(given.mu, "mu", { rows: k, columns: d }).values,
    q: rows(given.q, "q", { rows: k, columns: d }).values,
    l: rows(given.l, "l", { rows: k, columns: strict }).values,
  };
  // With d = 1 there is nothing below the diagonal, and the function takes a column that it does not use.
  if (strict === 0) values.l = new Float64Array(k);
  return { sizes: { d, k, n, gamma, m }, values };
}

export const gmm: EvalModule = {
  objective: (input) => {
    const { sizes, values } = read(input);
    return prepared(posterior(sizes), values, (y) => y[0]);
  },
  jacobian: (input) => {
    const { sizes, values } = read(input);
    const { d, k } = sizes;
    const gradient = grad(posterior(sizes), { wrt: gmmParameters });
    return prepared(gradient, values, ({ alpha, mu, q, l }) => ({
      alpha: Array.from(alpha),
      mu: nested(mu, k, d),
      q: nested(q, k, d),
      l: nested(l, k, (d * (d - 1)) / 2),
    }));
  },
};
