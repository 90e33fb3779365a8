import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, interruptCommand, runCommand } from "./command.js";

const data = fileURLToPath(new URL("data/market/", import.meta.url));
const wheel = join(data, "wheel.mtx");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adjoint-spy-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const spy = (args: readonly string[], input = "") => runCommand(folder, ["spy", ...args], input);
const page = (name: string) => readFileSync(join(folder, name), "utf8");

describe("adjoint spy", () => {
  test("draws a matrix, by default in this folder, and says what it found", () => {
    expect(spy([wheel])).toEqual({
      status: 0,
      stdout:
        "rows: 8, columns: 8, nonzeros: 36\ncolors: 8 (columns, natural)\nThe picture is in wheel.html\n",
      stderr: "",
    });
    expect(page("wheel.html")).toContain("<title>wheel.mtx</title>");
    const out = join(folder, "deep", "wheel.html");
    const options = ["--method", "star", "--order", "largestFirst", "--title", "A <wheel>"];
    expect(spy([wheel, ...options, "--out", out, "--quiet"])).toEqual({
      ...{ status: 0, stdout: "", stderr: "" },
    });
    expect(page("deep/wheel.html")).toContain("<h1>A &lt;wheel&gt;</h1>");
    expect(readdirSync(join(folder, "deep"))).toEqual(["wheel.html"]);
  });

  test("by methods and orders, or without colors", () => {
    for (const method of ["rows", "rowsAndColumns", "acyclic"]) {
      const { status, stdout } = spy([
        wheel,
        "--method",
        method,
        "--order",
        "random",
        "--seed",
        "3",
      ]);
      expect(status, method).toBe(0);
      expect(stdout).toContain(` (${method}, random)\n`);
    }
    expect(spy([wheel, "--method", "none"]).stdout).not.toContain("colors");
  });

  test("reads the standard input and writes to pipes and through links", () => {
    const text = readFileSync(wheel, "utf8");
    expect(spy(["-"], text)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("pattern.html"),
    });
    const link = join(folder, "link.html");
    writeFileSync(join(folder, "target.html"), "old");
    symlinkSync("target.html", link);
    expect(spy([wheel, "--out", link]).status).toBe(0);
    expect(page("target.html")).toContain("</html>");
    const script = '"$0" "$1" spy "$2" --quiet --out /dev/stdout | cat';
    const piped = ["-c", script, process.execPath, command, wheel];
    const { stdout } = spawnSync("sh", piped, { encoding: "utf8", cwd: folder });
    expect(stdout.startsWith("<!DOCTYPE html>")).toBe(true);
    expect(stdout.endsWith("</html>\n")).toBe(true);
  });

  test("exits with 1 and a typed message for what is wrong", () => {
    const file = join(folder, "wrong.mtx");
    writeFileSync(file, "%%MatrixMarket matrix coordinate real general\n2 3 1\n1 9 1\n");
    const lopsided = join(folder, "lopsided.mtx");
    writeFileSync(lopsided, "%%MatrixMarket matrix coordinate real general\n2 2 1\n2 1 1\n");
    const wrong: [string[], RegExp][] = [
      [
        [file],
        /^adjoint: ERR_DATA: .*wrong\.mtx, line 3: the column is a whole number from 1 to 3, got "9"\n$/,
      ],
      [[join(folder, "none.mtx")], /^adjoint: ERR_DATA: .*none\.mtx: there is no such file\n$/],
      [[folder], /^adjoint: ERR_DATA: .*it is a folder, not a file\n$/],
      [[lopsided, "--method", "star"], /^adjoint: ERR_ARGUMENT: .*symmetric.*\n$/],
      [
        [wheel, "--out", folder],
        /^adjoint: ERR_DATA: .*the picture can not be written: it is a folder\n$/,
      ],
      [[file, "--out", file], /can not be written: it is the file that is read\n$/],
      [[wheel, "--out", ""], /^adjoint: ERR_DATA: the picture's file has no name\n$/],
      [
        [wheel, "--out", join(file, "x.html")],
        /^adjoint: ERR_DATA: .*the picture can not be written/,
      ],
      [["-"], /^adjoint: ERR_DATA: standard input, line 1: a Matrix Market file begins/],
    ];
    for (const [args, message] of wrong) {
      const { status, stdout, stderr } = spy(args);
      expect([status, stdout], args.join(" ")).toEqual([1, ""]);
      expect(stderr).toMatch(message);
    }
    expect(existsSync(join(folder, "wrong.html"))).toBe(false);
    expect(spy([file, "--debug"]).stderr).toMatch(/\bat .*\.js:/);
  });

  test("exits with 2 for a wrong call, with 130 when interrupted", async () => {
    const calls = [
      [],
      [wheel, "--method", "cols"],
      [wheel, "--order", "best"],
      [wheel, "--seed", "-1"],
      [wheel, "--x"],
    ];
    for (const args of calls) {
      const { status, stdout, stderr } = spy(args);
      expect([status, stdout], args.join(" ")).toEqual([2, ""]);
      expect(stderr).toMatch(/^error: /);
    }
    const { status, stderr } = await interruptCommand(folder, ["spy", "-"], "%\n");
    expect(status).toBe(130);
    expect(stderr).toMatch(/^adjoint: ERR_ABORT: /);
  });

  test("helps", () => {
    expect(spy(["--help"])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("--method <name>"),
    });
  });
});
