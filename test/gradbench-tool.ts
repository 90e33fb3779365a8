// What the tests of the GradBench tool share: the tool, and how answers are compared.
import { expect } from "vitest";
import { evals } from "../bench/gradbench/evals.js";
import { Tool } from "../bench/gradbench/protocol.js";
import { mixedDifference } from "../bench/harness/compare.js";

const tolerance = 1e-8;

export interface Response {
  id: unknown;
  success?: boolean;
  output?: unknown;
  error?: string;
  timings?: { name: string; nanoseconds: number }[];
}

export const tool = new Tool(evals);
export const send = async (message: object): Promise<Response> =>
  JSON.parse(await tool.respond(JSON.stringify(message))) as Response;

/** The output of a function, which has to succeed. */
export async function call(module: string, name: string, input: unknown): Promise<unknown> {
  const response = await send({ id: 1, kind: "evaluate", module, function: name, input });
  expect(response.error).toBeUndefined();
  expect(response).toMatchObject({ id: 1, success: true });
  return response.output;
}

/** Every number in a JSON value, in order, object keys sorted. */
function flat(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (Array.isArray(value)) return value.flatMap(flat);
  if (typeof value !== "object" || value === null) return [Number.NaN];
  return Object.keys(value)
    .sort()
    .flatMap((key) => flat((value as Record<string, unknown>)[key]));
}

/** The structure without the numbers: lengths of lists of numbers, keys of objects. */
function form(value: unknown): unknown {
  if (!Array.isArray(value)) {
    if (typeof value !== "object" || value === null) return typeof value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, v]) => [key, form(v)]),
    );
  }
  return value.every((v) => typeof v === "number") ? value.length : value.map(form);
}

export function expectClose(actual: unknown, expected: unknown): void {
  expect(form(actual)).toEqual(form(expected));
  expect(mixedDifference(flat(actual), flat(expected))).toBeLessThanOrEqual(tolerance);
}

/** Central differences have a few digits, enough to see that dual numbers do what they should. */
export function expectSlope(
  f: (x: number) => readonly number[],
  x: number,
  slope: readonly number[],
): void {
  const h = 1e-6;
  const [up, down] = [f(x + h), f(x - h)];
  slope.forEach((s, i) => {
    expect(Math.abs((up[i]! - down[i]!) / (2 * h) - s)).toBeLessThan(1e-4 * (1 + Math.abs(s)));
  });
}
