import { readFileSync, writeFileSync } from "node:fs";
import type { Machine } from "./machine.js";
import { describe } from "./machine.js";

export interface Row {
  readonly problem: string;
  readonly size: string;
  readonly tool: string;
  readonly backend: string;
  readonly dtype: "f64" | "f32";
  /** Value and gradient, or the value alone. */
  readonly computes: "primal" | "derivative";
  /** Median time. */
  readonly seconds: number;
  readonly fastest: number;
  readonly slowest: number;
  readonly runs: number;
  /** What of the hand-written C++ is the unit. */
  readonly unit: "primal" | "derivative";
  /** This time in that unit, where there is one. */
  readonly primals: number | null;
  /** Time of the hand-written JavaScript divided by this one's: more is faster. */
  readonly speedup: number;
  /** This time divided by adjoint's. */
  readonly slowdown: number;
  /** Largest relative difference of value and gradient from the hand-written JavaScript. */
  readonly difference: number;
  /** Seconds to trace, derive and compile, where there is such a thing. */
  readonly setup: number;
}

export interface Report {
  readonly machine: Machine;
  readonly date: string;
  readonly rounds: number;
  readonly roundSeconds: number;
  /** Of the other libraries. */
  readonly versions: readonly string[];
  readonly rows: readonly Row[];
  readonly skipped: readonly string[];
}

/** Three significant digits and a unit. */
export function duration(seconds: number): string {
  for (const [unit, size] of [
    ["s", 1],
    ["ms", 1e-3],
    ["us", 1e-6],
  ] as const) {
    if (seconds >= 0.9995 * size) return `${significant(seconds / size)} ${unit}`;
  }
  return `${significant(seconds / 1e-9)} ns`;
}

function significant(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toPrecision(3);
}

export function ratio(value: number): string {
  if (value >= 99.5) return value.toFixed(0);
  return value < 1e-3 ? value.toExponential(1) : value.toPrecision(2);
}

const heads = [
  "problem",
  "size",
  "tool",
  "numbers",
  "time",
  "x primal",
  "speedup",
  "/ adjoint",
  "difference",
] as const;

const cells = (row: Row): string[] => [
  row.problem,
  row.size,
  row.backend === "" ? row.tool : `${row.tool} (${row.backend})`,
  row.dtype,
  duration(row.seconds),
  row.primals === null ? "" : `${ratio(row.primals)}${row.unit === "derivative" ? "*" : ""}`,
  ratio(row.speedup),
  ratio(row.slowdown),
  row.difference === 0 ? "0" : row.difference.toExponential(0),
];

export const explanation = [
  "x primal: time of this row / time of the function alone in hand-written C++; *: / time of the derivative there",
  "speedup: time of the hand-written JavaScript / time of this row; more is faster",
  "/ adjoint: time of this row / time of adjoint",
].join("\n");

const rightAligned = (column: number): boolean => column >= 4;

/** The table for a terminal; also one of Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = [[...heads], ...rows.map(cells)];
  const widths = heads.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const format = (line: string[]): string =>
    `| ${line.map((cell, i) => (rightAligned(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((w, i) => (rightAligned(i) ? `${"-".repeat(w - 1)}:` : "-".repeat(w)));
  return [format(lines[0]!), format(rule), ...lines.slice(1).map(format)].join("\n");
}

/** `drawing` is the file name of one that is there. */
export function markdown(report: Report, drawing?: string): string {
  const { rounds, roundSeconds } = report;
  return [
    `Measured ${report.date.slice(0, 10)} on ${[describe(report.machine), ...report.versions].join("; ")}.`,
    `Medians of ${rounds} interleaved rounds of ${roundSeconds * 1000} ms or more.`,
    "",
    ...(drawing ? [`![Derivatives in units of the primal](${drawing})`, ""] : []),
    table(report.rows),
    ...report.skipped.map((line) => `\nSkipped: ${line}.`),
    "",
  ].join("\n");
}

/** Puts the table into a page, between two lines that say where. */
export function writeResults(file: string, report: Report, drawing?: string): void {
  const [begin, end] = ["<!-- results: begin -->", "<!-- results: end -->"];
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} does not have the lines ${begin} and ${end}`);
  const head = text.slice(0, from + begin.length);
  writeFileSync(file, `${head}\n\n${markdown(report, drawing)}\n${text.slice(to)}`);
}
