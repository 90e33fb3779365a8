/** Tests of derivatives against finite differences and against each other. */

import type { Core } from "./core.js";
import { here } from "./fail.js";
import { type AdjointFunction, coreOf, makeFunction } from "./function.js";
import { ArgumentError, NotDifferentiableError } from "./generated/errors.js";
import { packLeaf } from "./pack.js";
import { jvp, vjp } from "./transforms.js";
import { type Leaf, leavesOf, match } from "./tree.js";
import type { Plain } from "./types.js";

/** How derivatives are checked. */
export interface CheckOptions {
  /** Random directions to try; 4 by default. */
  readonly directions?: number;
  /** Largest relative error against finite differences; 1e-6 by default. */
  readonly tolerance?: number;
  /** Start of the sequence of random numbers; the same seed tries the same directions. */
  readonly seed?: number;
  /** Whether to throw when a check fails, or only to report; true by default. */
  readonly throws?: boolean;
}

/** One direction's findings. */
export interface DirectionReport {
  /** The derivative along the direction and a cotangent, pushed forward. */
  readonly forward: number;
  /** The same, pulled back. */
  readonly reverse: number;
  /** The same, by finite differences. */
  readonly difference: number;
  /** What the finite difference itself may be wrong by. */
  readonly uncertainty: number;
}

/** What `checkGrads` found. */
export interface CheckReport {
  readonly ok: boolean;
  /** Largest |forward - difference| relative to the terms' size. */
  readonly differenceError: number;
  /** Largest |forward - reverse| relative to the terms' size. */
  readonly transposeError: number;
  readonly directions: readonly DirectionReport[];
}

/** Numbers in [-1, 1) that are the same on every machine (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  };
}

type Lists = readonly Float64Array[];

function lists(leaves: readonly Leaf[], make: (leaf: Leaf) => number): Float64Array[] {
  return leaves.map((leaf) => Float64Array.from({ length: leaf.count }, () => make(leaf)));
}

/** Views of a session in the order of the leaves. */
function views(core: Core, tree: Core["result"], given: unknown): Float64Array[] {
  const found: Float64Array[] = [];
  match(tree, given, (_, view) => {
    found.push(view as Float64Array);
  });
  if (found.length === 0) throw new ArgumentError(`${core.name}: nothing to check`, here());
  return found;
}

function write(targets: Lists, sources: Lists): void {
  targets.forEach((target, i) => {
    target.set(sources[i]!);
  });
}

function dot(a: Lists, b: Lists): { value: number; size: number } {
  let value = 0;
  let size = 0;
  a.forEach((list, i) => {
    list.forEach((number, k) => {
      const term = number * b[i]![k]!;
      value += term;
      size += Math.abs(term);
    });
  });
  return { value, size };
}

/**
 * Ridders' method: central differences with shrinking steps, extrapolated to step zero (Ridders 1982;
 * Press et al., Numerical Recipes, 5.7). Gives the derivative at 0 and an estimate of its error.
 */
function ridders(f: (t: number) => number, first: number): { value: number; error: number } {
  const shrink = 1.4;
  const rows = 12;
  const table: number[][] = [];
  let best = { value: Number.NaN, error: Number.POSITIVE_INFINITY };
  let step = first;
  for (let i = 0; i < rows; i++, step /= shrink) {
    const row = [(f(step) - f(-step)) / (2 * step)];
    table.push(row);
    let factor = shrink * shrink;
    for (let j = 1; j <= i; j++, factor *= shrink * shrink) {
      const above = table[i - 1]!;
      row.push((row[j - 1]! * factor - above[j - 1]!) / (factor - 1));
      const error = Math.max(Math.abs(row[j]! - row[j - 1]!), Math.abs(row[j]! - above[j - 1]!));
      if (error <= best.error) best = { value: row[j]!, error };
    }
    // Higher orders getting worse by far: rounding has taken over.
    if (i > 0 && Math.abs(row[i]! - table[i - 1]![i - 1]!) >= 2 * best.error && i > 3) break;
  }
  return best;
}

/**
 * Checks the derivatives of a function at a point: along random directions, tangents against finite
 * differences, and tangents against cotangents (they are transposes of each other to rounding).
 *
 * @throws NotDifferentiableError when they differ (unless `throws` is false): a rule given to `custom` is
 *   wrong, or the function is not smooth at the point.
 */
