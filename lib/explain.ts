/** What functions say about what they run: the plan, and what its steps cost. */
import type { Core } from "./core.js";
import type { NativeLoop } from "./native.js";
import { formatTable } from "./report.js";

/** What a step of a plan does in one run. */
export interface StepCost {
  /** What it is: "scalar code", "kernel 300x70", "matmul 60x60x60", "lanes 1000 by 16". */
  readonly text: string;
  /** Who computes it: what operations became, or a loop of the core for this kind of step. */
  readonly by: "machine code" | "interpreter" | "library";
  /** How often each operation is computed, by name, the most frequent first. */
  readonly operations: Readonly<Record<string, number>>;
  /** Bytes of inputs, constants and intermediate values that are read, each counted once. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Seconds it should take on one thread, by a model with a few constants: good for orders of magnitude. */
  readonly estimated: number;
  /** Median seconds it took, where `explain` was given inputs. */
  readonly measured: number | undefined;
}

/** What a function does about one of its loops over steps. */
export interface LoopPlan {
  /** "scan", "forLoop", "whileLoop", "cond", "checkpoint". */
  readonly name: string;
  /** How many loops are around it. */
  readonly depth: number;
  /** Steps, or the most there can be. */
  readonly steps: number;
  readonly trips: "fixed" | "counted" | "while";
  /**
   * Steps that are run if all `steps` are taken, those that a reverse sweep runs again included, but not the derivatives
   * of steps; undefined where that depends on when a `whileLoop` ends.
   */
  readonly forwardSteps: number | undefined;
  /** How the states are kept that a reverse sweep reads; undefined where none are. */
  readonly checkpoints: LoopCheckpoints | undefined;
}

/** A checkpoint policy as it was decided on: that of the call, or what stands for it. */
export interface LoopCheckpoints {
  readonly policy: "all" | "every" | "revolve" | "online" | "multistage";
  /** States kept in memory by `revolve`, `online`, `multistage`; of `every` the steps from one to the next. */
  readonly slots: number;
  readonly memoryBytes: number;
  /** Files at one time, at most, their bytes, and where they are: undefined where there are none. */
  readonly files: number;
  readonly diskBytes: number;
  readonly directory: string | undefined;
}

/** What a function will run. */
export interface Explanation {
  readonly name: string;
  /** Nodes of the tape. */
  readonly nodes: number;
  /** Steps of the plan: kernels and library calls. */
  readonly steps: number;
  /** Loops over straight-line bodies that operations were fused into. */
  readonly kernels: number;
  /** Runs of operations in kernels that are machine code; the interpreter computes the rest. */
  readonly segments: number;
  /** Why nothing is machine code and the interpreter computes everything; undefined where that is not so. */
  readonly interpreted: string | undefined;
  /** Bytes of native memory that tape and plan hold. */
  readonly bytes: number;
  /** Bytes of scratch memory a run needs. */
  readonly workspaceBytes: number;
  /** Estimated arithmetic operations of one run. */
  readonly flops: number;
  /** What was chosen (forward or reverse, lanes) and why. */
  readonly notes: readonly string[];
  /** What every step costs, in the order of the plan. */
  readonly costs: readonly StepCost[];
  /** Its loops over steps, those within others after them. */
  readonly loops: readonly LoopPlan[];
  /** Seconds a run should take on one thread: the sum over the steps. */
  readonly estimated: number;
  /** Median seconds of a whole run, where `explain` was given inputs. */
  readonly measured: number | undefined;
  /** The steps of the plan, for people. */
  readonly plan: string;
  /** All of it as text. */
  toString(): string;
}

/** Without `given` inputs nothing is run. */
export function explain(core: Core, given: readonly unknown[]): Explanation {
  const { plan } = core.compiled;
  const { obstacle, ...stats } = plan.stats();
  const seconds = given.length > 0 ? core.measure(given) : undefined;
  const costs = plan.costs().map(({ seconds: estimated, ...cost }, i): StepCost => {
    return { ...cost, estimated, measured: seconds?.[i] };
  });
  const explanation: Explanation = {
    name: core.name,
    ...stats,
    interpreted: obstacle,
    notes: core.notes.map((note) => (typeof note === "string" ? note : note())),
    costs,
    loops: plan.loops().map(loopPlanOf),
    estimated: costs.reduce((sum, { estimated }) => sum + estimated, 0),
    measured: seconds?.[costs.length],
    plan: plan.toString(),
  };
  return Object.defineProperty(explanation, "toString", { value: () => textOf(explanation) });
}

