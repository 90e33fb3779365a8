/**
 * node build/bench/profile.js "gaussian mixture d=64" [seconds]
 *
 * Runs adjoint's derivative of one problem of the table over and over, for a profiler to look at:
 *
 *     perf record node build/bench/profile.js "d=64" && perf report --sort dso,symbol
 */
import { loadPeers } from "./harness/peers.js";
import { problems } from "./problems/index.js";

const wanted = (process.argv[2] ?? "").toLowerCase();
const seconds = Number(process.argv[3] ?? 3);
const problem = problems.find(({ name, size }) => `${name} ${size}`.toLowerCase().includes(wanted));
if (problem === undefined || !(seconds > 0)) {
  throw new Error("usage: profile.js problem [seconds]; no such problem");
}
const ours = problem
  .contenders(await loadPeers([]))
  .filter(({ tool }) => tool === "adjoint")
  .at(-1);
if (ours === undefined) throw new Error(`${problem.name}: adjoint does not compute it`);
let runs = 0;
const end = performance.now() + seconds * 1000;
while (performance.now() < end) {
  for (let i = 0; i < 5; i++) ours.run();
  runs += 5;
}
console.log(`${problem.name}, ${problem.size}: ${((seconds * 1e6) / runs).toFixed(2)} us a run`);
