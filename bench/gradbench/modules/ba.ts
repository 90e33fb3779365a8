import { type BaInput, baJacobian, baValues, ba as errors } from "../../problems/ba.js";
import { count, fields, number, vector } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { resident } from "../session.js";

/** The message has one camera, point, weight and feature, of which all others are copies. */
function read(input: unknown): BaInput {
  const given = fields(input);
  const n = count(given.n, "n", 1);
  const m = count(given.m, "m", 1);
  const p = count(given.p, "p", 1);
  const camera = vector(given.cam, "cam", 11);
  const point = vector(given.x, "x", 3);
  const weight = number(given.w, "w");
  const feature = vector(given.feat, "feat", 2);
  const copies = (of: Float64Array, times: number): Float64Array => {
    const all = new Float64Array(of.length * times);
    for (let i = 0; i < all.length; i += of.length) all.set(of, i);
    return all;
  };
  const w = new Float64Array(p).fill(weight);
  return { n, m, p, cams: copies(camera, n), x: copies(point, m), w, feats: copies(feature, p) };
}

/** Of a block's 30 values and the Jacobian's last one, which is the last weight's: their columns. */
function columns({ n, m, p }: BaInput): number[] {
  const range = (from: number, length: number) => Array.from({ length }, (_, i) => from + i);
  const row = [...range(0, 11), ...range(11 * n, 3), 11 * n + 3 * m];
  return [...row, ...row, 11 * n + 3 * m + p - 1];
}

/** Where the first 30 rows begin, as far as there are so many, and where the last one ends. */
function starts(p: number): number[] {
  const begin = (row: number): number => 15 * Math.min(row, 2 * p) + Math.max(0, row - 2 * p);
  return [...Array.from({ length: Math.min(30, 3 * p + 1) }, (_, row) => begin(row)), 31 * p];
}

export const ba: EvalModule = {
  objective: (input) => {
    const given = read(input);
    return resident(errors(given), baValues(given), ({ reprojection, weight }) => ({
      reproj_error: { elements: Array.from(reprojection.subarray(0, 2)), repeated: given.p },
      w_err: { element: weight[0], repeated: given.p },
    }));
  },
  jacobian: (input) => {
    const given = read(input);
    return resident(baJacobian(given), baValues(given), ({ blocks, weights }) => ({
      rows: starts(given.p),
      cols: columns(given),
      vals: [...blocks.subarray(0, 30), weights[given.p - 1]],
    }));
  },
};
