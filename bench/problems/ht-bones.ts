import { concat, constant, fn, stack, type Value, vector, where } from "adjoint";

// How the bones of a hand move. Matrices are [...][rows][columns].

/** The bones that theta turns: of a finger the second, by two angles, the third and the fourth. */
export const anglesOfBones: readonly { bone: number; x: number; z?: number }[] = Array.from(
  { length: 5 },
  (_, finger) => [
    { bone: 4 * finger + 2, x: 4 * finger, z: 4 * finger + 1 },
    { bone: 4 * finger + 3, x: 4 * finger + 2 },
    { bone: 4 * finger + 4, x: 4 * finger + 3 },
  ],
).flat();

/** How many bones a hand has at least. */
export const leastBones = 21;

export interface Skeleton {
  /** Of each bone; -1 for none, else an earlier bone. */
  readonly parents: Int32Array;
  readonly mirrored: boolean;
}

/** The bones by their distance from the root: those of a level have their parents in the one before. */
function levelsOf(parents: Int32Array): number[][] {
  const levels: number[][] = [];
  const level: number[] = [];
  parents.forEach((parent, bone) => {
    level[bone] = parent < 0 ? 0 : level[parent]! + 1;
    (levels[level[bone]] ??= []).push(bone);
  });
  return levels;
}

/** A matrix for each of several bones, by its elements: each has as many numbers as there are bones. */
type Matrices = readonly (readonly Value[])[];

/** Columns i and j of matrices that are multiplied with a rotation in their plane. */
function turned(of: Matrices, i: number, j: number, angle: Value): Value[][] {
  const [c, s] = [angle.cos(), angle.sin()];
  return of.map((row) => {
    const result = [...row];
    result[i] = row[i]!.mul(c).add(row[j]!.mul(s));
    result[j] = row[j]!.mul(c).sub(row[i]!.mul(s));
    return result;
  });
}

const product = (a: Matrices, b: Matrices): Value[][] =>
  a.map((row) =>
    row.map((_, j) => row.map((x, k) => x.mul(b[k]![j]!)).reduce((sum, term) => sum.add(term))),
  );

/** For each bone, where it is among the transforms. */
export function placesOf(parents: Int32Array): number[] {
  const order = levelsOf(parents).flat();
  return [...parents.keys()].map((bone) => order.indexOf(bone));
}

/**
 * The transforms that bones do to the skin, [3 * 4][bones]. Levels are computed one after the other, the bones of one
 * together, and so they stand.
 */
export function transforms(
  { parents, mirrored }: Skeleton,
  { angles, relatives, inverses }: Readonly<Record<"angles" | "relatives" | "inverses", Value>>,
): Value {
  const levels = levelsOf(parents);
  const order = levels.flat();
  const [near, back] = [relatives.gather(order), inverses.gather(order)];
  // One more angle, for bones that do not turn.
  const withZero = concat([angles, constant([0])]);
  let above: Matrices = [];
  let begin = 0;
  const moved = levels.map((bones, level) => {
    const elements = (of: Value): Value[][] =>
      [0, 1, 2, 3].map((i) =>
        [0, 1, 2, 3].map((j) =>
          of.slice([begin, begin + bones.length], [i, i + 1], [j, j + 1]).reshape([-1]),
        ),
      );
    const turns = bones.map((bone) => anglesOfBones.find((angle) => angle.bone === bone));
    let pose: Matrices = elements(near);
    for (const [axis, i, j] of [["z", 0, 1] as const, ["x", 1, 2] as const]) {
      if (turns.every((turn) => turn?.[axis] === undefined)) continue;
      pose = turned(pose, i, j, withZero.gather(turns.map((turn) => turn?.[axis] ?? 20)));
    }
    if (level > 0) {
      const place = bones.map((bone) => levels[level - 1]!.indexOf(parents[bone]!));
      const same = place.length === levels[level - 1]!.length && place.every((at, i) => at === i);
      pose = product(same ? above : above.map((row) => row.map((x) => x.gather(place))), pose);
    }
    above = pose.slice(0, 3);
    const result = product(above, elements(back));
    begin += bones.length;
    return mirrored ? [result[0]!.map((x) => x.neg()), ...result.slice(1)] : result;
  });
  const ofAll = [0, 1, 2].flatMap((i) =>
    [0, 1, 2, 3].map((j) => concat(moved.map((matrices) => matrices[i]![j]!))),
  );
  return stack(ofAll);
}

/** Below this angle the whole hand does not turn, and does not by the derivative. */
const leastRotation = 1e-4;

/** The matrix of a rotation given as axis times angle. */
export const rotationMatrix = fn({ r: vector(3) }, ({ r }) => {
  const square = r.square().sum();
  const turned = square.sqrt().greaterEqual(leastRotation);
  const angle = where(turned, square, 1).sqrt();
  const [x, y, z] = [r.at(0).div(angle), r.at(1).div(angle), r.at(2).div(angle)];
  const [s, c] = [angle.sin(), angle.cos()];
  const d = c.neg().add(1);
  const entries = [
    ...[x.mul(x).mul(d).add(c), x.mul(y).mul(d).sub(z.mul(s)), x.mul(z).mul(d).add(y.mul(s))],
    ...[x.mul(y).mul(d).add(z.mul(s)), y.mul(y).mul(d).add(c), y.mul(z).mul(d).sub(x.mul(s))],
    ...[x.mul(z).mul(d).sub(y.mul(s)), y.mul(z).mul(d).add(x.mul(s)), z.mul(z).mul(d).add(c)],
  ];
  const identity = constant([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]);
  return where(turned, stack(entries).reshape([3, 3]), identity);
});
