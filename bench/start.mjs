// npm run bench: compiles what is out of date and runs the benchmarks; arguments are passed on.
import { buildBench } from "./build.mjs";

buildBench();
await import("../build/bench/run.js");
