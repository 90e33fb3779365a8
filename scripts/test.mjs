// Runs the C++ tests, then vitest, and closes with one line: N passed, N failed.
//   node scripts/test.mjs [cpp|ts] [arguments for the runner]
// What each runner counted is read from its report, so that the totals are the runners' own.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { buildTests } from "./build-test.mjs";
import { at, bin, fail, status } from "./common.mjs";

const reports = "build/reports";

function read(report) {
  return existsSync(at(report)) ? JSON.parse(readFileSync(at(report), "utf8")) : undefined;
}

/** Counts of a run; a runner that failed without a failed test (a crash, say) counts as one. */
function counted(passed, failed, skipped, code) {
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
}

/** Runs a build's C++ tests. `wrapper` is a command that runs them, as valgrind does. */
export function runCpp(folder, { args = [], env = {}, wrapper = [] } = {}) {
  if (!existsSync(at(folder, "adjoint_native_tests"))) fail(`${folder} has no C++ tests`);
  const report = `${reports}/${folder}.json`;
  mkdirSync(at(reports), { recursive: true });
  rmSync(at(report), { force: true });
  const command = [...wrapper, at(folder, "adjoint_native_tests"), "--gtest_brief=1"];
  command.push(`--gtest_output=json:${at(report)}`, ...args);
  const code = status(command[0], command.slice(1), { env: { ...process.env, ...env } });
  const { tests = 0, failures = 0, disabled = 0 } = read(report) ?? {};
  return counted(tests - failures - disabled, failures, disabled, code);
}

/** Runs vitest. `args` go to it, `env` to its processes. */
export function runVitest({ name = "vitest", args = [], env = {} } = {}) {
  const report = `${reports}/${name}.json`;
  rmSync(at(report), { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = status(process.execPath, [bin("vitest"), "run", ...reporters, ...args], {
    env: { ...process.env, ...env },
  });
  const found = read(report) ?? {};
  const { numPassedTests: passed = 0, numFailedTests: failed = 0 } = found;
  const skipped = (found.numPendingTests ?? 0) + (found.numTodoTests ?? 0);
  return counted(passed, failed, skipped, code);
}

/** Prints the closing line of several runs, leaves it in build/reports too, and exits as it says. */
export function conclude(runs, name) {
  const sum = (key) => runs.reduce((total, each) => total + each[key], 0);
  const skipped = sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : "";
  const line = `${sum("passed")} passed, ${sum("failed")} failed${skipped}`;
  mkdirSync(at(reports), { recursive: true });
  writeFileSync(at(reports, `${name}.txt`), `${line}\n`);
  console.log(`\n${line}`);
  if (runs.some((each) => each.passed + each.failed === 0)) fail("a runner found no tests to run");
  process.exit(sum("failed") > 0 ? 1 : 0);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const only = ["cpp", "ts"].includes(process.argv[2]) ? process.argv[2] : undefined;
  const args = process.argv.slice(only ? 3 : 2);
  const runs = [];
  if (only !== "ts") runs.push(runCpp(buildTests(), { args: only ? args : [] }));
  if (only !== "cpp") runs.push(runVitest({ args }));
  conclude(runs, "tests");
}
