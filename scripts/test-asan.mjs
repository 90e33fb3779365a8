// Everything that runs native code once more under AddressSanitizer and UndefinedBehaviorSanitizer: the C++ tests as
// they are, vitest with the sanitizers' libraries loaded into Node and the addon of build-asan/.
//   node scripts/test-asan.mjs [cpp|ts] [arguments for the runner]
import { existsSync } from "node:fs";
import { buildTests } from "./build-test.mjs";
import { at, fail, output } from "./common.mjs";
import { conclude, runCpp, runVitest, withoutNative } from "./test.mjs";

// With full stacks of allocations, 30 frames, the tests take a tenth longer.
const stacks = "malloc_context_size=10";
const ubsan = "print_stacktrace=1:halt_on_error=1";
const only = ["cpp", "ts"].includes(process.argv[2]) ? process.argv[2] : undefined;
const args = process.argv.slice(only ? 3 : 2);

const folder = buildTests("asan");
const runs = [];
if (only !== "ts") {
  const env = {
    ASAN_OPTIONS: `detect_leaks=1:${stacks}`,
    UBSAN_OPTIONS: ubsan,
    ADJOINT_SANITIZED: "1",
  };
  runs.push(await runCpp(folder, { args: only ? args : [], env, inShards: true }));
}
if (only !== "cpp") {
  if (!existsSync(at(folder, "Release", "adjoint.node"))) fail(`${folder} has no addon`);
  // libstdc++ too: without it the sanitizer finds no __cxa_throw to wrap when it starts.
  const preload = ["libasan.so", "libubsan.so", "libstdc++.so.6"].map((name) => {
    const path = output("c++", [`-print-file-name=${name}`])?.trim();
    if (!path?.startsWith("/")) fail(`${name} is not installed`);
    return path;
  });
  const env = {
    LD_PRELOAD: preload.join(" "),
    ADJOINT_NATIVE: at(folder, "Release", "adjoint.node"),
    // Node itself never frees what it has at exit, so leaks are the C++ tests' business.
    ASAN_OPTIONS: `detect_leaks=0:${stacks}`,
    UBSAN_OPTIONS: ubsan,
    // Tests that measure time or memory are skipped where this is set.
    ADJOINT_SANITIZED: "1",
  };
  const options = ["--testTimeout=180000", "--typecheck.enabled=false", ...withoutNative];
  runs.push(runVitest({ name: "vitest-asan", args: [...options, ...args], env }));
}
conclude(runs, "asan");
