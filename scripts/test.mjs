// Runs the C++ tests, then vitest, and closes with one line: N passed, N failed.
//   node scripts/test.mjs [cpp|ts] [arguments for the runner]
// What each runner counted is read from its report, so that the totals are the runners' own.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { buildTests } from "./build-test.mjs";
import { at, bin, fail, root, status } from "./common.mjs";

const reports = "build/reports";

function read(report) {
  return existsSync(at(report)) ? JSON.parse(readFileSync(at(report), "utf8")) : undefined;
}

/** Counts of a run; a runner that failed without a failed test (a crash, say) counts as one. */
function counted(passed, failed, skipped, code) {
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
}

/** Tests of no native code, or of programs around it: for runs of vitest that are about native code. */
export const withoutNative = [
  ...["scripts", "loader", "package-types", "fit-table", "cli-fit", "cli-spy", "spy"],
].map((name) => `--exclude=test/${name}.test.ts`);

/**
 * Runs a build's C++ tests, in as many processes as there are processors where `inShards` says so. `wrapper` is a
 * command that runs them, as valgrind does.
 */
export async function runCpp(folder, { args = [], env = {}, wrapper = [], inShards = false } = {}) {
  if (!existsSync(at(folder, "adjoint_native_tests"))) fail(`${folder} has no C++ tests`);
  mkdirSync(at(reports), { recursive: true });
  const shards = inShards ? availableParallelism() : 1;
  const one = async (index) => {
    const report = `${reports}/${folder}-${index}.json`;
    rmSync(at(report), { force: true });
    const command = [...wrapper, at(folder, "adjoint_native_tests"), "--gtest_brief=1"];
    command.push(`--gtest_output=json:${at(report)}`, ...args);
    const part = { GTEST_TOTAL_SHARDS: String(shards), GTEST_SHARD_INDEX: String(index) };
    const child = spawn(command[0], command.slice(1), {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, ...env, ...part },
    });
    const code = await new Promise((done) => {
      child.on("error", () => done(1));
      child.on("close", (code) => done(code ?? 1));
    });
    const { tests = 0, failures = 0, disabled = 0 } = read(report) ?? {};
    return counted(tests - failures - disabled, failures, disabled, code);
  };
  const parts = await Promise.all(Array.from({ length: shards }, (_, index) => one(index)));
  const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
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
  if (only !== "ts") {
    runs.push(await runCpp(buildTests(), { args: only ? args : [], inShards: true }));
  }
  if (only !== "cpp") runs.push(runVitest({ args }));
  conclude(runs, "tests");
}
