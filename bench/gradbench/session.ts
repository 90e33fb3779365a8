import type { Prepared } from "./protocol.js";

/** What the evals use of a session. */
interface Session<I, O> {
  readonly inputs: I;
  readonly outputs: O;
  run(): void;
  dispose(): void;
}

/** A run reads the inputs from where the message left them, into the session, and computes. */
export function prepared<I extends Readonly<Record<string, Float64Array>>, O>(
  session: Session<I, O>,
  inputs: { readonly [K in keyof I]: Float64Array },
  output: (outputs: O) => unknown,
): Prepared {
  const pairs = Object.keys(session.inputs).map(
    (name) => [session.inputs[name]!, inputs[name]!] as const,
  );
  return {
    run: () => {
      for (const [view, values] of pairs) view.set(values);
      session.run();
    },
    output: () => output(session.outputs),
    dispose: () => session.dispose(),
  };
}
