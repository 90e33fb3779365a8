// What can happen to the files of a reverse sweep, many times: the process is killed, files are damaged, cut or lost, the
// disk is full, directories vanish or can not be written. A gradient has the bits of one without files, or is a typed
// error; nothing is left behind.
//   node scripts/fault-campaign.mjs [part ...] [--kills=200] [--faults=1000] [--removals=100] [--fills=200]
// Parts: killed, damaged, full (as root, who may mount a file system), removed, unwritable; all of them by default.
import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { AdjointError, DataError, fn, forLoop, grad, vector } from "../dist/index.js";

const cells = 60;
const start = Float64Array.from({ length: cells }, (_, i) => Math.sin(7 * i) + 0.5);

/** States differ from step to step, and the gradient depends on them all: it neither grows nor vanishes. */
function gradient(steps, checkpoint) {
  const step = (i, u) => u.add(u.mul(3).add(i.mul(0.7)).sin().mul(0.01));
  return grad(fn({ u: vector(cells) }, ({ u }) => forLoop(steps, step, u, { checkpoint }).sum()));
}

/** Two states in memory and 12 in files. */
const onDisk = (steps, directory) =>
  gradient(steps, { multistage: { memory: 2, disk: 12, directory } });

const bits = ({ u }) => Buffer.from(u.buffer, u.byteOffset, u.byteLength).toString("hex");
const expectedOf = (steps) => bits(gradient(steps, "all")({ u: start }));

/** Numbers from 0 to 1 that are the same every time. */
let state = 20260701;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
const pick = (list) => list[Math.floor(random() * list.length)];

const failures = [];
function require(condition, what) {
  if (!condition) failures.push(what);
}

/** What a run comes to: "right", the code of a typed error, or a failure. */
async function outcome(run, expected) {
  try {
    const right = bits(await run()) === expected;
    require(right, "a wrong gradient");
    return right ? "right" : "wrong";
  } catch (error) {
    require(error instanceof AdjointError, `no typed error: ${error}`);
    return error.code;
  }
}

function tally(counts, name) {
  counts[name] = (counts[name] ?? 0) + 1;
}
const shown = (counts) =>
  Object.entries(counts)
    .sort()
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");

function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Files and folders below this one that this process has open. */
function openBelow(folder) {
  return list("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(folder);
    } catch {
      return false; // The one that the list was read with.
    }
  });
}

/** A folder of its own for a part, which must be empty in the end, and nothing in it open. */
async function inFolder(part) {
  const folder = mkdtempSync(join(tmpdir(), "adjoint-faults-"));
  try {
    return await part(folder);
  } finally {
    const left = list(folder);
    require(left.length === 0, `left behind: ${left.join(" ")}`);
    require(openBelow(folder).length === 0, "files stay open");
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that sweeps until it is killed, at any moment after it has begun. */
function killed(count) {
  return inFolder(async (folder) => {
    const steps = 400;
    const fresh = onDisk(steps, folder);
    const expected = expectedOf(steps);
    const counts = {};
    let leaving = 0;
    for (let i = 0; i < count; i++) {
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url), "sweep", folder], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)));
      await new Promise((resolve) => {
        child.stdout.once("data", resolve);
        child.once("close", resolve);
      });
      await wait(random() * 30);
      child.kill("SIGKILL");
      require((await ended) === "SIGKILL", "a process that ended by itself");
      if (list(folder).length > 0) leaving++;
      tally(counts, await outcome(() => fresh({ u: start }), expected));
      const left = list(folder);
      require(left.length === 0, `a dead run's files stay: ${left.join(" ")}`);
    }
    return `${count} processes killed, ${leaving} with files; fresh runs: ${shown(counts)}`;
  });
}

/** The child of `killed`. */
function sweep(folder) {
  const run = onDisk(400, folder);
  run({ u: start });
  process.stdout.write("ready\n");
  const parent = process.ppid;
  while (process.ppid === parent) run({ u: start });
  process.exit(1);
}

