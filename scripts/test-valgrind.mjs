// The C++ tests under valgrind. It is some 30 times slower, so tests that loop over many points, tapes or sizes
// through code that other tests touch too are left out; AddressSanitizer runs them. So are those that look at the
// sign of a zero: valgrind computes c - a * b of fnmadd as -(a * b - c), which makes an exact 0 a -0.
//   node scripts/test-valgrind.mjs [arguments for the runner]
import { readFileSync } from "node:fs";
import { buildTests } from "./build-test.mjs";
import { fail, which } from "./common.mjs";
import { conclude, runCpp } from "./test.mjs";

if (!which("valgrind")) fail("valgrind is missing (Debian: apt-get install valgrind)");

const wrapper = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full"];
wrapper.push("--errors-for-leak-kinds=definite", "--show-leak-kinds=definite");
// An operator new that a test counts with is inlined, its delete is not: not the same to valgrind.
wrapper.push("--fair-sched=yes", "--show-mismatched-frees=no");
const signsOfZeros = [
  "KernelBits.SpecialValues",
  "KernelBits.Digest",
  "Targets.RandomProgramsComputeTheirDefinition/*",
  "ExecBlock.NumbersAsOperandsGiveTheBitsOfFullLanes",
];
const long = ["*Slow*", "*Ulp*", "*EdgeCases*", "ExecReduce.*", "Targets.LongCode*"];
long.push("Threads.Large*", "Shifts.LongLists*");
// Patterns, graphs and matrices: no generated code but that of the tapes they end in.
const lists = [
  "Coloring*",
  "Detection*",
  "IndexSets.*",
  "RowStructure.*",
  "ColumnRuns.*",
  "Compressed.*",
];
lists.push(
  "Substitution.*",
  "ScatterTerms.*",
  "BlockJacobian.*",
  "Elimination.*",
  "SparseSystem.*",
  "*/Systems.*",
);
// A child process has none of its parent's threads, so what those hold is lost in it.
const children = ["CheckpointStore.IsToldOfALimit", "CheckpointStore.RemovesWhatDeadProcessesLeft"];
const leftOut = [...long, ...lists, ...signsOfZeros, ...children].join(":");
const args = [`--gtest_filter=-${leftOut}`, ...process.argv.slice(2)];
const env = { ADJOINT_SANITIZED: "1", ADJOINT_VALGRIND: "1" };
// The build of the other tests, unless it has instructions that valgrind does not know.
const cpu = readFileSync("/proc/cpuinfo", "utf8");
const variant = /\bavx512f\b/.test(cpu) ? "valgrind" : "test";
conclude([await runCpp(buildTests(variant), { wrapper, args, env, inShards: true })], "valgrind");
