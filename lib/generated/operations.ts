// Written by adjoint_generate from the tables in native/; `npm run generate` writes it again.
import { op1, op2, op3, opBool } from "../trace.js";
import type { BoolOperand, Broadcast, Dims, DimsOf, Fits, Operand } from "../types.js";
import type { Value } from "../value.js";

/** The code of every operation. */
export const Op = {
  Input: 1,
  Constant: 2,
  Data: 3,
  Add: 10,
  Sub: 11,
  Mul: 12,
  Div: 13,
  Neg: 14,
  Fma: 15,
  Pow: 16,
  Sin: 17,
  Cos: 18,
  Square: 19,
  Sqrt: 20,
  Rsqrt: 21,
  Cbrt: 22,
  Reciprocal: 23,
  Hypot: 24,
  Abs: 25,
  Sign: 26,
  Copysign: 27,
  Exp: 30,
  Exp2: 31,
  Expm1: 32,
  Log: 33,
  Log2: 34,
  Log10: 35,
  Log1p: 36,
  Tan: 40,
  Sinc: 41,
  Asin: 42,
  Acos: 43,
  Atan: 44,
  Atan2: 45,
  Sinh: 46,
  Cosh: 47,
  Tanh: 48,
  Asinh: 49,
  Acosh: 50,
  Atanh: 51,
  Erf: 55,
  Erfc: 56,
  Lgamma: 57,
  Digamma: 58,
  Sigmoid: 60,
  Logsigmoid: 61,
  Softplus: 62,
  Relu: 63,
  Logaddexp: 64,
  Xlogy: 65,
  Xlog1py: 66,
  Xlogx: 67,
  Floor: 70,
  Ceil: 71,
  Round: 72,
  Trunc: 73,
  Mod: 74,
  Maximum: 75,
  Minimum: 76,
  Fmax: 77,
  Fmin: 78,
  Clip: 79,
  Equal: 90,
  NotEqual: 91,
  Less: 92,
  LessEqual: 93,
  Greater: 94,
  GreaterEqual: 95,
  IsNan: 96,
  IsFinite: 97,
  LogicalAnd: 98,
  LogicalOr: 99,
  LogicalXor: 100,
  LogicalNot: 101,
  Where: 102,
  ToNumber: 103,
  Fms: 110,
  Fnma: 111,
  PowDeriv: 151,
  HypotDeriv: 152,
  Exp2Deriv: 153,
  SincDeriv: 154,
  Cauchy: 155,
  Atan2Deriv: 156,
  Sech2: 157,
  Gaussian: 158,
  Polygamma: 159,
  SigmoidGrad: 160,
  SigmoidDiff: 161,
  SigmoidDiffGrad: 162,
  MaxWeight: 163,
  FmaxWeight: 164,
  Iota: 200,
  Reshape: 201,
  Transpose: 202,
  BroadcastTo: 203,
  Slice: 204,
  Place: 205,
  Flip: 206,
  Concat: 207,
  Gather: 208,
  ScatterSum: 209,
  Sum: 210,
  ReduceMax: 211,
  ReduceMin: 212,
  ArgMax: 213,
  ArgMin: 214,
  ArgSort: 215,
  CumSum: 216,
  LinearRecurrence: 217,
  BatchMatMul: 218,
  StopGradient: 219,
  Custom: 220,
  Item: 221,
  Lanes: 222,
  Interleave: 223,
  Loop: 224,
  LaneMatMul: 225,
  At: 300,
  Stack: 301,
  Pad: 302,
  ScatterAdd: 303,
  Diag: 304,
  Tril: 305,
  Triu: 306,
  Mean: 310,
  Prod: 311,
  Var: 312,
  Std: 313,
  Norm: 314,
  CumProd: 315,
  LogSumExp: 316,
  Softmax: 317,
  LogSoftmax: 318,
  MaskedLogSumExp: 319,
  Sort: 320,
  TakeAlongAxis: 321,
  Median: 322,
  MatMul: 330,
  Dot: 331,
  Outer: 332,
  Einsum: 333,
} as const;

/** Names of the operations that programs use, in order of their codes. */
export const publicOperations = [
  "add",
  "sub",
  "mul",
  "div",
  "neg",
  "fma",
  "pow",
  "sin",
  "cos",
  "square",
  "sqrt",
  "rsqrt",
  "cbrt",
  "reciprocal",
  "hypot",
  "abs",
  "sign",
  "copysign",
  "exp",
  "exp2",
  "expm1",
  "log",
  "log2",
  "log10",
  "log1p",
  "tan",
  "sinc",
  "asin",
  "acos",
  "atan",
  "atan2",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
  "acosh",
  "atanh",
  "erf",
  "erfc",
  "lgamma",
  "digamma",
  "sigmoid",
  "logsigmoid",
  "softplus",
  "relu",
  "logaddexp",
  "xlogy",
  "xlog1py",
  "xlogx",
  "floor",
  "ceil",
  "round",
  "trunc",
  "mod",
  "maximum",
  "minimum",
  "fmax",
  "fmin",
  "clip",
  "equal",
  "notEqual",
  "less",
  "lessEqual",
  "greater",
  "greaterEqual",
  "isNan",
  "isFinite",
  "logicalAnd",
  "logicalOr",
  "logicalXor",
  "logicalNot",
  "where",
  "toNumber",
  "iota",
  "reshape",
  "transpose",
  "broadcastTo",
  "slice",
  "flip",
  "concat",
  "gather",
  "sum",
  "max",
  "min",
  "argmax",
  "argmin",
  "argsort",
  "cumsum",
  "linearRecurrence",
  "stopGradient",
  "at",
  "stack",
  "pad",
  "scatterAdd",
  "diag",
  "tril",
  "triu",
  "mean",
  "prod",
  "var",
  "std",
  "norm",
  "cumprod",
  "logsumexp",
  "softmax",
  "logSoftmax",
  "maskedLogsumexp",
  "sort",
  "takeAlongAxis",
  "median",
  "matmul",
  "dot",
  "outer",
  "einsum",
] as const;