/** What can be done to a file, given its name and its folder. */
const damages = {
  flipped: (file) => {
    const descriptor = openSync(file, "r+");
    try {
      const { size } = fstatSync(descriptor);
      const byte = Buffer.alloc(1);
      const at = Math.floor(random() * size);
      readSync(descriptor, byte, 0, 1, at);
      byte[0] ^= 1 << Math.floor(random() * 8);
      writeSync(descriptor, byte, 0, 1, at);
    } finally {
      closeSync(descriptor);
    }
  },
  cut: (file) => {
    const descriptor = openSync(file, "r+");
    try {
      ftruncateSync(descriptor, Math.floor(random() * fstatSync(descriptor).size));
    } finally {
      closeSync(descriptor);
    }
  },
  lengthened: (file) => {
    const descriptor = openSync(file, "a");
    try {
      writeSync(descriptor, "x");
    } finally {
      closeSync(descriptor);
    }
  },
  lost: (file) => unlinkSync(file),
  // In the place of another one that is there.
  exchanged: (file, folder) => {
    const other = pick(list(folder).filter((name) => name.endsWith(".checkpoint")));
    if (other === undefined) throw new Error("there is none");
    copyFileSync(file, join(folder, other));
  },
};

/** Damages files, the one being written too, while a run is on. */
function damaged(count) {
  return inFolder(async (folder) => {
    const steps = 3000;
    const run = onDisk(steps, folder);
    const expected = expectedOf(steps);
    const counts = {};
    const done = {};
    let total = 0;
    let runs = 0;
    while (total < count) {
      let isOn = true;
      const result = outcome(() => run.async({ u: start }), expected).finally(() => {
        isOn = false;
      });
      const most = 1 + Math.floor(random() * 20);
      for (let here = 0; isOn && here < most; ) {
        await nextTurn();
        const [name] = list(folder);
        const own = name === undefined ? folder : join(folder, name);
        const file = pick(name === undefined ? [] : list(own));
        if (file === undefined || random() < 0.5) continue;
        const how = pick(Object.keys(damages));
        try {
          damages[how](join(own, file), own);
        } catch {
          continue; // It is gone.
        }
        tally(done, how);
        total++;
        here++;
      }
      tally(counts, await result);
      runs++;
      for (const name of list(folder)) {
        const left = list(join(folder, name));
        // Made by a damage, in the moment in which the run ended.
        require(left.length === 0, `left behind: ${left.join(" ")}`);
      }
    }
    return `${total} damages (${shown(done)}) in ${runs} runs: ${shown(counts)}`;
  });
}

/** A small file system with room for 0, 1, 2, ... files, then one that fills and empties while a run is on. */
function full(count) {
  if (process.getuid?.() !== 0) {
    return "SKIPPED: only root may mount a small file system; run this part as root";
  }
  return inFolder(async (folder) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    const { status, stderr } = spawnSync(
      "mount",
      ["-t", "tmpfs", "-o", "size=64k,nr_inodes=64", "tmpfs", disk],
      { encoding: "utf8" },
    );
    if (status !== 0) {
      rmSync(disk, { recursive: true });
      return `SKIPPED: no file system can be mounted here: ${stderr.trim()}`;
    }
    try {
      return await onSmallDisk(disk, count);
    } finally {
      require(spawnSync("umount", [disk]).status === 0, "the file system is in use");
      rmSync(disk, { recursive: true, force: true });
    }
  });
}

