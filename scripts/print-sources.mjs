// For binding.gyp: prints the sources of the named lists of native/sources.json, or with --sleef what
// links SLEEF, which ADJOINT_SLEEF_DIR says the folder of when it is not the system's.
import { sources } from "./common.mjs";

const args = process.argv.slice(2);
if (args.includes("--sleef")) {
  const folder = process.env.ADJOINT_SLEEF_DIR;
  console.log(folder ? `-L${folder} -lsleef` : "-lsleef");
} else {
  const lists = sources();
  for (const list of args) for (const file of lists[list]) console.log(`native/${file}`);
}
