// Least squares of a long valley by up to so many iterations, `node solves.mjs iterations factorization`, so that
// what an iteration asks memory for shows. The solve does not end before.
import { fn, leastSquares, sub, vector } from "../../dist/index.js";

const [iterations, factorization] = process.argv.slice(2);
const n = 2000;
const chain = fn({ x: vector(n) }, ({ x }) => ({
  valley: x
    .slice([1, n])
    .sub(x.slice([0, n - 1]).square())
    .mul(10),
  along: sub(1, x),
}));
const x0 = { x: Float64Array.from({ length: n }, (_, i) => (i % 2 ? 1 : -1.2)) };
const found = leastSquares(chain, { x0, factorization, maxIterations: Number(iterations) });
if (found.status !== "maxIterations") throw new Error(found.message);
