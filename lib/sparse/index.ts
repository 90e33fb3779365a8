/** Sparse Jacobians and Hessians, their patterns and colorings. */
export {
  type ColorablePattern,
  type Coloring,
  type ColoringMethod,
  type ColoringOptions,
  type ColoringOrder,
  colorPattern,
} from "./coloring.js";
export {
  type SparseFunction,
  type SparseHessianOptions,
  type SparseJacobianOptions,
  sparseHessian,
  sparseJacobian,
} from "./jacobian.js";
export type {
  CooPattern,
  CsrPattern,
  PatternOf,
  PatternRange,
  SparseFormat,
  SparsePattern,
  Triangle,
} from "./pattern.js";
