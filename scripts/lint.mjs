// The formalities, quick ones first; it stops at the first that fails. The last one needs the generator,
// and so the C++ core, built.
import { bin, run, say } from "./common.mjs";

const node = process.execPath;
const checks = [
  ["formatting and lint", node, ["scripts/format.mjs", "--check"]],
  ["the list of sources", node, ["scripts/sync-sources.mjs"]],
  ["the arrows between rooms", node, ["scripts/check-arrows.mjs"]],
  ["the size of files", node, ["scripts/check-file-size.mjs"]],
  ["types", bin("tsc"), ["--noEmit"]],
  ["generated files", node, ["scripts/check-generated.mjs"]],
];

for (const [what, command, args] of checks) {
  say(`checking ${what}`);
  run(command, args);
}
