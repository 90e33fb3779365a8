/**
 * Trees at run time: how the named, nested values of a program lie one after the other as the inputs and
 * outputs of a tape. Names come from programs and data, so records are never read through prototypes.
 */
import type { ErrorDetails } from "./error.js";
import { ArgumentError, LimitError, NameError } from "./generated/errors.js";
import type { NativePort } from "./native.js";
import { cut, describe, elementCount, isList, shown } from "./numbers.js";
import { TensorSpec } from "./spec.js";
import { isValue } from "./trace.js";
import type { Dims } from "./types.js";

/** One value. */
export interface Leaf {
  readonly kind: "leaf";
  /** Its position among the tape's inputs or outputs. */
  readonly index: number;
  /** Names from the root, joined by dots; "" for a bare value. */
  readonly path: string;
  readonly shape: Dims;
  readonly isBool: boolean;
  /** Number of elements. */
  readonly count: number;
}

export interface Branch {
  readonly kind: "record" | "array";
  readonly names: readonly string[];
  readonly children: readonly Tree[];
  readonly path: string;
}

export type Tree = Leaf | Branch;

const maxDepth = 64;
/** Values, records and arrays of a tree: shared ones count wherever they stand, and can be many. */
const maxNodes = 2 ** 18;

/** Checks a name that a program gives to an input or output. */
export function checkName(name: string, what: string, details?: ErrorDetails): void {
  const forbidden =
    name === ""
      ? "is empty"
      : name === "__proto__"
        ? "is forbidden"
        : name.includes(".")
          ? "has a dot, which separates the names of a path"
          : name.length > 1000
            ? "is longer than 1000 characters"
            : /\p{Cc}/u.test(name)
              ? "has a control character"
              : undefined;
  if (forbidden !== undefined) {
    throw new NameError(`${what}: the name ${JSON.stringify(cut(name))} ${forbidden}`, details);
  }
}

/** The names of a record that a program gives: its own, enumerable ones. */
function namesOf(record: object, what: string, details?: ErrorDetails): string[] {
  const names = Object.keys(record);
  for (const name of names) checkName(name, what, details);
  if (Object.getOwnPropertySymbols(record).length > 0) {
    throw new NameError(`${what}: names are strings, got a symbol`, details);
  }
  return names;
}

export function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/**
 * Builds a tree from anything nested: `leaf` says what a value is (or undefined where it is a record or
 * array). Depth and size are limited, so that a record that contains itself, or the same one over and
 * over, ends as a LimitError.
 */
export function buildTree<T>(
  given: unknown,
  what: string,
  leaf: (value: unknown, path: string) => T | undefined,
  arrays: boolean,
  details?: ErrorDetails,
): { tree: Tree; leaves: T[] } {
  const leaves: T[] = [];
  let nodes = 0;
  const build = (value: unknown, path: string, depth: number): Tree => {
    if (++nodes > maxNodes) {
      throw new LimitError(`${what}: more than ${maxNodes} values, records and arrays`, details);
    }
    if (depth > maxDepth) {
      throw new LimitError(`${what}: nested deeper than ${maxDepth}`, details);
    }
    const found = leaf(value, path);
    if (found !== undefined) {
      const index = leaves.push(found) - 1;
      return { kind: "leaf", index, path, shape: [], isBool: false, count: 1 };
    }
    if (arrays && isList(value, what)) {
      const children: Tree[] = [];
      for (let i = 0; i < value.length; i++) {
        children.push(build(value[i], join(path, String(i)), depth + 1));
      }
      return { kind: "array", names: children.map((_, i) => String(i)), children, path };
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new ArgumentError(
        `${what}${path === "" ? "" : ` ${path}`}: unexpected ${describe(value)}`,
        details,
      );
    }
    const names = namesOf(value, what, details);
    const children = names.map((name) =>
      build((value as Record<string, unknown>)[name], join(path, name), depth + 1),
    );
    return { kind: "record", names, children, path };
  };
  return { tree: build(given, "", 0), leaves };
}

