// Formats everything: Biome for TypeScript, scripts and JSON, clang-format for C++.
//   --check   changes nothing, and fails where something would change

import { existsSync } from "node:fs";
import { at, bin, fail, files, run, which } from "./common.mjs";

const check = process.argv.includes("--check");

/** The C++ files; a .def is a table of macros, laid out by hand. */
export const cppFiles = () => files("native", (file) => /\.(cc|h)$/.test(file));

run(bin("biome"), ["check", "--error-on-warnings", ...(check ? [] : ["--write"]), "."]);

const formatter = "clang-format-19";
const peers = files("bench/native", (file) => /\.(cc|h)$/.test(file));
const sources = [...cppFiles(), ...peers].filter((file) => existsSync(at(file)));
if (sources.length === 0) fail("native/ has no C++ files");
if (!which(formatter)) fail(`${formatter} is missing (Debian: apt-get install ${formatter})`);
run(formatter, [...(check ? ["--dry-run", "-Werror"] : ["-i"]), ...sources]);
