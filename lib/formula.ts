/**
 * Formulas as text, from programs and from users: a tokenizer and a Pratt parser (Pratt, "Top Down
 * Operator Precedence", 1973) that leaves a list of steps in postfix order. Nothing is evaluated as
 * JavaScript and no property is read by a name from the text: names are looked up in maps.
 */
import { AdjointError, amend, type ErrorDetails } from "./error.js";
import { ArgumentError, LimitError, NameError, ParseError } from "./generated/errors.js";
import { elementwiseRows, Op } from "./generated/operations.js";
import { cut, optionsOf, shown } from "./numbers.js";
import * as structural from "./structural.js";
import { op1, op2, op3, opBool } from "./trace.js";
import type { BoolOperand, Operand } from "./types.js";

/** How much a formula may be. */
export interface FormulaLimits {
  /** Characters; 10,000 by default. */
  readonly length?: number;
  /** Parentheses, calls, signs and powers inside each other; 200 by default. */
  readonly depth?: number;
  /** Operations, names and numbers; 10,000 by default. */
  readonly work?: number;
}

type Any = Operand | BoolOperand;

/** What a step of a formula does to the stack of values. */
type Step = { /** Where it stands in the text. */ readonly position: number } & (
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "hole"; readonly index: number }
  | {
      readonly kind: "call";
      readonly apply: (operands: readonly Any[]) => Any;
      readonly arity: number;
    }
);

/** A parsed formula. */
export interface Program {
  /** Its text, with "[]" for each hole. */
  readonly source: string;
  readonly steps: readonly Step[];
  /** The names it uses, in order of appearance. */
  readonly names: readonly string[];
}

interface Token {
  readonly kind: "number" | "name" | "hole" | "sign" | "end";
  readonly text: string;
  readonly position: number;
  /** Of a number: its value; of a hole: its index. */
  readonly value: number;
}

// --- functions ------------------------------------------------------------------------------------

interface FormulaFunction {
  readonly least: number;
  readonly most: number;
  readonly apply: (operands: readonly Any[]) => Any;
}

function elementwise(name: string): (operands: readonly Any[]) => Any {
  const row = elementwiseRows.get(name)!;
  const { code } = row;
  if (row.takes === "bool" || row.gives === "bool") return (operands) => opBool(code, ...operands);
  switch (row.arity) {
    case 1:
      return ([a]) => op1(code, a as Operand);
    case 2:
      return ([a, b]) => op2(code, a as Operand, b as Operand);
    default:
      return ([a, b, c]) => op3(code, a!, b!, c!);
  }
}

function extreme(
  pairwise: (operands: readonly Any[]) => Any,
  reduce: (a: Operand) => Operand,
): FormulaFunction {
  return {
    least: 1,
    most: 100,
    apply: ([first, ...rest]) =>
      rest.length === 0
        ? reduce(first as Operand)
        : rest.reduce((so, next) => pairwise([so, next]), first!),
  };
}

function one(apply: (a: Operand) => Operand): FormulaFunction {
  return { least: 1, most: 1, apply: ([a]) => apply(a as Operand) };
}

function makeFunctions(): ReadonlyMap<string, FormulaFunction> {
  const functions = new Map<string, FormulaFunction>();
  for (const [name, { arity }] of elementwiseRows) {
    functions.set(name, { least: arity, most: arity, apply: elementwise(name) });
  }
  functions.set("ln", { least: 1, most: 1, apply: elementwise("log") });
  functions.set(
    "max",
    extreme(elementwise("maximum"), (a) => structural.max(a)),
  );
  functions.set(
    "min",
    extreme(elementwise("minimum"), (a) => structural.min(a)),
  );
  functions.set("where", {
    least: 3,
    most: 3,
    apply: ([condition, a, b]) => op3(Op.Where, condition!, a!, b!),
  });
  functions.set(
    "sum",
    one((a) => structural.sum(a)),
  );
  functions.set(
    "mean",
    one((a) => structural.mean(a)),
  );
  functions.set(
    "prod",
    one((a) => structural.prod(a)),
  );
  functions.set(
    "var",
    one((a) => structural.variance(a)),
  );
  functions.set(
    "std",
    one((a) => structural.std(a)),
  );
  functions.set(
    "norm",
    one((a) => structural.norm(a)),
  );
  functions.set(
    "median",
    one((a) => structural.median(a)),
  );
  functions.set(
    "logsumexp",
    one((a) => structural.logsumexp(a)),
  );
  functions.set(
    "cumsum",
    one((a) => structural.cumsum(a)),
  );
  functions.set("dot", {
    least: 2,
    most: 2,
    apply: ([a, b]) => structural.dot(a as Operand, b as never),
  });
  return functions;
}

