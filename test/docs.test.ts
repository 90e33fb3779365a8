// The documentation's programs run and print what it says they print. The ```ts blocks of a file, one after
// the other, are one program, with the lines where they are in the file, so that errors name its lines. A
// ```text block after one is what it prints; a line "..." there stands for any others. A ```js block that
// begins with "// NAME" is a file beside it.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import * as adjoint from "adjoint";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const programs = join(root, "build", "docs");
const files = [
  "README.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
].filter((file) => file.endsWith(".md"));

interface Block {
  readonly language: string;
  /** Of its first line, from 1. */
  readonly line: number;
  readonly lines: readonly string[];
}

function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  let block: { language: string; line: number; lines: string[] } | undefined;
  readFileSync(join(root, file), "utf8")
    .split("\n")
    .forEach((line, index) => {
      const fence = /^```(\w*)$/.exec(line);
      if (fence === null) block?.lines.push(line);
      else if (block === undefined) block = { language: fence[1]!, line: index + 2, lines: [] };
      else {
        blocks.push(block);
        block = undefined;
      }
    });
  if (block !== undefined) throw new Error(`${file}: a block is not closed`);
  return blocks;
}

/** Code as one program that tells where each block ends. */
function programOf(blocks: readonly Block[]): string {
  const lines: string[] = [];
  for (const { language, line, lines: code } of blocks) {
    if (language !== "ts") continue;
    while (lines.length < line - 1) lines.push("");
    lines.push(...code, `;(globalThis as any).endOfBlock(${line});`);
  }
  return `${lines.join("\n")}\nexport {};\n`;
}

/** What each block is to print, by its line. */
function expectedOf(blocks: readonly Block[]): [line: number, text: readonly string[]][] {
  return blocks.flatMap(({ language, line }, i) => {
    const next = blocks[i + 1];
    return language === "ts" && next?.language === "text" ? [[line, next.lines] as const] : [];
  }) as [number, readonly string[]][];
}

const documents = files
  .map((file) => ({ file, blocks: blocksOf(file) }))
  .filter(({ blocks }) => blocks.some(({ language }) => language === "ts"))
  .map(({ file, blocks }) => {
    const program = join(programs, `${file.replaceAll("/", "-").replace(/\.md$/, "")}.ts`);
    return { file, blocks, program };
  });

/** "| `name(...)` | result | remarks |" of docs/operations.md. */
const signatures = readFileSync(join(root, "docs/operations.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, name, parameters, remarks] = /^\| `(\w+)(\(.*?\))` \| .* \| (.*) \|$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, parameters: parameters!, remarks: remarks! }];
  });

let folder = "";
const before = process.cwd();
beforeAll(() => {
  rmSync(programs, { recursive: true, force: true });
  mkdirSync(programs, { recursive: true });
  for (const { program, blocks } of documents) writeFileSync(program, programOf(blocks));
  const types =
    "AxisOptions, BoolOperand, Dims, Indices, NormOptions, Operand, Range, ReduceOptions";
  const checks = signatures.map(
    ({ name, parameters }) =>
      `adjoint.${name} satisfies (${parameters.slice(1, -1).replaceAll("\\|", "|")}) => unknown;\n`,
  );
  writeFileSync(
    join(programs, "signatures.ts"),
    `import * as adjoint from "adjoint";\nimport type { ${types}, VarianceOptions } from "adjoint";\n${checks.join("")}`,
  );
  const compilerOptions = { noUnusedLocals: false };
  writeFileSync(
    join(programs, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions,
      include: ["*.ts"],
      exclude: [],
    }),
  );
  // Where the programs run: with the data they read, and with the package as an installed one.
  folder = mkdtempSync(join(tmpdir(), "adjoint-docs-"));
  copyFileSync(join(root, "test/data/misra1a.csv"), join(folder, "data.csv"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "adjoint"));
  for (const { lines } of documents.flatMap(({ blocks }) => blocks)) {
    const name = /^\/\/ ([\w-]+\.mjs)$/.exec(lines[0] ?? "")?.[1];
    if (name !== undefined) writeFileSync(join(folder, name), lines.join("\n"));
  }
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

test("there are programs", () => {
  const found = documents.map(({ file }) => file);
  expect(found).toEqual(expect.arrayContaining(["README.md", "docs/fit.md", "docs/guide.md"]));
  const compared = documents.flatMap(({ blocks }) => expectedOf(blocks));
  expect(compared.length).toBeGreaterThan(12);
});

test("links lead to files that are there", () => {
  const texts = ["README.md", "CONTRIBUTING.md"].concat(
    readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  );
  for (const file of texts) {
    const text = readFileSync(join(root, file), "utf8").replace(/^```.*?^```/gms, "");
    for (const [, link] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^https?:/.test(link!)) continue;
      expect(existsSync(join(root, dirname(file), link!)), `${file}: ${link}`).toBe(true);
    }
  }
});

// Types are not what a run under sanitizers is for.
test.skipIf(process.env.ADJOINT_SANITIZED !== undefined)(
  "their types are right",
  () => {
    const tsc = join(root, "node_modules", ".bin", "tsc");
    const { stdout } = spawnSync(tsc, ["-p", programs], { encoding: "utf8", cwd: root });
    // What is wrong in lib/ is said elsewhere.
    const wrong = stdout.split("\n").filter((line) => /^(build|error)/.test(line));
    expect(wrong).toEqual([]);
  },
  120_000,
);

describe.each(documents)("$file", ({ program, blocks }) => {
  test("runs and prints what it says", async () => {
    const printed = new Map<number, string[]>();
    let lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((...values) => {
      lines.push(...format(...values).split("\n"));
    });
    Object.assign(globalThis, {
      endOfBlock(line: number) {
        printed.set(line, lines);
        lines = [];
      },
    });
    process.chdir(folder);
    try {
      await import(program);
    } finally {
      process.chdir(before);
      vi.restoreAllMocks();
    }
    for (const [line, expected] of expectedOf(blocks)) {
      expect(withoutLeftOut(printed.get(line) ?? [], expected), `line ${line}`).toEqual(expected);
    }
  }, 60_000);
});

/** The lines with "..." in the place of those that `expected` leaves out. */
function withoutLeftOut(lines: readonly string[], expected: readonly string[]): readonly string[] {
  const at = expected.indexOf("...");
  if (at < 0) return lines;
  const after = expected.length - at - 1;
  if (lines.length < at + after) return lines;
  return [...lines.slice(0, at), "...", ...lines.slice(lines.length - after)];
}

describe("docs/operations.md", () => {
  test("lists functions of the package, and says which are no methods", () => {
    expect(signatures.length).toBeGreaterThan(35);
    for (const { name, remarks } of signatures) {
      expect(adjoint, name).toHaveProperty(name);
      const method = name === "variance" ? "var" : name;
      const isOnlyFunction = /(^|; )a function only/.test(remarks);
      expect(method in adjoint.Value.prototype, name).toBe(!isOnlyFunction);
    }
  });
});
