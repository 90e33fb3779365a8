import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../harness/random.js";

/** A hand: bones, and a skin of vertices that follow them. Matrices are row-major. */
export interface HandModel {
  readonly bones: number;
  readonly vertices: number;
  /** [bones]; -1 for none, else an earlier bone. */
  readonly parents: Int32Array;
  /** [bones][4][4], from a bone to its parent. */
  readonly relatives: Float64Array;
  /** [bones][4][4] */
  readonly inverses: Float64Array;
  /** [vertices][4] */
  readonly positions: Float64Array;
  /** [vertices][bones] */
  readonly weights: Float64Array;
  /** [triangles][3] */
  readonly triangles: Int32Array;
  readonly mirrored: boolean;
}

export interface HtInput {
  readonly model: HandModel;
  /** Of each point the vertex it belongs to or, with us, the triangle. */
  readonly correspondences: Int32Array;
  /** [correspondences][3] */
  readonly points: Float64Array;
  /** [26]: rotation 3, translation 3, four angles for each of the five fingers. */
  readonly theta: Float64Array;
  /** [correspondences][2]: where in the triangle; empty when points belong to vertices. */
  readonly us: Float64Array;
}

/** Five fingers of four bones at the wrist, and a forearm. */
const handBones = 22;
const handParents = Int32Array.from({ length: handBones }, (_, bone) =>
  bone === 0 ? -1 : bone === handBones - 1 || bone % 4 === 1 ? 0 : bone - 1,
);

function transform(random: Random): Float64Array {
  const [a, b] = [random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5)];
  const [x, y, z] = random.uniforms(3, -0.2, 0.2);
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return Float64Array.of(
    ca,
    -sa * cb,
    sa * sb,
    x!,
    sa,
    ca * cb,
    -ca * sb,
    y!,
    0,
    sb,
    cb,
    z!,
    0,
    0,
    0,
    1,
  );
}

/** A made-up hand. A vertex follows a bone and the bones near it, four at most. */
export function handModel(vertices = 544, mirrored = false): HandModel {
  const random = new Random(60);
  const relatives = new Float64Array(handBones * 16);
  const inverses = new Float64Array(handBones * 16);
  const weights = new Float64Array(vertices * handBones);
  const positions = new Float64Array(vertices * 4).fill(1);
  for (let bone = 0; bone < handBones; bone++) {
    relatives.set(transform(random), bone * 16);
    inverses.set(transform(random), bone * 16);
  }
  for (let v = 0; v < vertices; v++) {
    positions.set(random.uniforms(3, -0.5, 0.5), v * 4);
    const bone = Math.floor(random.uniform(0, handBones));
    const count = 1 + Math.floor(random.uniform(0, 4));
    const shares = random.uniforms(count, 0.1, 1);
    const sum = shares.reduce((total, share) => total + share, 0);
    shares.forEach((share, i) => {
      weights[v * handBones + ((bone + i) % handBones)] = share / sum;
    });
  }
  const triangles = Int32Array.from({ length: 6 * vertices }, (_, i) =>
    i % 3 === 0 ? Math.floor(i / 6) % vertices : Math.floor(random.uniform(0, vertices)),
  );
  const model = { bones: handBones, vertices, parents: handParents, relatives, inverses };
  return { ...model, positions, weights, triangles, mirrored };
}

/** A pose of this hand, and points near it. */
export function htInput(count: number, complicated: boolean, model = handModel()): HtInput {
  const random = new Random(61);
  const most = complicated ? model.triangles.length / 3 : model.vertices;
  return {
    model,
    correspondences: Int32Array.from({ length: count }, () => Math.floor(random.uniform(0, most))),
    points: random.normals(count * 3),
    theta: random.normals(26),
    us: random.uniforms(complicated ? count * 2 : 0, 0, 0.5),
  };
}

const numbers = (line: string, separator: RegExp | string): number[] =>
  line.trim().split(separator).filter(Boolean).map(Number);

const lines = (path: string): string[] => readFileSync(path, "utf8").trim().split("\n");

/** The hand in this folder, as ADBench has it: bones.txt, vertices.txt, triangles.txt. */
export function loadHandModel(folder: string): HandModel {
  const bones = lines(join(folder, "bones.txt")).map((line) =>
    numbers(line.slice(line.indexOf(":")), ":"),
  );
  const vertices = lines(join(folder, "vertices.txt")).map((line) => numbers(line, ":"));
  const triangles = lines(join(folder, "triangles.txt")).flatMap((line) => numbers(line, ":"));
  const weights = new Float64Array(vertices.length * bones.length);
  const positions = new Float64Array(vertices.length * 4).fill(1);
  vertices.forEach((vertex, v) => {
    positions.set(vertex.slice(0, 3), v * 4);
    // Position, normal, texture, the number of weights, and those: a bone and its weight.
    for (let i = 0; i < vertex[8]!; i++)
      weights[v * bones.length + vertex[9 + 2 * i]!] = vertex[10 + 2 * i]!;
  });
  return {
    bones: bones.length,
    vertices: vertices.length,
    parents: Int32Array.from(bones, (bone) => bone[0]!),
    relatives: Float64Array.from(bones.flatMap((bone) => bone.slice(1, 17))),
    inverses: Float64Array.from(bones.flatMap((bone) => bone.slice(17, 33))),
    ...{ positions, weights, triangles: Int32Array.from(triangles), mirrored: false },
  };
}

/** A pose and its points as ADBench has them, with the vertices they belong to. */
export function loadHt(path: string, model: HandModel): HtInput {
  const [sizes, ...rest] = lines(path).map((line) => numbers(line, /\s+/));
  const matches = rest.slice(0, sizes![0]!);
  return {
    model,
    correspondences: Int32Array.from(matches, ([vertex]) => vertex!),
    points: Float64Array.from(matches.flatMap((match) => match.slice(1))),
    theta: Float64Array.from(rest.slice(sizes![0]!).flat()),
    us: new Float64Array(0),
  };
}
