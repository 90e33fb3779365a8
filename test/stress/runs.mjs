// Runs sessions of some kinds of plans, `node runs.mjs count`, so often that what a run asks memory for shows.
import { native, plusOne, slow } from "./addon.mjs";

const count = Number(process.argv[2] ?? 1e5);
const sessions = [plusOne(), plusOne([100]), slow(64, 10)].map((tape) => tape.plan().session());
for (const { handle } of sessions) {
  for (let i = 0; i < count; i++) native.run(handle);
  for (let i = 0; i < count; i++) native.runOn(handle, 1);
}
