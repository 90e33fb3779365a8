// The addon's file and small tapes on it, for scripts and workers that run without the package around it.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const addonFile =
  process.env.ADJOINT_NATIVE ??
  fileURLToPath(new URL("../../build/Release/adjoint.node", import.meta.url));

export const native = createRequire(import.meta.url)(addonFile);

// Codes are append-only, so numbers are as good as names here.
export const op = { add: 10, mul: 12, sin: 17 };

/** y = x + 1 over a shape. */
export function plusOne(shape = []) {
  const builder = new native.Builder();
  const x = builder.input("x", shape);
  return builder.finish(["y"], [builder.op2(op.add, x, builder.constant(1))]);
}

/** Work that takes a while: `depth` sines of `length` numbers one after the other. */
export function slow(length = 1 << 20, depth = 100) {
  const builder = new native.Builder();
  let y = builder.input("x", [length]);
  for (let i = 0; i < depth; i++) y = builder.op1(op.sin, y);
  return builder.finish(["y"], [y]);
}

/** Typed-array views of a session's arena, by name. */
export function views(plan, session) {
  const { inputs, outputs } = plan.layout();
  const view = ({ name, offset, elements }) => [
    name,
    new Float64Array(session.buffer, session.byteOffset + offset * 8, elements),
  ];
  return Object.fromEntries([...inputs, ...outputs].map(view));
}
