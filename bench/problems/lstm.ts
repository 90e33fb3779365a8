import { fn, matrix, scan, tensor, type Value, valueAndGrad } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import { lstmByHand, lstmScratch } from "./lstm-by-hand.js";
import type { Problem } from "./problem.js";

// ADBench's long short-term memory, whose weight matrices are diagonal: the mean loss of predicting each of the c
// characters of a sequence, b bits each, from those before it, by l layers one upon the other. A layer has a hidden
// state h and a cell; with x, the input or the hidden state of the layer below, a step is
//   cell = cell sigmoid(x wf + bf) + sigmoid(h wi + bi) tanh(h wc + bc), h = sigmoid(x wo + bo) tanh(cell).
// Predictions are p = h wOut + bOut, and their loss is the sum of -next (p - log(2 + sum(exp(p)))).

export interface LstmSizes {
  readonly l: number;
  readonly c: number;
  readonly b: number;
}

export interface LstmInput extends LstmSizes {
  /** [l][2][4][b]: weights, biases of forget gate, input gate, output gate, change. */
  readonly main: Float64Array;
  /** [3][b]: weight in, weight out, bias out. */
  readonly extra: Float64Array;
  /** [l][2][b]: hidden state, cell. */
  readonly state: Float64Array;
  /** [c][b] */
  readonly sequence: Float64Array;
}

/** What to differentiate by. */
export const lstmParameters = ["main", "extra"] as const;

export function lstmInput(l: number, c: number, b: number): LstmInput {
  const random = new Random(100 + l);
  return {
    ...{ l, c, b },
    main: random.uniforms(8 * l * b, -1, 1),
    extra: random.uniforms(3 * b, -1, 1),
    state: random.uniforms(2 * l * b, -1, 1),
    sequence: random.uniforms(c * b).map(Math.round),
  };
}

/**
 * A layer goes through the whole sequence before the next one does, so that only what depends on the state before is
 * in the loop: the gates that depend on the layer below are computed for all steps at once.
 */
export const lstm = ({ l, c, b }: LstmSizes) =>
  fn(
    {
      main: tensor([l, 2, 4, b]),
      extra: matrix(3, b),
      state: tensor([l, 2, b]),
      sequence: matrix(c, b),
    },
    ({ main, extra, state, sequence }) => {
      let x: Value = sequence.slice([0, c - 1]).mul(extra.at(0));
      for (let layer = 0; layer < l; layer++) {
        const gate = (input: Value, index: number): Value =>
          input.mul(main.at(layer, 0, index)).add(main.at(layer, 1, index));
        const start = { hidden: state.at(layer, 0), cell: state.at(layer, 1) };
        const gates = { forget: gate(x, 0).sigmoid(), out: gate(x, 2).sigmoid() };
        [, x] = scan(
          ({ hidden, cell }, { forget, out }) => {
            const change = gate(hidden, 1).sigmoid().mul(gate(hidden, 3).tanh());
            const nextCell = cell.mul(forget).add(change);
            const next = out.mul(nextCell.tanh());
            return [{ hidden: next, cell: nextCell }, next];
          },
          start,
          gates,
        );
      }
      const prediction = x.mul(extra.at(1)).add(extra.at(2));
      const normalizer = prediction.exp().sum({ axis: 1, keepDims: true }).add(2).log();
      const loss = sequence.slice([1, c]).mul(prediction.sub(normalizer)).sum();
      return loss.div(-(c - 1) * b);
    },
  );

export function lstmProblem(l: number, c: number): Problem {
  const b = 14;
  return {
    name: "LSTM",
    size: `l=${l}, c=${c}`,
    native: () => {
      const { main, extra, state, sequence } = lstmInput(l, c, b);
      return { name: "lstm", sizes: [l, c, b], inputs: [main, extra, state, sequence] };
    },
    contenders: () => {
      const input = lstmInput(l, c, b);
      const gradient = new Float64Array((8 * l + 3) * b);
      const scratch = lstmScratch(input);
      return [
        byHand("", gradient, () => lstmByHand(input, scratch, gradient)),
        adjointContender("", lstmParameters, () => {
          const session = valueAndGrad(lstm(input), { wrt: lstmParameters }).session();
          const { inputs } = session;
          for (const name of ["main", "extra", "state", "sequence"] as const)
            inputs[name].set(input[name]);
          return session;
        }),
      ];
    },
  };
}
