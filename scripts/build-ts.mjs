// lib/ -> dist/, when something in lib/ changed. --force builds anyway.
import { chmodSync, existsSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, bin, run, say, whenStale } from "./common.mjs";

export function buildTypeScript() {
  return whenStale("typescript", ["lib", "tsconfig.json", "tsconfig.build.json"], ["dist"], () => {
    if (!existsSync(at("lib", "index.ts"))) {
      say("lib/index.ts is not there yet: nothing compiled");
      return false;
    }
    say("compiling lib/ to dist/");
    // The folder is emptied so that no output of a removed source stays in the package.
    rmSync(at("dist"), { recursive: true, force: true });
    run(bin("tsc"), ["-p", "tsconfig.build.json"]);
    const cli = at("dist", "cli", "main.js");
    if (existsSync(cli)) chmodSync(cli, 0o755);
    return true;
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--force")) rmSync(at("dist"), { recursive: true, force: true });
  buildTypeScript();
}
