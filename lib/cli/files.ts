/** What commands read and write. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { AbortError, DataError } from "../generated/errors.js";

// One by one: mkdirSync's own recursion does not end on file systems like /proc.
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

function writing(file: string, what: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    const { message } = cause as Error;
    throw new DataError(`${file}: the ${what} can not be written: ${message}`, { cause });
  }
}

const isFile = (file: string) => existsSync(file) && statSync(file).isFile();

/**
 * Finds out whether a file can be written, before there is anything to write.
 * @param input the file that is read, which is not to be written over
 * @throws DataError
 */
export function prepareFile(file: string, what: string, input: string): void {
  if (file === "") throw new DataError(`the ${what}'s file has no name`);
  writing(file, what, () => {
    const folder = dirname(resolve(file));
    makeFolder(folder);
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
    if (existsSync(file) && statSync(file).isDirectory()) throw new Error("it is a folder");
    if (isFile(file) && isFile(input) && realpathSync(file) === realpathSync(input)) {
      throw new Error("it is the file that is read");
    }
    accessSync(existsSync(file) ? file : folder, constants.W_OK);
  });
}

/** Whether this is a file that another one can be renamed to, or none yet. */
function isReplaceable(file: string): boolean {
  if (existsSync(file) && !statSync(file).isFile()) return false; // a device or a pipe
  try {
    accessSync(dirname(resolve(file)), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writes a file, where that is possible so that it is there as a whole or as it was before. @throws DataError */
export function writeFile(file: string, what: string, content: string): void {
  writing(file, what, () => {
    if (!isReplaceable(file)) {
      writeFileSync(file, content);
      return;
    }
    // The file that a link leads to, with the rights that it has.
    const target = existsSync(file) ? realpathSync(file) : resolve(file);
    const mode = existsSync(file) ? statSync(file).mode : 0o666;
    const unfinished = join(dirname(target), `.${basename(target)}.${process.pid}`);
    try {
      writeFileSync(unfinished, content, { mode });
      renameSync(unfinished, target);
    } catch (error) {
      rmSync(unfinished, { force: true });
      throw error;
    }
  });
}

/** All of the standard input. @throws AbortError, DataError */
export async function readInput(signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    const input = addAbortSignal(signal, process.stdin);
    for await (const chunk of input) chunks.push(chunk as Buffer);
  } catch (cause) {
    if (signal.aborted) throw new AbortError("canceled while reading", { cause });
    throw new DataError(`standard input: ${(cause as Error).message}`, { cause });
  }
  return Buffer.concat(chunks);
}

/** Runs something that Ctrl-C ends in an orderly way, and with it the process. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once("SIGINT", interrupt);
  try {
    return await run(controller.signal);
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
