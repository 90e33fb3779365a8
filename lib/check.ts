/** Tests of derivatives against finite differences and against each other. */

import type { Core } from "./core.js";
import { type Curve, derivative } from "./differences.js";
import { here } from "./fail.js";
import { type AdjointFunction, coreOf, makeFunction } from "./function.js";
import { ArgumentError, NotDifferentiableError } from "./generated/errors.js";
import { optionsOf, shown } from "./numbers.js";
import { packLists } from "./pack.js";
import type { Session } from "./session.js";
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
  /**
   * Largest |forward - difference|, less what the difference itself may be wrong by, relative to the
   * derivative's size.
   */
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

type Sum = ReturnType<Curve>;

/** A sum of products, and that of their absolute values. */
function dot(a: Lists, b: Lists): Sum {
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
  const { directions, tolerance, seed, throws } = checkOptions(options);
  const x = core.guard(() => packLists(core.args[0]!, inputs));
  const trial = new Trial(core, x);
  try {
    const random = randomNumbers(seed);
    const findings = Array.from({ length: directions }, () => trial.direction(random, tolerance));
    const report = {
      differenceError: worst(findings.map((found) => found.differenceError)),
      transposeError: worst(findings.map((found) => found.transposeError)),
      directions: findings.map((found) => found.report),
    };
    const ok = report.differenceError <= tolerance && report.transposeError <= maxTranspose;
    if (!ok && throws) throw disagreement(core, report, tolerance);
    return { ok, ...report };
  } finally {
    trial.dispose();
  }
}

/** Forward and reverse do the same sums in another order. */
const maxTranspose = 1e-10;

const optionNames = ["directions", "tolerance", "seed", "throws"] as const;

function checkOptions(options: unknown): Required<CheckOptions> {
  const given = optionsOf("checkGrads", options, optionNames);
  const { directions = 4, tolerance = 1e-6, seed = 1, throws = true } = given;
  const fault =
    !isCount(directions) || directions < 1
      ? `directions is a count from 1, got ${shown(directions)}`
      : typeof tolerance !== "number" || !(tolerance > 0)
        ? `tolerance is a positive number, got ${shown(tolerance)}`
        : !isCount(seed)
          ? `seed is an integer, got ${shown(seed)}`
          : typeof throws !== "boolean"
            ? `throws is true or false, got ${shown(throws)}`
            : undefined;
  if (fault !== undefined) throw new ArgumentError(`checkGrads: ${fault}`, here());
  return { directions, tolerance, seed, throws } as Required<CheckOptions>;
}

function isCount(given: unknown): given is number {
  return Number.isSafeInteger(given);
}

/** The largest; NaN when one is. */
function worst(errors: readonly number[]): number {
  return errors.reduce((so, now) => (Number.isNaN(now) ? now : Math.max(so, now)), 0);
}

interface Finding {
  readonly report: DirectionReport;
  readonly differenceError: number;
  readonly transposeError: number;
}

/** A function with its derivatives at a point, bound to memory. */
class Trial {
  readonly #core: Core;
  readonly #x: Lists;
  readonly #functions: readonly AdjointFunction<[unknown, unknown], unknown>[];
  readonly #values: Session<[unknown], unknown>;
  readonly #forward: Session<[unknown, unknown], unknown>;
  readonly #reverse: Session<[unknown, unknown], unknown>;

  constructor(core: Core, x: Lists) {
    this.#core = core;
    this.#x = x;
    const plain = makeFunction<[unknown], unknown>(core);
    const [pushed, pulled] = [jvp(plain), vjp(plain)];
    this.#functions = [pushed, pulled] as never;
    this.#values = plain.session();
    this.#forward = pushed.session();
    this.#reverse = pulled.session() as never;
  }

  /** Tries one random direction of the inputs, and one of the result. */
  direction(random: () => number, tolerance: number): Finding {
    const { result } = this.#core;
    const outputs = leavesOf(result);
    // In proportion to the point, so that one step size fits all inputs.
    const dx = this.#x.map((list) => list.map((value) => random() * Math.max(1, Math.abs(value))));
    const yBar = lists(outputs, ({ isBool }) => (isBool ? 0 : random()));
    const along = this.#push(dx, yBar);
    const back = this.#pull(dx, yBar);
    const curve = this.#curve(dx, yBar);
    const { value: difference, error: uncertainty } = derivative(curve);
    const terms = Math.max(along.size, back.size, Math.abs(difference));
    // Rounding leaves that much of the difference unknown; more than this is no estimate.
    const all = Math.max(terms, curve(0).size);
    const allowance = Math.min(10 * uncertainty, tolerance * all);
    const distance = Math.abs(along.value - difference);
    return {
      report: { forward: along.value, reverse: back.value, difference, uncertainty },
      differenceError: relative(Math.max(0, distance - allowance), terms),
      transposeError: relative(Math.abs(along.value - back.value), all),
    };
  }

  #push(dx: Lists, yBar: Lists): Sum {
    const session = this.#forward;
    const tree = this.#core.args[0]!;
    write(views(this.#core, tree, session.args[0]), this.#x);
    write(views(this.#core, tree, session.args[1]), dx);
    session.run();
    const { tangent } = session.outputs as { tangent: unknown };
    return dot(views(this.#core, this.#core.result, tangent), yBar);
  }

  #pull(dx: Lists, yBar: Lists): Sum {
    const session = this.#reverse;
    const tree = this.#core.args[0]!;
    write(views(this.#core, tree, session.args[0]), this.#x);
    write(views(this.#core, this.#core.result, session.args[1]), yBar);
    session.run();
    const { grad } = session.outputs as { grad: unknown };
    return dot(views(this.#core, tree, grad), dx);
  }

  /** The function along a direction. */
  #curve(dx: Lists, yBar: Lists): Curve {
    const inputs = views(this.#core, this.#core.args[0]!, this.#values.inputs);
    const outputs = views(this.#core, this.#core.result, this.#values.outputs);
    return (t) => {
      inputs.forEach((target, i) => {
        this.#x[i]!.forEach((value, j) => {
          target[j] = value + t * dx[i]![j]!;
        });
      });
      this.#values.run();
      return dot(outputs, yBar);
    };
  }

  dispose(): void {
    for (const each of [this.#values, this.#forward, this.#reverse]) each.dispose();
    for (const each of this.#functions) each.dispose();
  }
}

function relative(distance: number, size: number): number {
  return distance === 0 ? 0 : distance / Math.max(size, Number.MIN_VALUE);
}

function disagreement(
  core: Core,
  report: Omit<CheckReport, "ok">,
  tolerance: number,
): NotDifferentiableError {
  const { differenceError, transposeError, directions } = report;
  const lines = directions
    .map(
      ({ forward, reverse, difference }) =>
        `  forward ${forward}, reverse ${reverse}, finite difference ${difference}`,
    )
    .join("\n");
  const what = !(transposeError <= maxTranspose)
    ? `forward and reverse derivatives differ by ${transposeError.toPrecision(3)} of their size`
    : `derivatives differ from finite differences by ${differenceError.toPrecision(3)} of their size ` +
      `(tolerance ${tolerance})`;
  return new NotDifferentiableError(`checkGrads: ${core.name}: ${what}\n${lines}`, here());
}
