import { createInterface } from "node:readline";
import { evals } from "./evals.js";
import { Tool } from "./protocol.js";

// Standard output belongs to the protocol.
console.log = console.info = console.debug = console.error;
process.stdout.on("error", () => process.exit(1));

const tool = new Tool(evals);
const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
for await (const line of lines) {
  if (line.trim() === "") continue;
  process.stdout.write(`${await tool.respond(line)}\n`);
}
