// From a fresh clone to something that runs: Debian packages, npm packages, TypeScript, the addon.
// What is there already is left alone, so a second run does nothing and takes a moment.
//   --test      what the tests need too
//   --ci        and what continuous integration needs
//   --packages  packages only, nothing is built
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { at, fail, run, say } from "./common.mjs";
import { installPackages, missingPackages } from "./debian.mjs";

const wants = (flag) => process.argv.includes(flag) || process.argv.includes("--ci");

/** Debian packages: those that another installation can stand in for are asked for by command. */
function installSystem() {
  const commands = { "c++": "g++", make: "make", cmake: "cmake" };
  const packages = ["libsleef-dev", "libeigen3-dev", "libasmjit-dev"];
  if (wants("--test")) {
    packages.push("libgtest-dev", "libmpfr-dev");
    commands.chromium = "chromium"; // looks at pages
  }
  if (wants("--ci")) {
    packages.push("clang-format-19", "clang-tidy-19", "valgrind");
    commands.python3 = "python3"; // for node-gyp
  }
  installPackages(missingPackages(packages, commands));
}

/**
 * Whether node_modules holds what package-lock.json says, by npm's own list of what it installed. Times
 * would tell less: a checkout touches the file and changes nothing.
 */
function modulesAreThere() {
  const list = at("node_modules", ".package-lock.json");
  if (!existsSync(list)) return false;
  const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const { "": _, ...wanted } = packagesOf(at("package-lock.json"));
  const installed = packagesOf(list);
  const isSame = (a, b) => a?.version === b?.version && a?.integrity === b?.integrity;
  return (
    Object.keys(installed).every((path) => isSame(wanted[path], installed[path])) &&
    // Optional packages of other platforms are left out.
    Object.keys(wanted).every((path) => path in installed || wanted[path].optional === true)
  );
}

function installModules() {
  if (modulesAreThere()) return;
  // npm ci empties the folder first: through a link that would be another checkout's.
  if (lstatSync(at("node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) {
    fail(
      "node_modules is a symbolic link and out of date: run npm ci where it leads, or remove it",
    );
  }
  say("installing npm packages");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}

const [major] = process.versions.node.split(".");
if (Number(major) < 20) fail(`Node 20 or later is needed, this is ${process.version}`);

installSystem();
installModules();
if (process.argv.includes("--packages")) process.exit(0);
const { buildTypeScript } = await import("./build-ts.mjs");
const { buildNative } = await import("./build-native.mjs");
buildTypeScript();
buildNative();
if (wants("--test")) {
  const { buildTests } = await import("./build-test.mjs");
  buildTests();
}
