// clang-tidy with the short fatal list of .clang-tidy, over all files in the units of scripts/units.mjs, or over files that
// are named, each by itself. What passed is not looked at again until it, a header or the list changes.
//   node scripts/tidy.mjs [files]
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { at, fail, files, isFresh, jobs, root, run, say, whenStale, which } from "./common.mjs";
import { writeUnits } from "./units.mjs";

const tidy = "clang-tidy-19";
if (!which(tidy)) fail(`${tidy} is missing (Debian: apt-get install ${tidy})`);

const folder = "build-tidy";
const named = process.argv.slice(2);
const units = writeUnits(folder).filter(({ list }) => list !== "test");
const wanted =
  named.length > 0
    ? named.map((file) => ({ path: file, files: [file] }))
    : units.map(({ name, files }) => ({
        path: `${folder}/native/${name}`,
        files: files.map((file) => `native/${file}`),
      }));
if (wanted.length === 0) fail("native/sources.json lists no sources");

// Only the list of commands is wanted; a level that clang knows as well as g++ does, and no -Werror:
// this is about the list, not about another compiler's warnings.
run(
  "cmake",
  ["-S", ".", "-B", folder, "-G", "Unix Makefiles", "-DADJOINT_TESTS=ON"].concat([
    "-DADJOINT_MARCH=x86-64-v3",
    "-DADJOINT_WERROR=OFF",
    `-DADJOINT_SOURCES=${at(...(named.length > 0 ? [] : [folder]), "native")}`,
  ]),
  { stdio: ["ignore", "ignore", "inherit"] },
);
const commands = JSON.parse(readFileSync(at(folder, "compile_commands.json"), "utf8"));
const known = new Set(commands.map(({ file }) => file));

const headers = files("native", (file) => /\.(h|def|inc)$/.test(file));
const queue = wanted.filter(({ path }) => existsSync(at(path)) && known.has(at(path)));
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
  for (let unit = queue.shift(); unit; unit = queue.shift()) {
    const stamp = `tidy/${unit.path.replaceAll("/", "_")}`;
    const inputs = [...unit.files, ...headers, ".clang-tidy"];
    if (!isFresh(stamp, inputs, []) && (await check(unit.path)))
      whenStale(stamp, inputs, [], () => true);
  }
}

const count = queue.reduce((sum, { files }) => sum + files.length, 0);
say(`clang-tidy over ${count} files`);
await Promise.all(Array.from({ length: Math.min(2, Number(jobs)) }, worker));
if (failed.length > 0) fail(`clang-tidy: ${failed.length} files: ${failed.join(" ")}`);
