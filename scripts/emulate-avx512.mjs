// Runs a program on an emulated CPU with AVX-512, for a machine that has none: Bochs boots Debian's kernel
// with the program, the libraries that ldd names and nothing else. Exits with the program's exit code.
//   node scripts/emulate-avx512.mjs [options] program [arguments]
//     --add PATH      a file or folder that the program reads, there at the same path
//     --fetch PATH    a file that the program writes, to copy back to the same path
//     --cpu MODEL     corei7_skylake_x (x86-64-v4 and no more), corei7_icelake_u, tigerlake, ...
//     --memory MB     1024
//     --keep          leaves what the run made in build/emulate/
// The program gets the working folder and the variables ADJOINT_* and GTEST_* of this script, one CPU and
// a clock that follows the instructions. Both its outputs come out as one. A boot takes 25 seconds, and
// then it is about 100 times slower than the machine: 60 million scalar or some 10 million vector
// instructions a second. What is missing is fetched with apt-get, of Debian 13 whatever the system is, and
// unpacked in build/emulate/ without being installed.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, join, resolve } from "node:path";
import { at, fail, output, run, say, which } from "./common.mjs";
import { unpackPackages } from "./debian.mjs";

const home = at("build", "emulate");
const system = join(home, "system");
const libraries = join(system, "usr", "lib", "x86_64-linux-gnu");
const share = join(system, "usr", "share");

/** A command that runs a fetched program with the fetched libraries, for the system's may be older. */
const fetched = (program) => [
  join(libraries, "ld-linux-x86-64.so.2"),
  ...["--library-path", [libraries, join(libraries, "pulseaudio")].join(":")],
  join(system, "usr", "bin", program),
];
const environment = {
  ...process.env,
  // Bochs draws its screen on a terminal that nobody reads, and would wait when that is full of a blinking
  // cursor, which this one has not.
  TERM: "vt100",
  LTDL_LIBRARY_PATH: join(libraries, "bochs", "plugins"),
  BXSHARE: join(share, "bochs"),
};

// Emulated instructions in an emulated second. Fewer make timers tick, more make a boot wait for longer.
const ips = 20e6;

/**
 * Fetches the emulator, a kernel and what makes a CD of it, when they are not there, with all libraries.
 * They are of Debian 13: Bochs 2.7, of Debian 12, has wrong bits of XSAVEC, of VGETMANT of subnormals and,
 * one time in a thousand, of the exact error of a product by multiply-add.
 */
function setUp() {
  const stamp = join(system, "complete");
  if (existsSync(stamp)) return;
  say("fetching Bochs and a kernel of Debian 13 into build/emulate/: 90 MB");
  const packages = ["bochs", "bochs-term", "bochsbios", "vgabios", "busybox-static"];
  packages.push("isolinux", "syslinux-common", "genisoimage");
  const more = (cache) => {
    const depends = cache("depends", "linux-image-cloud-amd64");
    return [/Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? "linux-image-cloud-amd64"];
  };
  const apt = join(home, "apt");
  unpackPackages({ system, apt, release: "trixie", architecture: "amd64", packages, more });
  const [command, ...args] = [...fetched("bochs-bin"), "--help", "cpu"];
  const help = spawnSync(command, args, { encoding: "utf8", env: environment });
  const text = `${help.stdout}${help.stderr}`;
  if (!text.includes("skylake_x")) fail(`this Bochs fails or knows no AVX-512:\n${text}`);
  writeFileSync(stamp, "");
}

