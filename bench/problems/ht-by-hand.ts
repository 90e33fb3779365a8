import { anglesOfBones } from "./ht-bones.js";
import type { HtInput } from "./ht-input.js";

/** c = a b of affine transforms, [3][4] each; of a derivative of one, `last` is 0. */
function product(a: Float64Array, b: Float64Array, c: Float64Array, last = 1): void {
  for (let i = 0; i < 12; i += 4) {
    const [p, q, r] = [a[i]!, a[i + 1]!, a[i + 2]!];
    c[i] = p * b[0]! + q * b[4]! + r * b[8]!;
    c[i + 1] = p * b[1]! + q * b[5]! + r * b[9]!;
    c[i + 2] = p * b[2]! + q * b[6]! + r * b[10]!;
    c[i + 3] = p * b[3]! + q * b[7]! + r * b[11]! + last * a[i + 3]!;
  }
}

/** A turn about x and then z, its derivatives by both. */
function turn(x: number, z: number, to: readonly Float64Array[]): void {
  const [cx, sx, cz, sz] = [Math.cos(x), Math.sin(x), Math.cos(z), Math.sin(z)];
  to[0]!.set([cz, -sz * cx, sz * sx, 0, sz, cz * cx, -cz * sx, 0, 0, sx, cx, 0]);
  to[1]!.set([0, sz * sx, sz * cx, 0, 0, -cz * sx, -cz * cx, 0, 0, cx, -sx, 0]);
  to[2]!.set([-sz, -cz * cx, cz * sx, 0, cz, -sz * cx, sz * sx, 0, 0, 0, 0, 0]);
}

/** A rotation (axis times angle) and its derivatives, [4][3][3]. */
function rotate(theta: Float64Array, to: Float64Array): void {
  const angle = Math.hypot(theta[0]!, theta[1]!, theta[2]!);
  to.fill(0);
  if (angle < 1e-4) {
    to[0] = to[4] = to[8] = 1;
    return;
  }
  const [s, c] = [Math.sin(angle), Math.cos(angle)];
  const n = [theta[0]! / angle, theta[1]! / angle, theta[2]! / angle];
  for (let k = 0; k < 4; k++) {
    // R = c I + (1 - c) n n' + s [n]: the value at k = 0, else the derivative by element k - 1.
    const along = k === 0 ? 0 : n[k - 1]!;
    const dn = n.map((ni, i) => (k === 0 ? 0 : (Number(i === k - 1) - ni * along) / angle));
    const [a, b, d] = k === 0 ? [c, 1 - c, s] : [-s * along, s * along, c * along];
    const e = k === 0 ? 0 : 1 - c;
    const cross = n.map((ni, i) => d * ni + s * dn[i]!);
    const at = 9 * k;
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        to[at + 3 * i + j] = b * n[i]! * n[j]! + e * (dn[i]! * n[j]! + n[i]! * dn[j]!);
      }
      to[at + 4 * i]! += a;
    }
    to[at + 1]! -= cross[2]!;
    to[at + 2]! += cross[1]!;
    to[at + 3]! += cross[2]!;
    to[at + 5]! -= cross[0]!;
    to[at + 6]! -= cross[1]!;
    to[at + 7]! += cross[0]!;
  }
}

/**
 * The Jacobian by hand, into `out`, for transforms whose last row is 0 0 0 1. Of the angles, only those that move a bone are
 * looked at; of the bones, only those that a vertex follows; of the vertices, only those that points need.
 */
