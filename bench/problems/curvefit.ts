import { constant, fn, matrix, type Value, valueAndGrad, vector, vmap } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import type { PeerFunction } from "../harness/peers.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// The squared error of three Gaussians and an offset, 10 parameters, on 20 points: the sum over j of
// (p0 + sum over k < 3 of p[1+3k] exp(-p[2+3k] (t_j - p[3+3k])^2) - y_j)^2, t_j = -2 + 4 j/19.

export const curveParameters = 10;
export const curvePoints = 20;

export const curveTimes = (): Float64Array =>
  Float64Array.from({ length: curvePoints }, (_, j) => -2 + (4 * j) / 19);

export interface CurveInput {
  /** [instances][10] */
  readonly p: Float64Array;
  /** [instances][20] */
  readonly y: Float64Array;
}

export function curveInput(instances: number): CurveInput {
  const random = new Random(60);
  const p = new Float64Array(instances * curveParameters);
  for (let i = 0; i < p.length; ) {
    p[i++] = random.uniform(-1, 1);
    for (let k = 0; k < 3; k++) {
      p[i++] = random.uniform(-1, 1);
      p[i++] = random.uniform(0.5, 1.5);
      p[i++] = random.uniform(-2, 2);
    }
  }
  return { p, y: random.uniforms(instances * curvePoints, -1, 1) };
}

/** Value and gradient of every instance by hand; the sum of the values is returned. */
export function curveByHand(
  t: Float64Array,
  { p, y }: CurveInput,
  values: Float64Array,
  gradient: Float64Array,
): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    const at = i * 10;
    const p0 = p[at]!;
    const a1 = p[at + 1]!;
    const w1 = p[at + 2]!;
    const c1 = p[at + 3]!;
    const a2 = p[at + 4]!;
    const w2 = p[at + 5]!;
    const c2 = p[at + 6]!;
    const a3 = p[at + 7]!;
    const w3 = p[at + 8]!;
    const c3 = p[at + 9]!;
    let value = 0;
    let g0 = 0;
    let ga1 = 0;
    let gw1 = 0;
    let gc1 = 0;
    let ga2 = 0;
    let gw2 = 0;
    let gc2 = 0;
    let ga3 = 0;
    let gw3 = 0;
    let gc3 = 0;
    for (let j = 0; j < 20; j++) {
      const tj = t[j]!;
      const d1 = tj - c1;
      const d2 = tj - c2;
      const d3 = tj - c3;
      const e1 = Math.exp(-w1 * d1 * d1);
      const e2 = Math.exp(-w2 * d2 * d2);
      const e3 = Math.exp(-w3 * d3 * d3);
      const r = p0 + a1 * e1 + a2 * e2 + a3 * e3 - y[i * 20 + j]!;
      value += r * r;
      g0 += r;
      const b1 = r * e1;
      const b2 = r * e2;
      const b3 = r * e3;
      ga1 += b1;
      ga2 += b2;
      ga3 += b3;
      gw1 += b1 * d1 * d1;
      gw2 += b2 * d2 * d2;
      gw3 += b3 * d3 * d3;
      gc1 += b1 * d1;
      gc2 += b2 * d2;
      gc3 += b3 * d3;
    }
    values[i] = value;
    total += value;
    gradient[at] = 2 * g0;
    gradient[at + 1] = 2 * ga1;
    gradient[at + 2] = -2 * a1 * gw1;
    gradient[at + 3] = 4 * a1 * w1 * gc1;
    gradient[at + 4] = 2 * ga2;
    gradient[at + 5] = -2 * a2 * gw2;
    gradient[at + 6] = 4 * a2 * w2 * gc2;
    gradient[at + 7] = 2 * ga3;
    gradient[at + 8] = -2 * a3 * gw3;
    gradient[at + 9] = 4 * a3 * w3 * gc3;
  }
  return total;
}

/** One instance. */
export const curve = () =>
  fn({ p: vector(curveParameters), y: vector(curvePoints) }, ({ p, y }) => {
    const t = constant(curveTimes(), [curvePoints]);
    let model: Value = p.at(0);
    for (let k = 0; k < 3; k++) {
      const distance = t.sub(p.at(3 + 3 * k));
      const bell = distance
        .square()
        .mul(p.at(2 + 3 * k))
        .neg()
        .exp();
      model = model.add(bell.mul(p.at(1 + 3 * k)));
    }
    return model.sub(y).square().sum();
  });

/** Many instances side by side: the sum of their values, whose gradient has theirs in its rows. */
export const curves = (instances: number) =>
  fn({ p: matrix(instances, curveParameters), y: matrix(instances, curvePoints) }, ({ p, y }) => {
    const t = constant(curveTimes(), [curvePoints, 1]);
    const columns = p.transpose();
    let model: Value = columns.at(0);
    for (let k = 0; k < 3; k++) {
      const distance = t.sub(columns.at(3 + 3 * k));
      const bell = distance
        .square()
        .mul(columns.at(2 + 3 * k))
        .neg()
        .exp();
      model = model.add(bell.mul(columns.at(1 + 3 * k)));
    }
    return model.sub(y.transpose()).square().sum();
  });

const peer =
  (instances: number, { y }: CurveInput): PeerFunction =>
  (ops) => {
    const t = ops.constant(curveTimes(), [1, curvePoints]);
    const data = ops.constant(y, [instances, curvePoints]);
    return (p) => {
      const column = (index: number) => ops.slice(p!, [0, index], [instances, 1]);
      let model = ops.scale(data, -1);
      model = ops.add(model, column(0));
      for (let k = 0; k < 3; k++) {
        const square = ops.square(ops.sub(t, column(3 + 3 * k)));
        const bell = ops.exp(ops.scale(ops.mul(square, column(2 + 3 * k)), -1));
        model = ops.add(model, ops.mul(bell, column(1 + 3 * k)));
      }
      return ops.sum(ops.square(model));
    };
  };

export function curveProblem(instances: number): Problem {
  return {
    name: "curve fit",
    size: instances === 1 ? "1 instance" : `${instances} instances`,
    native: () => {
      const input = curveInput(instances);
      const values = new Float64Array(instances);
      return {
        name: "curvefit",
        sizes: [instances],
        inputs: [input.p, input.y],
        primal: () => {
          curveByHand(curveTimes(), input, values, new Float64Array(input.p.length));
          return values;
        },
      };
    },
    contenders: (peers) => {
      const input = curveInput(instances);
      const t = curveTimes();
      const values = new Float64Array(instances);
      const gradient = new Float64Array(input.p.length);
      const one = valueAndGrad(curve(), { wrt: ["p"] });
      const many = valueAndGrad(curves(instances), { wrt: ["p"] });
      const ways = [
        ["", one],
        ["instances as columns", many],
        ["vmap of one", vmap(one, instances)],
      ] as const;
      return [
        byHand("", gradient, () => curveByHand(t, input, values, gradient)),
        ...(instances === 1 ? ways.slice(0, 1) : ways.slice(1)).map(([way, f]) =>
          adjointContender(way, ["p"], () => {
            const session = f.session();
            session.inputs.p.set(input.p);
            session.inputs.y.set(input.y);
            return session;
          }),
        ),
        ...peers.contenders(peer(instances, input), [
          { values: input.p, shape: [instances, curveParameters] },
        ]),
      ];
    },
  };
}
