// Networks as MATPOWER's case files have them: the matrices bus, gen, gencost and branch of version 2.

/** A case that cannot be read. */
export class CaseError extends Error {
  override readonly name = "CaseError";
  /** Of the text, from 1 on; none where it is what the text lacks. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
    this.line = line;
  }
}

/** Powers in units of the base, angles in radians, admittances and voltages per unit. */
export interface Bus {
  /** As the case calls it. */
  readonly id: number;
  readonly isReference: boolean;
  readonly demand: readonly [active: number, reactive: number];
  readonly shunt: readonly [conductance: number, susceptance: number];
  readonly voltage: readonly [least: number, most: number];
}

export interface Generator {
  /** A position among the buses. */
  readonly bus: number;
  readonly active: readonly [least: number, most: number];
  readonly reactive: readonly [least: number, most: number];
  /** Of 1, p, p^2, ..., p in units of the base. */
  readonly cost: readonly number[];
}

/** A line or a transformer: an ideal one on the side of `from`, and a pi circuit. */
export interface Branch {
  readonly from: number;
  readonly to: number;
  /** 1 / (r + i x). */
  readonly series: readonly [conductance: number, susceptance: number];
  /** The susceptance of all of it, half of which is at either end. */
  readonly charging: number;
  readonly ratio: number;
  readonly shift: number;
  /** Of apparent power; Infinity where there is none. */
  readonly limit: number;
  /** Of the angle at `from` less that at `to`. */
  readonly angle: readonly [least: number, most: number];
}

/** What is in service. */
export interface Case {
  readonly base: number;
  readonly buses: readonly Bus[];
  readonly generators: readonly Generator[];
  readonly branches: readonly Branch[];
}

interface Row {
  readonly line: number;
  readonly values: readonly number[];
}

type Matrices = ReadonlyMap<string, readonly Row[]>;

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

function numbersOf(text: string, line: number): number[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return words.map((word) => {
    const value = /^[+-]?inf$/i.test(word)
      ? word.startsWith("-")
        ? Number.NEGATIVE_INFINITY
        : Number.POSITIVE_INFINITY
      : Number(word);
    if (Number.isNaN(value)) throw new CaseError(`expected a number, got "${word}"`, line);
    return value;
  });
}

/** All that is assigned to fields of mpc: a number is a matrix of one row. Texts and cells are passed over. */
function matricesOf(text: string): Matrices {
  const matrices = new Map<string, Row[]>();
  let open: { name: string; line: number; end: string; rows?: Row[] } | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    let rest = raw.replace(/%.*/, "").trim();
    const assigned = open ? null : /^mpc\.(\w+)\s*=\s*(.*)$/.exec(rest);
    if (assigned) {
      const name = assigned[1]!;
      rest = assigned[2]!;
      if (rest.startsWith("[")) open = { name, line, end: "]", rows: [] };
      else if (rest.startsWith("{")) open = { name, line, end: "}" };
      else if (!rest.startsWith("'") && !rest.startsWith('"'))
        matrices.set(name, [{ line, values: numbersOf(rest.replace(";", ""), line) }]);
      if (open) rest = rest.slice(1);
    }
    if (!open) continue;
    const close = rest.indexOf(open.end);
    if (open.rows) {
      for (const part of (close < 0 ? rest : rest.slice(0, close)).split(";")) {
        const values = numbersOf(part, line);
        if (values.length > 0) open.rows.push({ line, values });
      }
    }
    if (close < 0) continue;
    if (open.rows) matrices.set(open.name, open.rows);
    open = undefined;
  }
  if (open) throw new CaseError(`mpc.${open.name} has no end`, open.line);
  return matrices;
}

/** The rows of a matrix, which have at least so many columns. */
function rowsOf(matrices: Matrices, name: string, columns: number): readonly Row[] {
  const rows = matrices.get(name);
  if (!rows) throw new CaseError(`there is no mpc.${name}`);
  for (const { line, values } of rows) {
    if (values.length < columns)
      throw new CaseError(`mpc.${name} has ${columns} columns or more, got ${values.length}`, line);
  }
  return rows;
}

function finite(row: Row, column: number, what: string): number {
  const value = row.values[column]!;
  if (!Number.isFinite(value)) throw new CaseError(`${what} is ${value}`, row.line);
  return value;
}

/** A range that is not empty; either end may be infinite. */
function range(row: Row, least: number, most: number, what: string): [number, number] {
  if (!(least <= most)) throw new CaseError(`${what} from ${least} to ${most}`, row.line);
  return [least, most];
}

