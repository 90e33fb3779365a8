import type { LstmInput } from "./lstm.js";

// Value and gradient by hand: what every layer computes in a step is kept, and the steps are taken back in reverse.

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** What is kept of a layer's step, row by row. */
const rows = 8;
/** Of a layer: a weight and a bias for each of forget gate, input gate, output gate and change. */
const gates = 4;

/** Memory for any number of calls. */
export function lstmScratch({ l, c, b }: LstmInput) {
  const steps = c - 1;
  return {
    state: new Float64Array(2 * l * b),
    records: new Float64Array(steps * l * rows * b),
    slopes: new Float64Array(steps * b),
    input: new Float64Array(b),
    hiddenBar: new Float64Array(l * b),
    cellBar: new Float64Array(l * b),
  };
}

type Scratch = ReturnType<typeof lstmScratch>;

/** One layer's step: `at` is where its state begins, `to` where its record does. */
function cell(
  main: Float64Array,
  weight: number,
  b: number,
  { input, state, records }: Scratch,
  at: number,
  to: number,
): void {
  const bias = weight + gates * b;
  for (let i = 0; i < b; i++) {
    const x = input[i]!;
    const hidden = state[at + i]!;
    const before = state[at + b + i]!;
    const forget = sigmoid(x * main[weight + i]! + main[bias + i]!);
    const ingate = sigmoid(hidden * main[weight + b + i]! + main[bias + b + i]!);
    const outgate = sigmoid(x * main[weight + 2 * b + i]! + main[bias + 2 * b + i]!);
    const change = Math.tanh(hidden * main[weight + 3 * b + i]! + main[bias + 3 * b + i]!);
    const next = before * forget + ingate * change;
    const tanhCell = Math.tanh(next);
    records[to + i] = x;
    records[to + b + i] = hidden;
    records[to + 2 * b + i] = before;
    records[to + 3 * b + i] = forget;
    records[to + 4 * b + i] = ingate;
    records[to + 5 * b + i] = outgate;
    records[to + 6 * b + i] = change;
    records[to + 7 * b + i] = tanhCell;
    state[at + b + i] = next;
    input[i] = state[at + i] = outgate * tanhCell;
  }
}

/** From the hidden state and cell that a layer gave to those it was given; leaves its input's cotangent in `input`. */
function reverse(
  main: Float64Array,
  weight: number,
  b: number,
  { input, records, hiddenBar, cellBar }: Scratch,
  at: number,
  from: number,
  gradient: Float64Array,
): void {
  const bias = weight + gates * b;
  for (let i = 0; i < b; i++) {
    const x = records[from + i]!;
    const hidden = records[from + b + i]!;
    const forget = records[from + 3 * b + i]!;
    const ingate = records[from + 4 * b + i]!;
    const outgate = records[from + 5 * b + i]!;
    const change = records[from + 6 * b + i]!;
    const tanhCell = records[from + 7 * b + i]!;
    const out = hiddenBar[at + i]!;
    const bar = cellBar[at + i]! + out * outgate * (1 - tanhCell * tanhCell);
    const outBar = out * tanhCell * outgate * (1 - outgate);
    const forgetBar = bar * records[from + 2 * b + i]! * forget * (1 - forget);
    const inBar = bar * change * ingate * (1 - ingate);
    const changeBar = bar * ingate * (1 - change * change);
    gradient[weight + i]! += forgetBar * x;
    gradient[weight + b + i]! += inBar * hidden;
    gradient[weight + 2 * b + i]! += outBar * x;
    gradient[weight + 3 * b + i]! += changeBar * hidden;
    gradient[bias + i]! += forgetBar;
    gradient[bias + b + i]! += inBar;
    gradient[bias + 2 * b + i]! += outBar;
    gradient[bias + 3 * b + i]! += changeBar;
    input[i] = forgetBar * main[weight + i]! + outBar * main[weight + 2 * b + i]!;
    hiddenBar[at + i] = inBar * main[weight + b + i]! + changeBar * main[weight + 3 * b + i]!;
    cellBar[at + i] = bar * forget;
  }
}

/** `gradient`: by main, then by extra. */
export function lstmByHand(
  { l, c, b, main, extra, state: start, sequence }: LstmInput,
  scratch: Scratch,
  gradient: Float64Array,
): number {
  const { state, records, slopes, input, hiddenBar, cellBar } = scratch;
  const steps = c - 1;
  const count = steps * b;
  const layerSize = 2 * gates * b;
  state.set(start);
  let total = 0;
  for (let t = 0; t < steps; t++) {
    for (let i = 0; i < b; i++) input[i] = sequence[t * b + i]! * extra[i]!;
    for (let layer = 0; layer < l; layer++) {
      cell(main, layer * layerSize, b, scratch, 2 * layer * b, (t * l + layer) * rows * b);
    }
    let sum = 2;
    let gold = 0;
    for (let i = 0; i < b; i++) {
      const prediction = input[i]! * extra[b + i]! + extra[2 * b + i]!;
      const next = sequence[(t + 1) * b + i]!;
      sum += slopes[t * b + i] = Math.exp(prediction);
      total += next * prediction;
      gold += next;
    }
    total -= gold * Math.log(sum);
    for (let i = 0; i < b; i++) {
      const next = sequence[(t + 1) * b + i]!;
      slopes[t * b + i] = (slopes[t * b + i]! * (gold / sum) - next) / count;
    }
  }
  gradient.fill(0);
  hiddenBar.fill(0);
  cellBar.fill(0);
  const [inAt, outAt, biasAt] = [0, 1, 2].map((row) => l * layerSize + row * b) as [
    number,
    number,
    number,
  ];
  const top = (l - 1) * b;
  for (let t = steps - 1; t >= 0; t--) {
    const last = (t * l + l - 1) * rows * b;
    for (let i = 0; i < b; i++) {
      const slope = slopes[t * b + i]!;
      gradient[outAt + i]! += slope * records[last + 5 * b + i]! * records[last + 7 * b + i]!;
      gradient[biasAt + i]! += slope;
      hiddenBar[top + i]! += slope * extra[b + i]!;
    }
    for (let layer = l - 1; layer >= 0; layer--) {
      const from = (t * l + layer) * rows * b;
      reverse(main, layer * layerSize, b, scratch, layer * b, from, gradient);
      if (layer === 0) {
        for (let i = 0; i < b; i++) gradient[inAt + i]! += input[i]! * sequence[t * b + i]!;
      } else {
        for (let i = 0; i < b; i++) hiddenBar[(layer - 1) * b + i]! += input[i]!;
      }
    }
  }
  return -total / count;
}
