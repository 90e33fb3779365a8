// For binding.gyp: prints the sources of the named lists of native/sources.json.
import { sources } from "./common.mjs";

const lists = sources();
for (const list of process.argv.slice(2)) {
  for (const file of lists[list]) console.log(`native/${file}`);
}
