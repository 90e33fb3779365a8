// A function of two numbers, its gradient, and how both come about.
import assert from "node:assert/strict";
import { fn, grad, scalar } from "adjoint";

const f = fn({ x1: scalar(), x2: scalar() }, ({ x1, x2 }) => x1.mul(x2).add(x1.sin()));
const gradient = grad(f);

console.log("f(2, 3) =", f({ x1: 2, x2: 3 }));
console.log("gradient =", gradient({ x1: 2, x2: 3 }));
console.log(String(f.trace({ x1: 2, x2: 3 })));

assert.equal(f({ x1: 2, x2: 3 }), 6.909297426825682);
assert.deepEqual(gradient({ x1: 2, x2: 3 }), { x1: 2.5838531634528574, x2: 2 });