/** A cpio archive as the kernel unpacks it. Of entries [path, content, mode]; without content, a folder. */
function archive(entries) {
  const parts = [];
  const seen = new Set(["/"]);
  const push = (path, mode, content) => {
    const name = Buffer.from(`${path.slice(1)}\0`);
    const fields = [seen.size, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
    const header = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    for (const part of [Buffer.concat([Buffer.from(`070701${header}`), name]), content]) {
      parts.push(part, Buffer.alloc(-part.length & 3));
    }
  };
  const add = (path, content, mode) => {
    if (seen.has(path)) return;
    add(dirname(path), undefined, 0o755);
    seen.add(path);
    push(path, (content ? 0o100000 : 0o040000) | mode, content ?? Buffer.alloc(0));
  };
  for (const [path, content, mode = 0o755] of entries) add(path, content, mode);
  push("/TRAILER!!!", 0, Buffer.alloc(0));
  return Buffer.concat(parts);
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** What the emulated machine's memory holds: the program, its libraries and a script that runs it. */
function contents(program, args, { add, fetch }) {
  const entries = [program, ...add].flatMap((path) => {
    if (!statSync(path).isDirectory()) return [[path, readFileSync(path), statSync(path).mode]];
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .filter((file) => statSync(file).isFile())
      .map((file) => [file, readFileSync(file), statSync(file).mode]);
  });
  // ldd fails for a static program, which needs none. A library is looked for at the path given here.
  for (const [, path] of (output("ldd", [program]) ?? "").matchAll(/(\/\S+) \(0x/g)) {
    entries.push([path, readFileSync(path)]);
  }
  const passed = Object.entries(process.env).filter(([name]) =>
    /^(ADJOINT_|GTEST_|LD_LIBRARY_PATH$)/.test(name),
  );
  const init = [
    "#!/bin/busybox sh",
    "busybox mount -t devtmpfs dev /dev",
    "busybox mount -t proc proc /proc",
    "busybox mount -t sysfs sys /sys",
    "for port in /dev/ttyS1 /dev/ttyS2; do busybox stty -F $port raw 115200; done",
    "busybox mkdir -p /dev/shm",
    "export PATH=/bin HOME=/tmp TERM=dumb",
    ...passed.map(([name, value]) => `export ${name}=${quote(value)}`),
    `cd ${quote(process.cwd())}`,
    `${[program, ...args].map(quote).join(" ")} > /dev/ttyS1 2>&1 < /dev/null`,
    "echo $? > /dev/ttyS2",
    "set --",
    ...fetch.map((path) => `[ -f ${quote(path)} ] && set -- "$@" ${quote(path)}`),
    '[ $# = 0 ] || busybox tar -c -f /dev/ttyS2 "$@"',
    "busybox poweroff -f",
  ];
  entries.push(["/bin/busybox", readFileSync(join(system, "usr", "bin", "busybox"))]);
  entries.push(["/init", Buffer.from(`${init.join("\n")}\n`)]);
  const folders = ["/dev", "/proc", "/sys", "/tmp", process.cwd(), ...fetch.map(dirname)];
  return archive([...entries, ...folders.map((folder) => [folder])]);
}

/** Writes the CD to boot from and Bochs's settings into a folder. */
function prepare(folder, initrd, { cpu, memory }) {
  const kernel = readdirSync(join(system, "boot")).find((name) => name.startsWith("vmlinuz"));
  const cd = join(folder, "cd");
  mkdirSync(cd);
  copyFileSync(join(system, "boot", kernel), join(cd, "vmlinuz"));
  copyFileSync(join(system, "usr", "lib", "ISOLINUX", "isolinux.bin"), join(cd, "isolinux.bin"));
  const modules = join(system, "usr", "lib", "syslinux", "modules", "bios");
  copyFileSync(join(modules, "ldlinux.c32"), join(cd, "ldlinux.c32"));
  writeFileSync(join(cd, "initrd"), initrd);
  const append = [
    ..."console=ttyS0,115200 panic=0 mitigations=off nokaslr tsc=unstable".split(" "),
    // Most of a boot's instructions otherwise.
    "cryptomgr.notests",
    "initcall_blacklist=load_system_certificate_list,trace_eval_init,init_kprobe_trace",
  ];
  const boot = ["default l", "prompt 0", "label l", "kernel vmlinuz", "initrd initrd"];
  boot.push(`append ${append.join(" ")}`);
  writeFileSync(join(cd, "isolinux.cfg"), `${boot.join("\n")}\n`);
  const options = ["-quiet", "-b", "isolinux.bin", "-c", "boot.cat", "-no-emul-boot"];
  options.push("-boot-load-size", "4", "-boot-info-table", "-o", join(folder, "boot.iso"));
  const [command, ...args] = [...fetched("genisoimage"), ...options, cd];
  run(command, args);
  rmSync(cd, { recursive: true });
  const settings = [
    "config_interface: textconfig",
    "display_library: term",
    `cpu: model=${cpu}, count=1, ips=${ips}`,
    `memory: guest=${memory}, host=${memory}`,
    `romimage: file=${join(share, "bochs", "BIOS-bochs-latest")}`,
    `vgaromimage: file=${join(share, "vgabios", "vgabios.bin")}`,
    `ata0-master: type=cdrom, path=${join(folder, "boot.iso")}, status=inserted`,
    "boot: cdrom",
    ...[1, 2, 3].map((i) => `com${i}: enabled=1, mode=file, dev=${join(folder, `com${i}`)}`),
    `log: ${join(folder, "bochs.log")}`,
    "panic: action=fatal",
    "error: action=ignore",
    "clock: sync=none",
    "speaker: enabled=0",
    "sound: waveoutdrv=dummy",
  ];
  writeFileSync(join(folder, "bochsrc"), `${settings.join("\n")}\n`);
  // Debian's Bochs has a debugger, which waits for a command to begin.
  writeFileSync(join(folder, "commands"), "continue\n");
}

/** Runs Bochs and passes on what the program prints. Gives its exit code, or undefined without one. */
async function emulate(folder) {
  const [log, printed, result] = [1, 2, 3].map((i) => join(folder, `com${i}`));
  for (const file of [log, printed, result]) writeFileSync(file, "");
  const options = ["-q", "-f", join(folder, "bochsrc"), "-rc", join(folder, "commands")];
  const messages = openSync(join(folder, "messages"), "w");
  const child = spawn("nice", ["-n", "19", ...fetched("bochs-bin"), ...options], {
    env: environment,
    stdio: ["ignore", messages, messages],
  });
  const stop = (signal) => {
    child.kill("SIGKILL");
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
  process.stdout.on("error", () => stop("SIGPIPE"));
  const from = openSync(printed, "r");
  const buffer = Buffer.alloc(1 << 16);
  const pass = () => {
    for (let n = 0; (n = readSync(from, buffer)) > 0; ) {
      process.stdout.write(Buffer.from(buffer.subarray(0, n)));
    }
  };
  const timer = setInterval(() => {
    pass();
    if (/Kernel panic|reboot: System halted/.test(readFileSync(log, "latin1"))) child.kill();
  }, 200);
  await new Promise((done) => child.on("close", done).on("error", done));
  clearInterval(timer);
  pass();
  for (const file of [from, messages]) closeSync(file);
  const bytes = readFileSync(result);
  const end = bytes.indexOf("\n");
  if (end > 0 && end + 1 < bytes.length) {
    const all = ["-x", "-m", "-C", "/", "-f", "-"];
    run("tar", all, { input: bytes.subarray(end + 1), stdio: ["pipe", "inherit", "inherit"] });
  }
  return end > 0 ? Number(bytes.subarray(0, end).toString()) : undefined;
}

/** The options in front of the program, which take away what they are made of. */
function readOptions(rest) {
  const options = { add: [], fetch: [], cpu: "corei7_skylake_x", memory: "1024", keep: false };
  while (rest[0]?.startsWith("--")) {
    const name = rest.shift().slice(2);
    if (!(name in options)) fail(`no such option: --${name}`);
    if (name === "keep") options.keep = true;
    else if (rest.length === 0) fail(`--${name} lacks its value`);
    else if (Array.isArray(options[name])) options[name].push(resolve(rest.shift()));
    else options[name] = rest.shift();
  }
  return options;
}

const rest = process.argv.slice(2);
const options = readOptions(rest);
if (rest.length === 0) fail("which program? (scripts/emulate-avx512.mjs says how to call it)");
const [program, ...args] = rest;
const found = [resolve(program), which(program)].find((path) => path && existsSync(path));
if (!found) fail(`no such program: ${program}`);
setUp();
const folder = join(home, `run-${process.pid}`);
mkdirSync(folder);
prepare(folder, contents(realpathSync(found), args, options), options);
const began = Date.now();
const code = await emulate(folder);
const seconds = (Date.now() - began) / 1000;
const ticks = Number(/(\d+)i\[SIM/.exec(readFileSync(join(folder, "bochs.log"), "latin1"))?.[1]);
const speed = `${Math.round(ticks / 1e6)} million emulated instructions in ${seconds.toFixed(1)} s`;
if (code === undefined) {
  const tail = (name) =>
    readFileSync(join(folder, name), "latin1").split("\n").slice(-20).join("\n");
  fail(`the emulated machine ended without an exit code:\n${tail("com1")}\n${tail("messages")}`);
}
if (!options.keep) rmSync(folder, { recursive: true });
console.error(`adjoint: exit code ${code}, ${speed}`);
process.exitCode = code;
