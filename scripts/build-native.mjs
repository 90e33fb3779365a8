// Builds the addon for this machine's CPU with cmake-js: build/Release/adjoint.node.
//
// In a checkout it runs by itself before `npm start` and `npm test`. In an installed package it is the
// documented build from source, for a platform that has no prebuilt binary:
//
//     node node_modules/adjoint/scripts/build-native.mjs
//
// That needs a C++20 compiler, CMake 3.19, SLEEF and Eigen 3 (Debian: g++ cmake libsleef-dev
// libeigen3-dev), and takes asmjit (libasmjit-dev) where it is there; the two npm packages it needs are
// fetched into the package's build folder.
import { existsSync, rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import {
  addonSources,
  at,
  fail,
  forgetStaleCache,
  jobs,
  root,
  run,
  say,
  whenStale,
  which,
} from "./common.mjs";

const tools = ["cmake-js@8", "node-addon-api@8"];

/** The node_modules that has cmake-js and node-addon-api; fetched when this is no checkout. */
function toolFolder() {
  const has = (folder) => tools.every((tool) => existsSync(`${folder}/${tool.split("@")[0]}`));
  const own = at("node_modules");
  if (has(own)) return own;
  const fetched = at("build", "tools", "node_modules");
  if (!has(fetched)) {
    say(`fetching ${tools.join(" and ")}`);
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    run(npm, ["install", "--no-save", "--no-package-lock", "--prefix", "build/tools", ...tools]);
  }
  return fetched;
}

/** The CPU level to build for. */
export const march = process.env.ADJOINT_MARCH ?? "native";

export function buildNative() {
  const inputs = [...addonSources, "CMakeLists.txt", "cmake"];
  const build = () => {
    for (const command of ["cmake", "c++"]) {
      if (!which(command))
        fail(`building the addon needs ${command} (Debian: apt-get install cmake g++)`);
    }
    say("building the addon");
    forgetStaleCache("build", { ADJOINT_MARCH: march });
    const folder = toolFolder();
    const development = existsSync(at("native", "test"));
    run(process.execPath, [
      `${folder}/cmake-js/bin/cmake-js`,
      "build",
      "--prefer-make",
      ...["--config", "Release", "--log-level", "warn", "--parallel", jobs],
      `--CDADJOINT_NODE_MODULES=${folder}`,
      `--CDADJOINT_MARCH=${march}`,
      // Another compiler's new warning must not stop a user's build.
      `--CDADJOINT_WERROR=${development ? "ON" : "OFF"}`,
    ]);
  };
  const settings = `ADJOINT_MARCH=${march}\n${root}\n`;
  const outputs = ["build/Release/adjoint.node", "build/libadjoint_core.a"];
  return whenStale("native", inputs, outputs, build, settings);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--force")) rmSync(at("build", "stamps", "native"), { force: true });
  buildNative();
}
