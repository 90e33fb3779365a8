import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // Tests and examples import the package by its name and get the sources.
    alias: { adjoint: fileURLToPath(new URL("./lib/index.ts", import.meta.url)) },
  },
  test: {
    include: ["test/**/*.test.ts"],
    // Each file in a process of its own: a crash of the addon is then one file's failure.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    // What must not compile: @ts-expect-error in files that only tsc reads.
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" },
  },
});
