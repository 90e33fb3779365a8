import { kmeansCost, kmeansDirection } from "../../problems/kmeans.js";
import { fields, InputError, nested, rows } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const given = fields(input);
  const { values: points, rows: n, columns: d } = rows(given.points, "points");
  if (points.length === 0) throw new InputError("points is empty");
  const { values: centroids, rows: k } = rows(given.centroids, "centroids", { columns: d });
  if (k === 0) throw new InputError("centroids is empty");
  return { sizes: { n, k, d }, values: { points, centroids } };
}

export const kmeans: EvalModule = {
  cost: (input) => {
    const { sizes, values } = read(input);
    return prepared(kmeansCost(sizes), values, (y) => y[0]);
  },
  dir: (input) => {
    const { sizes, values } = read(input);
    return prepared(kmeansDirection(sizes), values, (direction) =>
      nested(direction, sizes.k, sizes.d),
    );
  },
};