/** What a formula needs to know of an elementwise operation. */
export interface ElementwiseRow {
  readonly code: number;
  readonly arity: 1 | 2 | 3;
  readonly takes: "f64" | "bool";
  readonly gives: "f64" | "bool";
}

/** The elementwise operations by name. */
export const elementwiseRows: ReadonlyMap<string, ElementwiseRow> = new Map([
  ["add", { code: 10, arity: 2, takes: "f64", gives: "f64" }],
  ["sub", { code: 11, arity: 2, takes: "f64", gives: "f64" }],
  ["mul", { code: 12, arity: 2, takes: "f64", gives: "f64" }],
  ["div", { code: 13, arity: 2, takes: "f64", gives: "f64" }],
  ["neg", { code: 14, arity: 1, takes: "f64", gives: "f64" }],
  ["fma", { code: 15, arity: 3, takes: "f64", gives: "f64" }],
  ["pow", { code: 16, arity: 2, takes: "f64", gives: "f64" }],
  ["sin", { code: 17, arity: 1, takes: "f64", gives: "f64" }],
  ["cos", { code: 18, arity: 1, takes: "f64", gives: "f64" }],
  ["square", { code: 19, arity: 1, takes: "f64", gives: "f64" }],
  ["sqrt", { code: 20, arity: 1, takes: "f64", gives: "f64" }],
  ["rsqrt", { code: 21, arity: 1, takes: "f64", gives: "f64" }],
  ["cbrt", { code: 22, arity: 1, takes: "f64", gives: "f64" }],
  ["reciprocal", { code: 23, arity: 1, takes: "f64", gives: "f64" }],
  ["hypot", { code: 24, arity: 2, takes: "f64", gives: "f64" }],
  ["abs", { code: 25, arity: 1, takes: "f64", gives: "f64" }],
  ["sign", { code: 26, arity: 1, takes: "f64", gives: "f64" }],
  ["copysign", { code: 27, arity: 2, takes: "f64", gives: "f64" }],
  ["exp", { code: 30, arity: 1, takes: "f64", gives: "f64" }],
  ["exp2", { code: 31, arity: 1, takes: "f64", gives: "f64" }],
  ["expm1", { code: 32, arity: 1, takes: "f64", gives: "f64" }],
  ["log", { code: 33, arity: 1, takes: "f64", gives: "f64" }],
  ["log2", { code: 34, arity: 1, takes: "f64", gives: "f64" }],
  ["log10", { code: 35, arity: 1, takes: "f64", gives: "f64" }],
  ["log1p", { code: 36, arity: 1, takes: "f64", gives: "f64" }],
  ["tan", { code: 40, arity: 1, takes: "f64", gives: "f64" }],
  ["sinc", { code: 41, arity: 1, takes: "f64", gives: "f64" }],
  ["asin", { code: 42, arity: 1, takes: "f64", gives: "f64" }],
  ["acos", { code: 43, arity: 1, takes: "f64", gives: "f64" }],
  ["atan", { code: 44, arity: 1, takes: "f64", gives: "f64" }],
  ["atan2", { code: 45, arity: 2, takes: "f64", gives: "f64" }],
  ["sinh", { code: 46, arity: 1, takes: "f64", gives: "f64" }],
  ["cosh", { code: 47, arity: 1, takes: "f64", gives: "f64" }],
  ["tanh", { code: 48, arity: 1, takes: "f64", gives: "f64" }],
  ["asinh", { code: 49, arity: 1, takes: "f64", gives: "f64" }],
  ["acosh", { code: 50, arity: 1, takes: "f64", gives: "f64" }],
  ["atanh", { code: 51, arity: 1, takes: "f64", gives: "f64" }],
  ["erf", { code: 55, arity: 1, takes: "f64", gives: "f64" }],
  ["erfc", { code: 56, arity: 1, takes: "f64", gives: "f64" }],
  ["lgamma", { code: 57, arity: 1, takes: "f64", gives: "f64" }],
  ["digamma", { code: 58, arity: 1, takes: "f64", gives: "f64" }],
  ["sigmoid", { code: 60, arity: 1, takes: "f64", gives: "f64" }],
  ["logsigmoid", { code: 61, arity: 1, takes: "f64", gives: "f64" }],
  ["softplus", { code: 62, arity: 1, takes: "f64", gives: "f64" }],
  ["relu", { code: 63, arity: 1, takes: "f64", gives: "f64" }],
  ["logaddexp", { code: 64, arity: 2, takes: "f64", gives: "f64" }],
  ["xlogy", { code: 65, arity: 2, takes: "f64", gives: "f64" }],
  ["xlog1py", { code: 66, arity: 2, takes: "f64", gives: "f64" }],
  ["xlogx", { code: 67, arity: 1, takes: "f64", gives: "f64" }],
  ["floor", { code: 70, arity: 1, takes: "f64", gives: "f64" }],
  ["ceil", { code: 71, arity: 1, takes: "f64", gives: "f64" }],
  ["round", { code: 72, arity: 1, takes: "f64", gives: "f64" }],
  ["trunc", { code: 73, arity: 1, takes: "f64", gives: "f64" }],
  ["mod", { code: 74, arity: 2, takes: "f64", gives: "f64" }],
  ["maximum", { code: 75, arity: 2, takes: "f64", gives: "f64" }],
  ["minimum", { code: 76, arity: 2, takes: "f64", gives: "f64" }],
  ["fmax", { code: 77, arity: 2, takes: "f64", gives: "f64" }],
  ["fmin", { code: 78, arity: 2, takes: "f64", gives: "f64" }],
  ["clip", { code: 79, arity: 3, takes: "f64", gives: "f64" }],
  ["equal", { code: 90, arity: 2, takes: "f64", gives: "bool" }],
  ["notEqual", { code: 91, arity: 2, takes: "f64", gives: "bool" }],
  ["less", { code: 92, arity: 2, takes: "f64", gives: "bool" }],
  ["lessEqual", { code: 93, arity: 2, takes: "f64", gives: "bool" }],
  ["greater", { code: 94, arity: 2, takes: "f64", gives: "bool" }],
  ["greaterEqual", { code: 95, arity: 2, takes: "f64", gives: "bool" }],
  ["isNan", { code: 96, arity: 1, takes: "f64", gives: "bool" }],
  ["isFinite", { code: 97, arity: 1, takes: "f64", gives: "bool" }],
  ["logicalAnd", { code: 98, arity: 2, takes: "bool", gives: "bool" }],
  ["logicalOr", { code: 99, arity: 2, takes: "bool", gives: "bool" }],
  ["logicalXor", { code: 100, arity: 2, takes: "bool", gives: "bool" }],
  ["logicalNot", { code: 101, arity: 1, takes: "bool", gives: "bool" }],
  ["toNumber", { code: 103, arity: 1, takes: "bool", gives: "f64" }],
]);

