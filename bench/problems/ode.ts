import { constant, fn, forLoop, grad, type Value, vector } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

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

/** Memory for any number of calls. */
export function odeScratch(n: number, s: number) {
  return {
    /** The arguments of f at every stage, and y(2). */
    stages: new Float64Array((4 * s + 1) * n),
    yBar: new Float64Array(n),
    uBar: new Float64Array(n),
    sum: new Float64Array(n),
  };
}

/** The gradient by hand: the arguments of f at every stage are kept, and the steps taken back in reverse. */
export function odeGradientByHand(
  x: Float64Array,
  s: number,
  { stages, yBar, uBar, sum } = odeScratch(x.length, s),
  xBar = new Float64Array(x.length),
): Float64Array {
  const n = x.length;
  const h = 2 / s;
  const weights = [h / 6, h / 3, h / 3, h / 6];
  // How far the argument of the next stage is along the slope.
  const steps = [h / 2, h / 2, h, 0];
  stages.fill(0, 0, n);
  for (let step = 0; step < s; step++) {
    const y = 4 * step * n;
    const end = y + 4 * n;
    sum.set(stages.subarray(y, y + n));
    for (let stage = 0; stage < 4; stage++) {
      const [weight, reach] = [weights[stage]!, steps[stage]!];
      const u = y + stage * n;
      sum[0]! += weight * x[0]!;
      stages[u + n] = stages[y]! + reach * x[0]!;
      for (let i = 1; i < n; i++) {
        const k = x[i]! * stages[u + i - 1]!;
        sum[i]! += weight * k;
        stages[u + n + i] = stages[y + i]! + reach * k;
      }
    }
    // In place of what the last stage left there.
    stages.set(sum, end);
  }
  xBar.fill(0);
  yBar.fill(0);
  yBar[n - 1] = 1;
  for (let step = s - 1; step >= 0; step--) {
    uBar.fill(0);
    sum.set(yBar);
    for (let stage = 3; stage >= 0; stage--) {
      const u = (4 * step + stage) * n;
      const [weight, reach] = [weights[stage]!, steps[stage]!];
      xBar[0]! += weight * yBar[0]! + reach * uBar[0]!;
      for (let i = 1; i < n; i++) {
        const kBar = weight * yBar[i]! + reach * uBar[i]!;
        xBar[i]! += kBar * stages[u + i - 1]!;
        const bar = kBar * x[i]!;
        uBar[i - 1] = bar;
        sum[i - 1]! += bar;
      }
      uBar[n - 1] = 0;
    }
    yBar.set(sum);
  }
  return xBar;
}

/** y(2). */
export const ode = (n: number, s: number) =>
  fn({ x: vector(n) }, ({ x }) => {
    const h = 2 / s;
    // x times y moved up by one, with a 1 in the place that is left.
    const right = (y: Value): Value => x.mul(y.slice([0, n - 1]).pad([[1, 0]], 1));
    const step = (_: Value, y: Value): Value => {
      const k1 = right(y);
      const k2 = right(y.add(k1.mul(h / 2)));
      const k3 = right(y.add(k2.mul(h / 2)));
      const k4 = right(y.add(k3.mul(h)));
      return y.add(
        k1
          .add(k2.mul(2))
          .add(k3.mul(2))
          .add(k4)
          .mul(h / 6),
      );
    };
    return forLoop(s, step, constant(new Float64Array(n), [n]));
  });

/** The last element of y(2). */
export const odeLast = (n: number, s: number) => {
  const solution = ode(n, s);
  return fn({ x: vector(n) }, ({ x }) => solution({ x }).at(n - 1));
};

export function odeProblem(n: number, s: number): Problem {
  return {
    name: "ODE",
    size: `n=${n}, s=${s}`,
    native: () => ({
      name: "ode",
      sizes: [n, s],
      inputs: [odeInput(n)],
      variants: [{ name: "ode-scaled", backend: "without divisions" }],
      primal: () => odeByHand(odeInput(n), s),
    }),
    contenders: () => {
      const x = odeInput(n);
      const scratch = odeScratch(n, s);
      const gradient = new Float64Array(n);
      return [
        byHand("", gradient, () => {
          odeGradientByHand(x, s, scratch, gradient);
          return 0;
        }),
        adjointContender("", ["x"], () => {
          const session = grad(odeLast(n, s)).session();
          session.inputs.x.set(x);
          // There is no value.
          const outputs = { value: new Float64Array(1), grad: session.outputs };
          return { outputs, run: () => session.run(), dispose: () => session.dispose() };
        }),
      ];
    },
  };
}
