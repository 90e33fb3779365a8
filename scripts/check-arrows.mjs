// Holds the arrows between the rooms: who may include or import whom.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { at, fail, files } from "./common.mjs";

// --- native/ ----------------------------------------------------------------------------------
// binding -> solve -> exec -> plan -> {sparsity, checkpoint} -> transform -> ops -> tape; linalg, which
// stands on ops and tape, serves exec and solve. Each room may include itself and these.

const below = { tape: [], ops: ["tape"], transform: ["ops", "tape"], linalg: ["ops", "tape"] };
below.sparsity = ["transform", ...below.transform];
below.checkpoint = ["transform", ...below.transform];
below.plan = ["sparsity", "checkpoint", ...below.sparsity];
below.exec = ["plan", "linalg", ...below.plan];
below.solve = ["exec", ...below.exec];
below.binding = ["solve", ...below.solve].filter((room) => room !== "linalg");
const anything = ["test", "tools"];

const nodeHeader = /^(napi|node|node_api|js_native_api|uv|v8)(-\w+|_\w+)?\.h$/;

// --- lib/ -------------------------------------------------------------------------------------
// The layers, the lowest first. A file imports from its own layer and from lower ones. A file that no
// pattern names is in the layer "rest". To put a file into a layer, add a pattern.

const layers = [
  // What may fail, and where.
  [/^(error|location|loader)\.ts$/, /^generated\/(errors|error-codes)\.ts$/],
  [/^(native|fail)\.ts$/],
  // Values on a tape and their operations; types name values, so these are one layer.
  [/^(types|numbers|trace|value|structural)\.ts$/, /^generated\/operations\.ts$/],
  // Ways to write a function down.
  [/^(spec|formula|ex)\.ts$/],
  // Functions, their transforms and what runs them.
  "rest",
  [/^fit\//],
  [/^index\.ts$/],
  [/^cli\//],
];

const rest = layers.indexOf("rest");
const layerOf = (path) => {
  const found = layers.findIndex(
    (patterns) => patterns !== "rest" && patterns.some((p) => p.test(path)),
  );
  return found < 0 ? rest : found;
};

// ----------------------------------------------------------------------------------------------

const wrong = [];

/** Calls `visit` with what the file names in each line that matches, and "path:line". */
function eachMatch(file, pattern, visit) {
  const lines = readFileSync(at(file), "utf8").split("\n");
  lines.forEach((line, index) => {
    const match = pattern.exec(line);
    if (match) visit(match, `${file}:${index + 1}`);
  });
}

for (const file of files("native", (name) => /\.(cc|h|def|inc)$/.test(name))) {
  const room = file.split("/")[1];
  if (anything.includes(room)) continue;
  const allowed = below[room];
  if (!allowed) {
    wrong.push(`${file}: native/${room} is no room that scripts/check-arrows.mjs knows`);
    continue;
  }
  eachMatch(file, /^\s*#\s*include\s*([<"])([^>"]+)[>"]/, ([, quote, header], where) => {
    if (nodeHeader.test(header)) {
      if (room !== "binding") wrong.push(`${where}: only native/binding includes ${header}`);
    } else if (quote === '"') {
      const target = header.split("/")[0];
      if (!header.includes("/")) {
        wrong.push(`${where}: name the room, as in "${room}/${header}"`);
      } else if (target !== room && !allowed.includes(target)) {
        wrong.push(`${where}: ${room} may not include ${header}`);
      }
    }
  });
}

for (const file of files("lib", (name) => /\.[mc]?ts$/.test(name))) {
  const own = file.slice("lib/".length);
  eachMatch(file, /(?:\bfrom|\bimport)\s*\(?\s*["'](\.[^"']*)["']/, ([, specifier], where) => {
    const target = join(dirname(file), specifier).replace(/\.js$/, ".ts");
    if (!target.startsWith("lib/")) {
      if (target !== "package.json") wrong.push(`${where}: lib/ may not import ${target}`);
    } else if (layerOf(target.slice("lib/".length)) > layerOf(own)) {
      wrong.push(`${where}: ${own} is below ${target.slice("lib/".length)} and may not import it`);
    }
  });
}

if (wrong.length > 0) fail(`against the arrows between the rooms:\n  ${wrong.join("\n  ")}`);