/** The elementwise operations as methods; the class of traced values extends it. */
export abstract class ElementwiseMethods {
  /**
   * a + b
   *
   * Elementwise; domain: all numbers; correctly rounded.
   * Derivative: by a: 1; by b: 1.
   */
  add<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  add<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  add(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(10, this, b);
  }

  /**
   * a - b
   *
   * Elementwise; domain: all numbers; correctly rounded.
   * Derivative: by a: 1; by b: -1.
   */
  sub<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  sub<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  sub(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(11, this, b);
  }

  /**
   * a * b
   *
   * Elementwise; domain: all numbers; correctly rounded.
   * Derivative: by a: b; by b: a.
   */
  mul<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  mul<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  mul(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(12, this, b);
  }

  /**
   * a / b
   *
   * Elementwise; domain: b != 0; correctly rounded.
   * Derivative: by a: 1 / b; by b: -y / b (y is the value).
   */
  div<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  div<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  div(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(13, this, b);
  }

  /**
   * -a
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: -1.
   */
  neg<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(14, this);
  }

  /**
   * a * b + c, rounded once
   *
   * Elementwise; domain: all numbers; correctly rounded.
   * Derivative: by a: b; by b: a; by c: 1.
   */
  fma<S extends Value<Dims>, B extends Operand, C extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>, c: C & Fits<Broadcast<DimsOf<S>, DimsOf<B>>, DimsOf<C>>): Value<Broadcast<Broadcast<DimsOf<S>, DimsOf<B>>, DimsOf<C>>> {
    return op3(15, this, b, c);
  }

  /**
   * a^b
   *
   * Elementwise; domain: a > 0; a = 0 with b >= 0; a < 0 with b an integer; within 1 ULP.
   * Derivative: by a: powDeriv(a, b, 1); by b: powDeriv(a, b, 16).
   */
  pow<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  pow<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  pow(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(16, this, b);
  }

  /**
   * sin(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: cos(a).
   */
  sin<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(17, this);
  }

  /**
   * cos(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: -sin(a).
   */
  cos<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(18, this);
  }

  /**
   * a^2
   *
   * Elementwise; domain: all numbers; correctly rounded.
   * Derivative: 2 * a.
   */
  square<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(19, this);
  }

  /**
   * sqrt(a)
   *
   * Elementwise; domain: a >= 0; correctly rounded.
   * Derivative: 0.5 / y (y is the value).
   */
  sqrt<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(20, this);
  }

  /**
   * 1 / sqrt(a)
   *
   * Elementwise; domain: a > 0; within 1.5 ULP.
   * Derivative: -0.5 * y / a (y is the value).
   */
  rsqrt<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(21, this);
  }

  /**
   * cube root of a, negative for negative a
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: 1 / (3 * square(y)) (y is the value).
   */
  cbrt<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(22, this);
  }

  /**
   * 1 / a
   *
   * Elementwise; domain: a != 0; correctly rounded.
   * Derivative: -square(y) (y is the value).
   */
  reciprocal<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(23, this);
  }

  /**
   * sqrt(a^2 + b^2)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: by a: hypotDeriv(a, b, 1); by b: hypotDeriv(a, b, 16).
   */
  hypot<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  hypot<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  hypot(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(24, this, b);
  }

  /**
   * |a|
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: sign(a).
   */
  abs<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(25, this);
  }

  /**
   * -1, 0 or 1 by the sign of a
   *
   * Elementwise; domain: all numbers; exact.
   */
  sign<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(26, this);
  }

  /**
   * |a| with the sign of b, that of a zero included; of a NaN either
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: sign(a) * copysign(1, b); by b: 0.
   */
  copysign<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  copysign<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  copysign(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(27, this, b);
  }

  /**
   * e^a
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: y (y is the value).
   */
  exp<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(30, this);
  }

  /**
   * 2^a
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: exp2Deriv(a, 1).
   */
  exp2<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(31, this);
  }

  /**
   * e^a - 1
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: exp(a).
   */
  expm1<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(32, this);
  }

  /**
   * natural logarithm of a
   *
   * Elementwise; domain: a > 0; within 1 ULP.
   * Derivative: 1 / a.
   */
  log<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(33, this);
  }

  /**
   * logarithm of a to base 2
   *
   * Elementwise; domain: a > 0; within 1 ULP.
   * Derivative: 1.4426950408889634 / a.
   */
  log2<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(34, this);
  }

  /**
   * logarithm of a to base 10
   *
   * Elementwise; domain: a > 0; within 1 ULP.
   * Derivative: 0.4342944819032518 / a.
   */
  log10<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(35, this);
  }

  /**
   * log(1 + a)
   *
   * Elementwise; domain: a > -1; within 1 ULP.
   * Derivative: 1 / (1 + a).
   */
  log1p<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(36, this);
  }

  /**
   * tan(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: 1 + square(y) (y is the value).
   */
  tan<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(40, this);
  }

  /**
   * sin(pi a) / (pi a), 1 at 0
   *
   * Elementwise; domain: all numbers; within 4 ULP.
   * Derivative: sincDeriv(a, 1).
   */
  sinc<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(41, this);
  }

  /**
   * asin(a)
   *
   * Elementwise; domain: -1 <= a <= 1; within 1 ULP.
   * Derivative: rsqrt(fma(-a, a, 1)).
   */
  asin<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(42, this);
  }

  /**
   * acos(a)
   *
   * Elementwise; domain: -1 <= a <= 1; within 1 ULP.
   * Derivative: -rsqrt(fma(-a, a, 1)).
   */
  acos<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(43, this);
  }

  /**
   * atan(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: cauchy(a).
   */
  atan<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(44, this);
  }

  /**
   * angle of the point (b, a), in (-pi, pi]
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: by a: atan2Deriv(a, b, 2); by b: atan2Deriv(a, b, 3).
   */
  atan2<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  atan2<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  atan2(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(45, this, b);
  }

  /**
   * sinh(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: cosh(a).
   */
  sinh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(46, this);
  }

  /**
   * cosh(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: sinh(a).
   */
  cosh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(47, this);
  }

  /**
   * tanh(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: sech2(a).
   */
  tanh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(48, this);
  }

  /**
   * asinh(a)
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: reciprocal(hypot(1, a)).
   */
  asinh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(49, this);
  }

  /**
   * acosh(a)
   *
   * Elementwise; domain: a >= 1; within 1 ULP.
   * Derivative: rsqrt(a - 1) * rsqrt(a + 1).
   */
  acosh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(50, this);
  }

  /**
   * atanh(a)
   *
   * Elementwise; domain: -1 < a < 1; within 1 ULP.
   * Derivative: reciprocal(fma(-a, a, 1)).
   */
  atanh<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(51, this);
  }

  /**
   * 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to a
   *
   * Elementwise; domain: all numbers; within 1 ULP.
   * Derivative: 1.1283791670955126 * gaussian(a).
   */
  erf<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(55, this);
  }

  /**
   * 1 - erf(a)
   *
   * Elementwise; domain: all numbers; within 1.5 ULP.
   * Derivative: -1.1283791670955126 * gaussian(a).
   */
  erfc<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(56, this);
  }

  /**
   * log |gamma(a)|
   *
   * Elementwise; domain: a other than 0, -1, -2, ...; within 1 ULP.
   * Derivative: digamma(a).
   */
  lgamma<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(57, this);
  }

  /**
   * derivative of log gamma(a)
   *
   * Elementwise; domain: a other than 0, -1, -2, ...; within 4 ULP.
   * Derivative: polygamma(a, 1).
   */
  digamma<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(58, this);
  }

  /**
   * 1 / (1 + e^-a)
   *
   * Elementwise; domain: all numbers; within 4 ULP.
   * Derivative: sigmoidGrad(a).
   */
  sigmoid<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(60, this);
  }

  /**
   * log(sigmoid(a))
   *
   * Elementwise; domain: all numbers; within 4 ULP.
   * Derivative: sigmoid(-a).
   */
  logsigmoid<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(61, this);
  }

  /**
   * log(1 + e^a)
   *
   * Elementwise; domain: all numbers; within 4 ULP.
   * Derivative: sigmoid(a).
   */
  softplus<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(62, this);
  }

  /**
   * max(a, 0)
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: toNumber(greater(a, 0)).
   */
  relu<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(63, this);
  }

  /**
   * log(e^a + e^b)
   *
   * Elementwise; domain: all numbers; within 4 ULP.
   * Derivative: by a: sigmoidDiff(a, b); by b: sigmoidDiff(b, a).
   */
  logaddexp<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  logaddexp<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  logaddexp(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(64, this, b);
  }

  /**
   * a log(b), 0 where a is 0
   *
   * Elementwise; domain: b > 0; within 4 ULP.
   * Derivative: by a: log(b); by b: where(logicalAnd(equal(a, 0), equal(b, 0)), 0, a / b).
   */
  xlogy<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  xlogy<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  xlogy(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(65, this, b);
  }

  /**
   * a log(1 + b), 0 where a is 0
   *
   * Elementwise; domain: b > -1; within 4 ULP.
   * Derivative: by a: log1p(b); by b: where(logicalAnd(equal(a, 0), equal(1 + b, 0)), 0, a / (1 + b)).
   */
  xlog1py<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  xlog1py<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  xlog1py(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(66, this, b);
  }

  /**
   * a log(a), 0 at 0
   *
   * Elementwise; domain: a >= 0; within 4 ULP.
   * Derivative: log(a) + 1.
   */
  xlogx<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(67, this);
  }

  /**
   * largest integer not above a
   *
   * Elementwise; domain: all numbers; exact.
   */
  floor<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(70, this);
  }

  /**
   * smallest integer not below a
   *
   * Elementwise; domain: all numbers; exact.
   */
  ceil<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(71, this);
  }

  /**
   * nearest integer, halves to even
   *
   * Elementwise; domain: all numbers; exact.
   */
  round<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(72, this);
  }

  /**
   * integer part of a
   *
   * Elementwise; domain: all numbers; exact.
   */
  trunc<S extends Value<Dims>>(this: S): Value<DimsOf<S>> {
    return op1(73, this);
  }

  /**
   * a - b floor(a / b), with the sign of b
   *
   * Elementwise; domain: b != 0; correctly rounded.
   * Derivative: by a: 1; by b: -round(a / b - y / b) (y is the value).
   */
  mod<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  mod<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  mod(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(74, this, b);
  }

  /**
   * larger of a and b, NaN if either is; ties share the derivative
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: maxWeight(a, b); by b: maxWeight(b, a).
   */
  maximum<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  maximum<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  maximum(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(75, this, b);
  }

  /**
   * smaller of a and b, NaN if either is; ties share the derivative
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: maxWeight(b, a); by b: maxWeight(a, b).
   */
  minimum<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  minimum<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  minimum(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(76, this, b);
  }

  /**
   * larger of a and b, a NaN ignored; ties share the derivative
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: fmaxWeight(a, b); by b: fmaxWeight(b, a).
   */
  fmax<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  fmax<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  fmax(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(77, this, b);
  }

  /**
   * smaller of a and b, a NaN ignored; ties share the derivative
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: fmaxWeight(-a, -b); by b: fmaxWeight(-b, -a).
   */
  fmin<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>>;
  fmin<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>>;
  fmin(this: Value<Dims>, b: Operand): Value<Dims> {
    return op2(78, this, b);
  }

  /**
   * min(max(a, b), c); the bounds count as inside
   *
   * Elementwise; domain: all numbers; exact.
   * Derivative: by a: toNumber(logicalAnd(lessEqual(b, a), lessEqual(a, c))); by b: toNumber(logicalAnd(less(a, b), lessEqual(b, c))); by c: toNumber(greater(maximum(a, b), c)).
   */
  clip<S extends Value<Dims>, B extends Operand, C extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>, c: C & Fits<Broadcast<DimsOf<S>, DimsOf<B>>, DimsOf<C>>): Value<Broadcast<Broadcast<DimsOf<S>, DimsOf<B>>, DimsOf<C>>> {
    return op3(79, this, b, c);
  }

  /**
   * a == b
   *
   * Elementwise; domain: all numbers; exact.
   */
  equal<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  equal<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  equal(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(90, this, b);
  }

  /**
   * a != b
   *
   * Elementwise; domain: all numbers; exact.
   */
  notEqual<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  notEqual<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  notEqual(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(91, this, b);
  }

  /**
   * a < b
   *
   * Elementwise; domain: all numbers; exact.
   */
  less<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  less<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  less(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(92, this, b);
  }

  /**
   * a <= b
   *
   * Elementwise; domain: all numbers; exact.
   */
  lessEqual<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  lessEqual<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  lessEqual(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(93, this, b);
  }

  /**
   * a > b
   *
   * Elementwise; domain: all numbers; exact.
   */
  greater<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  greater<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  greater(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(94, this, b);
  }

  /**
   * a >= b
   *
   * Elementwise; domain: all numbers; exact.
   */
  greaterEqual<B extends Operand>(this: Value<[]>, b: B): Value<DimsOf<B>, "bool">;
  greaterEqual<S extends Value<Dims>, B extends Operand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  greaterEqual(this: Value<Dims>, b: Operand): Value<Dims, "bool"> {
    return opBool(95, this, b);
  }

  /**
   * whether a is NaN
   *
   * Elementwise; domain: all numbers; exact.
   */
  isNan<S extends Value<Dims>>(this: S): Value<DimsOf<S>, "bool"> {
    return opBool(96, this);
  }

  /**
   * whether a is neither infinite nor NaN
   *
   * Elementwise; domain: all numbers; exact.
   */
  isFinite<S extends Value<Dims>>(this: S): Value<DimsOf<S>, "bool"> {
    return opBool(97, this);
  }

  /**
   * a and b
   */
  logicalAnd<B extends BoolOperand>(this: Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
  logicalAnd<S extends Value<Dims, "bool">, B extends BoolOperand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  logicalAnd(this: Value<Dims, "bool">, b: BoolOperand): Value<Dims, "bool"> {
    return opBool(98, this, b);
  }

  /**
   * a or b
   */
  logicalOr<B extends BoolOperand>(this: Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
  logicalOr<S extends Value<Dims, "bool">, B extends BoolOperand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  logicalOr(this: Value<Dims, "bool">, b: BoolOperand): Value<Dims, "bool"> {
    return opBool(99, this, b);
  }

  /**
   * either a or b
   */
  logicalXor<B extends BoolOperand>(this: Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
  logicalXor<S extends Value<Dims, "bool">, B extends BoolOperand>(this: S, b: B & Fits<DimsOf<S>, DimsOf<B>>): Value<Broadcast<DimsOf<S>, DimsOf<B>>, "bool">;
  logicalXor(this: Value<Dims, "bool">, b: BoolOperand): Value<Dims, "bool"> {
    return opBool(100, this, b);
  }

  /**
   * not a
   */
  logicalNot<S extends Value<Dims, "bool">>(this: S): Value<DimsOf<S>, "bool"> {
    return opBool(101, this);
  }

  /**
   * 1 where a holds, else 0
   */
  toNumber<S extends Value<Dims, "bool">>(this: S): Value<DimsOf<S>> {
    return opBool(103, this);
  }
}

/**
 * a + b
 *
 * Elementwise; domain: all numbers; correctly rounded.
 * Derivative: by a: 1; by b: 1.
 */
export function add<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function add<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function add(a: Operand, b: Operand): Value<Dims> {
  return op2(10, a, b);
}

/**
 * a - b
 *
 * Elementwise; domain: all numbers; correctly rounded.
 * Derivative: by a: 1; by b: -1.
 */
export function sub<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function sub<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function sub(a: Operand, b: Operand): Value<Dims> {
  return op2(11, a, b);
}

/**
 * a * b
 *
 * Elementwise; domain: all numbers; correctly rounded.
 * Derivative: by a: b; by b: a.
 */
export function mul<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function mul<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function mul(a: Operand, b: Operand): Value<Dims> {
  return op2(12, a, b);
}

/**
 * a / b
 *
 * Elementwise; domain: b != 0; correctly rounded.
 * Derivative: by a: 1 / b; by b: -y / b (y is the value).
 */
export function div<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function div<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function div(a: Operand, b: Operand): Value<Dims> {
  return op2(13, a, b);
}

/**
 * -a
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: -1.
 */
export function neg<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(14, a);
}

/**
 * a * b + c, rounded once
 *
 * Elementwise; domain: all numbers; correctly rounded.
 * Derivative: by a: b; by b: a; by c: 1.
 */
export function fma<A extends Operand, B extends Operand, C extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>, c: C & Fits<Broadcast<DimsOf<A>, DimsOf<B>>, DimsOf<C>>): Value<Broadcast<Broadcast<DimsOf<A>, DimsOf<B>>, DimsOf<C>>> {
  return op3(15, a, b, c);
}

