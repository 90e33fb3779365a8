/** The command `adjoint spy`. */
import { basename } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { readBytes } from "../files.js";
import { DataError } from "../generated/errors.js";
import {
  type Coloring,
  type ColoringMethod,
  type ColoringOrder,
  colorPattern,
  methods,
  orders,
} from "../sparse/coloring.js";
import { maxCharacters } from "../sparse/market.js";
import { parseMatrixMarket } from "../sparse/parse.js";
import { spyHtml } from "../sparse/spy.js";
import { interruptible, prepareFile, readInput, writeFile } from "./files.js";

interface Options {
  readonly method: ColoringMethod | "none";
  readonly order: ColoringOrder;
  readonly seed: number;
  readonly out?: string;
  readonly title?: string;
  readonly quiet?: true;
}

function seed(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("it is a whole number from 0.");
  return value;
}

function summary(rows: number, columns: number, nonzeros: number, coloring?: Coloring): string {
  const size = `rows: ${rows}, columns: ${columns}, nonzeros: ${nonzeros}`;
  if (coloring === undefined) return `${size}\n`;
  return `${size}\ncolors: ${coloring.count} (${coloring.method}, ${coloring.order})\n`;
}

async function run(file: string, options: Options, signal: AbortSignal): Promise<void> {
  const isInput = file === "-";
  const source = isInput ? "standard input" : file;
  const out = options.out ?? `${isInput ? "pattern" : basename(file).replace(/\.mtx$/i, "")}.html`;
  prepareFile(out, "picture", file);
  const bytes = isInput ? await readInput(signal) : readBytes(file);
  if (bytes.length > maxCharacters) {
    throw new DataError(`${source}: ${bytes.length} bytes are more than can be read at once`);
  }
  const matrix = parseMatrixMarket(bytes.toString("utf8"), { source });
  const { method, order } = options;
  const coloring =
    method === "none" ? undefined : colorPattern(matrix, { method, order, seed: options.seed });
  const title = options.title ?? (isInput ? "Sparsity pattern" : basename(file));
  const html = spyHtml(matrix, { title, source, ...(coloring && { coloring }) });
  writeFile(out, "picture", html);
  if (options.quiet) return;
  const { rows, columns, pattern } = matrix;
  process.stdout.write(summary(rows, columns, pattern.nonzeros, coloring));
  process.stdout.write(`The picture is in ${out}\n`);
}

const examples = `
Examples:
  adjoint spy jacobian.mtx
  adjoint spy hessian.mtx --method star --order largestFirst --out hessian.html

Files are in the Matrix Market format: coordinate or array; real, integer or pattern; general, symmetric or
skew-symmetric. The picture is one page that loads nothing. Exit codes: 0 drawn, 1 an error of the file or
the coloring, 2 a wrong call, 130 interrupted.`;

export function spyCommand(): Command {
  return new Command("spy")
    .argument("<matrix.mtx>", "a Matrix Market file; - is the standard input")
    .addOption(
      new Option("--method <name>", "what gets colors")
        .choices([...methods, "none"])
        .default("columns"),
    )
    .addOption(
      new Option("--order <name>", "in which order").choices([...orders]).default("natural"),
    )
    .option("--seed <n>", "of the order random", seed, 0)
    .option("--out <file>", "the page; by default the matrix's name with .html, in this folder")
    .option("--title <text>", "of the page")
    .option("--quiet", "print nothing but errors")
    .option("--debug", "print errors with their stack")
    .addHelpText("after", examples)
    .action((file: string, options: Options) =>
      interruptible((signal) => run(file, options, signal)),
    );
}
