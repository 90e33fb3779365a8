import type { Mode } from "../../problems/descent.js";
import { saddle as point } from "../../problems/saddle.js";
import { fields, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

const by = (outer: Mode, inner: Mode) => (input: unknown) => {
  const start = vector(fields(input).start, "start", 2);
  return prepared(point(outer, inner), { start }, ({ x, y }) => [...x, ...y]);
};

export const saddle: EvalModule = {
  ff: by("f", "f"),
  fr: by("f", "r"),
  rf: by("r", "f"),
  rr: by("r", "r"),
};
