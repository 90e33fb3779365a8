// Writes translation units that include several source files each, for builds that nobody changes a file and builds
// again in: most of a small file's time goes into headers and templates that its neighbours need too.
// Files of one room, with the same `using namespace`, share a unit unless a name that one of them keeps to itself means
// something in the other, so no file has to mind what its neighbours call their own. A name missed here is an error of
// the compiler.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { at, files, sources } from "./common.mjs";

/** Larger ones leave one processor idle at the end. */
const mostFiles = 12;

/** The names that a text declares in lines without indentation, and constants of an enum. */
function declared(text) {
  const names = new Set();
  for (const line of text.split("\n")) {
    const plain = line.replace(/\[\[.*?\]\]|__attribute__\(\(.*?\)\) ?/g, "");
    const type = /^(?:struct|class|union|enum(?: class)?|(?:using|namespace)(?=.*=)) (\w+)/.exec(
      plain,
    );
    const macro = /^#define (\w+)/.exec(plain);
    const constant = /^ {2}(k[A-Z]\w*)(?: = .*)?,/.exec(plain);
    const one = type ?? macro ?? constant;
    if (one) names.add(one[1]);
    // Neither a keyword's line nor a macro's call, of which tests are made.
    else if (
      /^[a-z]/i.test(plain) &&
      !/^(?:[A-Z_]+\(|(?:namespace|using|template|static_assert|extern)\b)/.test(plain)
    ) {
      for (const [, name] of plain.matchAll(/(\w+)(?:\[\w*\])* = /g)) names.add(name);
      const first = /(\w+)(?:[({;]| = )/.exec(plain);
      if (first) names.add(first[1]);
    }
  }
  return names;
}

const texts = new Map();

function read(file) {
  if (!texts.has(file)) texts.set(file, readFileSync(at("native", file), "utf8"));
  return texts.get(file);
}

/** What a file keeps to itself: its macros, and what it declares within `namespace {`. */
function ownNames(text) {
  const hidden = [...text.matchAll(/^namespace \{$(.*?)^\} {2}\/\/ namespace$/gms)];
  const macros = text.match(/^#define .*/gm) ?? [];
  return declared([...hidden.map((match) => match[1]), ...macros].join("\n"));
}

/** What else means something in a file: names of all headers that it includes, and those that it takes from elsewhere. */
function otherNames(path, headers) {
  const names = new Set();
  const seen = new Set([path]);
  for (const file of seen) {
    const text = read(file);
    for (const [, name] of text.matchAll(/^using [\w:]*::(\w+);/gm)) names.add(name);
    for (const name of headers.get(file) ?? []) names.add(name);
    for (const [, header] of text.matchAll(/^#include "(.*?)"/gm)) {
      const found = [header, join(dirname(file), header)].find((place) => headers.has(place));
      if (found) seen.add(found);
    }
  }
  return names;
}

const meet = (a, b) => [...a].some((name) => b.has(name));

/** Files by unit, in the order that they come in. */
function grouped(paths, headers) {
  const units = [];
  for (const path of paths) {
    const text = read(path);
    const own = ownNames(text);
    const used = text.match(/^using namespace .*/gm) ?? [];
    const room = [dirname(path), ...used].join();
    const file = { path, room, own, all: new Set([...own, ...otherNames(path, headers)]) };
    const unit = units.find(
      (unit) =>
        unit[0].room === file.room &&
        unit.length < mostFiles &&
        !unit.some((other) => meet(own, other.all) || meet(other.own, file.all)),
    );
    if (unit) unit.push(file);
    else units.push([file]);
  }
  return units.map((unit) => unit.map(({ path }) => path));
}

/** Writes a file unless it has this text already: a newer one would be compiled again. */
function keep(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  try {
    if (readFileSync(file, "utf8") === text) return;
  } catch {}
  writeFileSync(file, text);
}

/**
 * Writes the units and their list, which CMakeLists.txt takes in place of native/sources.json, into a folder
 * native/ in `folder`. Gives the units by list: names and the files within.
 */
export function writeUnits(folder) {
  const headers = new Map(
    files("native", (file) => file.endsWith(".h"))
      .map((file) => file.slice("native/".length))
      .map((file) => [file, declared(read(file).replace(/^#.*/gm, ""))]),
  );
  const lists = {};
  const units = [];
  const target = at(folder, "native");
  for (const [list, paths] of Object.entries(sources())) {
    const counts = new Map();
    lists[list] = grouped(paths, headers).map((members) => {
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