/**
 * a^b
 *
 * Elementwise; domain: a > 0; a = 0 with b >= 0; a < 0 with b an integer; within 1 ULP.
 * Derivative: by a: powDeriv(a, b, 1); by b: powDeriv(a, b, 16).
 */
export function pow<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function pow<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function pow(a: Operand, b: Operand): Value<Dims> {
  return op2(16, a, b);
}

/**
 * sin(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: cos(a).
 */
export function sin<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(17, a);
}

/**
 * cos(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: -sin(a).
 */
export function cos<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(18, a);
}

/**
 * a^2
 *
 * Elementwise; domain: all numbers; correctly rounded.
 * Derivative: 2 * a.
 */
export function square<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(19, a);
}

/**
 * sqrt(a)
 *
 * Elementwise; domain: a >= 0; correctly rounded.
 * Derivative: 0.5 / y (y is the value).
 */
export function sqrt<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(20, a);
}

/**
 * 1 / sqrt(a)
 *
 * Elementwise; domain: a > 0; within 1.5 ULP.
 * Derivative: -0.5 * y / a (y is the value).
 */
export function rsqrt<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(21, a);
}

/**
 * cube root of a, negative for negative a
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: 1 / (3 * square(y)) (y is the value).
 */
export function cbrt<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(22, a);
}

