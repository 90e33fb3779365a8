/** What is fitted: a formula or a traced function, as a tape whose first inputs are the parameters. */
import { type AnyFunction, coreOf } from "../function.js";
import { ArgumentError, NameError, ShapeError } from "../generated/errors.js";
import { type NativePort, type NativeTape, native } from "../native.js";
import { flatNumbers } from "../numbers.js";
import type { NestedNumbers } from "../types.js";
import { compileFormula, namesOf } from "./formula.js";
import type { Scope } from "./observations.js";

/** Starting values by the names of parameters: numbers, or arrays for parameters that are tensors. */
export type StartValues = Readonly<Record<string, NestedNumbers>>;

export class Model {
  private constructor(
    /** The formula, or the function's name. */
    readonly text: string,
    private readonly tape: NativeTape,
    readonly parameterInputs: number,
    /** Names of the elements of parameters: "b1", or "theta[0]". */
    readonly elements: readonly string[],
    readonly start: Float64Array,
    /** Names of the other inputs. */
    readonly predictors: readonly string[],
    /** The tape is of one observation; else of all at once. */
    readonly isScalar: boolean,
    private readonly parameterShapes: ReadonlyMap<string, readonly number[]>,
  ) {}

  /**
   * @throws NameError when a name is neither a column nor a parameter, or both, or a parameter is not used
   */
  static of(given: string | AnyFunction, start: StartValues, scope: Scope): Model {
    if (typeof start !== "object" || start === null) {
      throw new ArgumentError("fit: start is a record of starting values by parameter");
    }
    for (const name of Object.keys(start)) {
      if (scope.has(name)) {
        throw new NameError(
          `fit: ${name} is both a column and a parameter; give the parameter another name`,
        );
      }
    }
    if (typeof given === "string") return Model.ofFormula(given, start, scope);
    return Model.build(coreOf(given, "fit").name, coreOf(given, "fit").tape, start);
  }

  private static ofFormula(formula: string, start: StartValues, scope: Scope): Model {
    const parameters = Object.keys(start);
    const used = namesOf(formula, (name) => Object.hasOwn(start, name) || scope.has(name));
    for (const name of parameters) {
      if (!used.includes(name)) {
        throw new NameError(`fit: the model ${formula} does not use the parameter ${name}`);
      }
      if (typeof start[name] !== "number") {
        throw new ArgumentError(`fit: the starting value of ${name} is not a number`);
      }
    }
    const free = used.filter((name) => !parameters.includes(name));
    const missing = free.filter((name) => !scope.has(name));
    if (missing.length > 0) {
      const one = missing.length === 1;
      throw new NameError(
        `fit: ${missing.join(", ")} in the model ${one ? "is" : "are"} neither ${one ? "a column" : "columns"} ` +
          `nor ${one ? "a parameter" : "parameters"} with a starting value; ` +
          `the columns are ${scope.table.listed}`,
      );
    }
    const names = [...parameters, ...free.filter(scope.has)];
    const f = compileFormula(formula, names);
    try {
      return Model.build(formula, coreOf(f).tape, start);
    } finally {
      f.dispose();
    }
  }

  /** Puts the inputs in order on a tape of its own, parameters first. */
  private static build(text: string, tape: NativeTape, start: StartValues): Model {
    const inputs = tape.inputs();
    const names = inputs.map(({ name }) => name);
    const parameters = Object.keys(start);
    if (parameters.length === 0) throw new ArgumentError("fit: start names no parameters");
    for (const name of parameters) {
      if (!names.includes(name)) {
        throw new NameError(
          `fit: the model has no input ${name}; its inputs are ${names.join(", ")}`,
        );
      }
    }
    const predictors = names.filter((name) => !parameters.includes(name));
    const ordered = [...parameters, ...predictors].map(
      (name) => inputs[names.indexOf(name)] as NativePort,
    );
    const outputs = tape.outputs();
    if (outputs.length !== 1 || outputs[0]!.shape.length > 1) {
      throw new ShapeError(
        "fit: a model gives one number, or a vector with one for each observation",
      );
    }
    const builder = new native.Builder();
    try {
      const nodes = new Map(ordered.map(({ name, shape }) => [name, builder.input(name, shape)]));
      const results = builder.call(
        tape,
        names.map((name) => nodes.get(name)!),
      );
      return new Model(
        text,
        builder.finish(["value"], results),
        parameters.length,
        ordered.slice(0, parameters.length).flatMap(elementNames),
        startOf(ordered.slice(0, parameters.length), start),
        predictors,
        outputs[0]!.shape.length === 0,
        new Map(ordered.slice(0, parameters.length).map(({ name, shape }) => [name, shape])),
      );
    } finally {
      builder.dispose();
    }
  }

  /** The tape for this many observations. @throws ShapeError when it is made for another number */
  tapeFor(observations: number): NativeTape {
    const inputs = this.tape.inputs();
    const expected = this.isScalar ? [] : [observations];
    for (const { name, shape } of inputs.slice(this.parameterInputs)) {
      if (shape.join() !== expected.join() || shape.length !== expected.length) {
        throw new ShapeError(
          `fit: the model's input ${name} has shape [${shape}], expected [${expected}] for ` +
            `${observations} observations`,
        );
      }
    }
    if (!this.isScalar) return this.tape;
    const batched = inputs.map((_, position) => position >= this.parameterInputs);
    return this.tape.vmap(observations, batched);
  }

  /** Elements as the record that the start was: numbers, and row-major arrays for tensors. */
  record(elements: Float64Array): Record<string, number | Float64Array> {
    const record: Record<string, number | Float64Array> = {};
    let first = 0;
    for (const [name, shape] of this.parameterShapes) {
      const count = shape.reduce((product, extent) => product * extent, 1);
      record[name] = shape.length === 0 ? elements[first]! : elements.slice(first, first + count);
      first += count;
    }
    return record;
  }
}

function elementNames({ name, shape }: NativePort): string[] {
  let names = [""];
  for (const extent of shape) {
    names = names.flatMap((prefix) =>
      Array.from({ length: extent }, (_, i) => (prefix === "" ? `${i}` : `${prefix},${i}`)),
    );
  }
  return shape.length === 0 ? [name] : names.map((index) => `${name}[${index}]`);
}

function startOf(parameters: readonly NativePort[], start: StartValues): Float64Array {
  const values = parameters.flatMap(({ name, shape }) => {
    const { values: flat, shape: given } = flatNumbers(start[name]!, `fit: start of ${name}`);
    const count = shape.reduce((product, extent) => product * extent, 1);
    const isRowMajor = shape.length > 0 && given.length === 1 && flat.length === count;
    if (!isRowMajor && (given.length !== shape.length || given.join() !== shape.join())) {
      throw new ShapeError(
        `fit: the starting value of ${name} has shape [${given}], expected [${shape}]`,
      );
    }
    return [...flat];
  });
  return Float64Array.from(values);
}
