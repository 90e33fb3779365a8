// Which addon is loaded, and what is said when there is none.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AdjointError, NativeError } from "adjoint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAddon, type Machine, thisMachine } from "../lib/loader.js";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "adjoint-loader-"));
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const v3 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 avx avx2 bmi1 bmi2 f16c fma movbe xsave";

function failure(machine: Partial<Machine>): NativeError {
  const server = { platform: "linux", arch: "x64", libc: "glibc", flags: new Set(v3.split(" ")) };
  try {
    loadAddon({ root, named: undefined, ...server, ...machine });
  } catch (error) {
    expect(error).toBeInstanceOf(NativeError);
    expect(error).toBeInstanceOf(AdjointError);
    expect((error as NativeError).code).toBe("ERR_NATIVE");
    return error as NativeError;
  }
  throw new Error("it loads");
}

describe("a missing addon", () => {
  test("names the machine, what was looked for and how to build it", () => {
    const { message } = failure({});
    expect(message).toContain("linux-x64 (CPU level v3, glibc), Node ");
    expect(message).toContain(join(root, "build", "Release", "adjoint.node"));
    const folder = join(root, "prebuilds", "linux-x64");
    expect(message).toContain(join(folder, "adjoint.v3.glibc.node"));
    expect(message).toContain(join(folder, "adjoint.v2.glibc.node"));
    expect(message).not.toContain("v4");
    expect(message).toContain(`node ${join(root, "scripts", "build-native.mjs")}`);
  });

  test("of musl and of other processors", () => {
    expect(failure({ libc: "musl" }).message).toContain("adjoint.v3.musl.node");
    const arm = failure({ arch: "arm64", flags: undefined }).message;
    expect(arm).toContain("linux-arm64 (glibc)");
    expect(arm).toContain("adjoint.glibc.node");
    const mac = failure({ platform: "darwin", arch: "x64", flags: undefined, libc: undefined });
    expect(mac.message).toContain("darwin-x64 (CPU level unknown)");
  });

  test("of a CPU that is too old", () => {
    const { message } = failure({
      flags: new Set("cx16 lahf_lm popcnt pni sse4_1 ssse3".split(" ")),
    });
    expect(message).toContain("CPU level below v2");
    expect(message).toMatch(/need a CPU of level x86-64-v2, and this one lacks sse4_2\./);
    expect(message).toContain("build-native.mjs");
  });

  test("that ADJOINT_NATIVE names", () => {
    const { message } = failure({ named: join(root, "nowhere.node") });
    expect(message).toContain(`no addon ${join(root, "nowhere.node")}`);
    expect(message).toContain("ADJOINT_NATIVE");
    expect(message).not.toContain("build-native");
  });
});

test("an addon that does not load is a NativeError with its cause", () => {
  const broken = join(root, "broken.node");
  writeFileSync(broken, "no library");
  const named = failure({ named: broken });
  expect(named.message).toContain(`${broken} does not load on linux-x64`);
  expect(named.message).toContain("ADJOINT_NATIVE");
  expect(named.cause).toBeInstanceOf(Error);
  mkdirSync(join(root, "build", "Release"), { recursive: true });
  writeFileSync(join(root, "build", "Release", "adjoint.node"), "no library");
  expect(failure({}).message).toContain("build-native.mjs");
});

test("this machine's addon loads", () => {
  const { version } = loadAddon(thisMachine()) as { version(): string };
  expect(version()).toMatch(/^\d+\.\d+\.\d+/);
});

describe("the command without an addon", () => {
  const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
  const env = { ...process.env, ADJOINT_NATIVE: "/nowhere/adjoint.node", LD_PRELOAD: "" };
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env });

  test("gives help and its version", () => {
    const { stdout, status } = run("--help");
    expect(status).toBe(0);
    expect(stdout).toContain("fit");
    expect(run("--version").status).toBe(0);
  });

  test("says what is missing when it is used", () => {
    const { stderr, status } = run("fit", "data.csv", "--y", "y", "--model", "a", "--start", "a=1");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^adjoint: ERR_NATIVE: there is no addon \/nowhere/);
  });
});
