/** Derivatives by finite differences, with an estimate of what they may be wrong by. */

/** A function of one number, with the size of the terms it is the sum of: its rounding is relative to that. */
export type Curve = (t: number) => { readonly value: number; readonly size: number };

export interface Estimate {
  readonly value: number;
  readonly error: number;
}

const shrink = 1.4;
const rows = 12;
/** First steps of the tables: from smooth functions down to those that change within 1e-9 of their inputs. */
const starts = [2e-2, 2e-3, 2e-4, 2e-5, 2e-6, 2e-7, 2e-8, 2e-9, 2e-10];
/** Relative errors: of an estimate that is one, and of one that needs no better. */
const sound = 1e-3;
const enough = 1e-8;

const unknown: Estimate = { value: Number.NaN, error: Number.POSITIVE_INFINITY };

/**
 * Whether one estimate is to be preferred: near a pole the right ones have large errors, but small ones
 * for their size. Where the derivative is zero there is no such size.
 */
function isBetter(a: Estimate, b: Estimate): boolean {
  const [relativeA, relativeB] = [a.error / Math.abs(a.value), b.error / Math.abs(b.value)];
  const isSound = relativeA <= sound;
  if (isSound !== relativeB <= sound) return isSound;
  return isSound ? relativeA <= relativeB : a.error <= b.error;
}

/** A central difference, and what rounding of the values and of the places may add to it. */
function central(curve: Curve, step: number): Estimate {
  const [after, before] = [curve(step), curve(-step)];
  const value = (after.value - before.value) / (2 * step);
  const rounding = (after.size + before.size) / 2 + Math.abs(value);
  return { value, error: (Number.EPSILON * rounding) / step };
}

/**
 * Ridders' method: central differences with shrinking steps, extrapolated to step zero (Ridders 1982;
 * Press et al., Numerical Recipes, 5.7). Steps at which the function has no value are left out.
 * @param moved whether a larger step made a difference: then one that makes none is lost in rounding
 */
function ridders(curve: Curve, first: number, moved: boolean): Estimate & { moved: boolean } {
  let hasMoved = moved;
  let best = unknown;
  let above: number[] = [];
  let step = first;
  for (let i = 0; i < rows; i++, step /= shrink) {
    const { value, error: rounding } = central(curve, step);
    if (!Number.isFinite(value) || (value === 0 && hasMoved)) {
      above = [];
      continue;
    }
    hasMoved ||= value !== 0;
    const row = [value];
    // Alone it is better than nothing, if not by much.
    const alone = { value, error: Math.abs(value) + rounding };
    if (above.length === 0 && isBetter(alone, best)) best = alone;
    let factor = shrink * shrink;
    for (let j = 1; j <= above.length; j++, factor *= shrink * shrink) {
      row.push((row[j - 1]! * factor - above[j - 1]!) / (factor - 1));
      const change = Math.max(
        Math.abs(row[j]! - row[j - 1]!),
        Math.abs(row[j]! - above[j - 1]!),
        rounding,
      );
      const found = { value: row[j]!, error: change };
      if (isBetter(found, best)) best = found;
    }
    // Higher orders getting worse by far: rounding has taken over.
    const isWorse = Math.abs(row.at(-1)! - (above.at(-1) ?? row.at(-1)!)) >= 2 * best.error;
    if (above.length > 3 && isWorse) break;
    above = row;
  }
  return { ...best, moved: hasMoved };
}

/** The derivative at 0, from the first steps that give it well enough, else from the best ones. */
export function derivative(curve: Curve): Estimate {
  let best = unknown;
  let moved = false;
  for (const start of starts) {
    const found = ridders(curve, start, moved);
    moved = found.moved;
    if (isBetter(found, best)) best = { value: found.value, error: found.error };
    if (best.error <= enough * Math.abs(best.value)) break;
  }
  return best;
}
