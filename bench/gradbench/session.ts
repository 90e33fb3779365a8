import type { Prepared } from "./protocol.js";

/** What the evals use of a function: sessions, and of those their views and runs. */
interface Compiled<I, O> {
  session(): { readonly inputs: I; readonly outputs: O; run(): void; dispose(): void };
  dispose(): void;
}

/** A run reads the inputs from where the message left them, into a session, and computes. */
export function prepared<I extends Readonly<Record<string, Float64Array>>, O>(
  f: Compiled<I, O>,
  inputs: { readonly [K in keyof I]: Float64Array },
  output: (outputs: O) => unknown,
): Prepared {
  const session = f.session();
  const pairs = Object.keys(session.inputs).map(
    (name) => [session.inputs[name]!, inputs[name]!] as const,
  );
  return {
    run: () => {
      for (const [view, values] of pairs) view.set(values);
      session.run();
    },
    output: () => output(session.outputs),
    dispose: () => {
      session.dispose();
      f.dispose();
    },
  };
}

/** For large inputs, which the message leaves in the session's own memory: there a run reads them. */
export function resident<I extends Readonly<Record<string, Float64Array>>, O>(
  f: Compiled<I, O>,
  inputs: { readonly [K in keyof I]: Float64Array },
  output: (outputs: O) => unknown,
): Prepared {
  const session = f.session();
  for (const name of Object.keys(session.inputs)) session.inputs[name]!.set(inputs[name]!);
  return {
    run: () => session.run(),
    output: () => output(session.outputs),
    dispose: () => {
      session.dispose();
      f.dispose();
    },
  };
}
