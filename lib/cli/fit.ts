/** The command `adjoint fit`. */
import { basename } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { loadVega } from "../fit/draw.js";
import { fit } from "../fit/fit.js";
import { htmlReport } from "../fit/html.js";
import type { FitResult } from "../fit/result.js";
import { Table } from "../fit/table.js";
import { formatNumber } from "../fit/text.js";
import { FitError } from "../generated/errors.js";
import { interruptible, prepareFile, readInput, writeFile } from "./files.js";

function finite(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a number.`);
  }
  return value;
}

function pairs(text: string): [name: string, value: string][] {
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const at = part.indexOf("=");
      const name = part.slice(0, Math.max(at, 0)).trim();
      if (name === "") {
        throw new InvalidArgumentError(`expected name=value, got ${JSON.stringify(part.trim())}.`);
      }
      return [name, part.slice(at + 1).trim()];
    });
}

function add<T>(record: Record<string, T>, name: string, value: T): void {
  if (Object.hasOwn(record, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  // As a property of its own, whatever its name.
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true });
}

/** "a=1,b=2e-3"; may be given several times. */
function startValues(text: string, previous: Record<string, number> = {}): Record<string, number> {
  const record = { ...previous };
  for (const [name, value] of pairs(text)) add(record, name, finite(value));
  return record;
}

/** "t=Date", or a column's name alone; the name may hold commas and equal signs after the first. */
function mapping(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const record = { ...previous };
  const at = text.indexOf("=");
  if (at < 0) add(record, text.trim(), text.trim());
  else add(record, text.slice(0, at).trim(), text.slice(at + 1).trim());
  return record;
}

const namedDelimiters: Readonly<Record<string, string>> = {
  ",": ",",
  ";": ";",
  "\t": "\t",
  "\\t": "\t",
  comma: ",",
  semicolon: ";",
  tab: "\t",
};

function delimiter(text: string): string {
  const found = Object.hasOwn(namedDelimiters, text) ? namedDelimiters[text] : undefined;
  if (found === undefined) throw new InvalidArgumentError("it is comma, semicolon or tab.");
  return found;
}

interface Options {
  readonly y: string;
  readonly model: string;
  readonly start: Record<string, number>;
  readonly x?: Record<string, string>;
  readonly weights?: string;
  readonly sigma?: string;
  readonly confidence: number;
  readonly maxIterations: number;
  readonly tolerance: number;
  readonly delimiter?: string;
  readonly html?: string;
  readonly title?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly debug?: true;
}

/** A line on the terminal that says how far it is; nothing where there is no terminal. */
class ProgressLine {
  private readonly isOn: boolean;
  private isShown = false;

  constructor(isQuiet: boolean) {
    this.isOn = !isQuiet && process.stderr.isTTY === true && process.env.TERM !== "dumb";
  }

  show(text: string): void {
    if (!this.isOn) return;
    const width = process.stderr.columns || 80; // 0 where the terminal does not say
    process.stderr.write(`\r\x1b[2K${text.slice(0, width - 1)}`);
    this.isShown = true;
  }

  clear(): void {
    if (this.isShown) process.stderr.write("\r\x1b[2K");
    this.isShown = false;
  }
}

/** Everything that a report needs, so that what is missing is found before the fit. */
async function prepareReport(file: string, input: string): Promise<void> {
  prepareFile(file, "report", input);
  await loadVega();
}

async function writeReport(file: string, result: FitResult, options: Options, source: string) {
  const { observations, dropped } = result.statistics;
  const html = await htmlReport(result, {
    title: options.title ?? `Fit of ${options.y}, ${basename(source)}`,
    source: `${source}: ${observations} observations, ${dropped} rows with missing values left out`,
  });
  writeFile(file, "report", html);
  if (options.quiet) return;
  const says = options.json ? process.stderr : process.stdout;
  says.write(`${options.json ? "" : "\n"}The report is in ${file}\n`);
}

async function run(file: string, options: Options, signal: AbortSignal): Promise<void> {
  const progress = new ProgressLine(options.quiet === true);
  const source = file === "-" ? "standard input" : file;
  try {
    if (options.html !== undefined) await prepareReport(options.html, file);
    progress.show(`reading ${source} ...`);
    const how = { source, ...(options.delimiter && { delimiter: options.delimiter }) };
    const table = file === "-" ? Table.parse(await readInput(signal), how) : Table.read(file, how);
    progress.show(`${table.rows} rows, fitting ...`);
    const result = await fit.async({
      data: table,
      y: options.y,
      model: options.model,
      start: options.start,
      x: options.x ?? {},
      ...(options.weights === undefined ? {} : { weights: options.weights }),
      ...(options.sigma === undefined ? {} : { sigma: options.sigma }),
      confidence: options.confidence,
      maxIterations: options.maxIterations,
      tolerance: options.tolerance,
      signal,
      onProgress: ({ iterations, sumOfSquares }) => {
        if (iterations === 0) return;
        const sum = formatNumber(sumOfSquares, 8);
        progress.show(`${table.rows} rows, iteration ${iterations}, sum of squares ${sum}`);
      },
    });
    progress.clear();
    if (options.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else if (!options.quiet) process.stdout.write(`${result}`);
    if (options.html !== undefined) await writeReport(options.html, result, options, source);
    if (!result.converged) {
      throw new FitError(`the fit did not converge: ${result.warnings[0] ?? "no reason is known"}`);
    }
  } finally {
    progress.clear();
  }
}

const examples = `
Examples:
  adjoint fit data.csv --y volume --model "b1*(1-exp(-b2*pressure))" --start b1=500,b2=1e-4
  adjoint fit co2.csv --y CO2 --x t=Date --model "a+b*(t-1990)" --start a=350,b=1 --html report.html
  adjoint fit decay.csv --y "log(counts)" --weights counts --model "a-t/tau" --start a=1,tau=1

Columns are used in formulas by their names, or by those that --x gives them. Dates (2024-07-02,
2024-07, 2024-07-02T12:30:00Z) become decimal years. Rows with missing values (empty, NA, NaN, null, .)
are left out. Exit codes: 0 fitted, 1 an error or no convergence, 2 a wrong call, 130 interrupted.`;

export function fitCommand(): Command {
  return new Command("fit")
    .argument(
      "<data.csv>",
      "a text with a header line, delimited by commas, semicolons or tabs; - is the standard input",
    )
    .requiredOption("--y <column or formula>", 'the response: a column, or a formula like "log(y)"')
    .requiredOption("--model <formula>", "what is fitted, of columns and parameters")
    .requiredOption("--start <name=value,...>", "where to start, for every parameter", startValues)
    .option("--x <name=column>", "a name for a column; may be given several times", mapping)
    .option("--weights <column or formula>", "what each observation counts: 1/sigma^2")
    .option("--sigma <column or formula>", "the standard deviation of each observation")
    .option("--confidence <level>", "of the intervals", finite, 0.95)
    .option("--max-iterations <n>", "the limit of iterations", finite, 2000)
    .option("--tolerance <t>", "relative change at which iterations end", finite, 1e-10)
    .option("--delimiter <name>", "comma, semicolon or tab; detected by default", delimiter)
    .option("--html <file>", "write a report with charts, one page of its own")
    .option("--title <text>", "of the report")
    .option("--json", "print the result as JSON")
    .option("--quiet", "print nothing but errors (and JSON, where asked for)")
    .option("--debug", "print errors with their stack")
    .addHelpText("after", examples)
    .action((file: string, options: Options) =>
      interruptible((signal) => run(file, options, signal)),
    );
}
