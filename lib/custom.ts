/** Functions with derivative rules of their own. */
import { traceBody } from "./body.js";
import { Core } from "./core.js";
import { completed, here } from "./fail.js";
import { type AdjointFunction, coreOf, makeFunction } from "./function.js";
import { ArgumentError, ShapeError } from "./generated/errors.js";
import { native } from "./native.js";
import { optionsOf } from "./numbers.js";
import { leavesOf, type Tree } from "./tree.js";
import type { Tangent, Traced } from "./types.js";

/** Rules that take the place of those that would follow from the function's operations. */
export interface CustomRules<X, R> {
  /** The tangent of the result, from the inputs and their tangents; nested like the result. */
  readonly jvp?: (x: X, dx: X) => Traced<Tangent<R>>;
  /** The cotangents of the inputs, from inputs, result and its cotangent; nested like the inputs. */
  readonly vjp?: (x: X, y: Tangent<R>, yBar: Tangent<R>) => Traced<X>;
}

function shapesOf(tree: Tree): (readonly number[])[] {
  const shapes: (readonly number[])[] = [];
  for (const { index, shape } of leavesOf(tree)) shapes[index] = shape;
  return shapes;
}

/** Traces a rule and checks that it gives values like `expected`. */
function traceRule(
  name: string,
  args: readonly Tree[],
  expected: Tree,
  body: unknown,
): Core | undefined {
  if (body === undefined) return undefined;
  if (typeof body !== "function") throw new ArgumentError(`${name}: a rule is a function`, here());
  const rule = traceBody(
    name,
    args.map((tree) => ({ tree, shapes: shapesOf(tree) })),
    body as (...values: never[]) => unknown,
  );
  const want = leavesOf(expected);
  const got = leavesOf(rule.result);
  const wrong =
    want.length !== got.length || want.some(({ path }, i) => path !== got[i]!.path)
      ? `gives ${got.map(({ path }) => path || "a value").join(", ")}, ` +
        `not ${want.map(({ path }) => path || "a value").join(", ")}`
      : undefined;
  if (wrong !== undefined) throw new ArgumentError(`${name}: the rule ${wrong}`, here());
  want.forEach(({ shape, path }, i) => {
    if (shape.join() === got[i]!.shape.join()) return;
    throw new ShapeError(
      `${name}: the rule gives shape [${got[i]!.shape.join(",")}] for ${path || "the result"}, ` +
        `which has shape [${shape.join(",")}]`,
      here(),
    );
  });
  return rule;
}

/**
 * `f` with derivative rules of its own: for formulas whose derivative is known in a better form, or to be
 * defined otherwise. A rule that is missing follows from the other one. Rules are traced functions, so
 * derivatives of derivatives go through them too. `checkGrads` tests them.
 *
 * @throws ArgumentError or ShapeError when a rule gives something else than it should.
 */
export function custom<X, R>(
  f: AdjointFunction<[X], R>,
  rules: CustomRules<X, R>,
): AdjointFunction<[X], R> {
  const core = coreOf(f, "custom");
  const [args] = core.args;
  if (args === undefined || core.args.length !== 1) {
    throw new ArgumentError("custom: takes a function of one argument", here());
  }
  if (rules === undefined) {
    throw new ArgumentError("custom: rules are missing, e.g. { vjp: (x, y, yBar) => ... }", here());
  }
  const { jvp, vjp } = optionsOf("custom", rules, ["jvp", "vjp"]);
  const { name, result } = core;
  const forward = traceRule(`jvp of ${name}`, [args, args], result, jvp);
  const reverse = traceRule(`vjp of ${name}`, [args, result, result], args, vjp);
  const builder = new native.Builder();
  try {
    const operands = leavesOf(args).map(({ path, shape }) => builder.input(path, shape));
    const nodes = builder.custom(
      name,
      core.tape,
      forward?.tape ?? null,
      reverse?.tape ?? null,
      operands,
    );
    const names = leavesOf(result).map(({ path }) => path || "value");
    const tape = builder.finish(names, nodes);
    const notes = ["custom derivative rules"];
    // All that runs is one node here, whose line is that of this call.
    const { location } = here();
    const locate = () => location;
    return makeFunction(new Core({ name, tape, args: core.args, result, notes, locate }));
  } catch (error) {
    throw completed(error, `custom(${name})`);
  } finally {
    builder.dispose();
    forward?.dispose();
    reverse?.dispose();
  }
}
