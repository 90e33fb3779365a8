// The command `adjoint` as a process, for tests of it.
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const command = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** Runs it in this folder with this standard input. */
export function runCommand(folder: string, args: readonly string[], input = "") {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    cwd: folder,
    input,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** Runs it, and interrupts it when it has read `line` many times and waits for more. */
export async function interruptCommand(folder: string, args: readonly string[], line: string) {
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ["pipe", "ignore", "pipe"],
    cwd: folder,
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  // More than a pipe holds: once it is written, the command reads, and waits for the end.
  const text = line.repeat(Math.ceil(2 ** 22 / line.length));
  child.stdin.write(text, () => child.kill("SIGINT"));
  return { status: await ended, stderr };
}
