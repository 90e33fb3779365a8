/** Finds the user's line in a stack: the first frame that is neither in this package nor in Node. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "./error.js";

// lib/ when run from the sources, dist/ when run as a package.
const packageFolder = `${dirname(fileURLToPath(import.meta.url))}/`;

const frame = /^\s*at (?:.*?\()?((?:file:\/\/)?[^()]+?):(\d+):(\d+)\)?$/;

function pathOf(text: string): string {
  if (!text.startsWith("file://")) return text;
  try {
    return fileURLToPath(text.replace(/[?#].*$/, ""));
  } catch {
    return text;
  }
}

/** The first frame of a stack outside this package. */
export function userFrame(stack: unknown): SourceLocation | undefined {
  if (typeof stack !== "string") return undefined;
  for (const line of stack.split("\n")) {
    const match = frame.exec(line);
    if (match === null) continue;
    const [, place = "", row, column] = match;
    if (place.startsWith("node:")) continue;
    const file = pathOf(place);
    if (file.startsWith(packageFolder)) continue;
    return { file, line: Number(row), column: Number(column) };
  }
  return undefined;
}

/** Where in the user's program this call comes from. Costs microseconds: for errors only. */
export function currentLocation(): SourceLocation | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 64;
  try {
    return userFrame(new Error().stack);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
