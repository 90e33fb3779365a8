// npm run bench: sets up, builds what is out of date and runs the benchmarks; arguments are passed on.
import "../scripts/setup.mjs";
import { buildBench } from "./build.mjs";
import { buildNativePeers } from "./native/build.mjs";

buildBench();
const { wantsNative } = await import("../build/bench/options.js");
if (wantsNative) buildNativePeers();
await import("../build/bench/run.js");
