import { constant, fn, matrix, valueAndGrad } from "adjoint";
import { adjointContender, byHand } from "../harness/adjoint.js";
import { Random } from "../harness/random.js";
import type { Problem } from "./problem.js";

// The Lennard-Jones energy of atoms near the points of a cubic grid: the sum of 4 (r^-12 - r^-6) over the pairs whose distance r was
// below a cutoff when they were listed. An atom's coordinates are gathered for each pair, and its derivatives added up.

export interface PairsInput {
  /** [n][3] */
  readonly positions: Float64Array;
  /** Both atoms of every pair, sorted by the first, which is the smaller. */
  readonly first: Float64Array;
  readonly second: Float64Array;
}

const cutoff = 2;
const jitter = 0.15;

/** side^3 atoms. */
export function pairsInput(side: number): PairsInput {
  const random = new Random(100);
  const n = side ** 3;
  const positions = new Float64Array(3 * n);
  for (let i = 0; i < n; i++) {
    const cell = [i % side, Math.floor(i / side) % side, Math.floor(i / side ** 2)];
    positions.set(
      cell.map((at) => at + random.uniform(-jitter, jitter)),
      3 * i,
    );
  }
  const first: number[] = [];
  const second: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const square = [0, 1, 2]
        .map((c) => (positions[3 * i + c]! - positions[3 * j + c]!) ** 2)
        .reduce((a, b) => a + b);
      if (square < cutoff ** 2) {
        first.push(i);
        second.push(j);
      }
    }
  }
  return { positions, first: Float64Array.from(first), second: Float64Array.from(second) };
}

/** Energy and gradient by hand; what belongs to the first atom stays in variables as long as it is the same. */
export function pairsByHand(input: PairsInput, gradient: Float64Array): number {
  const { positions: p, first, second } = input;
  gradient.fill(0);
  let energy = 0;
  for (let k = 0; k < first.length; ) {
    const i = 3 * first[k]!;
    const [px, py, pz] = [p[i]!, p[i + 1]!, p[i + 2]!];
    let gx = 0;
    let gy = 0;
    let gz = 0;
    for (; k < first.length && 3 * first[k]! === i; k++) {
      const j = 3 * second[k]!;
      const x = px - p[j]!;
      const y = py - p[j + 1]!;
      const z = pz - p[j + 2]!;
      const inverse = 1 / (x * x + y * y + z * z);
      const sixth = inverse * inverse * inverse;
      energy += 4 * sixth * (sixth - 1);
      const slope = 24 * sixth * (1 - 2 * sixth) * inverse;
      gx += slope * x;
      gy += slope * y;
      gz += slope * z;
      gradient[j]! -= slope * x;
      gradient[j + 1]! -= slope * y;
      gradient[j + 2]! -= slope * z;
    }
    gradient[i]! += gx;
    gradient[i + 1]! += gy;
    gradient[i + 2]! += gz;
  }
  return energy;
}

export const pairs = ({ positions, first, second }: PairsInput) =>
  fn({ x: matrix(positions.length / 3, 3) }, ({ x }) => {
    const apart = x.gather(constant(first)).sub(x.gather(constant(second)));
    const inverse = apart.square().sum({ axis: 1 }).reciprocal();
    const sixth = inverse.mul(inverse).mul(inverse);
    return sixth.mul(sixth.sub(1)).mul(4).sum();
  });

export function pairsProblem(side: number): Problem {
  return {
    name: "pair potential",
    size: `${side ** 3} atoms`,
    native: () => {
      const { positions, first, second } = pairsInput(side);
      return { name: "pairs", sizes: [first.length], inputs: [positions, first, second] };
    },
    contenders: () => {
      const input = pairsInput(side);
      const gradient = new Float64Array(input.positions.length);
      return [
        byHand("", gradient, () => pairsByHand(input, gradient)),
        adjointContender("", ["x"], () => {
          const session = valueAndGrad(pairs(input)).session();
          session.inputs.x.set(input.positions);
          return session;
        }),
      ];
    },
  };
}