/**
 * 1 / a
 *
 * Elementwise; domain: a != 0; correctly rounded.
 * Derivative: -square(y) (y is the value).
 */
export function reciprocal<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(23, a);
}

/**
 * sqrt(a^2 + b^2)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: by a: hypotDeriv(a, b, 1); by b: hypotDeriv(a, b, 16).
 */
export function hypot<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function hypot<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function hypot(a: Operand, b: Operand): Value<Dims> {
  return op2(24, a, b);
}

/**
 * |a|
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: sign(a).
 */
export function abs<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(25, a);
}

/**
 * -1, 0 or 1 by the sign of a
 *
 * Elementwise; domain: all numbers; exact.
 */
export function sign<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(26, a);
}

/**
 * |a| with the sign of b, that of a zero included; of a NaN either
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: sign(a) * copysign(1, b); by b: 0.
 */
export function copysign<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function copysign<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function copysign(a: Operand, b: Operand): Value<Dims> {
  return op2(27, a, b);
}

/**
 * e^a
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: y (y is the value).
 */
export function exp<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(30, a);
}

/**
 * 2^a
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: exp2Deriv(a, 1).
 */
export function exp2<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(31, a);
}

/**
 * e^a - 1
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: exp(a).
 */
export function expm1<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(32, a);
}

