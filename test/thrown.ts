// What calls throw and promises reject with, for tests of errors.
import type { AdjointError } from "adjoint";
import { expect } from "vitest";

export type ErrorClass = abstract new (...given: never[]) => AdjointError;

/** A value of any type, where a test gives what the types forbid. */
export const any = (value: unknown) => value as never;

/** The error of a call, which must be of this class. */
export function thrown(kind: ErrorClass, call: () => unknown): AdjointError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(kind);
    return error as AdjointError;
  }
  throw new Error(`no ${kind.name} was thrown`);
}

/** What a promise rejects with, which must be of this class. */
export async function rejected(kind: ErrorClass, promise: Promise<unknown>): Promise<AdjointError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(kind);
  return error as AdjointError;
}
