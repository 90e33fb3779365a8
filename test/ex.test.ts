import {
  AdjointError,
  ArgumentError,
  type BoolValue,
  ex,
  fn,
  formulaFunctions,
  grad,
  LimitError,
  NameError,
  type Operand,
  ParseError,
  parse,
  ShapeError,
  scalar,
  TraceError,
  type Value,
  vector,
  where,
} from "adjoint";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

/** The number a formula of numbers gives. */
function compute(text: string, values: Record<string, number> = {}): number {
  const formula = parse(text, Object.keys(values));
  const spec = Object.fromEntries(Object.keys(values).map((name) => [name, scalar()]));
  const f = fn(spec, (traced) => {
    const result = formula(traced);
    return result.dtype === "f64" ? result : where(result as unknown as BoolValue, 1, 0);
  });
  return f(values) as number;
}

function caught(call: () => unknown): AdjointError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(AdjointError);
    return error as AdjointError;
  }
  throw new Error("nothing was thrown");
}

describe("arithmetic", () => {
  test("precedence and associativity", () => {
    const cases: [string, number][] = [
      ["1 + 2 * 3", 7],
      ["(1 + 2) * 3", 9],
      ["8 - 3 - 2", 3],
      ["16 / 4 / 2", 2],
      ["2 ^ 3 ^ 2", 512],
      ["2 ** 3 ** 2", 512],
      ["-2 ^ 2", -4],
      ["(-2) ^ 2", 4],
      ["2 ^ -1", 0.5],
      ["2 ^ -1 ^ 2", 0.5],
      ["--3", 3],
      ["-+-3", 3],
      ["2 * -3", -6],
      ["-2 * 3", -6],
      ["1e3 + .5 + 2. + 1.5E-1", 1002.65],
      ["3 < 2", 0],
      ["3 >= 2 && 1 != 2", 1],
      ["!(3 == 3) || 2 <= 1", 0],
      ["1 + 1 == 2", 1],
      ["where(1 < 2, 10, 20)", 10],
      ["max(1, 5, 3) + min(4, 2)", 7],
      ["ln(e) + cos(pi)", 0],
      ["hypot(3, 4)", 5],
      ["clip(7, 0, 5)", 5],
      ["  1\n+\t2 ", 3],
    ];
    for (const [text, value] of cases) expect(compute(text), text).toBe(value);
  });

  test("names", () => {
    expect(compute("b1*(1-exp(-b2*x))", { b1: 2, b2: 0.5, x: 3 })).toBeCloseTo(
      2 * (1 - Math.exp(-1.5)),
      15,
    );
    expect(compute("e + pi", { e: 1, pi: 2 })).toBe(3);
    expect(compute("größe_1 + _x", { größe_1: 1, _x: 2 })).toBe(3);
    expect(parse("b*x + a*x + sin(x)").names).toEqual(["b", "x", "a"]);
    expect(parse("2*pi").names).toEqual([]);
    // Names of every object's properties are names like others.
    expect(compute("constructor + toString", { constructor: 1, toString: 2 })).toBe(3);
  });

  test("random expressions agree with JavaScript's", () => {
    const leaf = fc.oneof(
      fc.integer({ min: 0, max: 9 }).map(String),
      fc.constantFrom("x", "y", "0.5", "1e2"),
    );
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 6 },
        leaf,
        fc
          .tuple(tie("expression"), fc.constantFrom("+", "-", "*", "/"), tie("expression"))
          .map(([a, sign, b]) => `${a} ${sign} ${b}`),
        tie("expression").map((a) => `(${a})`),
        tie("expression").map((a) => `(- ${a})`),
      ),
    }));
    fc.assert(
      fc.property(expression, (text) => {
        const expected = new Function("x", "y", `return ${text}`)(1.5, -2.25) as number;
        const found = compute(text, { x: 1.5, y: -2.25 });
        // A multiplication and an addition may be fused, which rounds once.
        if (Number.isFinite(expected)) {
          expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(expected)));
        }
      }),
      { numRuns: 150 },
    );
  });

  test("every function can be called", () => {
    const names = formulaFunctions();
    expect(names).toEqual(expect.arrayContaining(["sin", "atan2", "where", "max", "mean", "ln"]));
    expect(names).not.toContain("constructor");
  });
});

describe("ex", () => {
  test("holes hold values, numbers and conditions", () => {
    const f = fn({ x: vector(2), s: scalar() }, ({ x, s }) => {
      const shifted: Value = ex`-${x}^2 + ${s} * ${3}`;
      return ex`where(${x.greater(1)}, ${shifted}, sum(${x}))`;
    });
    expect(f({ x: [1, 2], s: 10 })).toEqual(Float64Array.of(3, 26));
  });

  test("is differentiated as what it says", () => {
    const f = fn({ x1: scalar(), x2: scalar() }, ({ x1, x2 }) => ex`${x1} * ${x2} + sin(${x1})`);
    expect(f({ x1: 2, x2: 3 })).toBe(6.909297426825682);
    expect(grad(f)({ x1: 2, x2: 3 })).toEqual({ x1: 2.5838531634528574, x2: 2 });
  });

  test("knows only functions and constants", () => {
    fn({ x: scalar() }, ({ x }) => {
      expect(caught(() => ex`${x} + y`)).toBeInstanceOf(NameError);
      expect(caught(() => ex`${x} + `)).toBeInstanceOf(ParseError);
      expect(caught(() => ex`${x}${x}`)).toBeInstanceOf(ParseError);
      expect(caught(() => ex`${x}(2)`)).toBeInstanceOf(ParseError);
      expect(caught(() => ex`${x} + ${"1" as never}`)).toBeInstanceOf(ArgumentError);
      return x;
    });
    expect(caught(() => (ex as unknown as (text: string) => void)("1 + 1"))).toBeInstanceOf(
      ArgumentError,
    );
  });

  test("without traced values it is a constant of the function being traced", () => {
    expect(fn({ x: scalar() }, ({ x }) => ex`2 * pi`.mul(x))({ x: 1 })).toBe(2 * Math.PI);
    expect(caught(() => ex`1 + 1`)).toBeInstanceOf(TraceError);
  });
});

