// npm run example NAME runs examples/NAME.ts; without a name it lists them. Node 20 can not run TypeScript, so
// the file is compiled into build/examples, where the package finds itself by its name.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { at, bin, fail, files, run } from "./common.mjs";

const names = files("examples", (file) => file.endsWith(".ts")).map((file) =>
  basename(file, ".ts"),
);
const name = process.argv[2]?.replace(/^examples\/|\.ts$/g, "");

/** The comment that an example begins with. */
function about(each) {
  const lines = readFileSync(at("examples", `${each}.ts`), "utf8").split("\n");
  const comment = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith("// ")),
  );
  return comment.map((line) => line.slice(3)).join(`\n${" ".repeat(23)}`);
}

if (name === undefined) {
  console.log("npm run example NAME, which is one of\n");
  for (const each of names) console.log(`  ${each.padEnd(19)}  ${about(each)}`);
} else {
  if (!names.includes(name)) fail(`there is no example ${name}, only ${names.join(", ")}`);
  const options = ["--ignoreConfig", "--noCheck", "--module", "nodenext", "--target", "es2022"];
  options.push("--rootDir", "examples", "--outDir", "build/examples");
  run(bin("tsc"), [...options, `examples/${name}.ts`]);
  run(process.execPath, [`build/examples/${name}.js`]);
}
