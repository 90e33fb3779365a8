/**
 * node bench/build.mjs && node build/bench/ode.js [rounds]
 *
 * Lotka and Volterra's equations with four parameters for 1000 steps of the classical Runge-Kutta method, and the
 * gradient of the last state's sum by parameters and initial state: beside JavaScript by hand, which keeps all
 * states. Then the method with step size control, by both kinds of derivative. Interleaved rounds, medians.
 */
import { fn, type OdeOptions, ode, odeStats, stack, valueAndGrad, vector } from "adjoint";
import { adjointContender, byHand } from "./harness/adjoint.js";
import { relativeDifference } from "./harness/compare.js";
import { describe, machine } from "./harness/machine.js";
import { type Contender, measure } from "./harness/measure.js";
import { duration, ratio } from "./harness/report.js";

const rounds = Number(process.argv[2] ?? 5);
if (!(rounds >= 1)) throw new Error("usage: ode.js [rounds]");

const steps = 1000;
const end = 20;
const start = [10, 5];
const rates = [1.1, 0.4, 0.1, 0.4];

/** Value and gradient by hand: [prey, hunters, rates...]. */
function rungeKutta(): { run: () => number; gradient: Float64Array } {
  const h = end / steps;
  const [a = 0, b = 0, c = 0, d = 0] = rates;
  const xs = new Float64Array(steps + 1);
  const ys = new Float64Array(steps + 1);
  const gradient = new Float64Array(6);
  const run = (): number => {
    let [x = 0, y = 0] = start;
    for (let i = 0; i < steps; i++) {
      xs[i] = x;
      ys[i] = y;
      const k1 = x * (a - b * y);
      const l1 = y * (c * x - d);
      const x2 = x + 0.5 * h * k1;
      const y2 = y + 0.5 * h * l1;
      const k2 = x2 * (a - b * y2);
      const l2 = y2 * (c * x2 - d);
      const x3 = x + 0.5 * h * k2;
      const y3 = y + 0.5 * h * l2;
      const k3 = x3 * (a - b * y3);
      const l3 = y3 * (c * x3 - d);
      const x4 = x + h * k3;
      const y4 = y + h * l3;
      x += (h / 6) * (k1 + 2 * (k2 + k3) + x4 * (a - b * y4));
      y += (h / 6) * (l1 + 2 * (l2 + l3) + y4 * (c * x4 - d));
    }
    const value = x + y;
    let [xBar, yBar, aBar, bBar, cBar, dBar] = [1, 1, 0, 0, 0, 0];
    /** The vjp of the right-hand side. */
    let [xPart, yPart] = [0, 0];
    const pull = (x: number, y: number, k: number, l: number): void => {
      xPart = k * (a - b * y) + l * c * y;
      yPart = l * (c * x - d) - k * b * x;
      aBar += k * x;
      bBar -= k * x * y;
      cBar += l * x * y;
      dBar -= l * y;
    };
    for (let i = steps - 1; i >= 0; i--) {
      const x = xs[i]!;
      const y = ys[i]!;
      const x2 = x + 0.5 * h * x * (a - b * y);
      const y2 = y + 0.5 * h * y * (c * x - d);
      const x3 = x + 0.5 * h * x2 * (a - b * y2);
      const y3 = y + 0.5 * h * y2 * (c * x2 - d);
      const x4 = x + h * x3 * (a - b * y3);
      const y4 = y + h * y3 * (c * x3 - d);
      let [xNext, yNext] = [xBar, yBar];
      const [k, l] = [(h / 6) * xBar, (h / 6) * yBar];
      pull(x4, y4, k, l);
      xNext += xPart;
      yNext += yPart;
      pull(x3, y3, 2 * k + h * xPart, 2 * l + h * yPart);
      xNext += xPart;
      yNext += yPart;
      pull(x2, y2, 2 * k + 0.5 * h * xPart, 2 * l + 0.5 * h * yPart);
      xNext += xPart;
      yNext += yPart;
      pull(x, y, k + 0.5 * h * xPart, l + 0.5 * h * yPart);
      xBar = xNext + xPart;
      yBar = yNext + yPart;
    }
    gradient.set([xBar, yBar, aBar, bBar, cBar, dBar]);
    return value;
  };
  return { run, gradient };
}

const spec = { start: vector(2), rates: vector(4) };

function adjoint(name: string, options: OdeOptions): Contender {
  return adjointContender(name, ["start", "rates"], () => {
    const f = fn(spec, ({ start, rates }) => {
      const states = ode(
        (_, state, r) => {
          const [x, y] = [state.at(0), state.at(1)];
          return stack([x.mul(r.at(0).sub(r.at(1).mul(y))), y.mul(r.at(2).mul(x).sub(r.at(3)))]);
        },
        start,
        [0, end],
        rates,
        options,
      );
      return states.at(1).sum();
    });
    const session = valueAndGrad(f).session();
    session.inputs.start.set(start);
    session.inputs.rates.set(rates);
    return session;
  });
}

const tolerances = { rtol: 1e-8, atol: 1e-8 };
const hand = rungeKutta();
const contenders: Contender[] = [
  byHand("rk4", hand.gradient, hand.run),
  adjoint("rk4", { method: "rk4", steps }),
  adjoint("rk4, continuous", { method: "rk4", steps, adjoint: "continuous" }),
  adjoint("dopri5", tolerances),
  adjoint("dopri5, continuous", { ...tolerances, adjoint: "continuous" }),
];
hand.run();
const expected = Float64Array.from(hand.gradient);
const differences = contenders.map((contender) => {
  contender.run();
  return relativeDifference(contender.gradient(), expected).toExponential(0);
});
const timings = await measure(contenders, { rounds, roundSeconds: 0.05 });
const seconds = timings.map((timing) => timing.seconds);
for (const contender of contenders) contender.dispose?.();

const counted = fn(spec, ({ start, rates }) => {
  const { accepted, rejected } = odeStats(
    (_, state) => {
      const [x, y] = [state.at(0), state.at(1)];
      return stack([
        x.mul(rates.at(0).sub(rates.at(1).mul(y))),
        y.mul(rates.at(2).mul(x).sub(rates.at(3))),
      ]);
    },
    start,
    [0, end],
    {},
    tolerances,
  );
  return { accepted, rejected };
});
const { accepted, rejected } = counted({ start, rates });
console.log(
  `${describe(machine())}\n${steps} steps of rk4; dopri5: ${accepted}, and ${rejected} rejected\n`,
);
console.log("| who | value and gradient | / JavaScript | difference |\n|---|---:|---:|---:|");
contenders.forEach(({ tool, backend }, i) => {
  const cells = [`${tool} (${backend})`, duration(seconds[i]!), ratio(seconds[i]! / seconds[0]!)];
  console.log(`| ${[...cells, differences[i]!].join(" | ")} |`);
});
