/** Finds the user's line in a stack: the first frame that is in no package and not in Node. */
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "./error.js";

// lib/ when run from the sources, dist/ when run as a package.
const packageFolder = dirname(fileURLToPath(import.meta.url)) + sep;

/** "<place>:<line>:<column>", at the end of a frame. */
const position = /^(.+):(\d+):(\d+)$/;
/** What the place of a file looks like, as opposed to the end of some name with a parenthesis in it. */
const absolute = /^(?:\/|\\\\|[A-Za-z]:[\\/]|[a-z][a-z\d+.-]*:)/;

function pathOf(text: string): string {
  if (!text.startsWith("file://")) return text;
  try {
    return fileURLToPath(text.replace(/[?#].*$/, ""));
  } catch {
    return text;
  }
}

/**
 * The place in one line of a stack: `at name (place)` or `at place`. Both names and places may have
 * parentheses in them.
 */
function placeOf(line: string): string | undefined {
  const [, text] = /^\s*at (?:async )?(.+)$/.exec(line) ?? [];
  // What eval runs has no file; its caller is the next frame.
  if (text === undefined || /(?:^| \()eval at /.test(text)) return undefined;
  if (!text.endsWith(")")) return text;
  const inner = text.slice(0, -1);
  const candidates: string[] = [];
  for (let at = inner.indexOf(" ("); at >= 0; at = inner.indexOf(" (", at + 1)) {
    candidates.push(inner.slice(at + 2));
  }
  return candidates.find((candidate) => absolute.test(candidate)) ?? candidates.at(-1);
}

function locationIn(place: string | undefined): SourceLocation | undefined {
  const [, where = "", row, column] = position.exec(place ?? "") ?? [];
  if (where === "" || where === "<anonymous>") return undefined;
  return { file: pathOf(where), line: Number(row), column: Number(column) };
}

function isForeign({ file }: SourceLocation): boolean {
  return file.startsWith("node:") || file.startsWith(packageFolder);
}

/**
 * The first frame outside this package and all others: who calls through a helper from node_modules is at
 * fault, not the helper. Where there is none, the helper.
 */
function firstOf(frames: Iterable<SourceLocation | undefined>): SourceLocation | undefined {
  let helper: SourceLocation | undefined;
  for (const found of frames) {
    if (found === undefined || isForeign(found)) continue;
    if (!/[\\/]node_modules[\\/]/.test(found.file)) return found;
    helper ??= found;
  }
  return helper;
}

function* ofText(stack: string): Iterable<SourceLocation | undefined> {
  for (const line of stack.split("\n")) yield locationIn(placeOf(line));
}

function* ofSites(sites: readonly NodeJS.CallSite[]): Iterable<SourceLocation | undefined> {
  for (const site of sites) {
    const file = site.getFileName?.();
    if (typeof file !== "string") continue;
    const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
    yield { file: pathOf(file), line: line ?? 1, column: column ?? 1 };
  }
}

/** The first frame of a stack that is the user's. */
export function userFrame(stack: unknown): SourceLocation | undefined {
  if (typeof stack === "string") return firstOf(ofText(stack));
  // Programs may ask for structured stacks.
  return Array.isArray(stack) ? firstOf(ofSites(stack as NodeJS.CallSite[])) : undefined;
}

/** Runs `work` with a property of Error set. It can not be set where the intrinsics are frozen. */
function withSet<T>(name: "stackTraceLimit" | "prepareStackTrace", value: unknown, work: () => T) {
  const before: unknown = Error[name];
  Reflect.set(Error, name, value);
  try {
    return work();
  } finally {
    Reflect.set(Error, name, before);
  }
}

/** A stack, not yet read: taking one costs a microsecond or two, reading it many. */
export interface CallSite {
  readonly stack?: unknown;
}

/** Remembers where this call comes from, for errors that may come later. */
export function callSite(depth = 8): CallSite {
  // Setting the limit would take as long as the rest.
  if (Error.stackTraceLimit >= depth) return new Error();
  return withSet("stackTraceLimit", depth, () => new Error());
}

// Node's own, which knows source maps; a program may put another one in its place later.
const standard = Error.prepareStackTrace;

/** The user's frame of a call site. A program's way to write stacks may throw, or lose the frames. */
export function frameOf(site: CallSite): SourceLocation | undefined {
  const prepare = Error.prepareStackTrace;
  let sites: readonly NodeJS.CallSite[] = [];
  const read = () => {
    try {
      return userFrame(site.stack);
    } catch {
      return undefined;
    }
  };
  if (typeof prepare !== "function" || prepare === standard) return read();
  const watching = (error: Error, own: NodeJS.CallSite[]): unknown => {
    sites = own;
    return prepare.call(Error, error, own);
  };
  return withSet("prepareStackTrace", watching, read) ?? firstOf(ofSites(sites));
}

/** Where in the user's program this call comes from. Costs microseconds: for errors only. */
export function currentLocation(): SourceLocation | undefined {
  return frameOf(callSite(64));
}
