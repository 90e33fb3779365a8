import { evals } from "./evals.js";
import { linesOf } from "./lines.js";
import { Tool } from "./protocol.js";

// Standard output belongs to the protocol.
console.log = console.info = console.debug = console.error;
process.stdout.on("error", () => process.exit(1));

const tool = new Tool(evals);
for await (const line of linesOf(process.stdin)) {
  if (line.trim() === "") continue;
  process.stdout.write(`${await tool.respond(line)}\n`);
}
