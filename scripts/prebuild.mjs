// Builds the addons that the package ships, with prebuildify and node-gyp, into prebuilds/.
//   node scripts/prebuild.mjs [v2] [v3] [v4]    the x86-64 levels; all of them when none is named
//   node scripts/prebuild.mjs --zig             with zig, for glibc 2.28 and later
//   node scripts/prebuild.mjs --development v3  takes the development build as that level's, to try out the package
//                                               on this machine
//   node scripts/prebuild.mjs --check           builds nothing, and fails unless all levels are there, made of
//                                               these sources, and run with the glibc that README.md promises
//
// Without --zig the oldest glibc that a build runs on is about that of the machine that built it. A release is
// built with it; `npm publish` checks.
//
// Only this machine's platform is built: linux-x64 with glibc. What another target takes is a SLEEF
// for it, which is a shared library of the system here:
//   linux-arm64   PREBUILD_ARCH=arm64 and ADJOINT_SLEEF_DIR, a folder with an arm64 libsleef.so and
//                 libsleef.so.3 (those of Debian's libsleef-dev for arm64); CXX=aarch64-linux-gnu-g++
//                 or --zig; one level, and code in native/exec that does not need x86 intrinsics
//   musl          the same script in a musl distribution that has libsleef.so.3
//   darwin, win32 a SLEEF built from source, and its name in binding.gyp
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  addonSources,
  at,
  fail,
  isFresh,
  jobs,
  output,
  run,
  say,
  whenStale,
  which,
} from "./common.mjs";
import { zigEnvironment } from "./zig.mjs";

const arch = process.env.PREBUILD_ARCH ?? process.arch;
const levels = arch === "x64" ? ["v2", "v3", "v4"] : ["v8"];
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("-"));
const unknown = wanted.filter((level) => !levels.includes(level));
if (unknown.length > 0) fail(`no such level: ${unknown.join(" ")} (there are ${levels.join(" ")})`);

const zig = process.argv.includes("--zig");
const development = process.argv.includes("--development");
const target = `${process.platform}-${arch}`;
const stage = at("build-prebuild");

/** node-gyp empties build/, where the development build is: it works in a copy of the sources. */
function makeStage() {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const needed = ["binding.gyp", "cmake", "native", "package.json"];
  needed.push("scripts/common.mjs", "scripts/print-sources.mjs");
  for (const path of needed) cpSync(at(path), join(stage, path), { recursive: true });
  symlinkSync(at("node_modules"), join(stage, "node_modules"));
}

/** Node's headers where they are installed with Node, so that node-gyp does not download them. */
function headers() {
  const prefix = dirname(dirname(process.execPath));
  const installed = existsSync(join(prefix, "include", "node", "node_api.h"));
  return installed && !process.env.npm_config_nodedir ? { npm_config_nodedir: prefix } : {};
}

function build(level) {
  const march = arch === "x64" ? `x86-64-${level}` : "armv8-a";
  const name = arch === "x64" ? `adjoint.${level}` : "adjoint";
  say(`building ${target} for ${march}`);
  makeStage();
  const compiler = zig ? zigEnvironment(arch, sleef()) : {};
  const env = { ...process.env, ...headers(), ...compiler, ADJOINT_MARCH: march, JOBS: jobs };
  const options = ["--napi", "--strip", "--name", name, "--target", process.versions.node];
  if (process.platform === "linux") options.push("--tag-libc");
  run(
    process.execPath,
    [at("node_modules", "prebuildify", "bin.js"), ...options, "--cwd", stage, "--out", at(".")],
    { cwd: stage, env },
  );
  rmSync(stage, { recursive: true, force: true });
  // The other compiler's build is overwritten.
  rmSync(at("build", "stamps", stamp(level, !zig)), { force: true });
}

function takeDevelopmentBuild(level) {
  const addon = at("build", "Release", "adjoint.node");
  if (!existsSync(addon)) fail("there is no development build (npm run setup makes it)");
  mkdirSync(folder, { recursive: true });
  copyFileSync(addon, at(made(level)));
  for (const withZig of [true, false])
    rmSync(at("build", "stamps", stamp(level, withZig)), { force: true });
}

const stamp = (level, withZig) => `prebuild-${level}${withZig ? "-zig" : ""}`;
// What goes into an addon.
const inputs = [...addonSources, "binding.gyp", "cmake", "scripts/print-sources.mjs"];
const libc = process.platform === "linux" ? ".glibc" : "";
const made = (level) =>
  `prebuilds/${target}/adjoint${arch === "x64" ? `.${level}` : ""}${libc}.node`;
const folder = at("prebuilds", target);

if (process.argv.includes("--check")) {
  check();
} else {
  for (const level of wanted.length > 0 ? wanted : levels) {
    if (development) takeDevelopmentBuild(level);
    else whenStale(stamp(level, zig), inputs, [made(level)], () => build(level));
  }
  // The addons link SLEEF's shared library, and look for it beside themselves.
  copyFileSync(sleef(), join(folder, "libsleef.so.3"));
  report();
}

function report() {
  for (const file of readdirSync(folder)) {
    const path = join(folder, file);
    const newest = floor(path);
    const needs = newest ? `, glibc ${newest.join(".")} or later` : "";
    say(`${file}: ${(statSync(path).size / 1024).toFixed(0)} kB${needs}`);
  }
}

/** What must hold before a release: see above. */
function check() {
  const promise = /glibc (\d+)\.(\d+) or later/.exec(readFileSync(at("README.md"), "utf8"));
  if (!promise) fail("README.md does not say which glibc the prebuilt addons need");
  const [, major, minor] = promise.map(Number);
  const wrong = [];
  for (const level of levels) {
    const fresh = [true, false].some((z) => isFresh(stamp(level, z), inputs, [made(level)]));
    if (!fresh) wrong.push(`${made(level)} is missing or not made of these sources`);
  }
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (!names.includes("libsleef.so.3")) wrong.push(`${target}/libsleef.so.3 is missing`);
  if (names.length > 0 && !which("objdump")) wrong.push("objdump is missing (Debian: binutils)");
  for (const name of names) {
    const newest = floor(join(folder, name));
    if (newest && (newest[0] > major || (newest[0] === major && newest[1] > minor))) {
      wrong.push(`${name} needs glibc ${newest.join(".")}, README.md promises ${major}.${minor}`);
    }
  }
  if (wrong.length > 0) {
    fail(
      `not ready to publish (node scripts/prebuild.mjs --zig makes what is missing):\n  ${wrong.join("\n  ")}`,
    );
  }
  report();
}

function sleef() {
  const triplet = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[arch];
  const folders = [process.env.ADJOINT_SLEEF_DIR, `/usr/lib/${triplet}`, "/usr/lib64", "/usr/lib"];
  const found = folders
    .filter(Boolean)
    .map((path) => `${path}/libsleef.so.3`)
    .find((path) => existsSync(path));
  return found ?? fail("libsleef.so.3 is not installed (Debian: apt-get install libsleef-dev)");
}

/** The newest version of glibc whose symbols the file wants, [2, 28] say. */
function floor(file) {
  const symbols = output("objdump", ["-T", file]);
  const versions = [...(symbols ?? "").matchAll(/GLIBC_(\d+)\.(\d+)/g)].map((m) => [+m[1], +m[2]]);
  versions.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return versions.at(-1);
}
