/** What sparse Jacobians and Hessians have in common: options, the core's answer, and what `explain` says of it. */
import type { Core, Note } from "../core.js";
import { completed, here, outOfMemory } from "../fail.js";
import { ArgumentError } from "../generated/errors.js";
import {
  type NativeJacobianBlock,
  type NativeSparseDerivative,
  type NativeSparseWay,
  native,
} from "../native.js";
import { describe, oneOf, optionsOf, wholeOf } from "../numbers.js";
import { choice, derived, type wrtOf } from "../transforms.js";
import type { Tree } from "../tree.js";
import { type Coloring, type ColoringMethod, type ColoringOrder, orders } from "./coloring.js";
import { type Compressed, wholeRowsOf } from "./compress.js";
import type { SparseDerivativeOptions, SparseFunction, SparseMethod } from "./jacobian.js";
import { SparseMatrix } from "./matrix.js";
import {
  type AnyPattern,
  patternOf,
  requireShape,
  requireWhole,
  type SparseFormat,
  sizeOf,
  type Triangle,
} from "./pattern.js";
import { patternFrom } from "./places.js";
import { type SpyOptions, spyHtml } from "./spy.js";

/** What is asked of the core. */
export interface Request extends Chosen {
  readonly of: "jacobian" | "hessian";
  readonly inputs: ReturnType<typeof wrtOf>;
  readonly mode: "auto" | "forward" | "reverse";
  readonly format: SparseFormat;
  readonly triangle: Triangle;
  readonly withValues: boolean;
  readonly result: Tree;
}

/** What the options of Jacobians and Hessians alike say. */
interface Chosen {
  readonly method: SparseMethod;
  readonly coloring: ColoringMethod | undefined;
  readonly order: ColoringOrder | undefined;
  readonly seed: number;
  readonly pattern: AnyPattern | undefined;
  readonly maxColors: number;
  readonly maxNonzeros: number;
}

/** The entries; their number is the tape's. */
export const entries: Tree = {
  kind: "leaf",
  index: 0,
  path: "",
  shape: [0],
  isBool: false,
  count: 0,
};

const ways = ["auto", "instances", "coloring"] as const satisfies readonly SparseMethod[];
const maxCount = 2 ** 31 - 1;

/** An option that is true or false. */
export function flagOf(what: string, name: string, given: unknown = false): boolean {
  if (typeof given === "boolean") return given;
  throw new ArgumentError(`${what}: ${name} is true or false, got ${describe(given)}`, here());
}

function oneOrNone<T extends string>(
  what: string,
  name: string,
  given: unknown,
  possible: readonly [T, ...T[]],
): T | undefined {
  return given === undefined ? undefined : oneOf(what, name, given, possible);
}

/** Options that both have, checked. */
export function requestOf<M extends ColoringMethod>(
  what: string,
  options: Partial<SparseDerivativeOptions<string, SparseFormat, M>> = {},
  methods: readonly [M, ...M[]],
): Chosen {
  const method = oneOf(what, "method", options.method, ways);
  const coloring = optionsOf(`${what}: coloring`, options.coloring, ["method", "order", "seed"]);
  const given = options.pattern instanceof SparseMatrix ? options.pattern.pattern : options.pattern;
  return {
    method,
    coloring: oneOrNone(what, "coloring.method", coloring.method, methods),
    order: oneOrNone(what, "coloring.order", coloring.order, orders),
    seed: wholeOf(what, "coloring.seed", coloring.seed ?? 0, 0),
    pattern: given === undefined ? undefined : patternFrom(`${what}: pattern`, given),
    maxColors: wholeOf(what, "maxColors", options.maxColors ?? maxCount, 1),
    maxNonzeros: wholeOf(what, "maxNonzeros", options.maxNonzeros ?? maxCount, 0),
  };
}

/** The rows of a pattern that is given; of a triangle those of the whole matrix. */
function givenRows(
  core: Core,
  what: string,
  pattern: AnyPattern,
  { of, inputs }: Request,
): Compressed {
  const columns = sizeOf(inputs.tree);
  const rows = of === "hessian" ? columns : sizeOf(core.result);
  requireShape(`${what}(${core.name})`, pattern, rows, columns);
  requireWhole(what, pattern.triangle, of);
  return wholeRowsOf(pattern);
}

const none = new Int32Array(0);

