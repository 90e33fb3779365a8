import type { Mode } from "../../problems/descent.js";
import { particle as control } from "../../problems/particle.js";
import { fields, number } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

const by = (outer: Mode, inner: Mode) => (input: unknown) => {
  const w = Float64Array.of(number(fields(input).w, "w"));
  return prepared(control(outer, inner), { w }, (found) => found[0]);
};

export const particle: EvalModule = {
  ff: by("f", "f"),
  fr: by("f", "r"),
  rf: by("r", "f"),
  rr: by("r", "r"),
};
