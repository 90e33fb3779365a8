/** Who computes a problem, and how. */
interface Entrant {
  /** Who computes: "JavaScript", "adjoint", "TensorFlow.js", "jax-js", "C++", ... */
  readonly tool: string;
  /** How: a backend, or how the function was written. */
  readonly backend: string;
  readonly dtype: "f64" | "f32";
  /** How long it took to trace, derive and compile, where there is such a thing. */
  readonly setupSeconds?: number;
  dispose?(): void;
}

/** One way to compute a problem's value and gradient. */
export interface Contender extends Entrant {
  /** Prepares what other contenders may have changed; not timed. */
  select?(): void;
  /** Computes value and gradient from the inputs as they are now, and returns the value. */
  run(): number;
  /** The gradient that the last run left, all inputs in the problem's order. */
  gradient(): ArrayLike<number>;
}

/** One way that another process computes and times. */
export interface RemoteContender extends Entrant {
  /** The function alone, or what is asked of it: its derivative. */
  readonly computes: "primal" | "derivative";
  /** Seconds that `runs` runs take. */
  elapsed(runs: number): Promise<number>;
  /** What a run computes. */
  answer(): Promise<Float64Array>;
}

export type AnyContender = Contender | RemoteContender;

export const isRemote = (contender: AnyContender): contender is RemoteContender =>
  "elapsed" in contender;

export interface Timing {
  /** Median over the rounds, seconds a run. */
  readonly seconds: number;
  readonly fastest: number;
  readonly slowest: number;
  /** Runs a round. */
  readonly runs: number;
  /** Seconds a run, by round. */
  readonly rounds: readonly number[];
}

export interface MeasureOptions {
  readonly rounds: number;
  /** How long each contender runs in a round, seconds. */
  readonly roundSeconds: number;
  /** A contender whose first run takes longer is timed by single runs, and not warmed up. */
  readonly slowSeconds?: number;
}

const now = (): number => performance.now() / 1000;

// What runs return ends up here, so that no compiler may think a run useless.
let sink = 0;
export const consumed = (): number => sink;

/** Seconds that `runs` runs take. */
async function elapsed(contender: AnyContender, runs: number): Promise<number> {
  if (isRemote(contender)) return contender.elapsed(runs);
  contender.select?.();
  let sum = 0;
  const start = now();
  for (let i = 0; i < runs; i++) sum += contender.run();
  const seconds = now() - start;
  sink += sum;
  return seconds;
}

/** How many runs fill a round. Growing the count warms up at the same time. */
async function calibrate(contender: AnyContender, options: MeasureOptions): Promise<number> {
  const first = await elapsed(contender, 1);
  if (first > (options.slowSeconds ?? 1)) return 1;
  let runs = 1;
  for (;;) {
    const seconds = await elapsed(contender, runs);
    if (seconds >= options.roundSeconds) break;
    runs = Math.ceil(runs * Math.min(10, (1.2 * options.roundSeconds) / Math.max(seconds, 1e-6)));
  }
  // Once more at full length: optimizing compilers settle late.
  const seconds = await elapsed(contender, runs);
  return Math.max(1, Math.round((runs * options.roundSeconds) / seconds));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Times contenders interleaved: every round runs each of them once, starting with another one, so that a
 * machine that gets slower or busier for a while does so for all of them.
 */
export async function measure(
  contenders: readonly AnyContender[],
  options: MeasureOptions,
): Promise<Timing[]> {
  const runs: number[] = [];
  for (const contender of contenders) runs.push(await calibrate(contender, options));
  const rounds: number[][] = contenders.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (round + turn) % contenders.length;
      const seconds = await elapsed(contenders[index]!, runs[index]!);
      rounds[index]!.push(seconds / runs[index]!);
    }
  }
  return rounds.map((times, index) => ({
    seconds: median(times),
    fastest: Math.min(...times),
    slowest: Math.max(...times),
    runs: runs[index]!,
    rounds: times,
  }));
}
