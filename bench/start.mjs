// npm run bench: sets up, builds what is out of date and runs the benchmarks; arguments are passed on.
import "../scripts/setup.mjs";
import { buildBench } from "./build.mjs";

buildBench();
await import("../build/bench/run.js");
