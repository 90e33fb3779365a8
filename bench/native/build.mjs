// bench/native/ -> build/bench/native/, a program for each peer whose headers are there. What cannot be built is left
// out, with a line: nothing else depends on it.
import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, output, say, status, which } from "../../scripts/common.mjs";

export function buildNativePeers() {
  const missing = ["cmake", "make", "c++"].filter((command) => !which(command));
  if (missing.length > 0) {
    say(`skipped: C++ peers: ${missing.join(" and ")} not found`);
    return;
  }
  const folder = at("build", "bench", "native");
  const configure = ["-S", at("bench", "native"), "-B", folder, "-G", "Unix Makefiles"];
  if (output("cmake", configure) === undefined) {
    // The folder may have been configured in another place, which CMake refuses to go on with.
    rmSync(folder, { recursive: true, force: true });
    if (status("cmake", configure) !== 0) {
      say("skipped: C++ peers: cmake failed");
      return;
    }
  }
  say("building the C++ peers of the benchmarks");
  const options = { stdio: ["ignore", "ignore", "inherit"] };
  if (status("cmake", ["--build", folder, "--", "-k"], options) !== 0) {
    say("skipped: C++ peers that do not compile, see above");
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) buildNativePeers();