let functionTable: ReadonlyMap<string, FormulaFunction> | undefined;
const functions = () => (functionTable ??= makeFunctions());

const constants: ReadonlyMap<string, number> = new Map([
  ["pi", Math.PI],
  ["e", Math.E],
]);

/** Names that formulas can call, sorted. */
export function formulaFunctions(): string[] {
  return [...functions().keys()].sort();
}

// --- infix signs ----------------------------------------------------------------------------------

interface Infix {
  /** How strongly it binds; more is stronger. */
  readonly power: number;
  readonly name: string;
  /** "left": a - b - c; "right": a ^ b ^ c; "none": a < b < c is refused. */
  readonly associates: "left" | "right" | "none";
}

const unaryPower = 6;

const infixes: ReadonlyMap<string, Infix> = new Map([
  ["||", { power: 1, name: "logicalOr", associates: "left" }],
  ["&&", { power: 2, name: "logicalAnd", associates: "left" }],
  ["<", { power: 3, name: "less", associates: "none" }],
  ["<=", { power: 3, name: "lessEqual", associates: "none" }],
  [">", { power: 3, name: "greater", associates: "none" }],
  [">=", { power: 3, name: "greaterEqual", associates: "none" }],
  ["==", { power: 3, name: "equal", associates: "none" }],
  ["!=", { power: 3, name: "notEqual", associates: "none" }],
  ["+", { power: 4, name: "add", associates: "left" }],
  ["-", { power: 4, name: "sub", associates: "left" }],
  ["*", { power: 5, name: "mul", associates: "left" }],
  ["/", { power: 5, name: "div", associates: "left" }],
  ["^", { power: 7, name: "pow", associates: "right" }],
  ["**", { power: 7, name: "pow", associates: "right" }],
]);

const prefixes: ReadonlyMap<string, string> = new Map([
  ["-", "neg"],
  ["+", ""],
  ["!", "logicalNot"],
]);

// --- the tokenizer --------------------------------------------------------------------------------

// Sticky and free of nested repetition: linear in the text.
const space = /\s+/y;
const number = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const name = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy;
const sign = /\*\*|\|\||&&|<=|>=|==|!=|[-+*/^()<>,!]/y;

function matchAt(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

function tokensOf(part: string, start: number, source: string, details: ErrorDetails): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < part.length) {
    const blank = matchAt(space, part, at);
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    const position = start + at;
    const digits = matchAt(number, part, at);
    const word = digits === undefined ? matchAt(name, part, at) : undefined;
    const text = digits ?? word ?? matchAt(sign, part, at);
    if (text === undefined) {
      const [character] = part.slice(at);
      throw syntax(source, position, `unexpected ${JSON.stringify(character)}`, details);
    }
    const kind = digits !== undefined ? "number" : word !== undefined ? "name" : "sign";
    const value = digits === undefined ? 0 : Number(digits);
    if (!Number.isFinite(value)) {
      throw syntax(source, position, `${cut(text)} is too large for a double`, details);
    }
    tokens.push({ kind, text, position, value });
    at += text.length;
  }
  return tokens;
}

/** The text around a position with a caret under it. */
function excerpt(source: string, position: number): string {
  const from = Math.max(0, position - 40);
  const to = Math.min(source.length, position + 30);
  const before = from > 0 ? "..." : "";
  const line =
    before + source.slice(from, to).replace(/\s/g, " ") + (to < source.length ? "..." : "");
  return `  ${line}\n  ${" ".repeat(before.length + position - from)}^`;
}

