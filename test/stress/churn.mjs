// Makes and disposes of functions, `node churn.mjs [count]`, and fails when memory grows.
// Half of them are forgotten instead of disposed of: their finalizers must do as well.
import { setImmediate } from "node:timers/promises";
import { native, op, views } from "./addon.mjs";

const count = Number(process.argv[2] ?? 1e6);
const block = Math.max(1, Math.min(1000, count / 20));

function one(i) {
  const builder = new native.Builder();
  const x = builder.input("x", []);
  const tape = builder.finish(["y"], [builder.op2(op.mul, x, builder.constant(i))]);
  const plan = tape.plan();
  const session = plan.session();
  const arena = views(plan, session);
  arena.x[0] = 3;
  native.run(session.handle);
  if (arena.y[0] !== 3 * i) throw new Error(`3 * ${i} gave ${arena.y[0]}`);
  if (i % 2) return;
  for (const object of [session, plan, tape, builder]) object.dispose();
}

const samples = [];
const heap = [];
for (let i = 0; i < count; i += block) {
  for (let k = 0; k < block; k++) one(i + k);
  await setImmediate(); // finalizers run when the event loop turns
  samples.push(process.memoryUsage().rss / 1e6);
  heap.push(native.nativeBytes() / 1e6);
}
const most = (list) => Math.max(...list);
const quarter = Math.ceil(samples.length / 4);
const early = most(samples.slice(quarter, 2 * quarter));
const late = most(samples.slice(-quarter));
console.log(
  `${count} functions: ${early.toFixed(0)} MB in the second quarter, ${late.toFixed(0)} MB in the last,` +
    ` native at most ${most(heap).toFixed(1)} MB`,
);
// The address sanitizer keeps freed memory for a while.
const sanitized = process.env.LD_PRELOAD?.includes("asan") ?? false;
if (!sanitized && late > early * 1.15 + 20) {
  console.error("memory grows");
  process.exit(1);
}
