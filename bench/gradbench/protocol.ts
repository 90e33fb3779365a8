// GradBench's protocol: a JSON message a line in, a JSON response a line out.

/** A function with its input read, traced and compiled. */
export interface Prepared {
  /** Reads the input where the message left it and computes the whole output anew. */
  run(): void;
  /** The output of the last run, as JSON wants it. */
  output(): unknown;
  dispose?(): void;
}

/** The functions of an eval, by name: each takes the message's input. */
export type EvalModule = Readonly<Record<string, (input: unknown) => Prepared>>;

/** The evals, by name, loaded when they are asked for. */
export type Evals = Readonly<Record<string, () => Promise<EvalModule>>>;

interface Timing {
  name: "prepare" | "evaluate";
  nanoseconds: number;
}

interface Response {
  id: unknown;
  tool?: string;
  success?: boolean;
  output?: unknown;
  timings?: Timing[];
  error?: string;
}

const clock = (): number => Number(process.hrtime.bigint());

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Whether a record has this key itself: `constructor` names nothing here. */
const own = <T>(record: Readonly<Record<string, T>>, key: unknown): T | undefined =>
  typeof key === "string" && Object.hasOwn(record, key) ? record[key] : undefined;

/** How often and how long at least to repeat: what the input says, else once. */
function repetitions(input: unknown): { runs: number; nanoseconds: number } {
  const { min_runs: runs, min_seconds: seconds } = Object(input) as Record<string, unknown>;
  return {
    runs: typeof runs === "number" && runs >= 1 ? runs : 1,
    nanoseconds: typeof seconds === "number" && seconds > 0 ? seconds * 1e9 : 0,
  };
}

export class Tool {
  readonly #evals: Evals;

  constructor(evals: Evals) {
    this.#evals = evals;
  }

  /** The response to one line. Never throws. */
  async respond(line: string): Promise<string> {
    let message: Record<string, unknown>;
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed !== "object" || parsed === null) throw new Error("not an object");
      message = parsed as Record<string, unknown>;
    } catch (error) {
      return JSON.stringify({ id: null, error: `not a message: ${text(error)}` });
    }
    const id = message.id ?? null;
    try {
      return JSON.stringify(await this.#answer(id, message));
    } catch (error) {
      return JSON.stringify({ id, success: false, error: text(error) });
    }
  }

  async #answer(id: unknown, message: Record<string, unknown>): Promise<Response> {
    switch (message.kind) {
      case "start":
        return { id, tool: "adjoint" };
      case "define": {
        const start = clock();
        const load = own(this.#evals, message.module);
        if (!load) return { id, success: false, error: `no module ${String(message.module)}` };
        await load();
        const timings: Timing[] = [{ name: "prepare", nanoseconds: clock() - start }];
        return { id, success: true, timings };
      }
      case "evaluate":
        return this.#evaluate(id, message);
      default:
        return { id };
    }
  }

  async #evaluate(id: unknown, message: Record<string, unknown>): Promise<Response> {
    const load = own(this.#evals, message.module);
    if (!load) throw new Error(`no module ${String(message.module)}`);
    const prepare = own(await load(), message.function);
    if (!prepare) throw new Error(`no function ${String(message.function)}`);
    const { input } = message;
    const { runs, nanoseconds } = repetitions(input);
    const start = clock();
    const prepared = prepare(input);
    try {
      const timings: Timing[] = [{ name: "prepare", nanoseconds: clock() - start }];
      let total = 0;
      for (let run = 0; run < runs || total < nanoseconds; run++) {
        const before = clock();
        prepared.run();
        const time = clock() - before;
        total += time;
        timings.push({ name: "evaluate", nanoseconds: time });
      }
      return { id, success: true, output: prepared.output(), timings };
    } finally {
      prepared.dispose?.();
    }
  }
}
