// Packs the package and uses it as a stranger would: installed into an empty folder with scripts
// disabled, no compiler to be found, the README's example run.
//   node scripts/check-package.mjs [--node=22,24]    other versions of Node to run the example with too
// It takes the prebuilt addons it finds in prebuilds/, and builds them all when there is none.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildTypeScript } from "./build-ts.mjs";
import { at, fail, files, output, run, say, which } from "./common.mjs";

// The first program of README.md, which is JavaScript too, and what it prints.
const readme = readFileSync(at("README.md"), "utf8");
const [, program, printed] = /^```ts\n(.*?)^```\n+^```text\n(.*?)^```/ms.exec(readme) ?? [];
if (!program?.includes('from "adjoint"')) fail("README.md has no example, or not what it prints");

const example = `${program}
// The addon and SLEEF are those of the package, not what this machine happens to have.
const { existsSync, readFileSync } = await import("node:fs");
if (existsSync("/proc/self/maps")) {
  const loaded = readFileSync("/proc/self/maps", "utf8").match(/\\/.*(adjoint.*\\.node|libsleef.*)$/gm);
  const strange = loaded.filter((path) => !path.includes("/node_modules/adjoint/prebuilds/"));
  if (loaded.length === 0 || strange.length > 0) throw new Error("loaded: " + strange);
}
`;

buildTypeScript();
if (files("prebuilds", (file) => file.endsWith(".node")).length === 0) {
  run(process.execPath, ["scripts/prebuild.mjs"]);
}

const folder = mkdtempSync(join(tmpdir(), "adjoint-package-"));
try {
  const tarball = pack();
  // Only what a machine without a compiler has, and npm.
  const path = join(folder, "bin");
  mkdirSync(path);
  for (const name of ["node", "sh", "env"])
    symlinkSync(realpathSync(which(name)), join(path, name));
  const npm = realpathSync(which("npm"));
  const env = { ...process.env, PATH: path, ADJOINT_NATIVE: undefined, NODE_PATH: undefined };
  const app = join(folder, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{ "type": "module", "private": true }\n');
  const install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  say("installing it in an empty folder, scripts disabled, no compiler");
  run(process.execPath, [npm, ...install, tarball], { cwd: app, env });

  say("running the README's example");
  writeFileSync(join(app, "example.js"), example);
  runExample(process.execPath);

  const flag = process.argv.find((argument) => argument.startsWith("--node="));
  for (const version of flag?.slice("--node=".length).split(",") ?? []) {
    // These packages are Node itself and need no script to be usable.
    const name = `node-${process.platform}-${process.arch}`;
    run(process.execPath, [npm, ...install, "--no-save", `${name}@${version}`], { cwd: app, env });
    const other = join(app, "node_modules", name, "bin", "node");
    say(`running it with Node ${output(other, ["--version"])?.trim()}`);
    runExample(other);
  }

  function runExample(node) {
    const got = output(node, ["example.js"], {
      cwd: app,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (got !== printed) fail(`README.md's example prints\n${got}in the place of\n${printed}`);
  }

  say("asking the command for its help");
  const command = join(app, "node_modules", ".bin", "adjoint");
  run(command, ["--help"], { cwd: app, env, stdio: ["ignore", "ignore", "inherit"] });
  say("the package works");
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Packs, looks at what is inside, and gives the tarball's path. */
function pack() {
  const npm = which("npm") ?? fail("npm is missing");
  const printed = output(
    npm,
    ["pack", "--json", "--ignore-scripts", "--pack-destination", folder],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (!printed) fail("npm pack failed");
  const packed = JSON.parse(printed.slice(printed.indexOf("["))).at(0);
  const paths = packed.files.map(({ path }) => path);
  say(`${packed.filename}: ${(packed.size / 1024).toFixed(0)} kB, ${paths.length} files`);

  const wrong = [];
  const forbidden = /(^|\/)binding\.gyp$|^(test|bench|examples|native\/test|node_modules)\//;
  for (const path of paths) if (forbidden.test(path)) wrong.push(`${path} is inside`);
  const required = ["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "LICENSE"];
  required.push("CMakeLists.txt", "native/sources.json", "scripts/build-native.mjs");
  if (existsSync(at("README.md"))) required.push("README.md");
  for (const path of required) if (!paths.includes(path)) wrong.push(`${path} is missing`);
  if (!paths.some((path) => /^prebuilds\/.*\.node$/.test(path))) wrong.push("no prebuilt addon");
  const { gypfile, scripts = {} } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
    if (script in scripts) wrong.push(`package.json has the script ${script}`);
  }
  if (gypfile !== false) wrong.push("package.json lacks gypfile: false");
  if (wrong.length > 0) fail(`the package is not as it should be:\n  ${wrong.join("\n  ")}`);
  return join(folder, packed.filename);
}
