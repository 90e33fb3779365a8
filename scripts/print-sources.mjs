// For binding.gyp: prints the sources of the named lists of native/sources.json, with --sleef what links
// SLEEF, which ADJOINT_SLEEF_DIR says the folder of when it is not the system's, with --asmjit 1 where asmjit is
// installed for this machine's own processor and compiler, else 0.
import { existsSync } from "node:fs";
import { sources } from "./common.mjs";

const args = process.argv.slice(2);
if (args.includes("--sleef")) {
  const folder = process.env.ADJOINT_SLEEF_DIR;
  console.log(folder ? `-L${folder} -lsleef` : "-lsleef");
} else if (args.includes("--asmjit")) {
  const isCross =
    (process.env.PREBUILD_ARCH ?? "x64") !== "x64" || /zig/.test(process.env.CXX ?? "");
  console.log(existsSync("/usr/include/asmjit/core.h") && !isCross ? 1 : 0);
} else {
  const lists = sources();
  for (const list of args) for (const file of lists[list]) console.log(`native/${file}`);
}
