/** Files that users name. */
import { readFileSync } from "node:fs";
import { DataError } from "./generated/errors.js";

/** @throws DataError that says in plain words why it can not be read */
export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const known: Readonly<Record<string, string>> = {
      ENOENT: "there is no such file",
      EISDIR: "it is a folder, not a file",
      EACCES: "it may not be read",
    };
    throw new DataError(`${file}: ${known[code ?? ""] ?? message}`, { cause: error });
  }
}
