/** Sparse Jacobians and Hessians, their patterns and colorings. */
export {
  type CheckPatternOptions,
  checkPattern,
  type MissingEntry,
  type PatternReport,
} from "./check-pattern.js";
export {
  type ColorablePattern,
  type Coloring,
  type ColoringMethod,
  type ColoringOptions,
  type ColoringOrder,
  colorPattern,
} from "./coloring.js";
export {
  type SparseColoringOptions,
  type SparseDerivativeOptions,
  type SparseFunction,
  type SparseHessianOptions,
  type SparseHessianResult,
  type SparseJacobianOptions,
  type SparseJacobianResult,
  type SparseMethod,
  sparseHessian,
  sparseJacobian,
} from "./jacobian.js";
export { SparseMatrix, sparseMatrix } from "./matrix.js";
export { type MarketOptions, parseMatrixMarket } from "./parse.js";
export type {
  AnyPattern,
  CooPattern,
  CscPattern,
  CsrPattern,
  PatternOf,
  PatternRange,
  SparseFormat,
  SparsePattern,
  Triangle,
} from "./pattern.js";
export type { PatternArrays } from "./places.js";
export {
  type DenseLines,
  type DetectedPattern,
  type PointOf,
  type SparsityOf,
  type SparsityOptions,
  sparsity,
} from "./sparsity.js";
export { type SpyOptions, spyHtml } from "./spy.js";
