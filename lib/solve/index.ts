/** Solvers that run natively from the first to the last iteration. */
export {
  type AsyncLeastSquaresOptions,
  type LeastSquaresOptions,
  type LeastSquaresProgress,
  type LeastSquaresResult,
  type LeastSquaresStatus,
  leastSquares,
} from "./least-squares.js";
