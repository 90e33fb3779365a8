// Finds the addon and loads it. It knows where an addon can be and what this CPU can run, and nothing
// of what is in it.
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

// From dist/loader.js and from lib/loader.ts alike, the package is one folder up.
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

// The flags, as Linux spells them, that each x86-64 level adds to the one before.
const x86Levels: readonly (readonly [name: string, flags: string])[] = [
  ["v2", "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"],
  ["v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"],
  ["v4", "avx512f avx512bw avx512cd avx512dq avx512vl"],
];

/** The x86-64 levels among "v4", "v3", "v2" that a CPU with these flags can run, the best first. */
export function levelsOf(flags: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const [name, wanted] of x86Levels) {
    if (!wanted.split(" ").every((flag) => flags.has(flag))) break;
    found.unshift(name);
  }
  return found;
}

/** The x86-64 levels of this CPU. Where it does not tell, that is the one that all servers have. */
function levels(): string[] {
  try {
    const line = /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    if (line?.[1]) return levelsOf(new Set(line[1].split(/\s+/)));
  } catch {
    // No Linux.
  }
  return ["v2"];
}

/** "glibc" or "musl" on Linux, by the dynamic linker that this Node asks for; elsewhere undefined. */
function libc(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const head = Buffer.alloc(4096);
  try {
    const file = openSync(process.execPath, "r");
    try {
      readSync(file, head, 0, head.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return "glibc";
  }
  return head.includes("/ld-musl-") ? "musl" : "glibc";
}

/** Where a prebuilt addon for this machine may be, the best first. */
function prebuilt(): string[] {
  const folder = join(packageRoot, "prebuilds", `${process.platform}-${process.arch}`);
  if (!existsSync(folder)) return [join(folder, "adjoint.*.node")];
  const tags = process.arch === "x64" ? levels().map((level) => `.${level}`) : [""];
  const library = libc();
  const suffix = library ? `.${library}.node` : ".node";
  return tags.map((tag) => join(folder, `adjoint${tag}${suffix}`));
}

/**
 * Loads the addon: the file named by the environment variable `ADJOINT_NATIVE`, else a build from
 * source in `build/Release`, else the prebuilt binary for this platform and the best level of its CPU.
 * @throws Error when there is none, or when the one found does not load; it says what was tried.
 */
export function loadAddon(): unknown {
  const require = createRequire(import.meta.url);
  const named = process.env.ADJOINT_NATIVE;
  const candidates = named
    ? [resolve(named)]
    : [join(packageRoot, "build", "Release", "adjoint.node"), ...prebuilt()];
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file === undefined) throw notFound(candidates, named !== undefined);
  try {
    return require(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`adjoint: the addon ${file} does not load: ${reason}`, { cause });
  }
}

function notFound(candidates: readonly string[], named: boolean): Error {
  const looked = candidates.map((candidate) => `  ${candidate}`).join("\n");
  const what = `${process.platform}-${process.arch}, Node ${process.versions.node}`;
  const advice = named
    ? "ADJOINT_NATIVE names it; unset it to use the one that comes with the package."
    : `Build it from source with: node ${join(packageRoot, "scripts", "build-native.mjs")}\n` +
      "which needs a C++20 compiler, CMake, SLEEF and Eigen " +
      "(Debian: apt-get install g++ cmake libsleef-dev libeigen3-dev).";
  return new Error(`adjoint: no addon for ${what}; looked for\n${looked}\n${advice}`);
}