/** The tree of a spec, with shapes. */
export function specTree(
  spec: unknown,
  details: ErrorDetails,
): { tree: Tree; leaves: TensorSpec[] } {
  if (TensorSpec.isSpec(spec) || typeof spec !== "object" || spec === null) {
    throw new ArgumentError("fn: inputs are a record, e.g. { x: scalar(), w: vector(3) }", details);
  }
  const found = buildTree(
    spec,
    "fn: input",
    (value) => {
      if (TensorSpec.isSpec(value)) return value;
      if (!(value instanceof TensorSpec)) return undefined;
      throw new ArgumentError("fn: an input is made by scalar, vector, matrix or tensor", details);
    },
    false,
    details,
  );
  const ports = found.leaves.map(({ shape }) => ({ name: "", shape: [...shape], isBool: false }));
  return { tree: numbered(found.tree, ports), leaves: found.leaves };
}

/** The same tree with other leaves: each is replaced by what `change` makes of it. */
export function mapLeaves(tree: Tree, change: (leaf: Leaf) => Tree): Tree {
  if (tree.kind === "leaf") return change(tree);
  return { ...tree, children: tree.children.map((child) => mapLeaves(child, change)) };
}

/** The tree with its leaves numbered in order from `first`, and the shapes of these ports of a tape. */
export function numbered(
  tree: Tree,
  ports: readonly Pick<NativePort, "shape" | "isBool">[],
  first = 0,
): Tree {
  let next = first;
  const visit = (node: Tree, path: string): Tree => {
    if (node.kind === "leaf") {
      const index = next++;
      const { shape, isBool } = ports[index]!;
      return { kind: "leaf", index, path, shape, isBool, count: elementCount(shape) };
    }
    const children = node.children.map((child, i) => visit(child, join(path, node.names[i]!)));
    return { kind: node.kind, names: node.names, children, path };
  };
  return visit(tree, "");
}

/** A record of trees. */
export function record(children: Readonly<Record<string, Tree>>): Tree {
  return {
    kind: "record",
    names: Object.keys(children),
    children: Object.values(children),
    path: "",
  };
}

/** All leaves, in order. */
export function leavesOf(tree: Tree): Leaf[] {
  const leaves: Leaf[] = [];
  mapLeaves(tree, (leaf) => {
    leaves.push(leaf);
    return leaf;
  });
  return leaves;
}

/** Makes nested records and arrays of what `make` gives for each leaf. */
export function assemble<T>(tree: Tree, make: (leaf: Leaf) => T): unknown {
  if (tree.kind === "leaf") return make(tree);
  if (tree.kind === "array") return tree.children.map((child) => assemble(child, make));
  // Plain objects print and compare as users expect; no name in a tree is "__proto__".
  const result: Record<string, unknown> = {};
  for (let i = 0; i < tree.names.length; i++) {
    result[tree.names[i]!] = assemble(tree.children[i]!, make);
  }
  return result;
}

/** Calls `visit` with each leaf and what stands in its place in `given`. */
export function match(
  tree: Tree,
  given: unknown,
  visit: (leaf: Leaf, value: unknown) => void,
): void {
  if (tree.kind === "leaf") {
    visit(tree, given);
    return;
  }
  const values = childrenOf(tree, given);
  for (let i = 0; i < values.length; i++) match(tree.children[i]!, values[i], visit);
}

/** Entries that `holdsValue` looks at: a long list of numbers is data. */
const maxLook = 2048;

/** Whether a traced value stands anywhere in what is given for a tree: then a call is part of a graph. */
export function holdsValue(tree: Tree, given: unknown): boolean {
  if (typeof given !== "object" || given === null || ArrayBuffer.isView(given)) return false;
  // The trees end, whatever is given; lists given for a value may contain themselves.
  if (tree.kind === "leaf") return listHoldsValue(given, { left: maxLook });
  return tree.children.some((child, i) => {
    const name = tree.names[i]!;
    return (
      Object.hasOwn(given, name) && holdsValue(child, (given as Record<string, unknown>)[name])
    );
  });
}

