/** A result as text: aligned columns for a terminal. */
import type { FitResult } from "./result.js";

/** A number with this many significant digits, without trailing zeros. */
export function formatNumber(value: number, digits = 6): string {
  if (Number.isNaN(value)) return "-";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10 ** digits && size < 1e12) return value.toFixed(0);
  const fixed = value.toPrecision(digits);
  if (size >= 1e-4 && !fixed.includes("e")) return fixed;
  return value.toExponential(digits - 1);
}

/** "< 1e-15" where a p value has no digits that matter. */
export function formatP(p: number): string {
  if (Number.isNaN(p)) return "-";
  return p < 1e-15 ? "< 1e-15" : formatNumber(p, 3);
}

/** How many digits an estimate deserves: two beyond its standard error, from 6 to 12. */
function estimateDigits(estimate: number, error: number): number {
  if (!(error > 0) || estimate === 0) return 8;
  const known = Math.floor(Math.log10(Math.abs(estimate))) - Math.floor(Math.log10(error));
  return Math.min(12, Math.max(6, known + 4));
}

export const formatEstimate = (estimate: number, error: number): string =>
  formatNumber(estimate, estimateDigits(estimate, error));

const reasons = {
  converged: "converged",
  "exact-fit": "converged: the fit is exact",
  stalled: "stalled before it converged",
  "max-iterations": "the limit of iterations",
} as const;

/** Cells of the table of parameters: the head, then one row each. */
export function parameterTable({ parameters, confidence }: FitResult): string[][] {
  const percent = `${Number((100 * confidence).toPrecision(6))}%`;
  return [
    [
      "parameter",
      "estimate",
      "std. error",
      "t value",
      "p value",
      `${percent} low`,
      `${percent} high`,
    ],
    ...parameters.map(({ name, estimate, standardError, tValue, pValue, low, high }) => [
      name,
      formatEstimate(estimate, standardError),
      formatNumber(standardError, 5),
      formatNumber(tValue, 5),
      formatP(pValue),
      formatEstimate(low, standardError),
      formatEstimate(high, standardError),
    ]),
  ];
}

/** Names and values of the statistics, in the order in which they are shown. */
export function statisticsTable({ statistics }: FitResult): [name: string, value: string][] {
  const left = [`${statistics.dropped} with missing values`];
  if (statistics.unweighted > 0) left.push(`${statistics.unweighted} of weight zero`);
  return [
    ["observations", String(statistics.observations)],
    ["rows left out", left.join(", ")],
    ["degrees of freedom", String(statistics.degreesOfFreedom)],
    ["residual sum of squares", formatNumber(statistics.residualSumOfSquares, 8)],
    ["residual std. error", formatNumber(statistics.residualStandardError)],
    ["R squared", formatNumber(statistics.rSquared)],
    ["adjusted R squared", formatNumber(statistics.adjustedRSquared)],
    ["AIC", formatNumber(statistics.aic)],
    ["BIC", formatNumber(statistics.bic)],
    ["iterations", `${statistics.iterations} (${statistics.evaluations} evaluations)`],
    ["ended", reasons[statistics.reason]],
  ];
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, k) => Math.max(...rows.map((row) => row[k]!.length)));
  return rows.map((row) =>
    row
      .map((cell, k) => (k === 0 ? cell.padEnd(widths[k]!) : cell.padStart(widths[k]!)))
      .join("  ")
      .trimEnd(),
  );
}

export function formatResult(result: FitResult): string {
  const [head, ...rows] = align(parameterTable(result));
  const statistics = statisticsTable(result);
  const width = Math.max(...statistics.map(([name]) => name.length));
  return [
    `${result.response} ~ ${result.model}`,
    "",
    head!,
    "-".repeat(Math.max(head!.length, ...rows.map((row) => row.length))),
    ...rows,
    "",
    ...statistics.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...result.warnings.map((warning) => `\nwarning: ${warning}`),
    "",
  ].join("\n");
}
