// Debian's packages: which are missing, installing them, and unpacking others in a folder without installing
// them, of another release or for another processor.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, output, run, say, status, which } from "./common.mjs";

/** Of these packages those that are not installed, and those of commands that are not there. */
export function missingPackages(packages, commands = {}) {
  const missing = Object.keys(commands)
    .filter((command) => !which(command))
    .map((command) => commands[command]);
  if (!which("dpkg-query")) {
    if (missing.length > 0) fail(`these commands are needed and missing: ${missing.join(" ")}`);
    return []; // No Debian: CMake says what else it does not find.
  }
  const format = "$" + "{Package} $" + "{db:Status-Status}\\n";
  // dpkg-query exits 1 when it does not know one of them and still lists the others.
  const query = ["-c", 'dpkg-query -W -f "$0" "$@" 2>/dev/null || true', format, ...packages];
  const listed = output("sh", query) ?? "";
  const installed = new Set(
    listed
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return [...missing, ...packages.filter((name) => !installed.has(name))];
}

export function installPackages(missing) {
  if (missing.length === 0) return;
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) {
    fail(
      `these Debian packages are needed: ${missing.join(" ")}\n` +
        `Install them and run this again:\n\n    sudo sh -c '${command}'\n`,
    );
  }
  say(`installing Debian packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  run("sh", ["-c", command.replace("apt-get update", "apt-get update -q")], { env });
}

/**
 * Packages and what they depend on, unpacked in `system`, by an apt of its own for which no package is
 * installed. `apt` is its folder, which is gone afterwards; `more` names packages to take without what they depend
 * on, and can ask apt-cache for them.
 */
export function unpackPackages({ system, apt, release, architecture, packages, more }) {
  for (const tool of ["apt-get", "apt-cache", "dpkg"]) {
    if (!which(tool)) fail(`${tool} is missing: this needs Debian's packages`);
  }
  const archives = join(apt, "archives");
  for (const folder of [system, apt]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [system, join(apt, "lists", "partial"), join(archives, "partial")]) {
    mkdirSync(folder, { recursive: true });
  }
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const list = join(apt, "sources.list");
  writeFileSync(list, `deb [signed-by=${keys}] http://deb.debian.org/debian ${release} main\n`);
  writeFileSync(join(apt, "status"), "");
  const settings = {
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State::lists": join(apt, "lists"),
    "Dir::State::status": join(apt, "status"),
    "Dir::Cache": apt,
    "Dir::Cache::archives": archives,
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Install-Recommends": "false",
    "APT::Sandbox::User": "root",
    "Debug::NoLocking": "true",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const get = (...args) => {
    const code = status("apt-get", ["-qq", ...options, ...args], { cwd: archives });
    if (code !== 0) fail(`apt-get cannot fetch what is needed: ${args.join(" ")}`);
  };
  get("update");
  get("install", "-y", "--download-only", ...packages);
  if (more) {
    get("download", ...more((...args) => output("apt-cache", [...options, ...args]) ?? ""));
  }
  for (const file of readdirSync(archives).filter((name) => name.endsWith(".deb"))) {
    run("dpkg", ["-x", join(archives, file), system]);
  }
  rmSync(apt, { recursive: true });
}
