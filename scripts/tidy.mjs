// clang-tidy with the short fatal list of .clang-tidy. A file that passed is not looked at again until
// it, a header or the list changes.
//   node scripts/tidy.mjs [files]
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { at, fail, files, jobs, root, run, say, sources, whenStale, which } from "./common.mjs";

const tidy = "clang-tidy-19";
if (!which(tidy)) fail(`${tidy} is missing (Debian: apt-get install ${tidy})`);

const folder = "build-tidy";
const lists = sources();
const inSources = [...lists.core, ...lists.binding, ...lists.tools].map((file) => `native/${file}`);
const named = process.argv.slice(2);
const wanted = named.length > 0 ? named : inSources;
if (wanted.length === 0) fail("native/sources.json lists no sources");

// Only the list of commands is wanted; a level that clang knows as well as g++ does, and no -Werror:
// this is about the list, not about another compiler's warnings.
run(
  "cmake",
  ["-S", ".", "-B", folder, "-G", "Unix Makefiles", "-DADJOINT_TESTS=ON"].concat([
    "-DADJOINT_MARCH=x86-64-v3",
    "-DADJOINT_WERROR=OFF",
  ]),
  { stdio: ["ignore", "ignore", "inherit"] },
);
const commands = JSON.parse(readFileSync(at(folder, "compile_commands.json"), "utf8"));
const known = new Set(commands.map(({ file }) => file));

const headers = files("native", (file) => /\.(h|def|inc)$/.test(file));
const queue = wanted.filter((file) => existsSync(at(file)) && known.has(at(file)));
const failed = [];

function check(file) {
  return new Promise((done) => {
    const child = spawn(tidy, ["--quiet", "-p", folder, file], { cwd: root });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.stderr.resume(); // Only counts of suppressed warnings.
    child.on("close", (code) => {
      if (code !== 0) {
        failed.push(file);
        console.error(text);
      }
      done(code === 0);
    });
  });
}

async function worker() {
  for (let file = queue.shift(); file; file = queue.shift()) {
    const stamp = `tidy/${file.replaceAll("/", "_")}`;
    let stale = false;
    whenStale(stamp, [file, ...headers, ".clang-tidy"], [], () => {
      stale = true;
      return false;
    });
    if (stale && (await check(file)))
      whenStale(stamp, [file, ...headers, ".clang-tidy"], [], () => true);
  }
}

say(`clang-tidy over ${queue.length} files`);
await Promise.all(Array.from({ length: Math.min(2, Number(jobs)) }, worker));
if (failed.length > 0) fail(`clang-tidy: ${failed.length} files: ${failed.join(" ")}`);
