/** Reads numbers out of messages whose content nobody has vouched for. Everything here throws InputError. */
export class InputError extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError("the input is not an object");
  }
  return value as Fields;
}

export function number(value: unknown, name: string): number {
  if (typeof value !== "number") throw new InputError(`${name} is not a number`);
  return value;
}

/** A whole number in [least, most]. */
export function count(value: unknown, name: string, least: number, most = 1e8): number {
  const n = number(value, name);
  if (!Number.isInteger(n) || n < least || n > most) {
    throw new InputError(`${name} is not a whole number from ${least} to ${most}`);
  }
  return n;
}

/** A list of numbers, of this length when one is given. */
export function vector(value: unknown, name: string, length?: number): Float64Array {
  if (!Array.isArray(value)) throw new InputError(`${name} is not a list`);
  if (length !== undefined && value.length !== length) {
    throw new InputError(`${name} has ${value.length} elements where ${length} are expected`);
  }
  const out = new Float64Array(value.length);
  for (let i = 0; i < out.length; i++) out[i] = number(value[i], `${name}[${i}]`);
  return out;
}

/** A list of lists of numbers, row by row; `columns` is taken from the first row when not given. */
export function rows(
  value: unknown,
  name: string,
  shape: { rows?: number; columns?: number } = {},
): { values: Float64Array; rows: number; columns: number } {
  if (!Array.isArray(value)) throw new InputError(`${name} is not a list`);
  const first: unknown = value[0];
  const columns = shape.columns ?? (Array.isArray(first) ? first.length : 0);
  if (shape.rows !== undefined && value.length !== shape.rows) {
    throw new InputError(`${name} has ${value.length} rows where ${shape.rows} are expected`);
  }
  const values = new Float64Array(value.length * columns);
  for (let i = 0; i < value.length; i++) {
    values.set(vector(value[i], `${name}[${i}]`, columns), i * columns);
  }
  return { values, rows: value.length, columns };
}

/** Row-major numbers as a list of lists. */
export function nested(values: Float64Array, count: number, columns: number): number[][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from(values.subarray(i * columns, (i + 1) * columns)),
  );
}
