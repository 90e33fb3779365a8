// For binding.gyp: prints the sources of the named lists, or with --sleef the path of the SLEEF
// library that a prebuilt addon carries beside it.
import { existsSync } from "node:fs";
import { sources } from "./common.mjs";

const args = process.argv.slice(2);
if (args.includes("--sleef")) {
  const folders = [
    process.env.ADJOINT_SLEEF_DIR,
    `/usr/lib/${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-linux-gnu`,
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
  ];
  const found = folders
    .filter(Boolean)
    .map((folder) => `${folder}/libsleef.so.3`)
    .find((file) => existsSync(file));
  if (!found) throw new Error("libsleef.so.3 is not installed (Debian: libsleef-dev)");
  console.log(found);
} else {
  const lists = sources();
  for (const list of args) for (const file of lists[list]) console.log(`native/${file}`);
}
