// Holds the arrows between the rooms: who may include or import whom.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { at, fail, files } from "./common.mjs";

// --- native/ ----------------------------------------------------------------------------------
// binding -> solve -> exec -> plan -> {sparsity, checkpoint} -> transform -> ops -> tape; linalg, which
// stands on ops and tape, serves exec and solve; coloring, which stands on tape, serves sparsity and all that
// stand on it. Each room may include itself and these.

const below = { tape: [], ops: ["tape"], transform: ["ops", "tape"], linalg: ["ops", "tape"] };
below.coloring = ["tape"];
below.sparsity = ["coloring", "transform", ...below.transform];
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
  [/^(arithmetic|types|numbers|trace|value|structural)\.ts$/, /^generated\/operations\.ts$/],
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

/** Calls `visit` with the match of each line that matches, and "path:line". */
function eachMatch(file, text, pattern, visit) {
  text.split("\n").forEach((line, index) => {
    const match = pattern.exec(line);
    if (match) visit(match, `${file}:${index + 1}`);
  });
}

export const isNative = (path) => /\.(cc|cpp|cxx|h|hh|hpp|def|inc|in)$/.test(path);
export const isLibrary = (path) => /\.[mc]?tsx?$/.test(path);

/** What is wrong with a file of native/, a list of sentences. */
export function wrongInNative(file, text) {
  const room = file.split("/")[1];
  if (anything.includes(room)) return [];
  const allowed = below[room];
  if (!allowed) return [`${file}: native/${room} is no room that scripts/check-arrows.mjs knows`];
  const wrong = [];
  eachMatch(file, text, /^\s*#\s*include\s*([<"])([^>"]+)[>"]/, ([, quote, header], where) => {
    const [target] = header.split("/");
    const isRoom = header.includes("/") && (target in below || anything.includes(target));
    if (nodeHeader.test(basename(header)) && !isRoom) {
      if (room !== "binding") wrong.push(`${where}: only native/binding includes ${header}`);
    } else if (quote === "<" && !isRoom) {
      return; // The system's.
    } else if (!header.includes("/")) {
      wrong.push(`${where}: name the room, as in "${room}/${header}"`);
    } else if (quote === "<") {
      wrong.push(`${where}: rooms are included in quotes, as in "${header}"`);
    } else if (target !== room && !allowed.includes(target)) {
      wrong.push(`${where}: ${room} may not include ${header}`);
    }
  });
  return wrong;
}

/** What is wrong with a file of lib/. */
export function wrongInLibrary(file, text) {
  const own = file.slice("lib/".length);
  const wrong = [];
  eachMatch(file, text, /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/, ([, specifier], where) => {
    if (/^adjoint($|\/)/.test(specifier)) {
      // In comments it is what a program writes.
      if (/^\s*(\*|\/\/)/.test(text.split("\n")[Number(where.split(":").at(-1)) - 1])) return;
      wrong.push(`${where}: lib/ imports its own files by their paths, not ${specifier}`);
    }
    if (!specifier.startsWith(".")) return;
    const target = join(dirname(file), specifier).replace(/\.js$/, ".ts");
    if (!target.startsWith("lib/")) {
      if (target !== "package.json") wrong.push(`${where}: lib/ may not import ${target}`);
    } else if (layerOf(target.slice("lib/".length)) > layerOf(own)) {
      wrong.push(`${where}: ${own} is below ${target.slice("lib/".length)} and may not import it`);
    }
  });
  return wrong;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const read = (file) => readFileSync(at(file), "utf8");
  const native = files("native", isNative);
  const library = files("lib", isLibrary);
  if (native.length === 0 || library.length === 0) fail("native/ or lib/ has no sources");
  const wrong = [
    ...native.flatMap((file) => wrongInNative(file, read(file))),
    ...library.flatMap((file) => wrongInLibrary(file, read(file))),
  ];
  if (wrong.length > 0) fail(`against the arrows between the rooms:\n  ${wrong.join("\n  ")}`);
}