/**
 * natural logarithm of a
 *
 * Elementwise; domain: a > 0; within 1 ULP.
 * Derivative: 1 / a.
 */
export function log<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(33, a);
}

/**
 * logarithm of a to base 2
 *
 * Elementwise; domain: a > 0; within 1 ULP.
 * Derivative: 1.4426950408889634 / a.
 */
export function log2<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(34, a);
}

/**
 * logarithm of a to base 10
 *
 * Elementwise; domain: a > 0; within 1 ULP.
 * Derivative: 0.4342944819032518 / a.
 */
export function log10<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(35, a);
}

/**
 * log(1 + a)
 *
 * Elementwise; domain: a > -1; within 1 ULP.
 * Derivative: 1 / (1 + a).
 */
export function log1p<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(36, a);
}

/**
 * tan(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: 1 + square(y) (y is the value).
 */
export function tan<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(40, a);
}

/**
 * sin(pi a) / (pi a), 1 at 0
 *
 * Elementwise; domain: all numbers; within 4 ULP.
 * Derivative: sincDeriv(a, 1).
 */
export function sinc<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(41, a);
}

/**
 * asin(a)
 *
 * Elementwise; domain: -1 <= a <= 1; within 1 ULP.
 * Derivative: rsqrt(fma(-a, a, 1)).
 */
