// Bundle adjustment and hand tracking once more, with dual numbers and as their definitions have them: slow and plain.
import type { BaInput } from "../bench/problems/ba.js";
import type { HtInput } from "../bench/problems/ht-input.js";

/** A number and its derivative in one direction. */
class Dual {
  constructor(
    readonly value: number,
    readonly slope = 0,
  ) {}
  plus(b: Dual): Dual {
    return new Dual(this.value + b.value, this.slope + b.slope);
  }
  minus(b: Dual): Dual {
    return new Dual(this.value - b.value, this.slope - b.slope);
  }
  times(b: Dual): Dual {
    return new Dual(this.value * b.value, this.slope * b.value + this.value * b.slope);
  }
  over(b: Dual): Dual {
    const value = this.value / b.value;
    return new Dual(value, (this.slope - value * b.slope) / b.value);
  }
  sin(): Dual {
    return new Dual(Math.sin(this.value), Math.cos(this.value) * this.slope);
  }
  cos(): Dual {
    return new Dual(Math.cos(this.value), -Math.sin(this.value) * this.slope);
  }
}

const [zero, one] = [new Dual(0), new Dual(1)];
const plain = (values: ArrayLike<number>): Dual[] => Array.from(values, (v) => new Dual(v));
const sum = (terms: readonly Dual[]): Dual => terms.reduce((total, term) => total.plus(term), zero);

type Matrix = readonly (readonly Dual[])[];

const product = (a: Matrix, b: Matrix): Dual[][] =>
  a.map((row) => b[0]!.map((_, j) => sum(row.map((element, k) => element.times(b[k]![j]!)))));

const matrix = (values: ArrayLike<number>, columns: number): Dual[][] =>
  Array.from({ length: values.length / columns }, (_, i) =>
    plain(Array.from({ length: columns }, (_, j) => values[i * columns + j]!)),
  );

const identity = (size: number): Dual[][] =>
  Array.from({ length: size }, (_, i) =>
    Array.from({ length: size }, (_, j) => (i === j ? one : zero)),
  );

/** The exponential of the matrix that r crosses with, by its series: no angle is too small for it. */
function rotation([x, y, z]: readonly Dual[]): Matrix {
  const minus = (d: Dual): Dual => zero.minus(d);
  const cross = [
    [zero, minus(z!), y!],
    [z!, zero, minus(x!)],
    [minus(y!), x!, zero],
  ];
  let term: Matrix = identity(3);
  let total: Matrix = term;
  for (let n = 1; n <= 60; n++) {
    term = product(term, cross).map((row) => row.map((element) => element.over(new Dual(n))));
    total = total.map((row, i) => row.map((element, j) => element.plus(term[i]![j]!)));
  }
  return total;
}

/** The errors of an observation, from [camera 11, point 3, weight]. */
function reprojection(q: readonly Dual[], feature: readonly number[]): Dual[] {
  const centered = q.slice(11, 14).map((x, i) => [x.minus(q[3 + i]!)]);
  const [x, y, z] = product(rotation(q.slice(0, 3)), centered).map((row) => row[0]!);
  const [u, v] = [x!.over(z!), y!.over(z!)];
  const r2 = u.times(u).plus(v.times(v));
  const distortion = one.plus(q[9]!.times(r2)).plus(q[10]!.times(r2).times(r2));
  return [u, v].map((at, i) => {
    const projected = at
      .times(distortion)
      .times(q[6]!)
      .plus(q[7 + i]!);
    return projected.minus(new Dual(feature[i]!)).times(q[14]!);
  });
}

/** Errors, and the values of the Jacobian row by row, observations first. */
export function baByDuals({ n, m, p, cams, x, w, feats }: BaInput) {
  const [errors, blocks]: number[][] = [[], []];
  for (let i = 0; i < p; i++) {
    const [camera, point] = [(i % n) * 11, (i % m) * 3];
    const q = [...cams.subarray(camera, camera + 11), ...x.subarray(point, point + 3), w[i]!];
    const columns = q.map((_, k) =>
      reprojection(
        q.map((value, j) => new Dual(value, Number(j === k))),
        [...feats.subarray(2 * i, 2 * i + 2)],
      ),
    );
    for (const row of [0, 1]) {
      errors!.push(columns[0]![row]!.value);
      blocks!.push(...columns.map((column) => column[row]!.slope));
    }
  }
  return {
    errors: errors!,
    weightErrors: Array.from(w, (wi) => 1 - wi * wi),
    values: [...blocks!, ...Array.from(w, (wi) => -2 * wi)],
  };
}

