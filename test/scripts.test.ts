// The checks of continuous integration find what they are there to find.
import { describe, expect, test } from "vitest";

type Check = (file: string, text: string) => string[];
type Is = (path: string) => boolean;

const script = (name: string) => import(new URL(`../scripts/${name}`, import.meta.url).href);
const arrows: { wrongInNative: Check; wrongInLibrary: Check; isNative: Is; isLibrary: Is } =
  await script("check-arrows.mjs");
const size: { tooLong: Check; isSource: Is } = await script("check-file-size.mjs");
const units: { unitsOf: (paths: string[], texts: Map<string, string>) => string[][] } =
  await script("units.mjs");

describe("arrows between the rooms of native/", () => {
  const wrong = (text: string, file = "native/ops/x.cc") => arrows.wrongInNative(file, text);

  test.each([
    ["a room above", '#include "plan/plan.h"', "ops may not include plan/plan.h"],
    ["a room above, indented", '  #  include "exec/jit.h"', "ops may not include exec/jit.h"],
    ["a room above, in angle brackets", "#include <plan/plan.h>", "in quotes"],
    ["a room below, in angle brackets", "#include <tape/tape.h>", "in quotes"],
    ["the tests", '#include "test/tapes.h"', "ops may not include test/tapes.h"],
    ["no room", '#include "row.h"', 'name the room, as in "ops/row.h"'],
    ["Node", "#include <napi.h>", "only native/binding includes napi.h"],
    ["Node in a folder", "#include <node/node_api.h>", "only native/binding"],
    ["Node in quotes", '#include "node/v8.h"', "only native/binding"],
    ["libuv", "#include <uv.h>", "only native/binding"],
  ])("%s is refused", (_, line, message) => {
    const found = wrong(`#pragma once\n${line}\n`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^native\/ops\/x\.cc:2: /);
    expect(found[0]).toContain(message);
  });

  test("what is allowed is not", () => {
    expect(wrong('#include "ops/row.h"\n#include "tape/tape.h"\n#include <vector>\n')).toEqual([]);
    expect(wrong("#include <Eigen/Core>\n#include <sys/mman.h>\n")).toEqual([]);
    expect(wrong("#include <napi.h>\n", "native/binding/x.cc")).toEqual([]);
    expect(wrong('#include "exec/jit.h"\n', "native/test/x.cc")).toEqual([]);
  });

  test("an unknown room and a forbidden one", () => {
    expect(wrong("", "native/garage/x.cc")).toHaveLength(1);
    expect(wrong('#include "linalg/qr.h"\n', "native/binding/x.cc")).toHaveLength(1);
  });

  test.each(["cc", "cpp", "h", "hpp", "h.in", "def", "inc"])("files of kind %s are read", (end) => {
    expect(arrows.isNative(`native/ops/x.${end}`)).toBe(true);
  });
});

describe("arrows between the layers of lib/", () => {
  const wrong = (text: string, file = "lib/trace.ts") => arrows.wrongInLibrary(file, text);

  test.each([
    ["a layer above", 'import { fn } from "./function.js";'],
    ["a layer above, its type", 'import type { Core } from "./core.js";'],
    ["a layer above, exported", 'export * from "./index.js";'],
    ["a layer above, later", 'const later = await import("./transforms.js");'],
    ["the package by its name", 'import { fn } from "adjoint";'],
    ["the package by its name, later", 'await import("adjoint");'],
    ["a file of the package", 'import { fn } from "adjoint/dist/function.js";'],
    ["something outside", 'import { say } from "../scripts/common.mjs";'],
  ])("%s is refused", (_, line) => {
    expect(wrong(`// A comment.\n${line}\n`)).toEqual([
      expect.stringMatching(/^lib\/trace\.ts:2: /),
    ]);
  });

  test("what is allowed is not", () => {
    expect(wrong('import { native } from "./native.js";\n')).toEqual([]);
    expect(wrong('import { join } from "node:path";\n')).toEqual([]);
    expect(wrong(' *     import { fn } from "adjoint";\n')).toEqual([]);
    expect(wrong('import "./../fit/fit.js";\n', "lib/cli/fit.ts")).toEqual([]);
  });
});

describe("the size of files", () => {
  test("800 lines are good, 801 are not", () => {
    expect(size.tooLong("a.cc", "\n".repeat(800))).toEqual([]);
    expect(size.tooLong("a.cc", "\n".repeat(801))).toEqual(["a.cc: 801 lines"]);
  });

  test.each([
    "native/ops/a.cc",
    "native/ops/a.cpp",
    "native/ops/a.hpp",
    "native/ops/a.h.in",
    "native/ops/a.def",
    "bench/harness/a.sh",
    "scripts/a.mjs",
    "lib/a.ts",
    ".ci/run",
  ])("%s is counted", (path) => {
    expect(size.isSource(path)).toBe(true);
  });

  test("generated files and packages are not", () => {
    expect(size.isSource("lib/generated/operations.ts")).toBe(false);
    expect(size.isSource("bench/gradbench/node_modules/a.js")).toBe(false);
  });
});

describe("files that are compiled together", () => {
  const inside = (text: string) =>
    `namespace adjoint {\nnamespace {\n${text}\n}  // namespace\n}\n`;
  const together = (a: string, b: string, more: Record<string, string> = {}) => {
    const texts = new Map(Object.entries({ "ops/a.cc": a, "ops/b.cc": b, ...more }));
    return units.unitsOf(["ops/a.cc", "ops/b.cc"], texts).length === 1;
  };

  test.each([
    ["a constant", "constexpr double kPi = 3.14;"],
    ["a second constant", "constexpr int kRows = 8, kPi = 3;"],
    ["an array", "const int kPi[] = {3, 1, 4};"],
    ["a constant of an enum", "enum {\n  kPi = 3,\n};"],
    ["a function", "[[noreturn]] void kPi(int digits = 2) {"],
    ["a type", "struct kPi {"],
    ["an alias", "using kPi = double;"],
    ["a variable", "thread_local int kPi;"],
  ])("do not both keep a name to themselves: %s", (_, line) => {
    expect(together(inside(line), inside("int kPi() {\n  return 3;\n}"))).toBe(false);
    expect(together(inside(line), inside("int other() {\n  return 3;\n}"))).toBe(true);
  });

  test("keep no name to themselves that the other has from a header", () => {
    const includes = '#include "ops/c.h"\n';
    const more = {
      "ops/c.h": '#include "d.h"  // the number\n',
      "ops/d.h": "extern int x;\nint pi();\n",
    };
    expect(together(inside("double pi() {"), includes, more)).toBe(false);
    expect(together(includes, inside("double pi() {"), more)).toBe(false);
    expect(together(inside("double tau() {"), includes, more)).toBe(true);
    expect(together(inside("double pi() {"), inside("using math::pi;"))).toBe(false);
  });

  test("define no macro of the same name", () => {
    expect(together("#define X(a) a\n", "#define X(a) #a\n")).toBe(false);
    expect(together("#define X(a) a\n", "#define Y(a) #a\n")).toBe(true);
  });

  test("use the same namespaces and are of the same room", () => {
    expect(together("using namespace ex;\n", "")).toBe(false);
    expect(together("using namespace ex;\n", "using namespace ex;\n")).toBe(true);
    const texts = new Map([
      ["ops/a.cc", ""],
      ["tape/a.cc", ""],
      ["ops/b.cc", ""],
    ]);
    const found = units.unitsOf([...texts.keys()], texts);
    expect(found).toEqual([["ops/a.cc", "ops/b.cc"], ["tape/a.cc"]]);
  });
});
