// A source file of more than 800 lines is a list that should be a table, or two rooms.
import { readFileSync } from "node:fs";
import { at, fail, files } from "./common.mjs";

const limit = 800;
const folders = ["lib", "native", "test", "bench", "examples", "scripts"];
const source = /\.([cm]?[tj]s|cc|h|def|inc|py)$/;
const exempt = /^lib\/generated\/|(^|\/)node_modules\//;

const long = folders
  .flatMap((folder) => files(folder, (file) => source.test(file) && !exempt.test(file)))
  .map((file) => [file, readFileSync(at(file), "utf8").split("\n").length - 1])
  .filter(([, lines]) => lines > limit)
  .map(([file, lines]) => `${file}: ${lines} lines`);

if (long.length > 0) fail(`source files over ${limit} lines:\n  ${long.join("\n  ")}`);
