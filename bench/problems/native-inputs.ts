import type { NativeProblem } from "../harness/native.js";
import { ba, baInput, baValues } from "./ba.js";
import { ht, htValues } from "./ht.js";
import { htInput } from "./ht-input.js";

// For bench/native, the problems whose derivative comes without the value: what their primal computes is from adjoint.

export function baNative(n: number, m: number, p: number): NativeProblem {
  const input = baInput(n, m, p);
  return {
    name: "ba",
    sizes: [n, m, p],
    inputs: [input.cams, input.x, input.w, input.feats],
    variants: [{ name: "ba-cameras", backend: "rotations once a camera" }],
    primal: () => {
      const session = ba(input).session();
      const values = baValues(input);
      for (const name of Object.keys(values) as (keyof typeof values)[])
        session.inputs[name].set(values[name]);
      session.run();
      const { reprojection, weight } = session.outputs;
      const errors = new Float64Array(3 * p);
      errors.set(reprojection);
      errors.set(weight, 2 * p);
      session.dispose();
      return errors;
    },
  };
}

export function htNative(count: number, complicated: boolean): NativeProblem {
  const input = htInput(count, complicated);
  const { model, theta, us, correspondences, points } = input;
  const { bones, vertices, parents, relatives, inverses, positions, weights, triangles } = model;
  return {
    name: "ht",
    sizes: [
      ...[bones, vertices, triangles.length / 3, count],
      ...[Number(complicated), Number(model.mirrored)],
    ],
    inputs: [
      ...[theta, us, Float64Array.from(parents), relatives, inverses, positions, weights],
      ...[Float64Array.from(triangles), Float64Array.from(correspondences), points],
    ],
    primal: () => {
      const session = ht(input).session();
      const values = htValues(input);
      for (const name of Object.keys(values) as (keyof typeof values)[])
        session.inputs[name].set(values[name]);
      session.run();
      const errors: Float64Array = session.outputs.slice();
      session.dispose();
      return errors;
    },
  };
}