async function onSmallDisk(disk, count) {
  const steps = 500;
  const run = onDisk(steps, disk);
  const expected = expectedOf(steps);
  const counts = {};
  const ballast = join(disk, "ballast");
  const fill = (pages) => {
    try {
      writeFileSync(ballast, Buffer.alloc(4096 * pages));
    } catch {}
  };
  // By pages, of which each file takes one, and by files.
  for (let pages = 0; pages <= 16; pages++) {
    fill(pages);
    tally(counts, await outcome(() => run({ u: start }), expected));
  }
  rmSync(ballast, { force: true });
  for (let room = 0; room <= 20; room++) {
    const others = [];
    for (let i = 0; i < 64; i++) {
      try {
        writeFileSync(join(disk, `other-${i}`), "");
        others.push(join(disk, `other-${i}`));
      } catch {
        break;
      }
    }
    for (const file of others.slice(0, room)) rmSync(file);
    tally(counts, await outcome(() => run({ u: start }), expected));
    for (const file of others) rmSync(file, { force: true });
  }
  let fills = 0;
  while (fills < count) {
    let isOn = true;
    const result = outcome(() => run.async({ u: start }), expected).finally(() => {
      isOn = false;
    });
    while (isOn) {
      fill(Math.floor(random() * 17));
      fills++;
      await nextTurn();
    }
    tally(counts, await result);
    rmSync(ballast, { force: true });
    require(list(disk).length === 0, `left behind: ${list(disk).join(" ")}`);
  }
  return `38 sizes, ${fills} fills: ${shown(counts)}`;
}

/** The run's folder, or the one it is in, is removed while the run is on. */
function removed(count) {
  return inFolder(async (folder) => {
    const steps = 1500;
    const parent = join(folder, "parent");
    mkdirSync(parent);
    const run = onDisk(steps, parent);
    const expected = expectedOf(steps);
    const counts = {};
    let during = 0;
    for (let i = 0; i < count; i++) {
      mkdirSync(parent, { recursive: true });
      let isOn = true;
      const result = outcome(() => run.async({ u: start }), expected).finally(() => {
        isOn = false;
      });
      await wait(random() * 5);
      const own = list(parent)[0];
      try {
        rmSync(i % 2 === 0 && own !== undefined ? join(parent, own) : parent, { recursive: true });
      } catch {} // A file came while it was emptied.
      if (isOn && own !== undefined) during++;
      tally(counts, await result);
    }
    rmSync(parent, { recursive: true, force: true });
    return `${count} folders removed, ${during} during the run: ${shown(counts)}`;
  });
}

/** Folders in which nothing can be made. */
function unwritable() {
  return inFolder(async (folder) => {
    const steps = 100;
    const expected = expectedOf(steps);
    const counts = {};
    const refuse = async (run) => {
      const error = await run.async({ u: start }).then(
        () => undefined,
        (reason) => reason,
      );
      require(error instanceof DataError, `no DataError: ${error}`);
      tally(counts, error?.code ?? "right");
    };
    if (process.platform === "linux") await refuse(onDisk(steps, "/proc"));
    const gone = join(folder, "gone");
    mkdirSync(gone);
    const run = onDisk(steps, gone);
    rmSync(gone, { recursive: true });
    await refuse(run);
    writeFileSync(gone, "");
    await refuse(run);
    rmSync(gone);
    mkdirSync(gone, { mode: 0o555 });
    if (process.getuid?.() === 0) {
      // Root may write anywhere.
      process.seteuid(65534);
      await refuse(run);
      process.seteuid(0);
    } else {
      await refuse(run);
    }
    rmSync(gone, { recursive: true });
    mkdirSync(gone);
    tally(counts, await outcome(() => run({ u: start }), expected));
    require(list(gone).length === 0, "left behind");
    rmSync(gone, { recursive: true });
    return shown(counts);
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string", default: "200" },
    faults: { type: "string", default: "1000" },
    removals: { type: "string", default: "100" },
    fills: { type: "string", default: "200" },
  },
});
const parts = {
  killed: () => killed(Number(values.kills)),
  damaged: () => damaged(Number(values.faults)),
  full: () => full(Number(values.fills)),
  removed: () => removed(Number(values.removals)),
  unwritable,
};
if (positionals[0] === "sweep") sweep(positionals[1]);
const unknown = positionals.find((name) => !(name in parts));
if (unknown !== undefined) {
  console.error(`no such part: ${unknown}`);
  process.exit(1);
}
for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
  console.log(`${name}: ${await parts[name]()}`);
}
for (const failure of new Set(failures)) console.error(`FAILED: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
