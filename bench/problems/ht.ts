import {
  concat,
  constant,
  fn,
  jacobian,
  jvp,
  matrix,
  stack,
  type Value,
  vector,
  vmap,
} from "adjoint";
import { byHand } from "../harness/adjoint.js";
import { rotationMatrix, transforms } from "./ht-bones.js";
import { htByHand } from "./ht-by-hand.js";
import { type HtInput, handModel, htInput } from "./ht-input.js";
import {
  htInputs,
  htValues,
  type Layout,
  layout,
  pointsOf,
  skinned,
  table,
  weighted,
} from "./ht-skin.js";
import type { Problem } from "./problem.js";

export { htValues } from "./ht-skin.js";

// Hand tracking: how far measured points are from a posed hand. The skin's vertices are moved by bones, each by several
// with weights; a point belongs to a vertex or, with us, to a place in a triangle.

const rotationOf = (theta: Value): Value<[3]> => theta.slice([0, 3]) as Value<[3]>;
const anglesOf = (theta: Value): Value<[20]> => theta.slice([6, 26]) as Value<[20]>;

/** Points minus the places on the hand that they belong to, [points][3]. */
export const ht = (input: HtInput) => {
  const at = layout(input);
  return fn(htInputs(at), (given) => {
    const moves = transforms(input.model, { ...given, angles: anglesOf(given.theta) });
    const rotation: Value = rotationMatrix({ r: rotationOf(given.theta) });
    const local = pointsOf(at, skinned(at, weighted(at, given), moves), given.us);
    const moved = local.matmul(rotation.transpose());
    return given.points.sub(moved).sub(given.theta.slice([3, 6]));
  });
};

/** The derivative of points by us, [points][3][2]: all points at once in each of its two directions. */
function byUs(at: Layout, places: Value, us: Value): Value {
  const { vertices, count } = at;
  const place = fn({ us: matrix(count, 2), rows: matrix(vertices.length, 3) }, (given) =>
    pointsOf(at, given.rows, given.us),
  );
  const push = jvp(place, { wrt: ["us"] });
  const point = { us: us as Value<[number, 2]>, rows: places as Value<[number, 3]> };
  const columns = [0, 1].map((direction) => {
    const seed = Float64Array.from({ length: 2 * count }, (_, i) => Number(i % 2 === direction));
    return push(point, { us: constant(seed, [count, 2]) }).tangent as Value;
  });
  return stack(columns, { axis: 2 });
}

/**
 * The Jacobian by us if there are any and theta, [points][3][26 or 28]. The skin is a product of transforms and constants,
 * so its derivatives are products of the transforms' derivatives and the same constants; and of those only the ones of
 * a finger's own bones are not zero. As fingers do not share bones, one direction does an angle of all five of them.
 */
export const htJacobian = (input: HtInput) => {
  const { model } = input;
  const at = layout(input);
  const { bones, count, vertices, groups, transformOf } = at;
  const directions = groups.apart ? 4 : 20;
  const directionOf = (finger: number, angle: number) =>
    groups.apart ? angle : 4 * finger + angle;
  const seeds = new Float64Array(directions * 20);
  for (let i = 0; i < 20; i++) seeds[directionOf(i >> 2, i & 3) * 20 + i] = 1;
  const inputs = htInputs(at);
  const { relatives, inverses } = inputs;
  const posed = fn({ angles: vector(20), relatives, inverses }, (given) =>
    transforms(model, given),
  );
  const push = jvp(posed, { wrt: ["angles"] });
  const slopesOf = vmap(push, directions, { shared: ["angles", "relatives", "inverses"] });
  // Where there are fewer points than vertices, products are of what points make of vertices.
  const early = count < vertices.length;
  const length = early ? count : vertices.length;

  return fn(inputs, (given) => {
    const { theta, us } = given;
    const r = rotationOf(theta);
    const pose = { ...given, angles: anglesOf(theta) };
    const away: Value = rotationMatrix({ r }).neg();
    const constants = weighted(at, given);
    const local = skinned(at, constants, transforms(model, pose));

    const { tangent } = slopesOf(
      { angles: pose.angles, relatives: given.relatives, inverses: given.inverses },
      { angles: constant(seeds, [directions, 20]) },
    );
    const slopes: Value = tangent.reshape([directions, 3, 4 * bones]);
    // All of the hand turns after its bones.
    const turned = [0, 1, 2]
      .map((k) => away.slice(null, [k, k + 1]).mul(slopes.slice(null, [k, k + 1])))
      .reduce((sum, term) => sum.add(term));
    // For each finger [bones * 4][3 * angles].
    const places = table([5, groups.size, 4, 3, 4], (finger, slot, k, i, angle) => {
      const bone = transformOf(groups.bones[finger * groups.size + slot]!);
      return ((directionOf(finger, angle) * 3 + i) * 4 + k) * bones + bone;
    });
    let columns = turned.reshape([-1]).gather(places);
    const fingers = groups.bones.slice(0, 5 * groups.size);
    if (fingers.includes(-1)) {
      const filled = fingers.map((bone) => Number(bone >= 0));
      columns = columns.mul(constant(filled, [5, groups.size, 1, 1, 1]));
    }
    const byAngles: Value = (early ? pointsOf(at, constants, us) : constants)
      .reshape([length, groups.count, groups.size * 4])
      .slice(null, [0, 5])
      .transpose([1, 0, 2])
      .matmul(columns.reshape([5, groups.size * 4, 12]))
      .reshape([5, length, 3, 4])
      .transpose([1, 2, 0, 3])
      .reshape([length, 3, 20]);

    const rotations: Value = jacobian(rotationMatrix)({ r }).r;
    const byRotation: Value = (early ? pointsOf(at, local, us) : local)
      .matmul(rotations.neg().transpose([1, 0, 2]).reshape([3, 9]))
      .reshape([length, 3, 3]);
    const byTranslation = table([length, 3, 3], (_, i, k) => -Number(i === k));

    const rows: Value = concat([byRotation, byTranslation, byAngles], { axis: 2 });
    const ofPoints = early ? rows : pointsOf(at, rows, us);
    if (!at.complicated) return ofPoints;
    return concat([byUs(at, local.matmul(away.transpose()), us), ofPoints], { axis: 2 });
  });
};

/** With `count` points on a hand. */
export function htProblem(count: number, complicated: boolean, model = handModel()): Problem {
  return {
    name: "hand tracking",
    size: `${count} points${complicated ? " in triangles" : ""}`,
    contenders: () => {
      const input = htInput(count, complicated, model);
      const out = new Float64Array(count * 3 * (complicated ? 28 : 26));
      const hand = htByHand(input, out);
      const start = performance.now();
      const session = htJacobian(input).session();
      const values = htValues(input);
      for (const name of Object.keys(values) as (keyof typeof values)[])
        session.inputs[name].set(values[name]);
      const setupSeconds = (performance.now() - start) / 1000;
      const outputs: Float64Array = session.outputs;
      return [
        byHand("", out, hand),
        {
          ...{ tool: "adjoint", backend: "", dtype: "f64" as const, setupSeconds },
          run: () => {
            session.run();
            return outputs[0]!;
          },
          gradient: () => outputs,
          dispose: () => session.dispose(),
        },
      ];
    },
  };
}
