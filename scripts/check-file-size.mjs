// A source file of more than 800 lines is a list that should be a table, or two rooms.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, fail, files } from "./common.mjs";

const limit = 800;
const folders = ["lib", "native", "test", "bench", "examples", "scripts", "cmake", ".ci"];
const source = /\.([cm]?[tj]sx?|cc|cpp|cxx|h|hh|hpp|def|inc|in|py|sh|cmake)$|^\.ci\//;
const exempt = /^lib\/generated\/|(^|\/)node_modules\//;

export const isSource = (path) => source.test(path) && !exempt.test(path);

/** "path: N lines" of a file that is too long, else nothing. */
export function tooLong(file, text) {
  const lines = text.split("\n").length - 1;
  return lines > limit ? [`${file}: ${lines} lines`] : [];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const sources = folders.flatMap((folder) => files(folder, isSource));
  if (sources.length === 0) fail("there are no sources");
  const long = sources.flatMap((file) => tooLong(file, readFileSync(at(file), "utf8")));
  if (long.length > 0) fail(`source files over ${limit} lines:\n  ${long.join("\n  ")}`);
}
