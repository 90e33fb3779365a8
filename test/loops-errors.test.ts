// What is wrong with a loop is said when the graph is built, with the line of the call or in the body.
import {
  AdjointError,
  cond,
  fn,
  forLoop,
  map,
  matrix,
  scalar,
  scan,
  vector,
  whileLoop,
} from "adjoint";
import { describe, expect, test } from "vitest";

const spec = { x: scalar(), v: vector(3), m: matrix(2, 3) };
// What the types forbid is given here on purpose.
// biome-ignore lint/suspicious/noExplicitAny: wrong programs have no types
type Any = any;

/** The error of a body that builds a wrong graph. */
function thrown(body: (values: Any) => unknown): AdjointError {
  try {
    fn(spec, body as never);
  } catch (error) {
    if (error instanceof AdjointError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function expectError(body: (values: Any) => unknown, code: string, text: string): void {
  const error = thrown(body);
  expect(`${error.code}: ${error.message}`).toContain(`${code}: `);
  expect(error.message).toContain(text);
  expect(error.location?.file).toContain("loops-errors.test.ts");
}

const next = scan as (...given: Any[]) => Any;
const times = forLoop as (...given: Any[]) => Any;
const until = whileLoop as (...given: Any[]) => Any;
const either = cond as (...given: Any[]) => Any;

describe("scan", () => {
  test.each<[string, (values: Any) => unknown, string, string]>([
    [
      "shape",
      ({ x, v }) => next((c: Any) => [{ a: c.a, b: v }], { a: 0, b: x }, v),
      "ERR_SHAPE",
      "b of the next carry has shape [3], where [] should be",
    ],
    [
      "kind",
      ({ x, v }) => next((c: Any) => [c.greater(0)], x, v),
      "ERR_DTYPE",
      "the next carry is booleans, where numbers should be",
    ],
    [
      "structure",
      ({ x, v }) => next((c: Any) => [{ a: c.a }], { a: 0, b: x }, v),
      "ERR_ARGUMENT",
      "the next carry is a, where a, b should be",
    ],
    [
      "no pair",
      ({ x, v }) => next((c: Any) => c, x, v),
      "ERR_ARGUMENT",
      "the step returns [carry, y]",
    ],
    ["nothing", ({ x, v }) => next(() => undefined, x, v), "ERR_ARGUMENT", "returns nothing"],
    ["promise", ({ x, v }) => next(async () => [x], x, v), "ERR_ARGUMENT", "asynchronous"],
    [
      "lengths",
      ({ x, v, m }) => next((c: Any) => [c], x, { v, m }),
      "ERR_SHAPE",
      "xs m has 2 rows, where xs v has 3",
    ],
    [
      "a scalar",
      ({ x }) => next((c: Any) => [c], x, x),
      "ERR_SHAPE",
      "xs is a scalar and has no rows",
    ],
    ["no length", ({ x }) => next((c: Any) => [c], x), "ERR_ARGUMENT", "length"],
    [
      "part of a step",
      ({ x }) => next((c: Any) => [c], x, undefined, { length: 1.5 }),
      "ERR_ARGUMENT",
      "length is a whole number",
    ],
    [
      "other length",
      ({ x, v }) => next((c: Any) => [c], x, v, { length: 2 }),
      "ERR_SHAPE",
      "xs has 3 rows, where the option length is 2",
    ],
    [
      "no option",
      ({ x, v }) => next((c: Any) => [c], x, v, { size: 2 }),
      "ERR_ARGUMENT",
      "no option",
    ],
    ["no body", ({ x, v }) => next(1, x, v), "ERR_ARGUMENT", "the step is a function"],
    [
      "branch",
      ({ x, v }) => next((c: Any) => [c.greater(0) ? c : c.neg()], x, v),
      "ERR_TRACE",
      "never used",
    ],
    ["number", ({ x, v }) => next((c: Any) => [c > 0 ? 1 : 2], x, v), "ERR_TRACE", "no number"],
  ])("%s", (_, body, code, text) => expectError(body, code, text));

  test("a value of the body after the loop", () => {
    expectError(
      ({ x, v }) => {
        let leaked: Any;
        next((c: Any) => [(leaked = c.add(1))], x, v);
        return leaked.mul(2);
      },
      "ERR_TRACE",
      "used outside of it",
    );
  });

  test("a value of another function", () => {
    expectError(
      ({ x, v }) => next((c: Any) => [fn({ y: scalar() }, ({ y }) => y.add(c))({ y: c })], x, v),
      "ERR_TRACE",
      "used in the body of another",
    );
  });

  test("what a body throws passes through", () => {
    const mine = new RangeError("mine");
    expect(() =>
      fn(spec, ({ x, v }) =>
        next(
          () => {
            throw mine;
          },
          x,
          v,
        ),
      ),
    ).toThrow(mine);
    expect(
      fn(spec, ({ x }) => x.add(1))({
        x: 1,
        v: [0, 0, 0],
        m: [
          [0, 0, 0],
          [0, 0, 0],
        ],
      }),
    ).toBe(2);
  });
});

describe("other loops", () => {
  test.each<[string, (values: Any) => unknown, string, string]>([
    [
      "a negative number",
      ({ x }) => times(-1, (_: Any, c: Any) => c, x),
      "ERR_ARGUMENT",
      "the number of steps is a whole number",
    ],
    ["no maxSteps", ({ x }) => times(x, (_: Any, c: Any) => c, x), "ERR_ARGUMENT", "maxSteps"],
    [
      "maxSteps for a number",
      ({ x }) => times(2, (_: Any, c: Any) => c, x, { maxSteps: 3 }),
      "ERR_ARGUMENT",
      "traced number",
    ],
    [
      "a vector of steps",
      ({ x, v }) => times(v, (_: Any, c: Any) => c, x, { maxSteps: 3 }),
      "ERR_SHAPE",
      "is a scalar",
    ],
    [
      "numbers for a condition",
      ({ x }) =>
        until(
          (c: Any) => c,
          (c: Any) => c,
          x,
        ),
      "ERR_DTYPE",
      "compare them",
    ],
    [
      "many conditions",
      ({ v }) =>
        until(
          (c: Any) => c.greater(0),
          (c: Any) => c,
          v,
        ),
      "ERR_SHAPE",
      "is a scalar",
    ],
    [
      "a plain condition",
      ({ x }) =>
        until(
          () => true,
          (c: Any) => c,
          x,
        ),
      "ERR_ARGUMENT",
      "boolean value",
    ],
    [
      "branches of two shapes",
      ({ x, v }) =>
        either(
          x.greater(0),
          () => x,
          () => v,
        ),
      "ERR_SHAPE",
      "what whenFalse gives has shape [3], where [] should be",
    ],
    [
      "a number to branch by",
      ({ x }) =>
        either(
          x,
          () => x,
          () => x,
        ),
      "ERR_DTYPE",
      "compare them",
    ],
    ["rows of a scalar", ({ x }) => map((r: Any) => r, x), "ERR_SHAPE", "no rows"],
  ])("%s", (_, body, code, text) => expectError(body, code, text));

  test("need a function around them", () => {
    expect(() => forLoop(2, (_, c) => c, 1)).toThrow("no function is being traced");
  });
});

test.each([
  "some",
  { every: 0 },
  { every: 1, revolve: 2 },
  { revolve: 1.5 },
  {},
  { maxMemory: "512" },
  { maxMemory: "1e3MB" },
  { maxMemory: "5 mb" },
  { maxMemory: "0B" },
  { multistage: { memory: 1, disk: 1, directory: "/no/such/place" } },
  { multistage: { memory: 1 } },
  { slots: 3 },
])("the checkpoint policy %j is none", (checkpoint) => {
  expectError(
    ({ x }) => times(2, (_: Any, c: Any) => c, x, { checkpoint }),
    "ERR_ARGUMENT",
    "checkpoint",
  );
});
