/**
 * node bench/build.mjs && node bench/native/build.mjs && node build/bench/burgers.js [rounds]
 *
 * A long loop backwards: Burgers' equation for 100,000 steps with 100 checkpoints, beside C++ and JavaScript by hand with
 * two levels of checkpoints and ADOL-C's revolve. Then what a policy costs: against its planned steps, against
 * keeping everything, and with 32 checkpoints for a million steps. Interleaved rounds, medians.
 */
import { fileURLToPath } from "node:url";
import { type CheckpointPolicy, valueAndGrad } from "adjoint";
import { adjointContender, byHand } from "./harness/adjoint.js";
import { relativeDifference } from "./harness/compare.js";
import { describe, machine } from "./harness/machine.js";
import { type AnyContender, type Contender, isRemote, measure } from "./harness/measure.js";
import { openNative } from "./harness/native.js";
import { duration, ratio } from "./harness/report.js";
import { burgers, burgersInput } from "./problems/burgers.js";
import { burgersByHand } from "./problems/burgers-by-hand.js";

const rounds = Number(process.argv[2] ?? 5);
if (!(rounds >= 1)) throw new Error("usage: burgers.js [rounds]");
const { start, target } = burgersInput();

/** The objective alone. */
function forward(steps: number): Contender {
  const session = burgers(steps, "all").session();
  session.inputs.start.set(start);
  session.inputs.target.set(target);
  const run = (): number => {
    session.run();
    return session.outputs[0]!;
  };
  const dispose = () => session.dispose();
  return { tool: "adjoint", backend: "objective", dtype: "f64", run, gradient: () => [], dispose };
}

/** Value and gradient. */
function gradient(steps: number, policy: CheckpointPolicy): Contender {
  return adjointContender(JSON.stringify(policy), ["start"], () => {
    const session = valueAndGrad(burgers(steps, policy), { wrt: ["start"] }).session();
    session.inputs.start.set(start);
    session.inputs.target.set(target);
    return session;
  });
}

/** Steps that the gradient runs forward, those of the loop itself included; not those that are part of reverse ones. */
function forwardSteps(steps: number, policy: CheckpointPolicy): number {
  const f = valueAndGrad(burgers(steps, policy), { wrt: ["start"] });
  const planned = f.explain().loops.find(({ checkpoints }) => checkpoints !== undefined);
  f.dispose();
  if (planned?.forwardSteps === undefined) throw new Error("explain() tells of no checkpoints");
  return planned.forwardSteps;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");

const options = { rounds, roundSeconds: 0.05 };

async function secondsOf(contenders: readonly AnyContender[]): Promise<number[]> {
  const timings = await measure(contenders, options);
  for (const contender of contenders) contender.dispose?.();
  return timings.map(({ seconds }) => seconds);
}

// --- by everyone ------------------------------------------------------------------------------------

const steps = 100_000;
const slots = 100;
const natives = await openNative(fileURLToPath(new URL("native", import.meta.url)), [
  "hand",
  "adolc",
]);
const hand = burgersByHand(steps, start, target);
const contenders: AnyContender[] = [
  byHand("two levels", hand.gradient, hand.run),
  gradient(steps, { revolve: slots }),
  gradient(steps, "sqrt"),
  ...(await natives.contenders({
    name: "burgers",
    sizes: [steps, slots],
    inputs: [start, target],
  })),
];
hand.run();
const expected = Float64Array.from(hand.gradient);
const differences: string[] = [];
for (const contender of contenders) {
  if (isRemote(contender) && contender.computes === "primal") {
    differences.push("");
    continue;
  }
  if (!isRemote(contender)) contender.run();
  const found = isRemote(contender) ? await contender.answer() : contender.gradient();
  differences.push(relativeDifference(found, expected).toExponential(0));
}
const seconds = await secondsOf(contenders);
natives.dispose();
const secondsBy = (tool: string): number =>
  seconds[contenders.findLastIndex((contender) => contender.tool === tool)] ?? Number.NaN;
const [javaScript, cpp] = [secondsBy("JavaScript"), secondsBy("C++")];
console.log(`${describe(machine())}\n${steps} steps, ${slots} checkpoints; ${rounds} rounds\n`);
for (const line of natives.skipped) console.log(`skipped: ${line}`);
console.log(
  table(
    ["who", "time", "a step", "/ C++ derivative", "/ JavaScript", "difference"],
    contenders.map(({ tool, backend }, i) => [
      `${tool} (${backend})`,
      duration(seconds[i]!),
      duration(seconds[i]! / steps),
      ratio(seconds[i]! / cpp),
      ratio(seconds[i]! / javaScript),
      differences[i]!,
    ]),
  ),
);

// --- what a policy costs ----------------------------------------------------------------------------

const short = 10_000;
const [objective, everything, long] = (await secondsOf([
  forward(short),
  gradient(short, "all"),
  gradient(steps, { revolve: slots }),
])) as [number, number, number];
const forwardStep = objective / short;
const reverseStep = (everything - objective) / short;
const planned = forwardSteps(steps, { revolve: slots });
const expectedSeconds = planned * forwardStep + steps * reverseStep;
console.log(`
a forward step ${duration(forwardStep)}, a reverse step ${duration(reverseStep)}
${short} steps, everything kept: ${duration(everything)}, ${ratio(everything / objective)} times the objective alone
${steps} steps, ${slots} checkpoints: ${planned} forward steps planned; ${duration(long)}, \
${(long / expectedSeconds).toFixed(2)} times what these and the reverse steps take`);

const longest = 1_000_000;
const few = 32;
const plannedLongest = forwardSteps(longest, { revolve: few });
const [million] = (await secondsOf([gradient(longest, { revolve: few })])) as [number];
const expectedMillion = plannedLongest * forwardStep + longest * reverseStep;
console.log(
  `${longest} steps, ${few} checkpoints: ${plannedLongest} forward steps planned; ${duration(million)}, ` +
    `${(million / expectedMillion).toFixed(2)} times what these and the reverse steps take`,
);
