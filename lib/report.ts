/** The table of a textbook: what every step of a function computes. */
import type { Core } from "./core.js";
import { ArgumentError } from "./generated/errors.js";
import { allocate, describe } from "./numbers.js";
import { packLists } from "./pack.js";
import { type Leaf, leavesOf } from "./tree.js";

/** One step of a computation. */
export interface TraceRow {
  /** "v1", "v2", ... in the order of computation. */
  readonly name: string;
  /** What it computes, in terms of the names before it: "v1 * v2". */
  readonly text: string;
  readonly shape: readonly number[];
  /** Its value, row-major. */
  readonly primal: Float64Array;
  /** Its derivative along the seed. */
  readonly tangent: Float64Array;
  /** The derivative of the result by it; empty unless the result is one scalar. */
  readonly adjoint: Float64Array;
}

/** The primal, tangent and adjoint of every step. */
export interface TraceTable {
  readonly rows: readonly TraceRow[];
  /** The table as text; numbers with 6 digits, long tensors cut. */
  toString(): string;
}

const signs: Readonly<Record<string, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
};

/** "mul(v0, v1)", numbered as the tape is, with the names of this table and signs: "v1 * v2". */
function readable(text: string, names: ReadonlyMap<string, string>): string {
  const [, operation, inside = "", attributes] = /^(\w+)\((v\d.*?)(?:; (.*))?\)$/.exec(text) ?? [];
  if (operation === undefined) return text;
  const operands = inside.split(", ").map((operand) => names.get(operand) ?? operand);
  const sign = signs[operation];
  if (sign !== undefined && operands.length === 2) return operands.join(` ${sign} `);
  if (operation === "neg") return `-${operands.join("")}`;
  return `${operation}(${operands.join(", ")}${attributes === undefined ? "" : `; ${attributes}`})`;
}

function formatNumbers(values: Float64Array): string {
  const shown = Array.from(values.subarray(0, 4), (value) => String(Number(value.toPrecision(6))));
  if (values.length === 0) return "";
  if (values.length === 1) return shown[0]!;
  return `[${shown.join(", ")}${values.length > 4 ? `, ... ${values.length}` : ""}]`;
}

export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  // No spread: a call takes some hundred thousand arguments, and a table may have more rows.
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]!.length), title.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd();
  return [
    line(header),
    widths.map((width) => "-".repeat(width)).join("  "),
    ...rows.map(line),
  ].join("\n");
}

function firstSeed(leaves: readonly Leaf[]): Float64Array[] {
  const lists = leaves.map(({ count, path }) => allocate(count, path));
  const first = lists.find((list) => list.length > 0);
  if (first !== undefined) first[0] = 1;
  return lists;
}

export function traceTable(core: Core, inputs: unknown, seed: unknown): TraceTable {
  const { tape } = core;
  if (core.args.length !== 1) {
    throw new ArgumentError("trace takes functions of one argument");
  }
  if (seed !== undefined && (typeof seed !== "object" || seed === null)) {
    throw new ArgumentError(`trace: the seed is a record like the inputs, got ${describe(seed)}`);
  }
  const lists = packLists(core.args[0]!, inputs);
  const seeds =
    seed === undefined ? firstSeed(leavesOf(core.args[0]!)) : packLists(core.args[0]!, seed);
  const found = tape.trace(lists, seeds);
  const names = new Map(found.map(({ node }, i) => [`v${node}`, `v${i + 1}`]));
  const rows = found.map(({ text, shape, primal, tangent, adjoint }, i) => ({
    name: `v${i + 1}`,
    text: readable(text, names),
    shape,
    primal,
    tangent,
    adjoint,
  }));
  return Object.defineProperty({ rows }, "toString", { value: () => textOf(rows) }) as TraceTable;
}

function textOf(rows: readonly TraceRow[]): string {
  return formatTable(
    ["step", "is", "primal", "tangent", "adjoint"],
    rows.map((row) => [
      row.name,
      row.text,
      formatNumbers(row.primal),
      formatNumbers(row.tangent),
      formatNumbers(row.adjoint),
    ]),
  );
}
