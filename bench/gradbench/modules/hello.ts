import { fn, grad, scalar } from "adjoint";
import { number } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

const square = () => fn({ x: scalar() }, ({ x }) => x.mul(x));

const read = (input: unknown) => ({ x: Float64Array.of(number(input, "the input")) });

export const hello: EvalModule = {
  square: (input) => prepared(square(), read(input), (y) => y[0]),
  double: (input) => prepared(grad(square()), read(input), ({ x }) => x[0]),
};
