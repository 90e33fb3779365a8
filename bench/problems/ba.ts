import {
  fn,
  grad,
  matrix,
  scalar,
  sparseJacobian,
  stack,
  type Value,
  vector,
  vmap,
  where,
} from "adjoint";
import { byHand } from "../harness/adjoint.js";
import type { Contender } from "../harness/measure.js";
import { Random } from "../harness/random.js";
import { baByHand } from "./ba-by-hand.js";
import type { Problem } from "./problem.js";

// Bundle adjustment: n cameras see m points, p times in all; observation i is of point i % m by camera i % n. A camera is
// [rotation 3 (axis times angle), center 3, focal length, principal point 2, radial distortion 2]. An observation has two
// errors, weight times (projected point - feature), and its weight has the error 1 - weight^2.

export interface BaSizes {
  readonly n: number;
  readonly m: number;
  readonly p: number;
}

export interface BaInput extends BaSizes {
  /** [n][11] */
  readonly cams: Float64Array;
  /** [m][3] */
  readonly x: Float64Array;
  /** [p] */
  readonly w: Float64Array;
  /** [p][2] */
  readonly feats: Float64Array;
}

/** The numbers, as the function's inputs. */
export const baValues = ({ cams, x, w, feats }: BaInput) => ({ cams, x, w, feats });

/** Cameras look at points some tens of units away, never from within. */
export function baInput(n: number, m: number, p: number): BaInput {
  const random = new Random(70);
  const cams = new Float64Array(n * 11);
  for (let i = 0; i < n; i++) {
    cams.set(random.uniforms(3, -0.4, 0.4), i * 11);
    cams.set([random.uniform(-5, 5), random.uniform(-5, 5), random.uniform(-60, -40)], i * 11 + 3);
    cams.set([random.uniform(300, 500), ...random.uniforms(2, -10, 10)], i * 11 + 6);
    cams.set([random.uniform(-0.1, 0.1), random.uniform(-0.01, 0.01)], i * 11 + 9);
  }
  const x = random.uniforms(m * 3, -10, 10);
  return { n, m, p, cams, x, w: random.uniforms(p, 0.2, 1), feats: random.normals(p * 2) };
}

const observation = {
  camera: {
    rx: scalar(),
    ry: scalar(),
    rz: scalar(),
    cx: scalar(),
    cy: scalar(),
    cz: scalar(),
    focal: scalar(),
    u0: scalar(),
    v0: scalar(),
    k1: scalar(),
    k2: scalar(),
  },
  point: { x: scalar(), y: scalar(), z: scalar() },
  w: scalar(),
  feature: { u: scalar(), v: scalar() },
};

const cameraNames = Object.keys(observation.camera) as (keyof typeof observation.camera)[];

/**
 * The two errors of one observation. Rodrigues' formula: for a rotation r of angle t a vector q becomes
 * cos t q + sin t / t (r x q) + (1 - cos t) / t^2 (r q) r. Next to t = 0, where these quotients cancel, both are
 * their series, so that there too values and derivatives have all their digits.
 */
export const baResidual = fn(observation, ({ camera, point, w, feature }) => {
  const { rx, ry, rz } = camera;
  const x = point.x.sub(camera.cx);
  const y = point.y.sub(camera.cy);
  const z = point.z.sub(camera.cz);
  const square = rx.square().add(ry.square()).add(rz.square());
  const turned = square.greater(1e-5);
  const angle = where(turned, square, 1).sqrt();
  const inverse = angle.reciprocal();
  const byCross = where(
    turned,
    angle.sin().mul(inverse),
    square
      .mul(1 / 120)
      .sub(1 / 6)
      .mul(square)
      .add(1),
  );
  const byDot = where(
    turned,
    angle.cos().neg().add(1).mul(inverse).mul(inverse),
    square
      .mul(1 / 720)
      .sub(1 / 24)
      .mul(square)
      .add(0.5),
  );
  const cos = byDot.mul(square).neg().add(1);
  const along = rx.mul(x).add(ry.mul(y)).add(rz.mul(z)).mul(byDot);
  const xTurned = x
    .mul(cos)
    .add(ry.mul(z).sub(rz.mul(y)).mul(byCross))
    .add(rx.mul(along));
  const yTurned = y
    .mul(cos)
    .add(rz.mul(x).sub(rx.mul(z)).mul(byCross))
    .add(ry.mul(along));
  const zTurned = z
    .mul(cos)
    .add(rx.mul(y).sub(ry.mul(x)).mul(byCross))
    .add(rz.mul(along));
  const depth = zTurned.reciprocal();
  const u = xTurned.mul(depth);
  const v = yTurned.mul(depth);
  const r2 = u.square().add(v.square());
  const distortion = camera.k2.mul(r2).add(camera.k1).mul(r2).add(1);
  return {
    u: u.mul(distortion).mul(camera.focal).add(camera.u0).sub(feature.u).mul(w),
    v: v.mul(distortion).mul(camera.focal).add(camera.v0).sub(feature.v).mul(w),
  };
});

const weightError = fn({ w: scalar() }, ({ w }) => w.square().neg().add(1));

const inputs = ({ n, m, p }: BaSizes) => ({
  cams: matrix(n, 11),
  x: matrix(m, 3),
  w: vector(p),
  feats: matrix(p, 2),
});

