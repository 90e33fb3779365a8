/** The command line of npm run bench. */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { nativeNames } from "./harness/native.js";
import { peerNames } from "./harness/peers.js";
import { problems } from "./problems/index.js";

// From build/bench/options.js.
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

const everyPeer = [...Object.keys(peerNames), ...Object.keys(nativeNames)];

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    peers: { type: "string", default: everyPeer.join(",") },
    rounds: { type: "string", default: "9" },
    ms: { type: "string", default: "50" },
    json: { type: "string", default: resolve(root, "build", "bench", "results.json") },
    docs: { type: "boolean", default: false },
  },
});

export const { json, docs } = options;
export const rounds = positive("rounds", options.rounds);
export const roundSeconds = positive("ms", options.ms) / 1000;
export const chosen = problems.filter(({ name, size }) =>
  `${name} ${size}`.toLowerCase().includes(options.only.toLowerCase()),
);
if (chosen.length === 0) throw new Error(`--only ${options.only}: no problem has this in its name`);
export const wanted = options.peers === "none" ? [] : options.peers.split(",");
for (const name of wanted) {
  if (!everyPeer.includes(name)) throw new Error(`--peers ${name}: not one of ${everyPeer}`);
}
export const wantsNative = wanted.some((name) => name in nativeNames);
if (docs && (chosen.length < problems.length || wanted.length < everyPeer.length)) {
  throw new Error("--docs wants every problem and every peer");
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value < 1e6)) throw new Error(`--${name} ${text}: not a number from 1 on`);
  return Math.round(value);
}
