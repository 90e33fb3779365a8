import { constant, fn, grad, jvp, matrix } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// The sum over points of the squared distance to the closest centroid, and the Newton direction: the gradient
// with respect to the centroids divided by the diagonal of the Hessian, which is all of it.

export interface KmeansInput {
  /** [n][d] */
  readonly points: Float64Array;
  /** [k][d] */
  readonly centroids: Float64Array;
  readonly d: number;
}

/** Every centroid is near a point, so that none is without points. */
export function kmeansInput(n: number, k: number, d: number): KmeansInput {
  const random = new Random(90 + k);
  const points = random.uniforms(n * d);
  const centroids = points.slice(0, k * d).map((v) => v + random.uniform(-1e-3, 1e-3));
  return { points, centroids, d };
}

/** Cost and direction by hand. */
export function kmeansByHand({ points, centroids, d }: KmeansInput): {
  cost: number;
  dir: Float64Array;
} {
  const n = points.length / d;
  const k = centroids.length / d;
  const gradient = new Float64Array(k * d);
  const hessian = new Float64Array(k);
  let cost = 0;
  for (let i = 0; i < n; i++) {
    let closest = Number.POSITIVE_INFINITY;
    let at = 0;
    for (let j = 0; j < k; j++) {
      let distance = 0;
      for (let c = 0; c < d; c++) {
        const difference = points[i * d + c]! - centroids[j * d + c]!;
        distance += difference * difference;
      }
      if (distance < closest) {
        closest = distance;
        at = j;
      }
    }
    cost += closest;
    hessian[at]! += 2;
    for (let c = 0; c < d; c++) {
      gradient[at * d + c]! += 2 * (centroids[at * d + c]! - points[i * d + c]!);
    }
  }
  return { cost, dir: gradient.map((g, index) => g / hessian[Math.floor(index / d)]!) };
}

type Sizes = Readonly<Record<"n" | "k" | "d", number>>;

/**
 * Which centroid is closest follows from |p - c|^2 = |p|^2 - 2 p c + |c|^2: all products come out of one matrix product,
 * and |p|^2 does not matter. There, points and centroids are taken from the points' mean, so that data far from zero
 * cancels no digits.
 */
export const kmeansCost = ({ n, k, d }: Sizes) =>
  fn({ points: matrix(n, d), centroids: matrix(k, d) }, ({ points, centroids }) => {
    const mean = points.mean({ axis: 0 });
    const c = centroids.sub(mean);
    const squares = c.square().sum({ axis: 1, keepDims: true });
    const distances = squares.sub(c.matmul(points.sub(mean).transpose()).mul(2));
    const closest = centroids.gather(distances.argmin({ axis: 0 }));
    return points.sub(closest).square().sum();
  });

/** The Hessian is diagonal, so its product with a vector of ones is its diagonal. */
export const kmeansDirection = (sizes: Sizes) => {
  const { n, k, d } = sizes;
  const gradient = grad(kmeansCost(sizes), { wrt: ["centroids"] });
  const derivative = jvp(gradient, { wrt: ["centroids"] });
  return fn({ points: matrix(n, d), centroids: matrix(k, d) }, ({ points, centroids }) => {
    const ones = constant(new Float64Array(k * d).fill(1), [k, d]);
    const { value, tangent } = derivative({ points, centroids }, { centroids: ones });
    return value.centroids.div(tangent.centroids);
  });
};

export function kmeansProblem(n: number, k: number, d: number): Problem {
  return {
    name: "k-means direction",
    size: `n=${n}, k=${k}, d=${d}`,
    native: () => {
      const input = kmeansInput(n, k, d);
      return {
        name: "kmeans",
        sizes: [n, k, d],
        inputs: [input.points, input.centroids],
        primal: () => [kmeansByHand(input).cost],
      };
    },
    contenders: () => {
      const input = kmeansInput(n, k, d);
      let direction: Float64Array = new Float64Array(k * d);
      const byJavaScript = byHand("", direction, () => {
        direction = kmeansByHand(input).dir;
        return 0;
      });
      return [
        { ...byJavaScript, gradient: () => direction },
        adjointContender("", ["direction"], () => {
          const session = kmeansDirection({ n, k, d }).session();
          session.inputs.points.set(input.points);
          session.inputs.centroids.set(input.centroids);
          // There is no value.
          const outputs = { value: new Float64Array(1), grad: { direction: session.outputs } };
          return { outputs, run: () => session.run(), dispose: () => session.dispose() };
        }),
      ];
    },
  };
}
