// What the scripts share: where things are, running commands, and telling what is out of date.
// Plain Node and no dependencies, because set-up runs before there is a node_modules.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Jobs for a parallel build. Memory, not cores, is what a template-heavy build runs out of first. */
export const jobs = String(Math.min(8, availableParallelism()));

/** A path inside the package. */
export const at = (...parts) => join(root, ...parts);

export const say = (text) => console.log(`adjoint: ${text}`);

/** Stops the script with a message. */
export function fail(text) {
  console.error(`adjoint: ${text}`);
  process.exit(1);
}

/** Runs a command in the package's folder and returns its exit status. */
export function status(command, args = [], options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) console.error(`adjoint: ${command}: ${result.error.message}`);
  if (result.signal) console.error(`adjoint: ${command} was ended by ${result.signal}`);
  return result.status ?? 1;
}

/** Runs a command and stops the script, with the command's status, when it fails. */
export function run(command, args = [], options = {}) {
  const code = status(command, args, options);
  if (code !== 0) {
    console.error(`adjoint: failed: ${command} ${args.join(" ")}`);
    process.exit(code);
  }
}

/** What a command prints, or undefined when it fails. */
export function output(command, args = [], options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: "utf8", ...options });
  return result.status === 0 ? result.stdout : undefined;
}

/** Where a command is on PATH, or undefined. */
export function which(command) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((file) => existsSync(file));
}

/** The path of a tool from node_modules. */
export const bin = (name) => at("node_modules", ".bin", name);

/** All files below a folder (or the file itself), as paths from the package's folder, sorted. */
export function files(path, keep = () => true) {
  const full = at(path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .filter(keep)
    .sort();
}

// A stamp remembers, for a build that succeeded, its inputs: names, sizes and times, and its settings. Names
// count because a removed file makes a build stale too, and no modification time tells that.
const stampPath = (name) => at("build", "stamps", name);

function fingerprint(inputs) {
  return inputs
    .flatMap((input) => files(input))
    .map((file) => {
      const { size, mtimeMs } = statSync(at(file));
      return `${file} ${size} ${mtimeMs}\n`;
    })
    .join("");
}

/** Whether a build's inputs and settings are as they were when it last succeeded and its output exists. */
export function isFresh(name, inputs, outputs, settings = "") {
  return (
    outputs.every((path) => existsSync(at(path))) &&
    existsSync(stampPath(name)) &&
    readFileSync(stampPath(name), "utf8") === fingerprint(inputs) + settings
  );
}

/** Runs `build` unless it is fresh. */
export function whenStale(name, inputs, outputs, build, settings = "") {
  if (isFresh(name, inputs, outputs, settings)) return false;
  const now = fingerprint(inputs) + settings;
  if (build() === false) return false;
  mkdirSync(dirname(stampPath(name)), { recursive: true });
  writeFileSync(stampPath(name), now);
  return true;
}

/**
 * Lets CMake configure a build folder again when it was configured in another place (the checkout was moved
 * or copied), which CMake refuses to go on with, or with other values of these variables.
 */
export function forgetStaleCache(folder, variables = {}) {
  const cache = at(folder, "CMakeCache.txt");
  if (!existsSync(cache)) return;
  const text = readFileSync(cache, "utf8");
  const value = (name) => new RegExp(`^${name}:\\w+=(.*)$`, "m").exec(text)?.[1];
  const home = value("CMAKE_HOME_DIRECTORY") ?? "";
  const moved = !existsSync(home) || realpathSync(home) !== realpathSync(root);
  if (!moved && Object.entries(variables).every(([name, wanted]) => value(name) === wanted)) return;
  say(
    `${folder}/ was configured ${moved ? "in another folder" : "otherwise"}: configuring it again`,
  );
  rmSync(cache);
  rmSync(at(folder, "CMakeFiles"), { recursive: true, force: true });
}

/** What the addon is made of: the rooms of native/ but for tests and tools. */
export const addonSources = [
  ...["binding", "exec", "linalg", "ops", "plan", "solve", "sparsity", "tape", "transform"],
  ...["checkpoint", "coloring", "sources.json"],
].map((room) => `native/${room}`);

/** The lists of native/sources.json. */
export const sources = () => JSON.parse(readFileSync(at("native", "sources.json"), "utf8"));
