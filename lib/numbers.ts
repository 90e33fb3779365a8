/** Plain numbers in: nested arrays and typed arrays, checked element by element and copied. */
import { here } from "./fail.js";
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

// The tag of the prototype's own getter: it tells the real kind whatever the object claims to be.
const prototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const tagOf = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.get;

/** Whether this is a typed array of numbers (not of bigints). */
export function isNumericArray(value: unknown): value is TypedArray {
  if (!ArrayBuffer.isView(value)) return false;
  const tag: unknown = tagOf?.call(value);
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
    const tag: unknown = tagOf?.call(value);
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
  return typeof value === "string" && value.length <= 60 ? JSON.stringify(value) : describe(value);
}

/** Copies a flat typed array of exactly `count` numbers to `target` at `offset`. */
export function copyTyped(
  values: TypedArray,
  target: Float64Array,
  offset: number,
  count: number,
  name: string,
): void {
  const { length } = values;
  if (length !== count) throw wrongLength(values, count, name);
  // For few numbers a loop is faster than the call of set.
  if (count <= 32) {
    for (let i = 0; i < count; i++) target[offset + i] = values[i]!;
  } else {
    target.set(values, offset);
  }
}

function wrongLength(values: TypedArray, count: number, name: string): Error {
  if (values.length === 0 && isDetached(values.buffer)) {
    return new StateError(`${name}: the buffer of the array is detached`);
  }
  return new ShapeError(`${name}: expected ${count} numbers, got ${values.length}`);
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
  if (last && isNumericArray(values)) {
    copyTyped(values, target, offset, extent, name);
    return offset + extent;
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

/** The shape nested arrays claim to have, by their first elements. */
export function shapeOfNested(values: unknown): number[] {
  const shape: number[] = [];
  let level: unknown = values;
  while (shape.length <= maxRank) {
    if (isNumericArray(level)) {
      shape.push(level.length);
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
  const flat = allocate(
    shape.reduce((product, extent) => product * extent, 1),
    name,
  );
  copyNested(values, shape, 0, flat, 0, name);
  return { values: flat, shape };
}

function allocate(count: number, name: string): Float64Array {
  if (count > maxElements) {
    throw new LimitError(`${name}: ${count} elements are more than ${maxElements}`, here());
  }
  try {
    return new Float64Array(count);
  } catch (cause) {
    throw new MemoryError(`${name}: no memory for ${count} numbers`, { cause });
  }
}
