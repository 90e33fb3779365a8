// Written by adjoint_generate from the tables in native/; `npm run generate` writes it again.
import * as errors from "./errors.js";

/** The class of each code. */
export const errorClasses = {
  ERR_SHAPE: errors.ShapeError,
  ERR_DTYPE: errors.DTypeError,
  ERR_ARGUMENT: errors.ArgumentError,
  ERR_NAME: errors.NameError,
  ERR_INDEX: errors.IndexError,
  ERR_TRACE: errors.TraceError,
  ERR_NOT_DIFFERENTIABLE: errors.NotDifferentiableError,
  ERR_PARSE: errors.ParseError,
  ERR_LIMIT: errors.LimitError,
  ERR_STATE: errors.StateError,
  ERR_ABORT: errors.AbortError,
  ERR_SINGULAR: errors.SingularError,
  ERR_NOT_PD: errors.NotPositiveDefiniteError,
  ERR_DATA: errors.DataError,
  ERR_FIT: errors.FitError,
  ERR_MEMORY: errors.MemoryError,
  ERR_NATIVE: errors.NativeError,
} as const;