describe("formulas from users", () => {
  test("errors say where", () => {
    const cases: [text: string, position: number, message: RegExp][] = [
      ["1 +", 3, /unexpected end/],
      ["", 0, /unexpected end/],
      ["(1 + 2", 6, /expected "\)"/],
      ["1 + 2)", 5, /unexpected "\)"/],
      ["2 x", 2, /unexpected "x"/],
      ["x y", 2, /unexpected "y"/],
      ["1 @ 2", 2, /unexpected "@"/],
      ["x.constructor", 1, /unexpected "\."/],
      ["x[0]", 1, /unexpected "\["/],
      ["a = 1", 2, /unexpected "="/],
      ["1 < 2 < 3", 6, /do not chain/],
      ["sin()", 0, /takes 1 arguments, got 0/],
      ["sin(1, 2)", 0, /takes 1 arguments, got 2/],
      ["max()", 0, /takes 1 to 100/],
      ["1e999", 0, /too large/],
      ["1..2", 2, /unexpected/],
      ["`1`", 0, /unexpected/],
    ];
    for (const [text, position, message] of cases) {
      const error = caught(() => parse(text));
      expect(error, text).toBeInstanceOf(ParseError);
      expect(error.code).toBe("ERR_PARSE");
      expect(error.position, text).toBe(position);
      expect(error.message, text).toMatch(message);
      const lines = error.message.split("\n");
      expect(lines[2]!.indexOf("^") - 2, text).toBe(position);
    }
  });

  test("the caret stays under its place in long formulas", () => {
    const { message } = caught(() => parse(`${"x + ".repeat(100)}? + ${"x".repeat(100)}`));
    const [, shown, caret] = message.split("\n");
    expect(shown![caret!.indexOf("^")]).toBe("?");
    expect(shown!.length).toBeLessThan(100);
  });

  test("unknown names and functions", () => {
    expect(caught(() => parse("a + b", ["a"])).message).toMatch(/unknown name "b".*names are a/);
    expect(caught(() => parse("sin + 1", ["a"])).message).toMatch(/write sin\(\.\.\.\)/);
    for (const text of ["foo(1)", "constructor(1)", "__proto__(1)", "eval(1)", "toString()"]) {
      expect(
        caught(() => parse(text)),
        text,
      ).toBeInstanceOf(NameError);
    }
    const f = parse("a + b");
    fn({ a: scalar() }, ({ a }) => {
      expect(caught(() => f({ a } as never))).toBeInstanceOf(NameError);
      expect(caught(() => f(null as never))).toBeInstanceOf(ArgumentError);
      return a;
    });
    expect(caught(() => fn({}, () => parse("toString")({} as never)))).toBeInstanceOf(NameError);
  });

  test("shapes are checked where the formula is used", () => {
    const f = parse("a + b");
    const wrong = () => fn({ a: vector(2), b: vector(3) }, (values) => f(values));
    expect(caught(wrong)).toBeInstanceOf(ShapeError);
  });

  test("limits on length, depth and work", () => {
    const hostile = [
      "(".repeat(100_000),
      `${"-".repeat(9_000)}1`,
      `${"2^".repeat(4_000)}2`,
      `${"sin(".repeat(2_000)}1${")".repeat(2_000)}`,
      `${"!".repeat(5_000)}1`,
      "1+".repeat(60_000),
      "x".repeat(20_000),
    ];
    for (const text of hostile) expect(caught(() => parse(text))).toBeInstanceOf(LimitError);
    expect(caught(() => parse("1+1+1", [], { work: 3 }))).toBeInstanceOf(LimitError);
    expect(caught(() => parse("((1))", [], { depth: 2 }))).toBeInstanceOf(LimitError);
    expect(caught(() => parse("1+1+1", [], { length: 3 }))).toBeInstanceOf(LimitError);
    expect(caught(() => parse("1", [], { depth: Number.NaN }))).toBeInstanceOf(ArgumentError);
    expect(compute(`${"1+".repeat(3_000)}1`)).toBe(3001);
    expect(compute(`${"(".repeat(150)}1${")".repeat(150)}`)).toBe(1);
  });

  test("no text makes anything else than a formula or an error of this package", () => {
    const pieces = fc.constantFrom(
      ...[
        "(",
        ")",
        "+",
        "-",
        "*",
        "/",
        "^",
        "**",
        "<",
        "==",
        "&&",
        "!",
        ",",
        "x",
        "y",
        "sin",
        "max",
      ],
      ...[
        "1",
        ".5",
        "1e9",
        "where",
        "__proto__",
        "constructor",
        ".",
        "[",
        "]",
        "$",
        "{",
        "'",
        ";",
        "\u0000",
      ],
    );
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join("")),
      fc.string({ maxLength: 40 }),
      fc.string({ unit: "binary", maxLength: 40 }),
    );
    fc.assert(
      fc.property(text, (formula) => {
        try {
          const f = parse(formula, ["x", "y"]);
          fn({ x: scalar(), y: vector(2) }, (values) => f(values as Record<"x" | "y", Operand>));
        } catch (error) {
          expect(error).toBeInstanceOf(AdjointError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
