/** Turns errors of the addon, which carry a code, into the error classes. */
import type { AdjointError, ErrorDetails } from "./error.js";
import { errorClasses } from "./generated/error-codes.js";
import { NativeError } from "./generated/errors.js";
import { currentLocation } from "./location.js";
import type { NativeFailure } from "./native.js";

function isFromAddon(error: unknown): error is Error & NativeFailure {
  return error instanceof Error && "adjointCode" in error;
}

/** The node a failed run names, if it names one. */
export function failedNode(error: unknown): number | undefined {
  return isFromAddon(error) ? error.node : undefined;
}

/** The error to throw in the place of one that the addon threw; other errors stay as they are. */
export function converted(error: unknown, details: ErrorDetails = {}): unknown {
  if (!isFromAddon(error)) return error;
  const ErrorClass: new (message: string, details?: ErrorDetails) => AdjointError =
    errorClasses[error.adjointCode as keyof typeof errorClasses] ?? NativeError;
  return new ErrorClass(error.message, { node: error.node, ...details });
}

/** The same for errors of building a graph: the user's line is the one that is running now. */
export function convertedHere(error: unknown): unknown {
  return isFromAddon(error) ? converted(error, { location: currentLocation() }) : error;
}

/** The details of an error that is about the line that is running now. */
export function here(): ErrorDetails {
  return { location: currentLocation() };
}