/** A message that says where in the formula it is about. */
function placed(what: string, source: string, position: number, hint = ""): string {
  return `formula: ${what} at position ${position}${hint}\n${excerpt(source, position)}\n`;
}

function syntax(source: string, position: number, what: string, details: ErrorDetails): ParseError {
  return new ParseError(placed(what, source, position), { ...details, position });
}

// --- the parser -----------------------------------------------------------------------------------

class Parser {
  readonly #steps: Step[] = [];
  readonly #names = new Set<string>();
  #next = 0;
  #depth = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly source: string,
    private readonly allowed: ReadonlySet<string> | undefined,
    private readonly maxDepth: number,
    private readonly maxWork: number,
    private readonly details: ErrorDetails,
  ) {}

  parse(): Program {
    this.#expression(0);
    const token = this.#peek();
    if (token.kind !== "end") throw this.#unexpected(token);
    return { source: this.source, steps: this.#steps, names: [...this.#names] };
  }

  #peek(): Token {
    return this.tokens[this.#next]!;
  }

  #error(token: Token, what: string): ParseError {
    return syntax(this.source, token.position, what, this.details);
  }

  #unexpected(token: Token): ParseError {
    if (token.kind === "end") return this.#error(token, "unexpected end");
    const what = token.kind === "hole" ? "a value" : JSON.stringify(cut(token.text));
    return this.#error(token, `unexpected ${what}`);
  }

  #emit(step: Step): void {
    if (this.#steps.push(step) > this.maxWork) {
      throw this.#limit(`more than ${this.maxWork} operations`, step.position);
    }
  }

  #limit(what: string, position: number): LimitError {
    return new LimitError(placed(what, this.source, position), { ...this.details, position });
  }

  #emitCall(name: string, arity: number, position: number): void {
    this.#emit({ kind: "call", apply: functions().get(name)!.apply, arity, position });
  }

  /** Parses what binds more strongly than `power`. Every recursion passes here, so here is the limit. */
  #expression(power: number): void {
    if (++this.#depth > this.maxDepth) {
      throw this.#limit(`nested deeper than ${this.maxDepth}`, this.#peek().position);
    }
    this.#operand();
    for (;;) {
      const token = this.#peek();
      const infix = token.kind === "sign" ? infixes.get(token.text) : undefined;
      if (infix === undefined || infix.power <= power) break;
      this.#next++;
      this.#expression(infix.associates === "right" ? infix.power - 1 : infix.power);
      this.#emitCall(infix.name, 2, token.position);
      const after = infixes.get(this.#peek().text);
      if (infix.associates === "none" && after?.power === infix.power) {
        throw this.#error(this.#peek(), "comparisons do not chain; use && between them");
      }
    }
    this.#depth--;
  }

  #operand(): void {
    const token = this.#peek();
    const { position } = token;
    this.#next++;
    switch (token.kind) {
      case "number":
        this.#emit({ kind: "number", value: token.value, position });
        return;
      case "hole":
        this.#emit({ kind: "hole", index: token.value, position });
        return;
      case "name":
        this.#name(token);
        return;
      default:
        break;
    }
    if (token.text === "(" && token.kind === "sign") {
      this.#expression(0);
      this.#expect(")");
      return;
    }
    const prefix = token.kind === "sign" ? prefixes.get(token.text) : undefined;
    if (prefix === undefined) {
      this.#next--;
      throw this.#unexpected(token);
    }
    this.#expression(unaryPower);
    if (prefix !== "") this.#emitCall(prefix, 1, position);
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (token.kind !== "sign" || token.text !== text) {
      throw this.#error(token, `expected ${JSON.stringify(text)}`);
    }
    this.#next++;
  }

  #name(token: Token): void {
    const following = this.#peek();
    if (following.kind === "sign" && following.text === "(") {
      this.#call(token);
      return;
    }
    const { text, position } = token;
    if (this.allowed === undefined ? !constants.has(text) : this.allowed.has(text)) {
      this.#names.add(text);
      this.#emit({ kind: "name", name: text, position });
      return;
    }
    const value = constants.get(text);
    if (value === undefined) throw this.#unknown(token);
    this.#emit({ kind: "number", value, position });
  }

  #unknown({ text, position }: Token): NameError {
    const known = [...(this.allowed ?? [])].slice(0, 12).map(cut).join(", ");
    const hint = functions().has(text)
      ? `${text} is a function: write ${text}(...)`
      : known === ""
        ? "no names are given"
        : `the names are ${known}`;
    const what = `unknown name ${JSON.stringify(cut(text))}`;
    const message = placed(what, this.source, position, `; ${hint}`);
    return new NameError(message, { ...this.details, position });
  }

  #call(token: Token): void {
    const found = functions().get(token.text);
    if (found === undefined) {
      const { text, position } = token;
      const what = `unknown function ${JSON.stringify(cut(text))}`;
      throw new NameError(placed(what, this.source, position), { ...this.details, position });
    }
    this.#expect("(");
    let count = 0;
    if (this.#peek().text !== ")") {
      do {
        this.#expression(0);
        count++;
      } while (this.#comma());
    }
    this.#expect(")");
    if (count < found.least || count > found.most) {
      const { least, most } = found;
      const takes = least === most ? `${least}` : `${least} to ${most}`;
      throw this.#error(token, `${token.text} takes ${takes} arguments, got ${count}`);
    }
    this.#emit({ kind: "call", apply: found.apply, arity: count, position: token.position });
  }

  #comma(): boolean {
    const token = this.#peek();
    if (token.kind !== "sign" || token.text !== ",") return false;
    this.#next++;
    return true;
  }
}

