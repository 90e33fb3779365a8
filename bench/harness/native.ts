import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RemoteContender } from "./measure.js";

// The programs of bench/native: a process for each peer and problem, which speaks the protocol of
// bench/native/protocol/serve.cc and waits while others compute.

/** A problem as the programs know it. */
export interface NativeProblem {
  readonly name: string;
  readonly sizes: readonly number[];
  /** One after the other. What they are is at the top of the problem's file in bench/native/hand. */
  readonly inputs: readonly Float64Array[];
  /** What of the hand-written C++ is the unit: the function alone unless it says otherwise. */
  readonly unit?: "derivative";
  /** Other ways to write the hand-written primal, which are not the unit: name in bench/native/hand, and what they do. */
  readonly variants?: readonly { readonly name: string; readonly backend: string }[];
  /** What the function computes, unless that is the value that the first contender returns. */
  primal?(): ArrayLike<number>;
}

/** What the command line calls the programs, and what they are. */
export const nativeNames: Readonly<Record<string, { title: string; package: string }>> = {
  hand: { title: "C++", package: "g++ cmake" },
  adolc: { title: "ADOL-C", package: "libadolc-dev" },
  "adolc-sparse": { title: "ADOL-C, ColPack", package: "libadolc-dev libcolpack-dev" },
  sacado: {
    title: "Sacado",
    package: "libtrilinos-sacado-dev libtrilinos-kokkos-dev libtrilinos-teuchos-dev",
  },
  ceres: { title: "Ceres Jet", package: "libceres-dev libeigen3-dev" },
  stan: { title: "Stan Math", package: "r-cran-stanheaders libboost-dev libtbb-dev" },
};

/** A program that is running. */
class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  #ended = false;

  /** What it may write goes to the folder `cwd`. */
  constructor(path: string, cwd: string) {
    this.#child = spawn(path, { cwd, stdio: ["pipe", "pipe", "inherit"] as never });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.#waiting.shift()?.resolve(line);
    });
    const end = (reason: string) => {
      this.#ended = true;
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(reason));
    };
    this.#child.on("error", (error) => end(error.message));
    this.#child.on("close", (code, signal) => end(`ended with ${signal ?? code}`));
    this.#child.stdin.on("error", () => {});
  }

  async request(...words: readonly (string | number)[]): Promise<string> {
    if (this.#ended) throw new Error("ended");
    const answer = await new Promise<string>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(`${words.join(" ")}\n`);
    });
    if (answer.startsWith("error")) throw new Error(answer);
    return answer;
  }

  end(): void {
    this.#child.stdin.end();
  }
}

export interface NativePeers {
  readonly skipped: readonly string[];
  readonly versions: readonly string[];
  /** The hand-written primal first, then one contender for each program that has the problem. */
  contenders(problem: NativeProblem): Promise<RemoteContender[]>;
  dispose(): void;
}

/** The programs that are built in `folder` and whose names are among `wanted`. */
export async function openNative(folder: string, wanted: readonly string[]): Promise<NativePeers> {
  const skipped: string[] = [];
  const versions: string[] = [];
  const found: string[] = [];
  const files = mkdtempSync(join(tmpdir(), "adjoint-bench-"));
  for (const name of Object.keys(nativeNames).filter((name) => wanted.includes(name))) {
    const { title, package: from } = nativeNames[name]!;
    if (!existsSync(join(folder, name))) {
      skipped.push(`${title}: not built (Debian: apt-get install ${from})`);
      continue;
    }
    const program = new Program(join(folder, name), mkdtempSync(join(files, name)));
    try {
      versions.push(await program.request("version"));
      found.push(name);
    } catch (error) {
      skipped.push(`${title}: ${(error as Error).message}`);
    }
    program.end();
  }

  async function open(name: string, problem: NativeProblem, inputs: string, variant?: string) {
    const { title } = nativeNames[name]!;
    const file = join(files, "answer");
    const program = new Program(join(folder, name), mkdtempSync(join(files, name)));
    try {
      const answer = await program.request("load", problem.name, inputs, ...problem.sizes);
      if (answer === "ok") {
        if (variant) return [remote(program, title, variant, "primal", file)];
        const byHand = name === "hand" && problem.unit === undefined;
        const made = [
          remote(program, title, name === "hand" ? "derivative" : "", "derivative", file),
        ];
        if (byHand) made.unshift(remote(program, title, "primal", "primal", file));
        return made;
      }
    } catch (error) {
      skipped.push(`${title}, ${problem.name}: ${(error as Error).message}`);
    }
    program.end();
    return [];
  }

  return {
    skipped,
    versions,
    contenders: async (problem) => {
      const inputs = join(files, "inputs");
      writeFileSync(inputs, Buffer.concat(problem.inputs.map(bytesOf)));
      const contenders: RemoteContender[] = [];
      for (const name of found) contenders.push(...(await open(name, problem, inputs)));
      for (const { name, backend } of (found.includes("hand") && problem.variants) || [])
        contenders.push(
          ...(await open("hand", { ...problem, name }, inputs, `primal, ${backend}`)),
        );
      return contenders;
    },
    dispose: () => rmSync(files, { recursive: true, force: true }),
  };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

function remote(
  program: Program,
  tool: string,
  backend: string,
  computes: "primal" | "derivative",
  file: string,
): RemoteContender {
  return {
    tool,
    backend,
    dtype: "f64",
    computes,
    elapsed: async (runs) => Number(await program.request("run", computes, runs)) / 1e9,
    answer: async () => {
      await program.request("dump", computes, file);
      const bytes = readFileSync(file);
      return new Float64Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      );
    },
    dispose: () => program.end(),
  };
}
