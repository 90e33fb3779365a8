// Writes the files that are derived from the tables in native/: lib/generated/ and parts of docs/.
// build-test/adjoint_generate DIR writes all of them below DIR, at their paths in the repository.
//   --check   writes nothing, and fails when a committed file is not what would be written
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { buildTests } from "./build-test.mjs";
import { at, fail, files, run, say } from "./common.mjs";

const check = process.argv.includes("--check");
const folder = buildTests();
const generator = at(folder, "adjoint_generate");
if (!existsSync(generator)) fail(`${folder}/adjoint_generate is missing`);

const scratch = mkdtempSync(join(tmpdir(), "adjoint-generate-"));
try {
  run(generator, [scratch]);
  const made = readdirSync(scratch, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(scratch, join(entry.parentPath ?? entry.path, entry.name)));
  const same = (file) =>
    existsSync(at(file)) && readFileSync(at(file)).equals(readFileSync(join(scratch, file)));
  const changed = made.filter((file) => !same(file));
  const left = files("lib/generated").filter((file) => !made.includes(file));
  if (check) {
    const wrong = [...changed, ...left.map((file) => `${file} (no longer generated)`)];
    if (wrong.length > 0) {
      fail(`generated files are out of date (npm run generate mends it):\n  ${wrong.join("\n  ")}`);
    }
  } else {
    for (const file of changed) {
      mkdirSync(dirname(at(file)), { recursive: true });
      copyFileSync(join(scratch, file), at(file));
      say(`wrote ${file}`);
    }
    for (const file of left) {
      rmSync(at(file));
      say(`removed ${file}`);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
