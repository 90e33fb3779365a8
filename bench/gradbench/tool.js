#!/usr/bin/env node
// The GradBench tool: node bench/gradbench/tool.js, started in any folder.
import { buildBench } from "../build.mjs";

// Compiled at the first start, and again when a source changed.
buildBench();
await import("../../build/bench/gradbench/main.js");
