import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

// Each script also runs by itself, with larger numbers: see its head.
function script(name: string, ...args: string[]) {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const result = spawnSync(process.execPath, [file, ...args], { encoding: "utf8" });
  return { ...result, ended: Date.now() };
}

test("functions made and disposed of, or forgotten, leave memory flat", {
  timeout: 120_000,
}, () => {
  const { status, stdout, stderr } = script("churn.mjs", "40000");
  expect(stderr).toBe("");
  expect(stdout).toContain("40000 functions");
  expect(status).toBe(0);
});

test("workers terminated during async runs", { timeout: 120_000 }, () => {
  const { status, signal, stdout, stderr } = script("workers.mjs", "200");
  expect(stderr).toBe("");
  expect(stdout).toContain("200 workers");
  expect({ status, signal }).toEqual({ status: 0, signal: null });
});

test.each([
  ["exit", 7, null],
  ["throw", 1, null],
  ["kill", null, "SIGTERM"],
])("a process that ends (%s) during async runs waits for nothing", (how, status, signal) => {
  const result = script("exit.mjs", how);
  expect({ status: result.status, signal: result.signal }).toEqual({ status, signal });
  // A run takes a minute; with the other tests under way the machine may be slow, but not that slow.
  expect(result.ended - Number(result.stdout)).toBeLessThan(5_000);
});
