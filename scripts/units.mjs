// Writes translation units that include several source files each, for builds that nobody changes a file and builds
// again in: most of a small file's time goes into headers and templates that its neighbours need too.
// Files of one room, with the same `using namespace`, share a unit unless a name that one of them keeps to itself means
// something in the other, so no file has to mind what its neighbours call their own. A name missed here is an error of
// the compiler. See docs/design/0031-units.md.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { at, files, sources } from "./common.mjs";

/** Larger ones leave one processor idle at the end. */
const mostFiles = 12;

// What the name after it is: of a type, a macro, an alias.
const named = /^(?:#define|struct|class|union|enum(?: class)?|(?:using|namespace)(?=.*=)) (\w+)/;
const enumerator = /^ {2}(k[A-Z]\w*)(?: = .*)?,/;
// Lines that declare nothing by themselves, and a macro's call, of which tests are made.
const nothing = /^(?:[^a-zA-Z]|[A-Z_]+\(|(?:namespace|using|template|static_assert|extern)\b)/;

/** The names that a text declares in lines without indentation, and constants of an enum. */
function declared(text) {
  const names = new Set();
  for (const line of text.split("\n")) {
    const plain = line.replace(/\[\[.*?\]\] ?|__attribute__\(\(.*?\)\) ?/g, "");
    const one = named.exec(plain) ?? enumerator.exec(plain);
    if (one) names.add(one[1]);
    else if (!nothing.test(plain)) {
      const first = /(\w+)(?:[({;]| = )/.exec(plain);
      if (first) names.add(first[1]);
      // As in `int a = 1, b = 2;`.
      for (const [, name] of plain.matchAll(/(\w+)(?:\[\w*\])* = /g)) names.add(name);
    }
  }
  return names;
}

/** What a file keeps to itself: its macros, and what it declares within `namespace {`. */
function ownNames(text) {
  const hidden = [...text.matchAll(/^namespace \{$(.*?)^\} {2}\/\/ namespace$/gms)];
  const macros = text.match(/^#define .*/gm) ?? [];
  return declared([...hidden.map((match) => match[1]), ...macros].join("\n"));
}

/** What else means something in a file: names of all headers that it includes, and those that it takes from elsewhere. */
function otherNames(path, texts) {
  const names = new Set();
  const seen = new Set([path]);
  for (const file of seen) {
    const text = texts.get(file);
    for (const [, name] of text.matchAll(/^using [\w:]*::(\w+);/gm)) names.add(name);
    if (file !== path) for (const name of declared(text.replace(/^#.*/gm, ""))) names.add(name);
    for (const [, header] of text.matchAll(/^#include "(.*?)"/gm)) {
      const found = [header, join(dirname(file), header)].find((place) => texts.has(place));
      if (found) seen.add(found);
    }
  }
  return names;
}

const meet = (a, b) => [...a].some((name) => b.has(name));

/** Source files by unit, in their order. `texts` has those of all files, headers too, by paths from native/. */
export function unitsOf(paths, texts) {
  const units = [];
  for (const path of paths) {
    const text = texts.get(path);
    const used = text.match(/^using namespace .*/gm) ?? [];
    const room = [dirname(path), ...used].join();
    const own = ownNames(text);
    const file = { path, room, own, all: new Set([...own, ...otherNames(path, texts)]) };
    const fits = (unit) =>
      unit[0].room === room &&
      unit.length < mostFiles &&
      !unit.some((other) => meet(own, other.all) || meet(other.own, file.all));
    const unit = units.find(fits);
    if (unit) unit.push(file);
    else units.push([file]);
  }
  return units.map((unit) => unit.map(({ path }) => path));
}

/** Writes a file unless it has this text already: a newer one would be compiled again. */
function keep(file, text) {
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/**
 * Writes the units and their list, which CMakeLists.txt takes in place of native/sources.json, into a folder
 * native/ in `folder`. Gives the units by list: names and the files within.
 */
export function writeUnits(folder) {
  const texts = new Map(
    files("native", (file) => /\.(cc|h)$/.test(file)).map((file) => [
      file.slice("native/".length),
      readFileSync(at(file), "utf8"),
    ]),
  );
  const lists = {};
  const units = [];
  const target = at(folder, "native");
  for (const [list, paths] of Object.entries(sources())) {
    const counts = new Map();
    lists[list] = unitsOf(paths, texts).map((members) => {
      const room = dirname(members[0]);
      const number = counts.get(room) ?? 0;
      counts.set(room, number + 1);
      const name = `${room}/${number}.cc`;
      keep(join(target, name), members.map((file) => `#include "${file}"\n`).join(""));
      units.push({ list, name, files: members });
      return name;
    });
  }
  const names = new Set(units.map(({ name }) => `${folder}/native/${name}`));
  for (const file of files(`${folder}/native`, (file) => file.endsWith(".cc"))) {
    if (!names.has(file)) rmSync(at(file));
  }
  keep(join(target, "sources.json"), `${JSON.stringify(lists, null, 2)}\n`);
  return units;
}
