/**
 * Plain numbers into a session's memory and out of it. What can be decided once for a function (names,
 * shapes, places) is decided when its packers are made; a call only copies.
 */
import { ArgumentError, TraceError } from "./generated/errors.js";
import { allocate, copyNested, copyTyped, describe, isNumericArray } from "./numbers.js";
import { isValue } from "./trace.js";
import {
  type Branch,
  childrenOf,
  type Leaf,
  match,
  missing,
  type Tree,
  unexpected,
} from "./tree.js";

/** Copies what a program gave for a tree to where it belongs. */
export type Packer = (given: unknown, memory: Float64Array) => void;
/** Makes what a program gets for a tree from memory. */
export type Unpacker = (memory: Float64Array) => unknown;

function refused(leaf: Leaf, given: unknown): Error {
  const name = leaf.path === "" ? "the input" : leaf.path;
  if (isValue(given)) {
    return new TraceError(
      `${name}: a traced value is used outside the function it belongs to; it has no number`,
    );
  }
  const expected =
    leaf.shape.length === 0 ? "a number" : `numbers of shape [${leaf.shape.join(",")}]`;
  return new ArgumentError(`${name}: expected ${expected}, got ${describe(given)}`);
}

/** Copies the plain numbers given for one value to `offset`. */
export function packLeaf(leaf: Leaf, given: unknown, memory: Float64Array, offset: number): void {
  if (leaf.shape.length === 0) {
    if (typeof given === "number") memory[offset] = given;
    else if (leaf.isBool && typeof given === "boolean") memory[offset] = given ? 1 : 0;
    else throw refused(leaf, given);
  } else if (Array.isArray(given)) {
    copyNested(given, leaf.shape, 0, memory, offset, leaf.path);
  } else if (isNumericArray(given)) {
    copyTyped(given, memory, offset, leaf.count, leaf.path);
  } else {
    throw refused(leaf, given);
  }
}

/** The plain numbers given for a tree, one array for each leaf. */
export function packLists(tree: Tree, given: unknown): Float64Array[] {
  const lists: Float64Array[] = [];
  match(tree, given, (leaf, value) => {
    const list = allocate(leaf.count, leaf.path);
    packLeaf(leaf, value, list, 0);
    lists.push(list);
  });
  return lists;
}

/** @param offsets where each leaf begins in the memory, by its index */
export function makePacker(tree: Tree, offsets: readonly number[]): Packer {
  if (tree.kind === "leaf") {
    const offset = offsets[tree.index]!;
    return (given, memory) => packLeaf(tree, given, memory, offset);
  }
  const packers = tree.children.map((child) => makePacker(child, offsets));
  if (tree.kind === "array") {
    return (given, memory) => {
      const values = childrenOf(tree, given);
      for (let i = 0; i < packers.length; i++) packers[i]!(values[i], memory);
    };
  }
  return recordPacker(tree, packers);
}

function recordPacker(tree: Branch, packers: readonly Packer[]): Packer {
  const { names } = tree;
  const known = new Set(names);
  return (given, memory) => {
    // The same checks as childrenOf, without making an array.
    if (typeof given !== "object" || given === null || ArrayBuffer.isView(given)) {
      childrenOf(tree, given);
      return;
    }
    for (let i = 0; i < packers.length; i++) {
      const name = names[i]!;
      if (!Object.hasOwn(given, name)) throw missing(tree, name, given);
      packers[i]!((given as Record<string, unknown>)[name], memory);
    }
    for (const name in given) {
      if (!known.has(name) && Object.hasOwn(given, name)) throw unexpected(tree, name);
    }
  };
}

/** @param offsets where each leaf begins in the memory, by its index */
export function makeUnpacker(tree: Tree, offsets: readonly number[]): Unpacker {
  if (tree.kind === "leaf") return leafUnpacker(tree, offsets[tree.index]!);
  const unpackers = tree.children.map((child) => makeUnpacker(child, offsets));
  if (tree.kind === "array") {
    return (memory) => unpackers.map((unpack) => unpack(memory));
  }
  const { names } = tree;
  return (memory) => {
    const result: Record<string, unknown> = {};
    for (let i = 0; i < unpackers.length; i++) result[names[i]!] = unpackers[i]!(memory);
    return result;
  };
}

function leafUnpacker({ shape, count }: Leaf, offset: number): Unpacker {
  if (shape.length === 0) return (memory) => memory[offset];
  if (count > 32) {
    return (memory) => {
      const result = new Float64Array(count);
      result.set(memory.subarray(offset, offset + count));
      return result;
    };
  }
  return (memory) => {
    const result = new Float64Array(count);
    for (let i = 0; i < count; i++) result[i] = memory[offset + i]!;
    return result;
  };
}
