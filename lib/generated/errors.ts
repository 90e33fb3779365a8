// Written by adjoint_generate from the tables in native/; `npm run generate` writes it again.
import { AdjointError, nameClass } from "../error.js";

/** Shapes, axes or lengths that do not fit the operation or the input. */
export class ShapeError extends AdjointError {
  override readonly code = "ERR_SHAPE";
  static {
    nameClass(ShapeError, "ShapeError");
  }
}

/** A boolean where a number is needed, or the other way round. */
export class DTypeError extends AdjointError {
  override readonly code = "ERR_DTYPE";
  static {
    nameClass(DTypeError, "DTypeError");
  }
}

/** An argument of the wrong kind or out of its range. */
export class ArgumentError extends AdjointError {
  override readonly code = "ERR_ARGUMENT";
  static {
    nameClass(ArgumentError, "ArgumentError");
  }
}

/** An unknown, missing or forbidden input, output or column name. */
export class NameError extends AdjointError {
  override readonly code = "ERR_NAME";
  static {
    nameClass(NameError, "NameError");
  }
}

/** An index outside its axis, found when the graph is built or when it runs. */
export class IndexError extends AdjointError {
  override readonly code = "ERR_INDEX";
  static {
    nameClass(IndexError, "IndexError");
  }
}

/** A traced value used where a number is needed, or outside the function it belongs to. */
export class TraceError extends AdjointError {
  override readonly code = "ERR_TRACE";
  static {
    nameClass(TraceError, "TraceError");
  }
}

/** A derivative that was asked for does not exist. */
export class NotDifferentiableError extends AdjointError {
  override readonly code = "ERR_NOT_DIFFERENTIABLE";
  static {
    nameClass(NotDifferentiableError, "NotDifferentiableError");
  }
}

/** A formula that is not well formed; the position is given. */
export class ParseError extends AdjointError {
  override readonly code = "ERR_PARSE";
  static {
    nameClass(ParseError, "ParseError");
  }
}

/** A size, depth, length or amount of work beyond its limit. */
export class LimitError extends AdjointError {
  override readonly code = "ERR_LIMIT";
  static {
    nameClass(LimitError, "LimitError");
  }
}

/** A call on something disposed, busy or detached. */
export class StateError extends AdjointError {
  override readonly code = "ERR_STATE";
  static {
    nameClass(StateError, "StateError");
  }
}

/** A call ended by its AbortSignal or its deadline. */
export class AbortError extends AdjointError {
  override readonly code = "ERR_ABORT";
  static {
    nameClass(AbortError, "AbortError");
  }
}

/** A matrix that is singular to working precision. */
export class SingularError extends AdjointError {
  override readonly code = "ERR_SINGULAR";
  static {
    nameClass(SingularError, "SingularError");
  }
}

/** A matrix that is not positive definite. */
export class NotPositiveDefiniteError extends AdjointError {
  override readonly code = "ERR_NOT_PD";
  static {
    nameClass(NotPositiveDefiniteError, "NotPositiveDefiniteError");
  }
}

/** A data file that can not be read or lacks what was asked of it. */
export class DataError extends AdjointError {
  override readonly code = "ERR_DATA";
  static {
    nameClass(DataError, "DataError");
  }
}

/** A fit that can not start or found no finite residual. */
export class FitError extends AdjointError {
  override readonly code = "ERR_FIT";
  static {
    nameClass(FitError, "FitError");
  }
}

/** Memory that could not be had. */
export class MemoryError extends AdjointError {
  override readonly code = "ERR_MEMORY";
  static {
    nameClass(MemoryError, "MemoryError");
  }
}

/** The native addon is missing, or broke one of its own promises (a bug). */
export class NativeError extends AdjointError {
  override readonly code = "ERR_NATIVE";
  static {
    nameClass(NativeError, "NativeError");
  }
}
