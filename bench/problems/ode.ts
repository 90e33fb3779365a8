import { constant, fn, type Value, vector } from "adjoint";
import { Random } from "../harness/random.js";

// y' = f(y) with f_0 = x_0 and f_i = x_i y_{i-1}, y(0) = 0, up to t = 2 in s steps of the classical
// Runge-Kutta method. The gradient is that of the last element of y(2), by the steps as they are.

export const odeInput = (n: number): Float64Array => new Random(80).uniforms(n);

function f(x: Float64Array, y: Float64Array, out: Float64Array): void {
  out[0] = x[0]!;
  for (let i = 1; i < x.length; i++) out[i] = x[i]! * y[i - 1]!;
}

/** y(2) by hand. */
export function odeByHand(x: Float64Array, s: number): Float64Array {
  const n = x.length;
  const h = 2 / s;
  const y = new Float64Array(n);
  const k = [0, 1, 2, 3].map(() => new Float64Array(n));
  const u = new Float64Array(n);
  for (let step = 0; step < s; step++) {
    f(x, y, k[0]!);
    for (let i = 0; i < n; i++) u[i] = y[i]! + (h / 2) * k[0]![i]!;
    f(x, u, k[1]!);
    for (let i = 0; i < n; i++) u[i] = y[i]! + (h / 2) * k[1]![i]!;
    f(x, u, k[2]!);
    for (let i = 0; i < n; i++) u[i] = y[i]! + h * k[2]![i]!;
    f(x, u, k[3]!);
    for (let i = 0; i < n; i++) {
      y[i]! += (h / 6) * (k[0]![i]! + 2 * k[1]![i]! + 2 * k[2]![i]! + k[3]![i]!);
    }
  }
  return y;
}

/** The gradient by hand: the arguments of f at every stage are kept, and the steps taken back in reverse. */
export function odeGradientByHand(x: Float64Array, s: number): Float64Array {
  const n = x.length;
  const h = 2 / s;
  const weights = [h / 6, h / 3, h / 3, h / 6];
  const steps = [0, h / 2, h / 2, h];
  const y = new Float64Array(n);
  const stages: Float64Array[] = [];
  const k = new Float64Array(n);
  const sum = new Float64Array(n);
  for (let step = 0; step < s; step++) {
    sum.fill(0);
    k.fill(0);
    for (let stage = 0; stage < 4; stage++) {
      const u = new Float64Array(n);
      for (let i = 0; i < n; i++) u[i] = y[i]! + steps[stage]! * k[i]!;
      f(x, u, k);
      for (let i = 0; i < n; i++) sum[i]! += weights[stage]! * k[i]!;
      stages.push(u);
    }
    for (let i = 0; i < n; i++) y[i]! += sum[i]!;
  }
  const xBar = new Float64Array(n);
  const yBar = new Float64Array(n);
  const kBar = new Float64Array(n);
  const uBar = new Float64Array(n);
  const yBarNew = new Float64Array(n);
  yBar[n - 1] = 1;
  for (let step = s - 1; step >= 0; step--) {
    yBarNew.set(yBar);
    uBar.fill(0);
    for (let stage = 3; stage >= 0; stage--) {
      const u = stages[4 * step + stage]!;
      // k of this stage is used in the sum and in the argument of the next stage.
      const next = stage === 3 ? 0 : steps[stage + 1]!;
      for (let i = 0; i < n; i++) kBar[i] = weights[stage]! * yBar[i]! + next * uBar[i]!;
      xBar[0]! += kBar[0]!;
      for (let i = 1; i < n; i++) xBar[i]! += kBar[i]! * u[i - 1]!;
      for (let i = 1; i < n; i++) uBar[i - 1] = kBar[i]! * x[i]!;
      uBar[n - 1] = 0;
      for (let i = 0; i < n; i++) yBarNew[i]! += uBar[i]!;
    }
    yBar.set(yBarNew);
  }
  return xBar;
}

/** y(2), every step written out. */
export const ode = (n: number, s: number) =>
  fn({ x: vector(n) }, ({ x }) => {
    const h = 2 / s;
    // x times y moved up by one, with x_0 in the place that is left.
    const first = x.slice([0, 1]).pad([[0, n - 1]]);
    const right = (y: Value): Value =>
      n === 1 ? x : x.mul(y.slice([0, n - 1]).pad([[1, 0]])).add(first);
    let y: Value = constant(new Float64Array(n), [n]);
    for (let step = 0; step < s; step++) {
      const k1 = right(y);
      const k2 = right(y.add(k1.mul(h / 2)));
      const k3 = right(y.add(k2.mul(h / 2)));
      const k4 = right(y.add(k3.mul(h)));
      y = y.add(
        k1
          .add(k2.mul(2))
          .add(k3.mul(2))
          .add(k4)
          .mul(h / 6),
      );
    }
    return y;
  });
