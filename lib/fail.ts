/** Turns errors of the addon, which carry a code, into the error classes, and completes errors. */
import { AdjointError, amend, type ErrorDetails, type SourceLocation } from "./error.js";
import { errorClasses } from "./generated/error-codes.js";
import { MemoryError, NativeError } from "./generated/errors.js";
import { currentLocation } from "./location.js";
import type { NativeFailure } from "./native.js";

function isFromAddon(error: unknown): error is Error & NativeFailure {
  return error instanceof Error && "adjointCode" in error;
}

/** Whether a run was ended by its signal or deadline. */
export function isAbort(error: unknown): boolean {
  return isFromAddon(error) && error.adjointCode === "ERR_ABORT";
}

/** The node a failed run names, if it names one. */
export function failedNode(error: unknown): number | undefined {
  return isFromAddon(error) ? error.node : undefined;
}

/** Where that is a loop, the node of its body at fault. */
export function failedStepNode(error: unknown): number | undefined {
  return isFromAddon(error) ? error.stepNode : undefined;
}

/** The error to throw in the place of one that the addon threw; other errors stay as they are. */
export function converted(error: unknown, details: ErrorDetails = {}): unknown {
  if (!isFromAddon(error)) return error;
  const ErrorClass: new (message: string, details?: ErrorDetails) => AdjointError =
    errorClasses[error.adjointCode as keyof typeof errorClasses] ?? NativeError;
  return new ErrorClass(error.message, { node: error.node, step: error.step, ...details });
}

/** The same for errors of building a graph: the user's line is the one that is running now. */
export function convertedHere(error: unknown): unknown {
  return isFromAddon(error) ? converted(error, { location: currentLocation() }) : error;
}

/** The details of an error that is about the line that is running now. */
export function here(): ErrorDetails {
  return { location: currentLocation() };
}

/**
 * The error to throw of one that a call threw. One that knows its line is complete; any other gets the
 * line, and what was called in front of its message. Not for successful calls: finding lines takes time.
 */
export function completed(
  error: unknown,
  what: string,
  locate: () => SourceLocation | undefined = currentLocation,
): unknown {
  const known = converted(error);
  if (!(known instanceof AdjointError) || known.location !== undefined) return known;
  const prefix = what === "" ? "" : `${what}: `;
  const reword = (message: string) =>
    message.startsWith(prefix) ? message : `${prefix}${message}`;
  amend(known, reword, { location: locate() });
  return known;
}

/** The same error, or MemoryError for the engine's word that there is no memory for an array. */
export function outOfMemory(error: unknown): unknown {
  const isMemory =
    error instanceof RangeError && /allocation failed|array length/i.test(error.message);
  return isMemory ? new MemoryError(`out of memory: ${error.message}`, { cause: error }) : error;
}
