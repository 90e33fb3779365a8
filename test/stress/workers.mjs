// Starts workers that keep async runs under way, and terminates them in the middle: `node workers.mjs [count]`.
// Some get their plan from this thread.
import { Worker } from "node:worker_threads";
import { native, slow } from "./addon.mjs";

const count = Number(process.argv[2] ?? 200);
const atOnce = 4;

const plan = slow(1 << 16, 200).plan();
const token = plan.share();
const source = new URL("./worker.mjs", import.meta.url);

async function one(i) {
  const worker = new Worker(source, { workerData: { token: i % 2 ? token : 0, how: i % 3 } });
  const failed = new Promise((_, reject) => worker.once("error", reject));
  const ready = new Promise((resolve) => worker.once("message", resolve));
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  await Promise.race([ready, failed, ended]);
  // From at once to some runs later.
  await new Promise((resolve) => setTimeout(resolve, i % 7));
  const before = performance.now();
  await Promise.race([worker.terminate(), failed]);
  return performance.now() - before;
}

let next = 0;
let slowest = 0;
async function lane() {
  while (next < count) slowest = Math.max(slowest, await one(next++));
}
await Promise.all(Array.from({ length: atOnce }, lane));

// This thread's own addon still works.
const session = plan.session();
await session.runAsync(0, 0);
session.dispose();
console.log(`${count} workers, slowest termination ${slowest.toFixed(0)} ms`);
if (native.nativeBytes() > 1e9) process.exit(1);
