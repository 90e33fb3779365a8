type Numbers = ArrayLike<number>;

/**
 * The largest difference between two vectors, relative to the largest element of the second. A NaN on one
 * side only, or another length, counts as infinite.
 */
export function relativeDifference(actual: Numbers, expected: Numbers): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!;
    const e = expected[i]!;
    if (!Number.isNaN(e)) size = Math.max(size, Math.abs(e));
    if (Object.is(a, e)) continue;
    const d = Math.abs(a - e);
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, d);
  }
  return difference === 0 ? 0 : difference / Math.max(size, Number.MIN_VALUE);
}

/** GradBench's measure, |x-y| / max(1, |x|+|y|), the largest over all elements. */
export function mixedDifference(actual: Numbers, expected: Numbers): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!;
    const e = expected[i]!;
    if (Object.is(a, e)) continue;
    const d = Math.abs(a - e) / Math.max(1, Math.abs(a) + Math.abs(e));
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, d);
  }
  return worst;
}
