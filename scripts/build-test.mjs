// Builds the C++ tests and the generator with plain CMake, in a build folder of their own.
//   node scripts/build-test.mjs            build-test/, and build/ with the addon, whose core they are linked with
//   node scripts/build-test.mjs asan       build-asan/: AddressSanitizer and UBSan, the addon too
//   node scripts/build-test.mjs valgrind   build-valgrind/: for a CPU that valgrind can imitate
//   node scripts/build-test.mjs v2         build-v2/: for CPUs without fused multiply-adds
//   node scripts/build-test.mjs arm64      build-arm64/: for another processor (scripts/test-arm64.mjs)
import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { buildNative, march } from "./build-native.mjs";
import { at, fail, forgetStaleCache, jobs, root, run, say, sources, whenStale } from "./common.mjs";
import { writeUnits } from "./units.mjs";

/** The libraries of another processor, and the programs' root there. */
export const arm64System = at("build", "arm64", "system");

const variants = {
  // On the core that the addon is made of.
  test: {
    ADJOINT_ADDON: "OFF",
    ADJOINT_MARCH: march,
    ADJOINT_CORE: at("build", "libadjoint_core.a"),
  },
  asan: {
    CMAKE_BUILD_TYPE: "RelWithDebInfo",
    // -O1 takes half as long again to compile.
    CMAKE_CXX_FLAGS_RELWITHDEBINFO: "-Og -g1",
    ADJOINT_SANITIZE: "address,undefined",
    // Its templates' maybe-uninitialized warnings are false under a sanitizer.
    ADJOINT_WERROR: "OFF",
  },
  // Valgrind knows AVX2 and no AVX-512.
  valgrind: {
    CMAKE_BUILD_TYPE: "RelWithDebInfo",
    CMAKE_CXX_FLAGS_RELWITHDEBINFO: "-O1 -g1",
    ADJOINT_MARCH: "x86-64-v3",
    ADJOINT_ADDON: "OFF",
    ADJOINT_WERROR: "OFF",
  },
  v2: { ADJOINT_MARCH: "x86-64-v2", ADJOINT_ADDON: "OFF" },
  arm64: {
    ADJOINT_MARCH: "",
    ADJOINT_ADDON: "OFF",
    CMAKE_SYSTEM_NAME: "Linux",
    CMAKE_SYSTEM_PROCESSOR: "aarch64",
    CMAKE_C_COMPILER: "aarch64-linux-gnu-gcc",
    CMAKE_CXX_COMPILER: "aarch64-linux-gnu-g++",
    CMAKE_FIND_ROOT_PATH: arm64System,
    CMAKE_FIND_ROOT_PATH_MODE_LIBRARY: "ONLY",
    CMAKE_FIND_ROOT_PATH_MODE_INCLUDE: "ONLY",
    CMAKE_FIND_ROOT_PATH_MODE_PACKAGE: "ONLY",
  },
};

/** Builds a variant when stale. Gives its folder. */
export function buildTests(variant = "test") {
  const folder = `build-${variant}`;
  const { test, tools } = sources();
  if (test.length === 0 || tools.length === 0) {
    fail("native/sources.json lists no tests or no generator (npm run sources mends it)");
  }
  if (variant === "test") buildNative();
  // Where somebody changes a file and builds again, files by themselves are faster.
  const inUnits = variant !== "test" || process.env.CI === "true";
  const outputs = [`${folder}/adjoint_native_tests`, `${folder}/adjoint_generate`];
  const build = () => {
    say(`building the C++ tests in ${folder}/`);
    forgetStaleCache(folder, variant === "test" ? { ADJOINT_MARCH: march } : {});
    if (inUnits) writeUnits(folder);
    const options = {
      CMAKE_BUILD_TYPE: "Release",
      ADJOINT_TESTS: "ON",
      ADJOINT_SOURCES: at(...(inUnits ? [folder] : []), "native"),
      ...variants[variant],
    };
    const defines = Object.entries(options).map(([name, value]) => `-D${name}=${value}`);
    run("cmake", ["-S", ".", "-B", folder, "-G", "Unix Makefiles", ...defines], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    run("cmake", ["--build", folder, "-j", jobs]);
  };
  // The tests know the folder that they were built in.
  const settings = `ADJOINT_MARCH=${march}\n${root}\n`;
  whenStale(folder, ["native", "CMakeLists.txt", "cmake"], outputs, build, settings);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const variant = process.argv[2] ?? "test";
  if (!(variant in variants)) throw new Error(`no such variant: ${variant}`);
  if (process.argv.includes("--force")) {
    rmSync(`build/stamps/build-${variant}`, { force: true });
  }
  buildTests(variant);
}