function busOf(row: Row, base: number): Bus {
  const at = (column: number, what: string) => finite(row, column, what);
  return {
    id: at(0, "bus"),
    isReference: row.values[1] === 3,
    demand: [at(2, "Pd") / base, at(3, "Qd") / base],
    shunt: [at(4, "Gs") / base, at(5, "Bs") / base],
    voltage: range(row, at(12, "Vmin"), at(11, "Vmax"), "voltages"),
  };
}

/** c[k] of p in units of the base: the case has the highest power first, of p in megawatts. */
function costOf(row: Row, base: number): number[] {
  const [model, , , count] = row.values;
  if (model !== 2)
    throw new CaseError(`cost model ${model}: only polynomials, 2, are read`, row.line);
  if (!Number.isInteger(count) || count! < 0 || row.values.length < 4 + count!)
    throw new CaseError(`a cost of ${count} coefficients, which are not there`, row.line);
  return Array.from(
    { length: count! },
    (_, k) => finite(row, 3 + count! - k, "a cost's coefficient") * base ** k,
  );
}

function branchOf(row: Row, base: number, busAt: (row: Row, id: number) => number): Branch {
  const at = (column: number, what: string) => finite(row, column, what);
  const [r, x] = [at(2, "r"), at(3, "x")];
  const square = r * r + x * x;
  if (square === 0) throw new CaseError("a branch without impedance", row.line);
  const limit = at(5, "rateA");
  if (limit < 0) throw new CaseError(`rateA is ${limit}`, row.line);
  // None, in either of the ways that cases have.
  const [least = -360, most = 360] = row.values.slice(11, 13);
  const isFree = least === 0 && most === 0;
  return {
    from: busAt(row, at(0, "fbus")),
    to: busAt(row, at(1, "tbus")),
    series: [r / square, -x / square],
    charging: at(4, "b"),
    ratio: at(8, "ratio") || 1,
    shift: radians(at(9, "angle")),
    limit: limit === 0 ? Number.POSITIVE_INFINITY : limit / base,
    angle: range(row, radians(isFree ? -360 : least), radians(isFree ? 360 : most), "angles"),
  };
}

/**
 * The network of a case file's text. What is out of service is left out, and so are isolated buses (of type 4) and what is
 * connected to them.
 * @throws CaseError with the line where the text is not a case, or one with costs that are not polynomials.
 */
export function readCase(text: string): Case {
  const matrices = matricesOf(text);
  const base = rowsOf(matrices, "baseMVA", 1)[0]!.values[0]!;
  if (!(base > 0 && base < Number.POSITIVE_INFINITY)) throw new CaseError(`baseMVA is ${base}`);
  const buses: Bus[] = [];
  const positions = new Map<number, number>();
  for (const row of rowsOf(matrices, "bus", 13)) {
    const bus = busOf(row, base);
    if (positions.has(bus.id)) throw new CaseError(`bus ${bus.id} is there twice`, row.line);
    const isIsolated = row.values[1] === 4;
    positions.set(bus.id, isIsolated ? -1 : buses.length);
    if (!isIsolated) buses.push(bus);
  }
  if (!buses.some((bus) => bus.isReference)) throw new CaseError("there is no reference bus");
  const busAt = (row: Row, id: number): number => {
    const position = positions.get(id);
    if (position === undefined) throw new CaseError(`there is no bus ${id}`, row.line);
    return position;
  };

  const rows = rowsOf(matrices, "gen", 10);
  const costs = rowsOf(matrices, "gencost", 4);
  if (costs.length < rows.length)
    throw new CaseError(`${rows.length} generators and ${costs.length} costs`);
  const generators = rows.flatMap((row, i): Generator[] => {
    const bus = busAt(row, row.values[0]!);
    if (bus < 0 || !(row.values[7]! > 0)) return [];
    const limits = (least: number, most: number, what: string) =>
      range(row, row.values[least]! / base, row.values[most]! / base, what);
    const [active, reactive] = [limits(9, 8, "active power"), limits(4, 3, "reactive power")];
    return [{ bus, active, reactive, cost: costOf(costs[i]!, base) }];
  });
  const branches = rowsOf(matrices, "branch", 11)
    .filter(({ values }) => values[10]! > 0)
    .map((row) => branchOf(row, base, busAt))
    .filter(({ from, to }) => from >= 0 && to >= 0);
  return { base, buses, generators, branches };
}
