// lib/ -> dist/, when something in lib/ changed. --force builds anyway.
import { chmodSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, bin, run, say, whenStale } from "./common.mjs";

export function buildTypeScript() {
  return whenStale("typescript", ["lib", "tsconfig.json", "tsconfig.build.json"], ["dist"], () => {
    say("compiling lib/ to dist/");
    // The folder is emptied so that no output of a removed source stays in the package.
    rmSync(at("dist"), { recursive: true, force: true });
    run(bin("tsc"), ["-p", "tsconfig.build.json"]);
    chmodSync(at("dist", "cli", "main.js"), 0o755);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--force")) rmSync(at("dist"), { recursive: true, force: true });
  buildTypeScript();
}
