import { constant, matrix, tensor, type Value, vector } from "adjoint";
import { anglesOfBones, placesOf, type Skeleton } from "./ht-bones.js";
import type { HandModel, HtInput } from "./ht-input.js";

// How a hand's skin follows its bones, and points belong to the skin.

export type Given = Readonly<
  Record<"theta" | "us" | "points" | "relatives" | "inverses" | "positions" | "weights", Value>
>;

/** Of each finger the bones that its angles move. */
function movedBones({ parents }: Skeleton): number[][] {
  const movers: Set<number>[] = [];
  parents.forEach((parent, bone) => {
    movers[bone] = new Set(parent < 0 ? [] : movers[parent]!);
    if (anglesOfBones.some((angle) => angle.bone === bone)) movers[bone].add((bone - 2) >> 2);
  });
  return Array.from({ length: 5 }, (_, finger) =>
    [...parents.keys()].filter((bone) => movers[bone]!.has(finger)),
  );
}

/**
 * The bones in groups of one size: those that a finger's angles move, for each finger, then the others. Most hands need
 * nothing to fill up a group, and have each bone once.
 */
function groupsOf(model: HandModel) {
  const moved = movedBones(model);
  const size = Math.max(...moved.map((list) => list.length));
  const filled = moved.map((list) => [...list, ...new Array<number>(size - list.length).fill(-1)]);
  const others = [...model.parents.keys()].filter((bone) => !moved.flat().includes(bone));
  while (others.length % size > 0) others.push(-1);
  const bones = [...filled.flat(), ...others];
  const listed = moved.flat();
  return {
    size,
    count: bones.length / size,
    /** -1 where there is none. */
    bones,
    /** Where a bone stands for the first time. */
    first: bones.map((bone, at) => bone >= 0 && bones.indexOf(bone) === at),
    /** Whether no two fingers move the same bone. */
    apart: new Set(listed).size === listed.length,
  };
}

/** What of an input is structure: everything but its numbers. */
export function layout({ model, correspondences, us }: HtInput) {
  const { triangles } = model;
  const complicated = us.length > 0;
  const corners = Array.from({ length: complicated ? 3 : 1 }, (_, corner) =>
    Array.from(correspondences, (at) => (complicated ? triangles[3 * at + corner]! : at)),
  );
  const vertices = [...new Set(corners.flat())];
  const places = placesOf(model.parents);
  const place = new Map(vertices.map((vertex, at) => [vertex, at]));
  return {
    complicated,
    /** The vertices that points belong to. */
    vertices,
    /** For each corner, where among those each point's is. */
    corners: corners.map((corner) => corner.map((vertex) => place.get(vertex)!)),
    count: correspondences.length,
    bones: model.bones,
    groups: groupsOf(model),
    /** For each bone, where its transform is; where another one's is, that nobody looks at, when there is no bone. */
    transformOf: (bone: number) => places[Math.max(0, bone)]!,
  };
}

export type Layout = ReturnType<typeof layout>;

/** Positions and weights of the vertices that points belong to, the weights in the groups of the bones. */
export const htInputs = ({ bones, count, vertices, groups }: Layout) => ({
  theta: vector(26),
  us: matrix(count, 2),
  points: matrix(count, 3),
  relatives: tensor([bones, 4, 4]),
  inverses: tensor([bones, 4, 4]),
  positions: matrix(vertices.length, 4),
  weights: tensor([vertices.length, groups.count, groups.size]),
});

/** The numbers, as the function's inputs. Without us there is an input that the function does not use. */
export function htValues(input: HtInput) {
  const { model, points, theta, us } = input;
  const { vertices, groups, bones } = layout(input);
  const { relatives, inverses } = model;
  const slots = groups.bones.length;
  const positions = new Float64Array(vertices.length * 4);
  const weights = new Float64Array(vertices.length * slots);
  vertices.forEach((vertex, at) => {
    positions.set(model.positions.subarray(4 * vertex, 4 * vertex + 4), 4 * at);
    groups.bones.forEach((bone, slot) => {
      weights[at * slots + slot] = model.weights[vertex * bones + Math.max(0, bone)]!;
    });
  });
  const places = us.length > 0 ? us : new Float64Array((points.length / 3) * 2);
  return { theta, us: places, points, relatives, inverses, positions, weights };
}

/** Rows of vertices become rows of points: a vertex's own or, with us, what they make of a triangle's. */
export function pointsOf({ complicated, corners }: Layout, rows: Value, us: Value): Value {
  const values = corners.map((corner) => rows.gather(corner));
  if (!complicated) return values[0]!;
  const shape = rows.shape.map((_, axis) => (axis === 0 ? -1 : 1));
  const [u, v] = [0, 1].map((k) => us.slice(null, [k, k + 1]).reshape(shape));
  const shares = [u!, v!, u!.add(v!).neg().add(1)];
  return values.map((value, i) => value.mul(shares[i]!)).reduce((sum, part) => sum.add(part));
}

/** For each vertex and bone, in groups, the vertex weighted: [vertices][groups][bones of a group][4]. */
export function weighted({ groups }: Layout, { positions, weights }: Given): Value {
  const perBone = weights.reshape([-1, groups.count, groups.size, 1]);
  return perBone.mul(positions.reshape([-1, 1, 1, 4]));
}

/** Where vertices are before the hand as a whole moves, [vertices][3]. */
export function skinned(at: Layout, constants: Value, moves: Value): Value {
  const { bones, groups, transformOf } = at;
  const rows = groups.bones.length;
  const places = table([rows, 4, 3], (row, k, i) => {
    return (4 * i + k) * bones + transformOf(groups.bones[row]!);
  });
  let columns = moves.reshape([-1]).gather(places);
  // Every bone counts once.
  if (groups.first.includes(false)) {
    columns = columns.mul(constant(groups.first.map(Number), [rows, 1, 1]));
  }
  return constants.reshape([-1, rows * 4]).matmul(columns.reshape([rows * 4, 3]));
}

/** Constant indices, by the positions on their axes. */
export function table(shape: readonly number[], index: (...at: number[]) => number): Value {
  const values = new Float64Array(shape.reduce((size, extent) => size * extent, 1));
  const at = shape.map(() => 0);
  for (let i = 0; i < values.length; i++) {
    values[i] = index(...at);
    for (let axis = shape.length - 1; ++at[axis]! === shape[axis] && axis > 0; axis--) at[axis] = 0;
  }
  return constant(values, shape);
}