function loopPlanOf({ checkpoints, forwardSteps, ...loop }: NativeLoop): LoopPlan {
  if (checkpoints === undefined) return { ...loop, forwardSteps, checkpoints };
  const { policy, slots, directory, ...bytes } = checkpoints;
  return {
    ...loop,
    forwardSteps,
    checkpoints: {
      policy,
      slots: policy === "all" ? loop.steps : slots,
      ...bytes,
      directory: directory === "" ? undefined : directory,
    },
  };
}

function loopText({ name, depth, steps, trips, forwardSteps, checkpoints }: LoopPlan): string {
  const most = trips === "fixed" ? "" : "at most ";
  const text = `${"  ".repeat(depth + 1)}${name}: ${most}${steps} steps`;
  if (checkpoints === undefined) return text;
  const { policy, slots, memoryBytes, files, diskBytes, directory } = checkpoints;
  const kept = {
    all: "keeps all states",
    every: `keeps every ${slots}th state`,
    revolve: `keeps ${slots} states (revolve)`,
    online: `keeps ${slots} states (online)`,
    multistage: `keeps ${slots} states in memory and ${files} in files`,
  }[policy];
  return [
    text,
    kept,
    formatBytes(memoryBytes),
    ...(directory === undefined ? [] : [`${formatBytes(diskBytes)} in ${directory}`]),
    ...(forwardSteps === undefined ? [] : [`${forwardSteps} steps run forward`]),
  ].join(", ");
}

function textOf(found: Explanation): string {
  return [
    `${found.name}: ${found.nodes} nodes, ${found.steps} steps (${found.kernels} kernels), ${executorOf(found)}, ` +
      `${found.flops} flops, ${found.bytes} bytes of tape and plan, ${found.workspaceBytes} bytes of workspace`,
    ...found.notes.map((note) => `  ${note}`),
    ...found.loops.map(loopText),
    "",
    tableOf(found),
    "",
    found.plan,
  ].join("\n");
}

function executorOf({ interpreted, segments }: Explanation): string {
  if (interpreted !== undefined) return `interpreted (${interpreted})`;
  return `${segments} runs of machine code`;
}

function tableOf({ costs, estimated, measured }: Explanation): string {
  const time = (of: { estimated: number; measured: number | undefined }): string[] =>
    of.measured === undefined
      ? [formatSeconds(of.estimated)]
      : [formatSeconds(of.estimated), formatSeconds(of.measured)];
  const rows = costs.map((cost, i) => [
    String(i + 1),
    cost.text,
    cost.by,
    formatOperations(cost.operations),
    formatBytes(cost.bytesRead),
    formatBytes(cost.bytesWritten),
    ...time(cost),
  ]);
  const header = ["step", "is", "by", "operations", "reads", "writes", "estimated"];
  if (measured !== undefined) header.push("measured");
  return formatTable(header, [
    ...rows,
    ["all", "", "", "", "", "", ...time({ estimated, measured })],
  ]);
}

/** The most frequent ones. */
function formatOperations(operations: Readonly<Record<string, number>>): string {
  const all = Object.entries(operations).map(([name, times]) => `${name} ${times}`);
  const shown = all.slice(0, 4);
  return [
    ...shown,
    ...(all.length > shown.length ? [`${all.length - shown.length} more`] : []),
  ].join(", ");
}

/** Three digits and the unit that they suit. */
function formatUnit(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, size] = units.find(([, size]) => value < 999.5 * size) ?? units.at(-1)!;
  return `${Number((value / size).toPrecision(3))} ${name}`;
}

const times = [
  ["ns", 1e-9],
  ["us", 1e-6],
  ["ms", 1e-3],
  ["s", 1],
] as const;
const formatSeconds = (seconds: number): string => formatUnit(seconds, times);

const sizes = [
  ["B", 1],
  ["kB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
] as const;
const formatBytes = (bytes: number): string => formatUnit(bytes, sizes);
