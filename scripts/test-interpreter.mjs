// The tests once more without machine code, as where the CPU, the build or the system has none: ADJOINT_JIT=off.
//   node scripts/test-interpreter.mjs [cpp|ts] [arguments for the runner]
// Left out is what runs no plan, or runs the same code either way: kernels of single operations against references,
// types, scripts, the package, documents, and calls made to break things.
import { buildTests } from "./build-test.mjs";
import { conclude, runCpp, runVitest, withoutNative } from "./test.mjs";

const only = ["cpp", "ts"].includes(process.argv[2]) ? process.argv[2] : undefined;
const args = process.argv.slice(only ? 3 : 2);
const env = { ADJOINT_JIT: "off" };

const cppLeftOut = ["*Ulp*", "KernelBits*", "Apply*", "Tape*", "StudentT*", "ExecReduce*"];
const tsLeftOut = ["*hostile*", "docs", "stress/*"].map((name) => `--exclude=test/${name}.test.ts`);

const runs = [];
if (only !== "ts") {
  const filter = `--gtest_filter=-${cppLeftOut.join(":")}`;
  runs.push(await runCpp(buildTests(), { args: [filter, ...args], env, inShards: true }));
}
if (only !== "cpp") {
  const options = ["--typecheck.enabled=false", ...withoutNative, ...tsLeftOut];
  runs.push(runVitest({ name: "vitest-interpreter", args: [...options, ...args], env }));
}
conclude(runs, "interpreter");
