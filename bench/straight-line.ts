/**
 * node build/bench/straight-line.js [operations]
 *
 * A random straight-line program: 1000 inputs; 45% products, 40% sums, 15% differences; operands mostly recent (exponential, 20
 * back on average), one in ten anywhere. Prints how long it takes to compile, what a run costs an operation, and the memory
 * of an operation, with generated code and as interpreted (ADJOINT_JIT=off), one after the other in turns.
 */
import { fn, type Value, vector } from "adjoint";
import { describe, machine } from "./harness/machine.js";

const operations = Number(process.argv[2] ?? 100_000);
const inputs = 1000;
const rounds = 9;

let state = 12345;
/** Uniform in [0, 1). */
function random(): number {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return state / 0x80000000;
}

const program = () =>
  fn({ x: vector(inputs) }, ({ x }) => {
    state = 12345;
    const values: Value[] = [];
    for (let i = 0; i < inputs; i++) values.push(x.at(i) as Value);
    const pick = () => {
      const back = Math.floor(-20 * Math.log(1 - random()));
      const at = random() < 0.1 ? random() * values.length : values.length - 1 - back;
      return values[Math.max(0, Math.floor(at))]!;
    };
    // Nothing is dead: what nobody has read when the program ends is added up.
    const unread = new Set<Value>();
    for (let i = 0; i < operations; i++) {
      const [kind, a, b] = [random(), pick(), pick()];
      const value = kind < 0.45 ? a.mul(b) : kind < 0.85 ? a.add(b) : a.sub(b);
      for (const read of [a, b]) unread.delete(read);
      unread.add(value as Value);
      values.push(value as Value);
    }
    return [...unread].reduce((sum, value) => sum.add(value) as Value);
  });

function prepare(jit: boolean) {
  process.env.ADJOINT_JIT = jit ? "on" : "off";
  const f = program();
  const begin = performance.now();
  const session = f.session();
  const compile = performance.now() - begin;
  for (let i = 0; i < inputs; i++)
    session.inputs.x[i] = 0.3 + (0.4 * ((i * 7919) % inputs)) / inputs;
  const { bytes, segments } = f.explain();
  return { session, compile, bytes, segments, times: [] as number[] };
}

const ways = [prepare(true), prepare(false)];
for (let round = 0; round < rounds; round++) {
  for (const { session, times } of ways) {
    const begin = performance.now();
    for (let i = 0; i < 20; i++) session.run();
    times.push((performance.now() - begin) / 20);
  }
}
console.log(
  `${describe(machine())}\n${operations} operations, medians of ${rounds} rounds in turns`,
);
const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
for (const { compile, bytes, segments, times } of ways) {
  const run = (median(times) * 1e6) / operations;
  console.log(
    `${segments > 0 ? "machine code" : "interpreted "}: compiled in ${compile.toFixed(0)} ms, ` +
      `${run.toFixed(2)} ns an operation, ${(bytes / operations).toFixed(0)} bytes an operation`,
  );
}
console.log(`ratio of the times: ${(median(ways[1]!.times) / median(ways[0]!.times)).toFixed(1)}`);