function find(core: Core, what: string, request: Request): NativeSparseDerivative {
  const { of, inputs, method, mode, format, triangle, coloring, order, pattern } = request;
  const rows = pattern && givenRows(core, what, pattern, request);
  return native.sparseDerivative(
    core.tape,
    inputs.positions,
    [of, method, mode, format, triangle, coloring ?? "", order ?? ""],
    [
      ...[request.seed, request.maxNonzeros, request.maxColors, Number(request.withValues)],
      ...(pattern === undefined ? [] : [pattern.rows, pattern.columns]),
    ],
    rows?.starts ?? none,
    rows?.indices ?? none,
  );
}

/** The Jacobian or Hessian of a function. */
export function sparse<A extends readonly unknown[], F extends SparseFormat, R>(
  core: Core,
  what: "sparseJacobian" | "sparseHessian",
  request: Request,
): SparseFunction<A, F, R> {
  const { inputs, format, triangle, of } = request;
  let found: NativeSparseDerivative | undefined;
  const result = derived<A, R>(core, what, () => {
    found = find(core, what, request);
    return { tape: found.tape, result: request.result, notes: notesOf(core, found, request) };
  });
  try {
    const { tree } = inputs;
    const rows = of === "hessian" ? tree : core.result;
    const pattern = patternOf(found!, format, triangle, rows, tree);
    const coloring = coloringOf(found!);
    const toHtml = (options?: SpyOptions) =>
      spyHtml(pattern, coloring === undefined ? options : { coloring, ...options });
    return Object.defineProperties(result, {
      pattern: { value: pattern },
      coloring: { value: coloring },
      toHtml: { value: toHtml },
    }) as unknown as SparseFunction<A, F, R>;
  } catch (error) {
    throw completed(outOfMemory(error), what);
  }
}

function coloringOf({ ways, columnColors, rowColors }: NativeSparseDerivative) {
  const way = ways[0];
  if (way?.method === undefined) return undefined;
  const coloring: Coloring = {
    method: way.method as ColoringMethod,
    order: way.order as ColoringOrder,
    count: way.columnColors + way.rowColors,
    columnColors,
    rowColors,
  };
  return Object.freeze(coloring);
}

/** Blocks that are said one by one. */
const maxBlocks = 12;

function notesOf(
  core: Core,
  { tape, rows, columns, blocks, ways }: NativeSparseDerivative,
  { of, mode, format, triangle }: Request,
): Note[] {
  const count = tape.outputs().at(-1)!.shape[0];
  const layout = [format, ...(triangle === "full" ? [] : [`${triangle} triangle`])].join(", ");
  const kind = of === "hessian" ? "Hessian" : "Jacobian";
  const left = blocks.length - maxBlocks;
  return [
    `sparse ${kind} (${layout}): ${rows} rows, ${columns} columns, ${count} entries`,
    ...blocks.slice(0, maxBlocks).map((block) => noteOf(core, block, mode)),
    ...(left > 0 ? [`and ${left} more blocks`] : []),
    ...waysNote(ways),
  ];
}

function noteOf(core: Core, block: NativeJacobianBlock, mode: string): Note {
  const { lanes, outputs, inputs, operation, node } = block;
  const how = choice(block, mode);
  if (operation === undefined || node === undefined) {
    return `${lanes} times ${outputs} by ${inputs}: ${how}`;
  }
  return () => {
    const place = core.locate(node);
    const where = place === undefined ? "" : ` at ${place.file}:${place.line}:${place.column}`;
    return `dense ${outputs} by ${inputs} because of ${operation}${where}: ${how}`;
  };
}

/** "12 colors forward (columns, natural)" */
function nameOf({ method, order, columnColors, rowColors }: NativeSparseWay): string {
  if (method === undefined) return "instances";
  const isMixed = columnColors > 0 && rowColors > 0;
  const count = isMixed
    ? `${columnColors} colors forward and ${rowColors} reverse`
    : `${columnColors + rowColors} colors ${rowColors > 0 ? "reverse" : "forward"}`;
  return `${count} (${method}, ${order})`;
}

/** What was taken, and what others would take. */
function waysNote([taken, ...others]: readonly NativeSparseWay[]): Note[] {
  if (taken === undefined) return [];
  const said = others.map((way) => {
    const cost = way.cost > 0 ? ` would take ${Math.round(way.cost)}` : "";
    return `${nameOf(way)}${cost}${way.isTooLarge ? ", too large" : ""}`;
  });
  return [[`${nameOf(taken)}: ${Math.round(taken.cost)} operations`, ...said].join("; ")];
}