function listHoldsValue(given: unknown, look: { left: number }): boolean {
  if (isValue(given)) return true;
  if (!Array.isArray(given)) return false;
  for (let i = 0; i < given.length && look.left-- > 0; i++) {
    if (listHoldsValue(given[i], look)) return true;
  }
  return false;
}

/** The parts of what is given for a record or array, by the tree's names and no others. */
export function childrenOf(tree: Branch, given: unknown): unknown[] {
  const { names, path } = tree;
  const what = path === "" ? "inputs" : path;
  if (typeof given !== "object" || given === null || ArrayBuffer.isView(given)) {
    throw new ArgumentError(`${what}: expected a record of ${list(names)}, got ${describe(given)}`);
  }
  if (tree.kind === "array") {
    if (!Array.isArray(given) || given.length !== names.length) {
      throw new ArgumentError(
        `${what}: expected an array of ${names.length}, got ${describe(given)}`,
      );
    }
    return names.map((_, i) => given[i] as unknown);
  }
  const values: unknown[] = [];
  for (const name of names) {
    if (!Object.hasOwn(given, name)) throw missing(tree, name, given);
    values.push((given as Record<string, unknown>)[name]);
  }
  const extra = Object.keys(given);
  if (extra.length !== names.length) {
    const unknown = extra.find((name) => !names.includes(name));
    if (unknown !== undefined) throw unexpected(tree, unknown);
  }
  return values;
}

function list(names: readonly string[]): string {
  const some = names.slice(0, 8).map((name) => JSON.stringify(cut(name)));
  return names.length === 0 ? "nothing" : some.join(", ") + (names.length > 8 ? ", ..." : "");
}

export function missing(tree: Branch, name: string, given: object): NameError {
  const has = Object.keys(given);
  return new NameError(
    `the input ${JSON.stringify(cut(join(tree.path, name)))} is missing; got ${list(has)}`,
  );
}

export function unexpected(tree: Branch, name: string): NameError {
  return new NameError(
    `there is no input ${JSON.stringify(cut(join(tree.path, name)))}; the inputs are ${list(tree.names)}`,
  );
}

/**
 * The leaves that names select, and their tree, nested as before. A name selects a value or a whole record;
 * nested ones are named by path. Without names, everything.
 */
export function select(
  tree: Tree,
  paths: unknown,
  details?: ErrorDetails,
  what = "wrt",
): { tree: Tree; positions: number[] } {
  if (paths === undefined) {
    return { tree, positions: leavesOf(tree).map(({ index }) => index) };
  }
  if (!isList(paths, what) || paths.length === 0) {
    const got = isList(paths, what) ? "an empty one" : describe(paths);
    throw new ArgumentError(`${what}: expected a list of names of inputs, got ${got}`, details);
  }
  const wanted = new Set<unknown>(Array.from(paths));
  const found = new Set<string>();
  const positions: number[] = [];
  const visit = (node: Tree, inside: boolean): Tree | undefined => {
    const chosen = inside || (node.path !== "" && wanted.has(node.path));
    if (chosen && wanted.has(node.path)) found.add(node.path);
    if (node.kind === "leaf") {
      if (chosen) positions.push(node.index);
      return chosen ? node : undefined;
    }
    const names: string[] = [];
    const children: Tree[] = [];
    node.children.forEach((child, i) => {
      const kept = visit(child, chosen);
      if (kept === undefined) return;
      names.push(node.names[i]!);
      children.push(kept);
    });
    return chosen || children.length > 0 ? { ...node, names, children } : undefined;
  };
  const selected = visit(tree, false);
  for (const path of wanted) {
    if (found.has(path as string)) continue;
    const names = leavesOf(tree).map((leaf) => leaf.path);
    throw new NameError(
      `${what}: there is no input ${shown(path)}; the inputs are ${list(names)}`,
      details,
    );
  }
  return { tree: selected!, positions };
}