function limitOf(given: unknown, standard: number, what: string, details: ErrorDetails): number {
  if (given === undefined) return standard;
  if (typeof given !== "number" || !Number.isSafeInteger(given) || given < 1) {
    const got = shown(given);
    throw new ArgumentError(`formula: the limit of ${what} is a count, got ${got}`, details);
  }
  return given;
}

const limitNames = ["length", "depth", "work"] as const;

/**
 * Parses the pieces of a formula, between which holes stand.
 * @param allowed the names a formula may use; any but the constants' when undefined
 */
export function parseParts(
  parts: readonly string[],
  allowed: ReadonlySet<string> | undefined,
  limits: unknown,
  details: ErrorDetails,
): Program {
  const hole = "[]";
  const given = optionsOf("formula", limits, limitNames);
  const length = limitOf(given.length, 10_000, "length", details);
  const depth = limitOf(given.depth, 200, "depth", details);
  const work = limitOf(given.work, 10_000, "work", details);
  // The parser calls itself: past this depth JavaScript's own stack would be the limit.
  if (depth > 1000) throw new ArgumentError("formula: the limit of depth is at most 1000", details);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total > length) {
    const what = `formula: ${total} characters are more than ${length}`;
    throw new LimitError(what, { ...details, position: length });
  }
  const source = parts.join(hole);
  const tokens: Token[] = [];
  let start = 0;
  parts.forEach((part, index) => {
    for (const token of tokensOf(part, start, source, details)) tokens.push(token);
    start += part.length;
    if (index === parts.length - 1) return;
    tokens.push({ kind: "hole", text: hole, position: start, value: index });
    start += hole.length;
  });
  tokens.push({ kind: "end", text: "", position: source.length, value: 0 });
  return new Parser(tokens, source, allowed, depth, work, details).parse();
}

/** Runs a formula's steps on traced values. Errors say which part of the text they are about. */
export function evaluate(
  program: Program,
  holes: readonly Any[],
  lookUp: (name: string) => Any,
): Any {
  const stack: Any[] = [];
  let position = 0;
  try {
    for (const step of program.steps) {
      position = step.position;
      switch (step.kind) {
        case "number":
          stack.push(step.value);
          break;
        case "name":
          stack.push(lookUp(step.name));
          break;
        case "hole":
          stack.push(holes[step.index]!);
          break;
        default:
          stack.push(step.apply(stack.splice(stack.length - step.arity)));
      }
    }
  } catch (error) {
    if (error instanceof AdjointError && error.position === undefined) {
      const told = (message: string) => message.replace(/^formula: /, "");
      amend(error, (message) => placed(told(message), program.source, position), { position });
    }
    throw error;
  }
  return stack[0]!;
}
