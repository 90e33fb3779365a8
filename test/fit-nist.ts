/** NIST's Statistical Reference Datasets for nonlinear regression: US Government work. */
import { readFileSync } from "node:fs";

export interface NistSet {
  readonly starts: readonly [Record<string, number>, Record<string, number>];
  readonly certified: ReadonlyMap<string, { readonly value: number; readonly deviation: number }>;
  readonly residualSumOfSquares: number;
  readonly residualError: number;
  /** y, then x or x1, x2. */
  readonly columns: Readonly<Record<string, number[]>>;
}

/** The models as NIST prints them, in this package's notation. */
export const nistModels: Readonly<Record<string, { model: string; y?: string }>> = {
  Chwirut2: { model: "exp(-b1*x)/(b2+b3*x)" },
  DanWood: { model: "b1*x**b2" },
  Gauss1: { model: "b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)" },
  Hahn1: { model: "(b1+b2*x+b3*x**2+b4*x**3) / (1+b5*x+b6*x**2+b7*x**3)" },
  Kirby2: { model: "(b1 + b2*x + b3*x**2) / (1 + b4*x + b5*x**2)" },
  Lanczos3: { model: "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)" },
  MGH09: { model: "b1*(x**2+x*b2) / (x**2+x*b3+b4)" },
  MGH17: { model: "b1 + b2*exp(-x*b4) + b3*exp(-x*b5)" },
  Misra1a: { model: "b1*(1-exp(-b2*x))" },
  Misra1b: { model: "b1 * (1-(1+b2*x/2)**(-2))" },
  Nelson: { model: "b1 - b2*x1 * exp(-b3*x2)", y: "log(y)" },
  Rat42: { model: "b1 / (1+exp(b2-b3*x))" },
  Roszman1: { model: "b1 - b2*x - atan(b3/(x-b4))/pi" },
  Thurber: { model: "(b1 + b2*x + b3*x**2 + b4*x**3) / (1 + b5*x + b6*x**2 + b7*x**3)" },
};

export function readNist(file: string): NistSet {
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  const starts: [Record<string, number>, Record<string, number>] = [{}, {}];
  const certified = new Map<string, { value: number; deviation: number }>();
  const single = new Map<string, number>();
  for (const line of lines) {
    const parameter = /^\s*(b\d+) =\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$/.exec(line);
    if (parameter !== null) {
      const [, name, first, second, value, deviation] = parameter;
      starts[0][name!] = Number(first);
      starts[1][name!] = Number(second);
      certified.set(name!, { value: Number(value), deviation: Number(deviation) });
    }
    const sum = /^(Residual .*):\s+(\S+)\s*$/.exec(line);
    if (sum !== null) single.set(sum[1]!, Number(sum[2]));
  }
  // Some copies of Roszman1 have a misprint in b1; this is what NIST certifies.
  if (file.includes("Roszman1")) {
    certified.set("b1", { value: 2.0196866396e-1, deviation: 1.9172666023e-2 });
  }
  // The first line that starts so describes the columns, the last one heads them.
  const heads = lines.flatMap((line, i) => (line.startsWith("Data:") ? [i] : []));
  const rows = lines
    .slice(heads.at(-1)! + 1)
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((row) => row.length > 1);
  const names = rows[0]!.length === 2 ? ["y", "x"] : ["y", "x1", "x2"];
  return {
    starts,
    certified,
    residualSumOfSquares: single.get("Residual Sum of Squares")!,
    residualError: single.get("Residual Standard Deviation")!,
    columns: Object.fromEntries(names.map((name, k) => [name, rows.map((row) => row[k]!)])),
  };
}

/** Digits that agree: the logarithm of the relative error, at most 11, which is what is certified. */
export function digits(value: number, certified: number): number {
  if (value === certified) return 11;
  const error = Math.abs(value - certified) / Math.abs(certified);
  return Math.max(0, Math.min(11, -Math.log10(error)));
}
