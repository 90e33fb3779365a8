/** Plain numbers in: nested arrays and typed arrays, checked element by element and copied. */
import { completed, here } from "./fail.js";
import {
  ArgumentError,
  LimitError,
  MemoryError,
  ShapeError,
  StateError,
} from "./generated/errors.js";
import type { Dims, NestedNumbers, TypedArray } from "./types.js";

const maxRank = 16;
/** Elements of the largest value the core takes. */
const maxElements = 2 ** 31;
/** Entries of the longest list of axes, names or values; proxies can claim any length. */
const maxList = 2 ** 22;

const numeric: ReadonlySet<string> = new Set([
  "Float64Array",
  "Float32Array",
  "Float16Array",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
]);

// The prototype's own getters tell the real kind and length, whatever the object claims to be.
const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const getterOf = (name: string | symbol) => Object.getOwnPropertyDescriptor(prototype, name)!.get!;
const tagOf = getterOf(Symbol.toStringTag);
const realLength = getterOf("length");
const realBuffer = getterOf("buffer");

/** The number of elements a typed array really has. */
export function lengthOf(values: TypedArray): number {
  return realLength.call(values) as number;
}

/** Whether this is a typed array of numbers (not of bigints). */
export function isNumericArray(value: unknown): value is TypedArray {
  if (!ArrayBuffer.isView(value)) return false;
  const tag: unknown = tagOf.call(value);
  return typeof tag === "string" && numeric.has(tag);
}

function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength !== 0 || buffer instanceof SharedArrayBuffer) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Whether this is an array, and not one that claims an absurd length. @throws LimitError when it does. */
export function isList(value: unknown, what: string): value is readonly unknown[] {
  if (!Array.isArray(value)) return false;
  if (value.length <= maxList) return true;
  throw new LimitError(`${what}: a list of ${value.length} entries is too long`, here());
}

/** What a thing is, for messages. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) {
    const tag: unknown = tagOf.call(value);
    return typeof tag === "string" ? `a ${tag}` : "a DataView";
  }
  switch (typeof value) {
    case "number":
      return "a number";
    case "undefined":
      return "undefined";
    case "object":
      return "an object";
    default:
      return `a ${typeof value}`;
  }
}

/** A value for a message: numbers and strings themselves, anything else by its kind. */
export function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? JSON.stringify(cut(value)) : describe(value);
}

/** The beginning of a text that may have any length, for messages. */
export function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Copies a flat typed array of exactly `count` numbers to `target` at `offset`. */
export function copyTyped(
  values: TypedArray,
  target: Float64Array,
  offset: number,
  count: number,
  name: string,
): void {
  if (lengthOf(values) !== count) throw wrongLength(values, count, name);
  // For few numbers a loop is faster than the call of set.
  if (count <= 32) {
    for (let i = 0; i < count; i++) target[offset + i] = values[i]!;
  } else {
    target.set(values, offset);
  }
}

function wrongLength(values: TypedArray, count: number, name: string): Error {
  const length = lengthOf(values);
  if (length === 0 && isDetached(realBuffer.call(values) as ArrayBufferLike)) {
    return new StateError(`${name}: the buffer of the array is detached`);
  }
  return new ShapeError(`${name}: expected ${count} numbers, got ${length}`);
}

/** Copies nested arrays of exactly this shape, row-major, to `target` at `offset`; returns the end. */
export function copyNested(
  values: unknown,
  shape: Dims,
  axis: number,
  target: Float64Array,
  offset: number,
  name: string,
): number {
  const extent = shape[axis]!;
  const last = axis === shape.length - 1;
  if (isNumericArray(values)) {
    // A row, or a block of the remaining axes as one flat array.
    const count = elementCount(shape, axis);
    copyTyped(values, target, offset, count, name);
    return offset + count;
  }
  if (!Array.isArray(values)) {
    throw new ArgumentError(
      `${name}: expected ${extent} ${last ? "numbers" : "rows"}, got ${describe(values)}`,
    );
  }
  if (values.length !== extent) {
    const where = axis === 0 ? "" : ` along axis ${axis}`;
    throw new ShapeError(
      `${name}: shape [${shape.join(",")}] has extent ${extent}${where}, got ${values.length}`,
    );
  }
  let position = offset;
  for (let i = 0; i < extent; i++) {
    const value: unknown = values[i];
    if (!last) {
      position = copyNested(value, shape, axis + 1, target, position, name);
    } else if (typeof value === "number") {
      target[position++] = value;
    } else {
      throw new ArgumentError(
        `${name}: expected a number at position ${i}, got ${describe(value)}`,
      );
    }
  }
  return position;
}

