// The C++ tests of the build for x86-64-v2, whose multiply-adds are not fused, with the code for processors
// without AVX2 that such a machine would run.
//   node scripts/test-levels.mjs [arguments for the runner]
import { buildTests } from "./build-test.mjs";
import { conclude, runCpp } from "./test.mjs";

const args = process.argv.slice(2);
const env = { ADJOINT_JIT: "sse4" };
conclude([await runCpp(buildTests("v2"), { args, env })], "levels");