/** Every observation's camera, point and feature, as `baResidual` takes them in lanes. */
function observed(
  { n, m, p }: BaSizes,
  { cams, x, w, feats }: Readonly<Record<"cams" | "x" | "w" | "feats", Value>>,
) {
  const cameras = Int32Array.from({ length: p }, (_, i) => i % n);
  const points = Int32Array.from({ length: p }, (_, i) => i % m);
  const camera = cams.gather(cameras);
  const point = x.gather(points);
  const column = (of: Value, i: number) =>
    of.slice(null, [i, i + 1]).reshape([-1]) as Value<[number]>;
  return {
    camera: Object.fromEntries(cameraNames.map((name, i) => [name, column(camera, i)])) as Record<
      (typeof cameraNames)[number],
      Value<[number]>
    >,
    point: { x: column(point, 0), y: column(point, 1), z: column(point, 2) },
    w: w as Value<[number]>,
    feature: { u: column(feats, 0), v: column(feats, 1) },
  };
}

/** All errors: [p][2] and [p]. */
export const ba = (sizes: BaSizes) =>
  fn(inputs(sizes), (given) => {
    const { u, v } = vmap(baResidual, sizes.p)(observed(sizes, given));
    return {
      reprojection: stack([u, v], { axis: 1 }).reshape([sizes.p, 2]),
      weight: vmap(weightError, sizes.p)({ w: given.w }),
    };
  });

const parameters = ["camera", "point", "w"] as const;
const byU = fn(observation, (given) => baResidual(given).u);
const byV = fn(observation, (given) => baResidual(given).v);
const rows = [grad(byU, { wrt: parameters }), grad(byV, { wrt: parameters })];

/**
 * What is not zero in the Jacobian: of an observation's two errors by its camera, its point and its weight, [p][2][15],
 * and of the weights' errors, [p]. These are the values of the whole Jacobian, row by row: its rows are all reprojection
 * errors and then all weight errors, its columns all cameras, then all points, then all weights.
 */
export const baJacobian = (sizes: BaSizes) =>
  fn(inputs(sizes), (given) => {
    const { p } = sizes;
    const at = observed(sizes, given);
    const columns = rows.flatMap((row) => {
      const { camera, point, w } = vmap(row, p)(at);
      return [...cameraNames.map((name) => camera[name]), point.x, point.y, point.z, w];
    });
    return {
      blocks: stack(columns, { axis: 1 }).reshape([p, 2, 15]),
      weights: vmap(grad(weightError), p)({ w: given.w }).w,
    };
  });

/** The same derivatives by the transform: compressed rows, which leave out what is zero by structure. */
function sparseContender(input: BaInput): Contender {
  const { n, m, p } = input;
  const start = performance.now();
  const jacobian = sparseJacobian(ba(input), { wrt: ["cams", "x", "w"] });
  const session = jacobian.session();
  const values = baValues(input);
  for (const name of Object.keys(values) as (keyof typeof values)[])
    session.inputs[name].set(values[name]);
  const setupSeconds = (performance.now() - start) / 1000;
  const { outputs } = session;
  return {
    ...{ tool: "adjoint", backend: "sparseJacobian", dtype: "f64" as const, setupSeconds },
    run: () => {
      session.run();
      return outputs[0]!;
    },
    gradient: () => {
      const { rowStarts, columnIndices } = jacobian.pattern;
      const all = new Float64Array(p * 31);
      for (let row = 0; row < 3 * p; row++) {
        const first = row < 2 * p ? (row >> 1) * 31 + (row & 1) * 15 : (row - 2 * p) * 31 + 30;
        for (let entry = rowStarts[row]!; entry < rowStarts[row + 1]!; entry++) {
          const column = columnIndices[entry]!;
          const ofPoint = column - n * 11;
          const own = ofPoint < 0 ? column % 11 : ofPoint < m * 3 ? 11 + (ofPoint % 3) : 14;
          all[row < 2 * p ? first + own : first] = outputs[entry]!;
        }
      }
      return all;
    },
    dispose: () => session.dispose(),
  };
}

export function baProblem(n: number, m: number, p: number): Problem {
  return {
    name: "bundle adjustment",
    size: `${n} cameras, ${m} points, ${p} observations`,
    contenders: () => {
      const input = baInput(n, m, p);
      const out = new Float64Array(p * 31);
      const start = performance.now();
      const session = baJacobian(input).session();
      const values = baValues(input);
      for (const name of Object.keys(values) as (keyof typeof values)[])
        session.inputs[name].set(values[name]);
      const setupSeconds = (performance.now() - start) / 1000;
      const { blocks, weights } = session.outputs;
      return [
        byHand("", out, () => baByHand(input, out)),
        {
          ...{ tool: "adjoint", backend: "", dtype: "f64" as const, setupSeconds },
          run: () => {
            session.run();
            return blocks[0]!;
          },
          /** As the hand-written one has it: [p][31], an observation's block and then the weight's derivative. */
          gradient: () => {
            const all = new Float64Array(p * 31);
            for (let i = 0; i < p; i++) {
              all.set(blocks.subarray(i * 30, (i + 1) * 30), i * 31);
              all[i * 31 + 30] = weights[i]!;
            }
            return all;
          },
          dispose: () => session.dispose(),
        },
        sparseContender(input),
      ];
    },
  };
}
