// Hand tracking with hands and poses of our own, against dual numbers; messages that are not right.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { nested } from "../bench/gradbench/input.js";
import { Random } from "../bench/harness/random.js";
import { htByHand } from "../bench/problems/ht-by-hand.js";
import {
  type HandModel,
  type HtInput,
  handModel,
  htInput,
  loadHandModel,
  loadHt,
} from "../bench/problems/ht-input.js";
import { htByDuals } from "./gradbench-dual.js";
import { call, expectClose, expectSlope, send } from "./gradbench-tool.js";

const runs = { min_runs: 2, min_seconds: 0 };
const data = process.env.ADJOINT_DATA;
if (!data) console.log("skipped: ADBench's answer, because ADJOINT_DATA is not set");
const adbench = (...path: string[]): string => join(data ?? "", "adbench", ...path);
const golden = () => JSON.parse(readFileSync(adbench("golden_from_unit_tests.json"), "utf8"));

describe("ht", () => {
  function message({ model, correspondences, points, theta, us }: HtInput) {
    const { bones, vertices } = model;
    const matrices = (of: Float64Array) =>
      Array.from({ length: bones }, (_, i) => nested(of.subarray(16 * i, 16 * i + 16), 4, 4));
    const { triangles } = model;
    return {
      theta: [...theta],
      data: {
        model: {
          bone_count: bones,
          bone_names: Array.from({ length: bones }, (_, bone) => `bone${bone}`),
          parents: [...model.parents],
          base_relatives: matrices(model.relatives),
          inverse_base_absolutes: matrices(model.inverses),
          base_positions: nested(model.positions, vertices, 4),
          weights: nested(model.weights, vertices, bones),
          triangles: nested(Float64Array.from(triangles), triangles.length / 3, 3),
          is_mirrored: model.mirrored,
        },
        correspondences: [...correspondences],
        points: nested(points, points.length / 3, 3),
      },
      us: nested(us, us.length / 2, 2),
      ...runs,
    };
  }

  async function check(input: HtInput): Promise<void> {
    const { errors, jacobian } = htByDuals(input);
    expectClose(await call("ht", "objective", message(input)), errors);
    expectClose(await call("ht", "jacobian", message(input)), jacobian);
  }

  test.each([
    [1, false, 30, false],
    [40, false, 25, false],
    [40, true, 25, true],
    [7, true, 60, false],
    [30, false, 60, true],
    [1, true, 1, false],
  ])(
    "%i points, in triangles: %s, %i vertices, mirrored: %s",
    async (n, inTriangles, v, mirrored) => {
      const input = htInput(n, inTriangles, handModel(v, mirrored));
      await check(input);
      const byHand = new Float64Array(n * 3 * (inTriangles ? 28 : 26));
      htByHand(input, byHand)();
      expectClose([...byHand], htByDuals(input).jacobian.flat());
    },
  );

  const random = new Random(9);
  const hand = handModel(20);
  const wild = { relatives: random.normals(22 * 16), inverses: random.normals(22 * 16) };
  const chain = Int32Array.from({ length: 22 }, (_, bone) => bone - 1);
  const star = new Int32Array(22).fill(-1);
  const thumbOnIndex = hand.parents.with(14, 12).with(2, -1);
  const forearmOnThumb = hand.parents.with(21, 4);
  const more: Partial<HandModel> = {
    bones: 24,
    parents: Int32Array.of(...hand.parents, 3, 0),
    relatives: random.normals(24 * 16),
    inverses: random.normals(24 * 16),
    weights: random.uniforms(20 * 24),
  };
  test.each<[string, Partial<HandModel>]>([
    ["matrices of any kind", { ...wild, positions: random.normals(80) }],
    ["bones in one chain", { parents: chain }],
    ["bones without parents", { parents: star }],
    ["fingers that share bones", { parents: thumbOnIndex }],
    ["fingers of different lengths", { parents: forearmOnThumb }],
    ["24 bones", more],
  ])("%s", async (_, change) => {
    await check(htInput(9, false, { ...hand, ...change }));
    await check(htInput(30, true, { ...hand, ...change }));
  });

  test.each([0, 1e-5, 1.1e-4, 1e-3])("the whole hand turned by %d", async (size) => {
    const input = htInput(5, true, hand);
    const theta = input.theta.slice();
    theta.set([0.6 * size, -0.64 * size, 0.48 * size]);
    await check({ ...input, theta });
  });

  test("dual numbers against differences", () => {
    const input = htInput(2, true, hand);
    const { jacobian } = htByDuals(input);
    for (const k of [0, 2, 4, 6, 7, 11, 25]) {
      const errors = (value: number) =>
        htByDuals({ ...input, theta: input.theta.with(k, value) }).errors;
      expectSlope(
        errors,
        input.theta[k]!,
        jacobian.map((row) => row[2 + k]!),
      );
    }
  });

  test.skipIf(!data)("ADBench's own answer", async () => {
    const input = loadHt(adbench("hand", "test.txt"), loadHandModel(adbench("hand", "model")));
    const { hand: expected } = golden();
    expectClose(
      await call("ht", "objective", message(input)),
      expected.simple_objective_calculation_correctness.expected_objective,
    );
    expectClose(
      await call("ht", "jacobian", message(input)),
      expected.simple_jacobian_calculation_correctness.expected_jacobian,
    );
  });

  const good = message(htInput(3, true, hand));
  const inModel = (change: object) => ({
    data: { ...good.data, model: { ...good.data.model, ...change } },
  });
  const inData = (change: object) => ({ data: { ...good.data, ...change } });
  test.each([
    ["a short theta", { theta: [1, 2] }, "theta has 2 elements where 26 are expected"],
    ["us for too few", { us: [[0, 0]] }, "us has 1 rows where 3 are expected"],
    [
      "us of three",
      {
        us: [
          [0, 0, 0],
          [0, 0, 0],
          [0, 0, 0],
        ],
      },
      "us[0] has 3 elements",
    ],
    ["no us", { us: undefined }, "us is not a list"],
    ["no data", { data: null }, "the input is not an object"],
    ["no points", inData({ points: [] }), "points is empty"],
    ["flat points", inData({ points: [1, 2, 3] }), "points[0] is not a list"],
    [
      "a triangle that is not there",
      inData({ correspondences: [0, 1, 1e6] }),
      "correspondences[2]",
    ],
    ["too few correspondences", inData({ correspondences: [0, 1] }), "2 elements for 3 points"],
    ["five bones", inModel({ parents: [-1, 0, 0, 0, 0] }), "parents has 5 bones"],
    ["a parent that comes later", inModel({ parents: hand.parents.with(3, 5) }), "parents"],
    ["a bone that is its parent", inModel({ parents: [...hand.parents.with(3, 3)] }), "parents[3]"],
    ["a matrix too few", inModel({ base_relatives: [] }), "base_relatives has 0 matrices"],
    [
      "a ragged matrix",
      inModel({ inverse_base_absolutes: Array(22).fill([[1]]) }),
      "[0] has 1 rows",
    ],
    ["no vertices", inModel({ base_positions: [], weights: [] }), "base_positions is empty"],
    [
      "weights of other bones",
      inModel({ weights: Array(20).fill([1]) }),
      "weights[0] has 1 elements",
    ],
    ["a vertex that is not there", inModel({ triangles: [[0, 1, 20]] }), "triangles[0]"],
    ["mirrored perhaps", inModel({ is_mirrored: 1 }), "is_mirrored is not a boolean"],
  ])("malformed: %s", async (_, change, error) => {
    const input = { ...good, ...change };
    for (const name of ["objective", "jacobian"]) {
      const response = await send({ id: 1, kind: "evaluate", module: "ht", function: name, input });
      expect(response).toMatchObject({ id: 1, success: false });
      expect(response.error).toContain(error);
    }
  });
});
