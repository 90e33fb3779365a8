// A formula typed by a user, with its derivative: parsed, never evaluated as JavaScript.
import assert from "node:assert/strict";
import { fn, grad, NameError, ParseError, parse, scalar } from "adjoint";

const formula = parse("a * exp(-k * t) + c", ["a", "k", "t", "c"]);
console.log("it uses", formula.names);

const decay = fn({ a: scalar(), k: scalar(), t: scalar(), c: scalar() }, (values) =>
  formula(values),
);
const at = { a: 3, k: 0.5, t: 2, c: 1 };
const slope = grad(decay, { wrt: ["t"] })(at);
console.log("value", decay(at), "slope", slope.t);

try {
  parse("a * exp(-k * ");
} catch (error) {
  console.log((error as Error).message);
}

assert.ok(Math.abs(slope.t - -0.5 * 3 * Math.exp(-1)) < 1e-15);
assert.throws(() => parse("a * exp(-k * "), ParseError);
assert.throws(() => parse("process.exit(1)", ["a"]), ParseError);
assert.throws(() => parse("constructor(1)", ["a"]), NameError);
