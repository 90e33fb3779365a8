// native/sources.json is the one list of C++ sources; CMakeLists.txt and binding.gyp read it.
// Without arguments: fails when the list is not what is in the tree. With --write: makes it so.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { at, fail, files, say, sources } from "./common.mjs";

// A room that is not named here belongs to the core.
const lists = { binding: "binding", test: "test", tools: "tools" };

const found = { core: [], binding: [], test: [], tools: [] };
for (const file of files("native", (name) => name.endsWith(".cc"))) {
  const path = file.slice("native/".length);
  found[lists[path.split("/")[0]] ?? "core"].push(path);
}

const text = `${JSON.stringify(found, null, 2)}\n`;
if (process.argv.includes("--write")) {
  const list = at("native", "sources.json");
  // An unchanged list is not touched: a newer file would make CMake configure again.
  if (!existsSync(list) || readFileSync(list, "utf8") !== text) {
    writeFileSync(list, text);
    say("native/sources.json written");
  }
} else {
  const listed = sources();
  const wrong = Object.keys(found).flatMap((list) => [
    ...found[list].filter((f) => !listed[list]?.includes(f)).map((f) => `${f} is not listed`),
    ...(listed[list] ?? []).filter((f) => !found[list].includes(f)).map((f) => `${f} is not there`),
  ]);
  if (wrong.length > 0) {
    fail(`native/sources.json is out of date (npm run sources mends it):\n  ${wrong.join("\n  ")}`);
  }
}
