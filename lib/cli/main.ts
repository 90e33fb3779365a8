#!/usr/bin/env node
// The command `adjoint`. Exit codes: 0 done, 1 an error of the data or what is done with it, 2 a wrong call,
// 130 interrupted.
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import type { AdjointError } from "../error.js";
import { AbortError } from "../generated/errors.js";

const version = (): string => {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
};

const stackOf = (error: unknown): string =>
  error instanceof Error && error.stack !== undefined ? error.stack : String(error);

/** Code and message. Formulas here are from the command line: a line of a program would mislead. */
function describe(error: unknown): string {
  const { message, code, location } = error as AdjointError;
  const end = location === undefined ? -1 : message.lastIndexOf(" (at ");
  return `adjoint: ${code ?? "error"}: ${(end < 0 ? message : message.slice(0, end)).trimEnd()}`;
}

/** A command. Where the addon is missing it says so when it is used, not when help is wanted. */
async function load(name: string, description: string, make: () => Promise<Command>) {
  try {
    return (await make()).description(description);
  } catch (error) {
    return new Command(name)
      .description(description)
      .argument("[arguments...]")
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw error;
      });
  }
}

const commands = (): Promise<Command[]> =>
  Promise.all([
    load("fit", "Fit a formula to a CSV by least squares.", async () =>
      (await import("./fit.js")).fitCommand(),
    ),
    load("spy", "Draw a sparse matrix and its coloring.", async () =>
      (await import("./spy.js")).spyCommand(),
    ),
  ]);

async function main(): Promise<number> {
  const program = new Command("adjoint")
    .description(
      "Exact derivatives at native speed: fits formulas to data, colors sparse matrices.",
    )
    .version(version())
    .exitOverride();
  for (const command of await commands()) program.addCommand(command.exitOverride());
  if (process.argv.length < 3) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(
      `${process.argv.includes("--debug") ? stackOf(error) : describe(error)}\n`,
    );
    return error instanceof AbortError ? 130 : 1;
  }
}

// Output to a pipe whose reader is gone, as of `| head`, is no error; a full disk is.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`adjoint: error: standard output: ${error.message}\n`);
  process.exit(1);
});
process.stderr.on("error", () => {}); // nowhere is left to say so

process.exitCode = await main();