export function asin<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(42, a);
}

/**
 * acos(a)
 *
 * Elementwise; domain: -1 <= a <= 1; within 1 ULP.
 * Derivative: -rsqrt(fma(-a, a, 1)).
 */
export function acos<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(43, a);
}

/**
 * atan(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: cauchy(a).
 */
export function atan<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(44, a);
}

/**
 * angle of the point (b, a), in (-pi, pi]
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: by a: atan2Deriv(a, b, 2); by b: atan2Deriv(a, b, 3).
 */
export function atan2<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function atan2<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function atan2(a: Operand, b: Operand): Value<Dims> {
  return op2(45, a, b);
}

/**
 * sinh(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: cosh(a).
 */
export function sinh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(46, a);
}

/**
 * cosh(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: sinh(a).
 */
export function cosh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(47, a);
}

/**
 * tanh(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: sech2(a).
 */
export function tanh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(48, a);
}

/**
 * asinh(a)
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: reciprocal(hypot(1, a)).
 */
export function asinh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(49, a);
}

/**
 * acosh(a)
 *
 * Elementwise; domain: a >= 1; within 1 ULP.
 * Derivative: rsqrt(a - 1) * rsqrt(a + 1).
 */
export function acosh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(50, a);
}

/**
 * atanh(a)
 *
 * Elementwise; domain: -1 < a < 1; within 1 ULP.
 * Derivative: reciprocal(fma(-a, a, 1)).
 */
export function atanh<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(51, a);
}

/**
 * 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to a
 *
 * Elementwise; domain: all numbers; within 1 ULP.
 * Derivative: 1.1283791670955126 * gaussian(a).
 */
export function erf<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(55, a);
}

/**
 * 1 - erf(a)
 *
 * Elementwise; domain: all numbers; within 1.5 ULP.
 * Derivative: -1.1283791670955126 * gaussian(a).
 */
export function erfc<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(56, a);
}

/**
 * log |gamma(a)|
 *
 * Elementwise; domain: a other than 0, -1, -2, ...; within 1 ULP.
 * Derivative: digamma(a).
 */
export function lgamma<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(57, a);
}

/**
 * derivative of log gamma(a)
 *
 * Elementwise; domain: a other than 0, -1, -2, ...; within 4 ULP.
 * Derivative: polygamma(a, 1).
 */
export function digamma<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(58, a);
}

/**
 * 1 / (1 + e^-a)
 *
 * Elementwise; domain: all numbers; within 4 ULP.
 * Derivative: sigmoidGrad(a).
 */
export function sigmoid<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(60, a);
}

/**
 * log(sigmoid(a))
 *
 * Elementwise; domain: all numbers; within 4 ULP.
 * Derivative: sigmoid(-a).
 */
export function logsigmoid<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(61, a);
}

/**
 * log(1 + e^a)
 *
 * Elementwise; domain: all numbers; within 4 ULP.
 * Derivative: sigmoid(a).
 */
export function softplus<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(62, a);
}

/**
 * max(a, 0)
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: toNumber(greater(a, 0)).
 */
export function relu<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(63, a);
}

/**
 * log(e^a + e^b)
 *
 * Elementwise; domain: all numbers; within 4 ULP.
 * Derivative: by a: sigmoidDiff(a, b); by b: sigmoidDiff(b, a).
 */
export function logaddexp<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function logaddexp<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function logaddexp(a: Operand, b: Operand): Value<Dims> {
  return op2(64, a, b);
}

/**
 * a log(b), 0 where a is 0
 *
 * Elementwise; domain: b > 0; within 4 ULP.
 * Derivative: by a: log(b); by b: where(logicalAnd(equal(a, 0), equal(b, 0)), 0, a / b).
 */
export function xlogy<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function xlogy<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function xlogy(a: Operand, b: Operand): Value<Dims> {
  return op2(65, a, b);
}

/**
 * a log(1 + b), 0 where a is 0
 *
 * Elementwise; domain: b > -1; within 4 ULP.
 * Derivative: by a: log1p(b); by b: where(logicalAnd(equal(a, 0), equal(1 + b, 0)), 0, a / (1 + b)).
 */
export function xlog1py<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function xlog1py<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function xlog1py(a: Operand, b: Operand): Value<Dims> {
  return op2(66, a, b);
}

/**
 * a log(a), 0 at 0
 *
 * Elementwise; domain: a >= 0; within 4 ULP.
 * Derivative: log(a) + 1.
 */
export function xlogx<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(67, a);
}

/**
 * largest integer not above a
 *
 * Elementwise; domain: all numbers; exact.
 */
export function floor<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(70, a);
}

