import { ht as errors, htJacobian } from "../../problems/ht.js";
import { leastBones } from "../../problems/ht-bones.js";
import type { HandModel, HtInput } from "../../problems/ht-input.js";
import { htValues } from "../../problems/ht-skin.js";
import { count, fields, InputError, nested, rows, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { resident } from "../session.js";

/** Whole numbers in [least, most], in a list. */
function integers(value: unknown, name: string, least: number, most: number): Int32Array {
  const read = vector(value, name);
  return Int32Array.from(read, (n, i) => count(n, `${name}[${i}]`, least, most));
}

/** A list of 4x4 matrices. */
function matrices(value: unknown, name: string, length: number): Float64Array {
  if (!Array.isArray(value)) throw new InputError(`${name} is not a list`);
  if (value.length !== length) {
    throw new InputError(`${name} has ${value.length} matrices where ${length} are expected`);
  }
  const all = new Float64Array(16 * length);
  value.forEach((matrix, i) => {
    all.set(rows(matrix, `${name}[${i}]`, { rows: 4, columns: 4 }).values, 16 * i);
  });
  return all;
}

function readModel(value: unknown): HandModel {
  const given = fields(value);
  const parents = vector(given.parents, "parents");
  const bones = parents.length;
  if (bones < leastBones) {
    throw new InputError(`parents has ${bones} bones where at least ${leastBones} are expected`);
  }
  const mirrored = given.is_mirrored;
  if (typeof mirrored !== "boolean") throw new InputError("is_mirrored is not a boolean");
  const { values: positions, rows: vertices } = rows(given.base_positions, "base_positions", {
    columns: 4,
  });
  if (vertices === 0) throw new InputError("base_positions is empty");
  const triangles = rows(given.triangles, "triangles", { columns: 3 }).values;
  return {
    bones,
    vertices,
    parents: Int32Array.from(parents, (parent, bone) =>
      count(parent, `parents[${bone}]`, -1, bone - 1),
    ),
    relatives: matrices(given.base_relatives, "base_relatives", bones),
    inverses: matrices(given.inverse_base_absolutes, "inverse_base_absolutes", bones),
    positions,
    weights: rows(given.weights, "weights", { rows: vertices, columns: bones }).values,
    triangles: Int32Array.from(triangles, (vertex, i) =>
      count(vertex, `triangles[${Math.floor(i / 3)}]`, 0, vertices - 1),
    ),
    mirrored,
  };
}

function read(input: unknown): HtInput {
  const given = fields(input);
  const data = fields(given.data);
  const model = readModel(data.model);
  const theta = vector(given.theta, "theta", 26);
  const { values: points, rows: length } = rows(data.points, "points", { columns: 3 });
  if (length === 0) throw new InputError("points is empty");
  const complicated = !Array.isArray(given.us) || given.us.length > 0;
  const us = rows(given.us, "us", complicated ? { rows: length, columns: 2 } : {}).values;
  const most = (complicated ? model.triangles.length / 3 : model.vertices) - 1;
  const correspondences = integers(data.correspondences, "correspondences", 0, most);
  if (correspondences.length !== length) {
    throw new InputError(
      `correspondences has ${correspondences.length} elements for ${length} points`,
    );
  }
  return { model, correspondences, points, theta, us };
}

export const ht: EvalModule = {
  objective: (input) => {
    const given = read(input);
    return resident(errors(given), htValues(given), (y) => Array.from(y));
  },
  jacobian: (input) => {
    const given = read(input);
    const columns = given.us.length > 0 ? 28 : 26;
    return resident(htJacobian(given), htValues(given), (jacobian) =>
      nested(jacobian, given.points.length, columns),
    );
  },
};
