import { grad } from "adjoint";
import { lstm as loss, lstmParameters } from "../../problems/lstm.js";
import { fields, InputError, rows } from "../input.js";
import type { EvalModule } from "../protocol.js";
import { prepared } from "../session.js";

function read(input: unknown) {
  const given = fields(input);
  const { values: sequence, rows: c, columns: b } = rows(given.sequence, "sequence");
  if (c < 2) throw new InputError("sequence has less than two characters");
  if (b === 0) throw new InputError("the characters of sequence have no bits");
  const main = rows(given.main_params, "main_params", { columns: 4 * b });
  if (main.rows === 0 || main.rows % 2 === 1) {
    throw new InputError(`main_params has ${main.rows} rows where each layer has two`);
  }
  const values = {
    main: main.values,
    extra: rows(given.extra_params, "extra_params", { rows: 3, columns: b }).values,
    state: rows(given.state, "state", { rows: main.rows, columns: b }).values,
    sequence,
  };
  return { sizes: { l: main.rows / 2, c, b }, values };
}

export const lstm: EvalModule = {
  objective: (input) => {
    const { sizes, values } = read(input);
    return prepared(loss(sizes), values, (y) => y[0]);
  },
  jacobian: (input) => {
    const { sizes, values } = read(input);
    const gradient = grad(loss(sizes), { wrt: lstmParameters });
    return prepared(gradient, values, ({ main, extra }) => [...main, ...extra]);
  },
};
