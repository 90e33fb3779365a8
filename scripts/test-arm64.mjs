// The C++ tests for AArch64, cross-compiled and run by an emulator of the processor (qemu-user). Libraries come
// from Debian's packages for arm64, unpacked in build/arm64/. It is some 20 times slower than the machine: what
// loops over many points or sizes without generated code is left out. Then random tapes are computed by this
// machine's own build too, where that fuses multiply-adds, and must have the same bits.
//   node scripts/test-arm64.mjs [arguments for the runner]
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { arm64System, buildTests } from "./build-test.mjs";
import { at, fail, say } from "./common.mjs";
import { installPackages, missingPackages, unpackPackages } from "./debian.mjs";
import { conclude, runCpp } from "./test.mjs";

const began = Date.now();
const commands = { "aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu" };
commands["qemu-aarch64-static"] = "qemu-user-static";
installPackages(missingPackages([], commands));
const stamp = join(arm64System, "complete");
if (!existsSync(stamp)) {
  say("fetching libraries for arm64 into build/arm64/: 8 MB");
  const packages = ["libasmjit-dev", "libsleef-dev", "libeigen3-dev"];
  packages.push("libgtest-dev", "libmpfr-dev");
  const apt = at("build", "arm64", "apt");
  // The release of the cross compiler, whose C library the programs are linked with.
  const release = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  if (!release) fail("/etc/os-release names no release of Debian");
  unpackPackages({ system: arm64System, apt, release, architecture: "arm64", packages });
  writeFileSync(stamp, "");
}
const folder = buildTests("arm64");
const wrapper = ["qemu-aarch64-static", "-L", arm64System];

const suites = ["*Targets*", "InstructionSets*", "Jit*", "*/Jit*", "Lanes*", "Scalars*"];
suites.push("ExecBlock*", "ExecScalar*", "ExecReduce*", "ExecMatMul*", "ExecRecurrence*");
suites.push("KernelBits*", "*Core*", "Plan*", "RandomTapes*");
const long = ["*Slow*", "ExecReduce.OneSumHasTheSameBitsInEveryLayout", "*Core.Accuracy"];
long.push("RandomTapes.RepeatedRunsGiveTheSameBits");
const args = [`--gtest_filter=${suites.join(":")}-${long.join(":")}`, ...process.argv.slice(2)];
const env = { ADJOINT_RANDOM_TAPES: process.env.ADJOINT_RANDOM_TAPES ?? "12" };
const results = [await runCpp(folder, { wrapper, args, env, inShards: true })];

// A build of this machine writes tapes with the bits of their results for the emulated one to compute again.
if (process.arch === "x64" && / fma /.test(readFileSync("/proc/cpuinfo", "utf8"))) {
  const tapes = at("build", "arm64", "tapes.txt");
  const filter = ["--gtest_filter=RandomTapes.SameBitsAsAnotherBuild"];
  const here = { ...env, ADJOINT_WRITE_TAPES: tapes };
  const there = { ...env, ADJOINT_READ_TAPES: tapes };
  results.push(await runCpp(buildTests(), { args: filter, env: here }));
  results.push(await runCpp(folder, { wrapper, args: filter, env: there }));
}
say(`arm64: ${Math.round((Date.now() - began) / 1000)} s`);
conclude(results, "arm64");