export function checkGrads<X, R>(
  f: AdjointFunction<[X], R>,
  inputs: Plain<X>,
  options: CheckOptions = {},
): CheckReport {
  const core = coreOf(f, "checkGrads");
  if (core.args.length !== 1) {
    throw new ArgumentError("checkGrads: takes a function of one argument", here());
  }
  const { directions = 4, tolerance = 1e-6, seed = 1, throws = true } = options;
  if (!Number.isSafeInteger(directions) || directions < 1 || !(tolerance > 0)) {
    throw new ArgumentError("checkGrads: directions is a count and tolerance positive", here());
  }
  const tree = core.args[0]!;
  const _leaves = leavesOf(tree);
  const outputs = leavesOf(core.result);
  const x: Float64Array[] = [];
  match(tree, inputs, (leaf, value) => {
    const list = new Float64Array(leaf.count);
    packLeaf(leaf, value, list, 0);
    x.push(list);
  });

  const plain = makeFunction<[unknown], unknown>(core);
  const pushed = jvp(plain);
  const pulled = vjp(plain);
  const values = plain.session();
  const forward = pushed.session();
  const reverse = pulled.session();
  try {
    const random = randomNumbers(seed);
    const valueIn = views(core, tree, values.inputs);
    const valueOut = views(core, core.result, values.outputs);
    const forwardOut = forward.outputs as { tangent: unknown };
    const reverseOut = reverse.outputs as { grad: unknown };
    const reports: DirectionReport[] = [];
    let differenceError = 0;
    let transposeError = 0;
    for (let k = 0; k < directions; k++) {
      // Directions in proportion to the point, so that one step size fits all inputs.
      const dx = x.map((list) => list.map((value) => random() * Math.max(1, Math.abs(value))));
      const yBar = lists(outputs, ({ isBool }) => (isBool ? 0 : random()));
      write(views(core, tree, forward.args[0]), x);
      write(views(core, tree, forward.args[1]), dx);
      forward.run();
      write(views(core, tree, reverse.args[0]), x);
      write(views(core, core.result, reverse.args[1]), yBar);
      reverse.run();
      const along = dot(views(core, core.result, forwardOut.tangent), yBar);
      const back = dot(views(core, tree, reverseOut.grad), dx);
      const at = (t: number): number => {
        valueIn.forEach((target, i) => {
          x[i]!.forEach((value, j) => {
            target[j] = value + t * dx[i]![j]!;
          });
        });
        values.run();
        return dot(valueOut, yBar).value;
      };
      const { value: difference, error: uncertainty } = ridders(at, 0.02);
      at(0);
      const size = Math.max(along.size, back.size, Math.abs(difference), dot(valueOut, yBar).size);
      const relative = (a: number, b: number) => {
        const distance = Math.abs(a - b);
        return distance === 0 ? 0 : distance / Math.max(size, Number.MIN_VALUE);
      };
      const worst = (so: number, now: number) =>
        Number.isNaN(so) || Number.isNaN(now) ? Number.NaN : Math.max(so, now);
      differenceError = worst(differenceError, relative(along.value, difference));
      transposeError = worst(transposeError, relative(along.value, back.value));
      reports.push({ forward: along.value, reverse: back.value, difference, uncertainty });
    }
    const ok = differenceError <= tolerance && transposeError <= 1e-10;
    const report = { ok, differenceError, transposeError, directions: reports };
    if (!ok && throws) throw disagreement(core, report, tolerance);
    return report;
  } finally {
    values.dispose();
    forward.dispose();
    reverse.dispose();
    pushed.dispose();
    pulled.dispose();
  }
}

function disagreement(core: Core, report: CheckReport, tolerance: number): Error {
  const { differenceError, transposeError, directions } = report;
  const shown = directions
    .map(
      ({ forward, reverse, difference }) =>
        `  forward ${forward}, reverse ${reverse}, finite difference ${difference}`,
    )
    .join("\n");
  const what = !(transposeError <= 1e-10)
    ? `forward and reverse derivatives differ by ${transposeError.toPrecision(3)} of their size`
    : `derivatives differ from finite differences by ${differenceError.toPrecision(3)} of their size ` +
      `(tolerance ${tolerance})`;
  return new NotDifferentiableError(`checkGrads: ${core.name}: ${what}\n${shown}`, here());
}
