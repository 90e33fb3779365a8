/**
 * The base of every error this package throws. The classes themselves are generated from the one list
 * of errors; this file knows none of them.
 */

/** A place in the user's program. */
export interface SourceLocation {
  /** Path of the file, as the stack trace names it. */
  readonly file: string;
  /** Line, from 1. */
  readonly line: number;
  /** Column, from 1. */
  readonly column: number;
}

/** What an error knows beside its message. */
export interface ErrorDetails {
  /** The user's line at fault, where it is known. */
  readonly location?: SourceLocation | undefined;
  /** The node of the tape at fault, for `locate`. */
  readonly node?: number | undefined;
  /** Position in a formula's text, from 0. */
  readonly position?: number | undefined;
  /** The instance of a batch at fault, from 0. */
  readonly lane?: number | undefined;
  /** The step of a loop at fault, by its index, from 0. */
  readonly step?: number | undefined;
  readonly cause?: unknown;
}

/**
 * Base class of all errors of this package. `code` is stable across versions; the message is for people
 * and names the operation, the shapes and, where known, the user's file and line.
 */
export abstract class AdjointError extends Error {
  abstract readonly code: string;
  /** The user's file and line, where they are known. */
  readonly location: SourceLocation | undefined;
  /** The node of the tape at fault, where a run failed. */
  readonly node: number | undefined;
  /** Position in a formula's text, from 0. */
  readonly position: number | undefined;
  /** The instance of a batch at fault, from 0. */
  readonly lane: number | undefined;
  /** The step of a loop at fault, by its index, from 0. */
  readonly step: number | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    const { location, cause } = details;
    super(message + placeText(location), cause === undefined ? undefined : { cause });
    this.location = location;
    this.node = details.node;
    this.position = details.position;
    this.lane = details.lane;
    this.step = details.step;
  }
}

function placeText(location: SourceLocation | undefined): string {
  return location === undefined ? "" : ` (at ${formatLocation(location)})`;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Adds to an error what those further up know: only they know which function was called, from where.
 * @param reword what becomes of the message, which is given without the place at its end
 * @param details what the error did not know before; what it knows stays
 */
export function amend(
  error: AdjointError,
  reword: (message: string) => string,
  details: Omit<ErrorDetails, "cause"> = {},
): void {
  const before = error.message;
  const stack = stackOf(error);
  const place = placeText(error.location);
  const bare = before.endsWith(place) ? before.slice(0, before.length - place.length) : before;
  const known: Writable<AdjointError> = error;
  known.location ??= details.location;
  known.node ??= details.node;
  known.position ??= details.position;
  known.lane ??= details.lane;
  known.step ??= details.step;
  known.message = reword(bare) + placeText(known.location);
  // A stack begins with the message, as it was when the stack was first read.
  if (typeof stack === "string") error.stack = stack.replace(before, () => error.message);
}

/** The stack, where a program's own Error.prepareStackTrace does not throw. */
function stackOf(error: Error): unknown {
  try {
    return error.stack;
  } catch {
    return undefined;
  }
}

/** "src/model.ts:12:7", from the working folder where the file is inside it. */
export function formatLocation(location: SourceLocation): string {
  const folder = `${process.cwd()}/`;
  const file = location.file.startsWith(folder)
    ? location.file.slice(folder.length)
    : location.file;
  return `${file}:${location.line}:${location.column}`;
}

/**
 * Gives a class of errors its name. On the prototype, because a stack's first line is written before the
 * fields of the object exist.
 */
export function nameClass(errorClass: { readonly prototype: Error }, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", {
    value: name,
    writable: true,
    configurable: true,
  });
}