/** The number of elements of the axes from this one on. */
export function elementCount(shape: Dims, axis = 0): number {
  let count = 1;
  for (let i = axis; i < shape.length; i++) count *= shape[i]!;
  return count;
}

/** The shape nested arrays claim to have, by their first elements. */
export function shapeOfNested(values: unknown): number[] {
  const shape: number[] = [];
  let level: unknown = values;
  while (shape.length <= maxRank) {
    if (isNumericArray(level)) {
      shape.push(lengthOf(level));
      break;
    }
    if (!Array.isArray(level)) break;
    shape.push(level.length);
    if (level.length === 0) break;
    level = level[0];
  }
  return shape;
}

/** Nested arrays, a typed array or one number as row-major numbers with their shape. */
export function flatNumbers(
  values: NestedNumbers,
  name: string,
): { values: Float64Array; shape: number[] } {
  if (typeof values === "number") return { values: new Float64Array([values]), shape: [] };
  const shape = shapeOfNested(values);
  if (shape.length === 0) {
    throw new ArgumentError(`${name}: expected numbers, got ${describe(values)}`, here());
  }
  if (shape.length > maxRank) {
    throw new ShapeError(`${name}: arrays are nested deeper than ${maxRank}`, here());
  }
  try {
    const flat = allocate(elementCount(shape), name);
    copyNested(values, shape, 0, flat, 0, name);
    return { values: flat, shape };
  } catch (error) {
    throw completed(error, name);
  }
}

/** Memory for numbers. @throws LimitError, MemoryError */
export function allocate(count: number, name: string): Float64Array {
  if (count > maxElements) {
    throw new LimitError(`${name}: ${count} elements are more than ${maxElements}`, here());
  }
  try {
    return new Float64Array(count);
  } catch (cause) {
    throw new MemoryError(`${name}: no memory for ${count} numbers`, { cause });
  }
}

/**
 * Checks options: an object with these keys and no others, so that a misspelt one is not passed over.
 * Its values are for the caller to check.
 */
export function optionsOf<K extends string>(
  what: string,
  given: unknown,
  keys: readonly K[],
  details = here,
): { readonly [P in K]?: unknown } {
  if (given === undefined) return {};
  const names = keys.join(", ");
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ArgumentError(
      `${what}: options are an object, e.g. { ${names} }, got ${describe(given)}`,
      details(),
    );
  }
  const wrong = Object.keys(given).find((key) => !(keys as readonly string[]).includes(key));
  if (wrong === undefined) return given;
  throw new ArgumentError(
    `${what}: there is no option ${shown(wrong)}; the options are ${names}`,
    details(),
  );
}

/** An option that is a whole number from `least` to `most`. */
export function wholeOf(
  what: string,
  name: string,
  given: unknown,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const isWhole = typeof given === "number" && Number.isSafeInteger(given);
  if (isWhole && given >= least && given <= most) return given;
  const to = most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : "";
  throw new ArgumentError(
    `${what}: ${name} is a whole number from ${least}${to}, got ${shown(given)}`,
    here(),
  );
}

/** An option's value; the first of the possible ones by default. */
export function oneOf<T extends string>(
  what: string,
  name: string,
  given: unknown,
  possible: readonly [T, ...T[]],
): T {
  if (given === undefined) return possible[0];
  const found = possible.find((value) => value === given);
  if (found !== undefined) return found;
  const quoted = possible.map((value) => `"${value}"`);
  const list = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  throw new ArgumentError(`${what}: ${name} is ${list}, got ${shown(given)}`, here());
}