function posed(angles: readonly Dual[]): Matrix {
  const [tx, tz, ty] = angles as [Dual, Dual, Dual];
  const about = (axis: number, angle: Dual): Dual[][] => {
    const turn = identity(4);
    const [i, j] = [(axis + 1) % 3, (axis + 2) % 3];
    turn[i]![i] = turn[j]![j] = angle.cos();
    turn[j]![i] = angle.sin();
    turn[i]![j] = zero.minus(angle.sin());
    return turn;
  };
  return product(product(about(2, tz), about(1, ty)), about(0, tx));
}

function handErrors(input: HtInput, theta: readonly Dual[], us: readonly Dual[]): Dual[] {
  const { model, correspondences, points } = input;
  const { bones, parents, triangles } = model;
  const angles = Array.from({ length: bones }, () => [zero, zero, zero]);
  let next = 6;
  for (let finger = 0; finger < 5; finger++) {
    for (let joint = 2; joint <= 4; joint++) {
      const bone = angles[4 * finger + joint]!;
      bone[0] = theta[next++]!;
      if (joint === 2) bone[1] = theta[next++]!;
    }
  }
  const four = (values: Float64Array, at: number): Matrix =>
    matrix(values.subarray(16 * at, 16 * at + 16), 4);
  const absolutes: Matrix[] = [];
  const transforms = angles.map((of, bone) => {
    const relative = product(four(model.relatives, bone), posed(of));
    const parent = parents[bone]!;
    absolutes.push(parent < 0 ? relative : product(absolutes[parent]!, relative));
    return product(absolutes[bone]!, four(model.inverses, bone));
  });
  const axis = theta.slice(0, 3);
  const turns = Math.hypot(...axis.map(({ value }) => value)) >= 1e-4;
  const whole = turns ? rotation(axis) : identity(3);
  const places = new Map<number, Dual[]>();
  const place = (vertex: number): Dual[] => {
    const known = places.get(vertex);
    if (known) return known;
    const column = matrix(model.positions.subarray(4 * vertex, 4 * vertex + 4), 1);
    const local = [zero, zero, zero].map((_, i) => {
      const parts = transforms.map((transform, bone) =>
        product(transform, column)[i]![0]!.times(new Dual(model.weights[vertex * bones + bone]!)),
      );
      return [i === 0 && model.mirrored ? zero.minus(sum(parts)) : sum(parts)];
    });
    const found = product(whole, local).map((row, i) => row[0]!.plus(theta[3 + i]!));
    places.set(vertex, found);
    return found;
  };
  return Array.from(correspondences).flatMap((at, point) => {
    const target = plain(points.subarray(3 * point, 3 * point + 3));
    if (us.length === 0) return target.map((t, i) => t.minus(place(at)[i]!));
    const [u, v] = [us[2 * point]!, us[2 * point + 1]!];
    const parts = [u, v, one.minus(u).minus(v)];
    return target.map((t, i) =>
      t.minus(sum(parts.map((part, corner) => part.times(place(triangles[3 * at + corner]!)[i]!)))),
    );
  });
}

/** Errors and the Jacobian's rows: by us, if there are any, each point's by its own two, and by theta. */
export function htByDuals(input: HtInput): { errors: number[]; jacobian: number[][] } {
  const { theta, us } = input;
  const seeded = (values: Float64Array, isIn: (i: number) => boolean): Dual[] =>
    Array.from(values, (v, i) => new Dual(v, Number(isIn(i))));
  const columns: Dual[][] = [];
  if (us.length > 0) {
    for (const axis of [0, 1])
      columns.push(
        handErrors(
          input,
          plain(theta),
          seeded(us, (i) => i % 2 === axis),
        ),
      );
  }
  for (let k = 0; k < 26; k++)
    columns.push(
      handErrors(
        input,
        seeded(theta, (i) => i === k),
        plain(us),
      ),
    );
  return {
    errors: columns[0]!.map(({ value }) => value),
    jacobian: columns[0]!.map((_, row) => columns.map((column) => column[row]!.slope)),
  };
}
