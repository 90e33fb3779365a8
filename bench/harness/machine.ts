import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  /** The widest vector instructions the CPU has, as far as the system tells. */
  readonly vectors: string;
}

function vectors(): string {
  if (arch() === "arm64") return "NEON";
  try {
    const flags = /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "";
    const has = new Set(flags.split(/\s+/));
    if (has.has("avx512f")) return "AVX-512";
    if (has.has("avx2")) return "AVX2";
    return has.has("sse4_2") ? "SSE4.2" : "unknown";
  } catch {
    return "unknown";
  }
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()}-${arch()}`,
    node: process.version,
    vectors: vectors(),
  };
}

export function describe(m: Machine): string {
  return `${m.cpu}, ${m.cores} cores, ${m.vectors}, ${m.memoryGiB} GiB, ${m.platform}, Node ${m.node}`;
}