/**
 * smallest integer not below a
 *
 * Elementwise; domain: all numbers; exact.
 */
export function ceil<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(71, a);
}

/**
 * nearest integer, halves to even
 *
 * Elementwise; domain: all numbers; exact.
 */
export function round<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(72, a);
}

/**
 * integer part of a
 *
 * Elementwise; domain: all numbers; exact.
 */
export function trunc<A extends Operand>(a: A): Value<DimsOf<A>> {
  return op1(73, a);
}

/**
 * a - b floor(a / b), with the sign of b
 *
 * Elementwise; domain: b != 0; correctly rounded.
 * Derivative: by a: 1; by b: -round(a / b - y / b) (y is the value).
 */
export function mod<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function mod<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function mod(a: Operand, b: Operand): Value<Dims> {
  return op2(74, a, b);
}

/**
 * larger of a and b, NaN if either is; ties share the derivative
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: maxWeight(a, b); by b: maxWeight(b, a).
 */
export function maximum<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function maximum<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function maximum(a: Operand, b: Operand): Value<Dims> {
  return op2(75, a, b);
}

/**
 * smaller of a and b, NaN if either is; ties share the derivative
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: maxWeight(b, a); by b: maxWeight(a, b).
 */
export function minimum<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function minimum<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function minimum(a: Operand, b: Operand): Value<Dims> {
  return op2(76, a, b);
}

/**
 * larger of a and b, a NaN ignored; ties share the derivative
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: fmaxWeight(a, b); by b: fmaxWeight(b, a).
 */
export function fmax<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function fmax<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function fmax(a: Operand, b: Operand): Value<Dims> {
  return op2(77, a, b);
}

/**
 * smaller of a and b, a NaN ignored; ties share the derivative
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: fmaxWeight(-a, -b); by b: fmaxWeight(-b, -a).
 */
export function fmin<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>>;
export function fmin<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>>;
export function fmin(a: Operand, b: Operand): Value<Dims> {
  return op2(78, a, b);
}

/**
 * min(max(a, b), c); the bounds count as inside
 *
 * Elementwise; domain: all numbers; exact.
 * Derivative: by a: toNumber(logicalAnd(lessEqual(b, a), lessEqual(a, c))); by b: toNumber(logicalAnd(less(a, b), lessEqual(b, c))); by c: toNumber(greater(maximum(a, b), c)).
 */
export function clip<A extends Operand, B extends Operand, C extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>, c: C & Fits<Broadcast<DimsOf<A>, DimsOf<B>>, DimsOf<C>>): Value<Broadcast<Broadcast<DimsOf<A>, DimsOf<B>>, DimsOf<C>>> {
  return op3(79, a, b, c);
}

/**
 * a == b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function equal<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function equal<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function equal(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(90, a, b);
}

/**
 * a != b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function notEqual<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function notEqual<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function notEqual(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(91, a, b);
}

/**
 * a < b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function less<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function less<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function less(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(92, a, b);
}

/**
 * a <= b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function lessEqual<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function lessEqual<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function lessEqual(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(93, a, b);
}

/**
 * a > b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function greater<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function greater<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function greater(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(94, a, b);
}

/**
 * a >= b
 *
 * Elementwise; domain: all numbers; exact.
 */
export function greaterEqual<B extends Operand>(a: number | Value<[]>, b: B): Value<DimsOf<B>, "bool">;
export function greaterEqual<A extends Operand, B extends Operand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function greaterEqual(a: Operand, b: Operand): Value<Dims, "bool"> {
  return opBool(95, a, b);
}

/**
 * whether a is NaN
 *
 * Elementwise; domain: all numbers; exact.
 */
export function isNan<A extends Operand>(a: A): Value<DimsOf<A>, "bool"> {
  return opBool(96, a);
}

/**
 * whether a is neither infinite nor NaN
 *
 * Elementwise; domain: all numbers; exact.
 */
export function isFinite<A extends Operand>(a: A): Value<DimsOf<A>, "bool"> {
  return opBool(97, a);
}

/**
 * a and b
 */
export function logicalAnd<B extends BoolOperand>(a: boolean | Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
export function logicalAnd<A extends BoolOperand, B extends BoolOperand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function logicalAnd(a: BoolOperand, b: BoolOperand): Value<Dims, "bool"> {
  return opBool(98, a, b);
}

/**
 * a or b
 */
export function logicalOr<B extends BoolOperand>(a: boolean | Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
export function logicalOr<A extends BoolOperand, B extends BoolOperand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function logicalOr(a: BoolOperand, b: BoolOperand): Value<Dims, "bool"> {
  return opBool(99, a, b);
}

/**
 * either a or b
 */
export function logicalXor<B extends BoolOperand>(a: boolean | Value<[], "bool">, b: B): Value<DimsOf<B>, "bool">;
export function logicalXor<A extends BoolOperand, B extends BoolOperand>(a: A, b: B & Fits<DimsOf<A>, DimsOf<B>>): Value<Broadcast<DimsOf<A>, DimsOf<B>>, "bool">;
export function logicalXor(a: BoolOperand, b: BoolOperand): Value<Dims, "bool"> {
  return opBool(100, a, b);
}

/**
 * not a
 */
export function logicalNot<A extends BoolOperand>(a: A): Value<DimsOf<A>, "bool"> {
  return opBool(101, a);
}

/**
 * 1 where a holds, else 0
 */
export function toNumber<A extends BoolOperand>(a: A): Value<DimsOf<A>> {
  return opBool(103, a);
}