export function htByHand(
  { model, correspondences, theta, us }: HtInput,
  out: Float64Array,
): () => number {
  const { bones, parents, triangles, positions, weights } = model;
  const make = (count: number) => Array.from({ length: count }, () => new Float64Array(12));
  const upper = (of: Float64Array) =>
    Array.from({ length: bones }, (_, bone) => of.subarray(16 * bone, 16 * bone + 12));
  const relatives = upper(model.relatives);
  const inverses = upper(model.inverses);
  const own = new Map(anglesOfBones.map((angles) => [angles.bone, angles]));
  // The angles that move a bone: those that move its parent, then its own.
  const movers: number[][] = [];
  parents.forEach((parent, bone) => {
    const { x, z } = own.get(bone) ?? {};
    const mine = [x, z].filter((angle) => angle !== undefined);
    movers[bone] = [...(parent < 0 ? [] : movers[parent]!), ...mine];
  });
  const [absolutes, moved] = [make(bones), make(bones)];
  const absoluteSlopes = movers.map((list) => make(list.length));
  const movedSlopes = movers.map((list) => make(list.length));
  const [turns, pose] = [make(3), new Float64Array(12)];
  const still = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);
  const rotation = new Float64Array(36);
  const complicated = us.length > 0;
  const columns = complicated ? 28 : 26;
  const known = new Uint8Array(model.vertices);
  const places = new Float64Array(model.vertices * 3);
  const slopes = new Float64Array(model.vertices * 60);

  function poseBone(bone: number): void {
    const parent = parents[bone]!;
    const above = parent < 0 ? still : absolutes[parent]!;
    const angles = own.get(bone);
    const [absolute, mine, inherited] = [
      absolutes[bone]!,
      absoluteSlopes[bone]!,
      parent < 0 ? [] : absoluteSlopes[parent]!,
    ];
    let last = relatives[bone]!;
    if (angles) {
      turn(theta[6 + angles.x]!, angles.z === undefined ? 0 : theta[6 + angles.z]!, turns);
      let next = inherited.length;
      for (const [i, angle] of [angles.x, angles.z].entries()) {
        if (angle === undefined) continue;
        product(relatives[bone]!, turns[i + 1]!, pose, 0);
        product(above, pose, mine[next++]!, 0);
      }
      product(relatives[bone]!, turns[0]!, pose);
      last = pose;
    }
    product(above, last, absolute);
    for (let i = 0; i < inherited.length; i++) product(inherited[i]!, last, mine[i]!);
    product(absolute, inverses[bone]!, moved[bone]!);
    for (let i = 0; i < mine.length; i++)
      product(mine[i]!, inverses[bone]!, movedSlopes[bone]![i]!);
  }

  /** Adds weight times the place that a transform gives a vertex. */
  function add(
    to: Float64Array,
    at: number,
    step: number,
    t: Float64Array,
    v: number,
    w: number,
  ): void {
    const [x, y, z] = [w * positions[4 * v]!, w * positions[4 * v + 1]!, w * positions[4 * v + 2]!];
    const one = w * positions[4 * v + 3]!;
    to[at]! += t[0]! * x + t[1]! * y + t[2]! * z + t[3]! * one;
    to[at + step]! += t[4]! * x + t[5]! * y + t[6]! * z + t[7]! * one;
    to[at + 2 * step]! += t[8]! * x + t[9]! * y + t[10]! * z + t[11]! * one;
  }

  function skinVertex(v: number): void {
    known[v] = 1;
    places.fill(0, 3 * v, 3 * v + 3);
    slopes.fill(0, 60 * v, 60 * v + 60);
    for (let bone = 0; bone < bones; bone++) {
      const w = weights[v * bones + bone]!;
      if (w === 0) continue;
      add(places, 3 * v, 1, moved[bone]!, v, w);
      const list = movers[bone]!;
      for (let i = 0; i < list.length; i++)
        add(slopes, 60 * v + list[i]!, 20, movedSlopes[bone]![i]!, v, w);
    }
    if (!model.mirrored) return;
    places[3 * v]! *= -1;
    for (let i = 60 * v; i < 60 * v + 20; i++) slopes[i]! *= -1;
  }

  /** Adds to out what a vertex contributes to a point with this weight, in all rows. */
  function contribute(at: number, v: number, weight: number): void {
    for (let i = 0; i < 3; i++) {
      const row = at + i * columns;
      for (let k = 0; k < 3; k++) {
        const from = 9 * (k + 1) + 3 * i;
        let sum = 0;
        for (let j = 0; j < 3; j++) sum += rotation[from + j]! * places[3 * v + j]!;
        out[row + k]! -= weight * sum;
      }
      const [a, b, c] = [rotation[3 * i]!, rotation[3 * i + 1]!, rotation[3 * i + 2]!];
      for (let angle = 0, from = 60 * v; angle < 20; angle++, from++) {
        const sum = a * slopes[from]! + b * slopes[from + 20]! + c * slopes[from + 40]!;
        out[row + 6 + angle]! -= weight * sum;
      }
    }
  }

  /** Of two corners the difference, in a column. */
  function contributeUs(at: number, v: number, last: number): void {
    for (let i = 0; i < 3; i++) {
      let sum = 0;
      for (let j = 0; j < 3; j++)
        sum += rotation[3 * i + j]! * (places[3 * v + j]! - places[3 * last + j]!);
      out[at + i * columns] = -sum;
    }
  }

  return () => {
    for (let bone = 0; bone < bones; bone++) poseBone(bone);
    rotate(theta, rotation);
    known.fill(0);
    out.fill(0);
    for (let point = 0; point < correspondences.length; point++) {
      const at = 3 * point * columns;
      const from = complicated ? at + 2 : at;
      for (let i = 0; i < 3; i++) out[from + i * columns + 3 + i] = -1;
      if (!complicated) {
        const v = correspondences[point]!;
        if (known[v] === 0) skinVertex(v);
        contribute(from, v, 1);
        continue;
      }
      const [u, w] = [us[2 * point]!, us[2 * point + 1]!];
      const triangle = 3 * correspondences[point]!;
      const [a, b, c] = [triangles[triangle]!, triangles[triangle + 1]!, triangles[triangle + 2]!];
      for (const v of [a, b, c]) if (known[v] === 0) skinVertex(v);
      contribute(from, a, u);
      contribute(from, b, w);
      contribute(from, c, 1 - u - w);
      contributeUs(at, a, c);
      contributeUs(at + 1, b, c);
    }
    return out[0]!;
  };
}
