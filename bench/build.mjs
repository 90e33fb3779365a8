// bench/ -> build/bench/, when something in bench/ or the package's types changed. What the compiler prints goes
// to standard error: the GradBench tool's standard output is a protocol.
import { readdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, bin, fail, status, whenStale } from "../scripts/common.mjs";

export function buildBench() {
  const sources = readdirSync(at("bench"))
    .filter((name) => name !== "peers" && name !== "native")
    .map((name) => `bench/${name}`);
  const inputs = [...sources, "dist/index.d.ts", "dist/value.d.ts", "tsconfig.json"];
  whenStale("bench", inputs, ["build/bench/gradbench/main.js"], () => {
    const arguments_ = [bin("tsc"), "-p", "bench/tsconfig.json"];
    const options = { stdio: ["ignore", 2, 2] };
    if (status(process.execPath, arguments_, options) !== 0) fail("bench/ does not compile");
    return true;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) buildBench();
