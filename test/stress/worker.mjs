import { parentPort, workerData } from "node:worker_threads";
import { native, slow, views } from "./addon.mjs";

const plan = workerData.token ? native.adoptPlan(workerData.token) : slow(1 << 16, 200).plan();
const sessions = Array.from({ length: 3 }, () => plan.session());
const arenas = sessions.map((session) => views(plan, session));

async function keepRunning(index) {
  for (;;) {
    arenas[index].x.fill(index);
    await sessions[index].runAsync(0, 0).catch(() => {});
  }
}
sessions.map((_, index) => keepRunning(index));
parentPort.postMessage("running");
// Ways to be caught: in the event loop, in a synchronous run, making garbage.
if (workerData.how === 1) {
  // A bare loop of calls looks for a termination only now and then: short runs.
  const session = slow(64, 10).plan().session();
  for (;;) native.run(session.handle);
}
if (workerData.how === 2) {
  const make = () => {
    for (let i = 0; i < 100; i++) slow(8, 10).plan().session();
    setImmediate(make);
  };
  make();
}
