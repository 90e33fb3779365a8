// The package's declarations compile in a strict program that has no types of Node and no newer library.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = `
import { type AsyncOptions, fit, fn, grad, type Session, vector } from "adjoint";
using f = fn({ x: vector(2) }, ({ x }) => x.at(0).mul(x.at(1)).add(x.at(0).sin()));
export const gradient: Float64Array = grad(f)({ x: [2, 3] }).x;
export const value: number = f({ x: [2, 3] });
export { type AsyncOptions, fit, type Session };
`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adjoint-types-"));
  const installed = join(folder, "node_modules", "adjoint");
  for (const path of ["dist", "package.json"]) {
    cpSync(join(root, path), join(installed, path), { recursive: true });
  }
  writeFileSync(join(folder, "program.ts"), program);
  const compilerOptions = { target: "ES2022", module: "NodeNext", strict: true };
  Object.assign(compilerOptions, { skipLibCheck: false, types: [], noEmit: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Types are not what a run under sanitizers is for.
test.skipIf(process.env.ADJOINT_SANITIZED !== undefined)(
  "it compiles",
  () => {
    const tsc = join(root, "node_modules", ".bin", "tsc");
    const { stdout, status } = spawnSync(tsc, ["-p", folder], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  },
  60_000,
);
