// Finds the addon and loads it. It knows where an addon can be and what this CPU can run, and nothing
// of what is in it.
import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { NativeError } from "./generated/errors.js";

// From dist/loader.js and from lib/loader.ts alike, the package is one folder up.
const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

// The flags, as Linux spells them, that each x86-64 level adds to the one before. Without abm (lzcnt), which some
// virtual machines hide: the addons are built without it.
const x86Levels: readonly (readonly [name: string, flags: string])[] = [
  ["v2", "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"],
  ["v3", "avx avx2 bmi1 bmi2 f16c fma movbe xsave"],
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

/** What decides which addon is loaded. */
export interface Machine {
  /** The package's folder. */
  readonly root: string;
  readonly platform: string;
  readonly arch: string;
  /** The CPU's features, as Linux spells them, where it tells. */
  readonly flags: ReadonlySet<string> | undefined;
  /** "glibc" or "musl" on Linux. */
  readonly libc: string | undefined;
  /** The environment variable ADJOINT_NATIVE. */
  readonly named: string | undefined;
}

export function thisMachine(): Machine {
  const { platform, arch, env } = process;
  const named = env.ADJOINT_NATIVE || undefined;
  return { root: packageRoot, platform, arch, flags: cpuFlags(), libc: libc(), named };
}

function cpuFlags(): ReadonlySet<string> | undefined {
  try {
    const line = /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
    if (line?.[1]) return new Set(line[1].split(/\s+/));
  } catch {
    // No Linux.
  }
  return undefined;
}

/** The x86-64 levels of a CPU. Where it does not tell, that is the one that all servers have. */
const levels = ({ flags }: Machine): string[] => (flags ? levelsOf(flags) : ["v2"]);

/** By the dynamic linker that this Node asks for. */
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

/** Where a prebuilt addon for a machine may be, the best first. */
function prebuilt(machine: Machine): string[] {
  const { root, platform, arch, libc } = machine;
  const folder = join(root, "prebuilds", `${platform}-${arch}`);
  const tags = arch === "x64" ? levels(machine).map((level) => `.${level}`) : [""];
  const suffix = libc ? `.${libc}.node` : ".node";
  return tags.map((tag) => join(folder, `adjoint${tag}${suffix}`));
}

/**
 * Loads the addon: the file named by the environment variable `ADJOINT_NATIVE`, else a build from
 * source in `build/Release`, else the prebuilt binary for this platform and the best level of its CPU.
 * @throws NativeError when there is none, or when the one found does not load; it says what was tried.
 */
export function loadAddon(machine: Machine = thisMachine()): unknown {
  const { root, named } = machine;
  const candidates = named
    ? [resolve(named)]
    : [join(root, "build", "Release", "adjoint.node"), ...prebuilt(machine)];
  const file = candidates.find((candidate) => existsSync(candidate));
  if (file === undefined) throw new NativeError(notFound(machine, candidates));
  try {
    return createRequire(import.meta.url)(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const advice = named ? wronglyNamed : howToBuild(machine);
    const message = `the addon ${file} does not load on ${describe(machine)}: ${reason}`;
    throw new NativeError(`${message}\n${advice}`, { cause });
  }
}

const wronglyNamed =
  "The environment variable ADJOINT_NATIVE names it; unset it to use the one that comes with the package.";

function howToBuild({ root }: Machine): string {
  return (
    `Build it from source with\n\n  node ${join(root, "scripts", "build-native.mjs")}\n\n` +
    "which needs a C++20 compiler, CMake, SLEEF and Eigen " +
    "(Debian: apt-get install g++ cmake libsleef-dev libeigen3-dev)."
  );
}

/** "linux-x64 (CPU level v3, glibc), Node 20.20.2". */
function describe(machine: Machine): string {
  const { platform, arch, flags, libc } = machine;
  const found: string[] = [];
  if (arch === "x64")
    found.push(`CPU level ${flags ? (levels(machine)[0] ?? "below v2") : "unknown"}`);
  if (libc) found.push(libc);
  const details = found.length > 0 ? ` (${found.join(", ")})` : "";
  return `${platform}-${arch}${details}, Node ${process.versions.node}`;
}

function notFound(machine: Machine, candidates: readonly string[]): string {
  if (machine.named) {
    return `there is no addon ${candidates[0]}\n${wronglyNamed}`;
  }
  const looked = candidates.map((candidate) => `  ${candidate}`).join("\n");
  const text = `there is no addon for ${describe(machine)}; looked for\n${looked}\n`;
  if (machine.arch === "x64" && levels(machine).length === 0) {
    const lacks = x86Levels[0]![1].split(" ").filter((flag) => !machine.flags?.has(flag));
    return (
      `${text}The prebuilt ones need a CPU of level x86-64-v2, and this one lacks ${lacks.join(", ")}.\n` +
      `${howToBuild(machine)} That has not been tried on such a CPU.`
    );
  }
  return text + howToBuild(machine);
}
