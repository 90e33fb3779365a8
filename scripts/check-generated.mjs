// Fails when a generated file that is committed differs from what the generator writes now.
process.argv.push("--check");
await import("./generate.mjs");
