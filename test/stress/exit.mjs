// Ends the process while async runs are under way: `node exit.mjs how`. Prints the time of the end, so that whoever
// started it can tell how long the end took.
import { native, slow, views } from "./addon.mjs";

const how = process.argv[2] ?? "exit";
const plan = slow(1 << 20, 2000).plan();
for (let i = 0; i < 4; i++) {
  const session = plan.session();
  views(plan, session).x.fill(i);
  session.runAsync(0, 0).catch(() => {});
}
setTimeout(() => {
  console.log(Date.now());
  if (how === "exit") process.exit(7);
  if (how === "throw") throw new Error("on purpose");
  if (how === "kill") process.kill(process.pid, "SIGTERM");
}, 30);
void native;
