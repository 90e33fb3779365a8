// A run asks nobody for memory. That plans of all kinds do not is tested in C++; here it is about the way to them.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { fn, jacobian, matrix, scalar, sparseHessian, valueAndGrad, vector, vmap } from "adjoint";
import { expect, test } from "vitest";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const isSanitized = process.env.ADJOINT_SANITIZED !== undefined;

const curve = fn({ x: vector(6) }, ({ x }) => x.mul(2).exp().sum().log());
const sessions = {
  "scalar code": fn({ x: scalar() }, ({ x }) => x.add(1)).session(),
  "a gradient": valueAndGrad(curve).session(),
  "a batch of gradients": vmap(valueAndGrad(curve), 32).session(),
  "a Jacobian": jacobian(fn({ x: vector(9) }, ({ x }) => x.sin().cumsum())).session(),
  "a Hessian by substitution": sparseHessian(
    fn({ x: vector(9) }, ({ x }) =>
      x
        .slice([1, 9])
        .mul(x.slice([0, 8]))
        .sin()
        .sum(),
    ),
    { method: "coloring", coloring: { method: "acyclic" }, withGradient: true },
  ).session(),
  "products and gathers": fn({ a: matrix(20, 20), i: scalar() }, ({ a, i }) =>
    a.matmul(a).gather(i),
  ).session(),
};

test.skipIf(isSanitized).each(Object.entries(sessions))(
  "%s leaves the heap as it was",
  (_, session) => {
    // Fewer bytes than a collection would wait for, so that none hides them.
    const runs = 30_000;
    const grown = () => {
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < runs; i++) session.run();
      return process.memoryUsage().heapUsed - before;
    };
    grown(); // Compiled by then.
    // V8 has its own work to do now and then, above all while it compiles. The smallest object has 12 bytes.
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 40 && least >= runs; round++) least = Math.min(least, grown());
    expect(least / runs).toBeLessThan(1);
  },
);

/** How often a script of test/stress asks for memory with these arguments. */
function withMallocs(check: (mallocs: (script: string, ...given: string[]) => number) => void) {
  const folder = mkdtempSync(join(tmpdir(), "adjoint-mallocs-"));
  const file = (name: string) => fileURLToPath(new URL(`stress/${name}`, import.meta.url));
  try {
    const counter = join(folder, "mallocs.so");
    const built = spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", counter, file("mallocs.c")]);
    expect(built.status, String(built.stderr)).toBe(0);
    check((script, ...given) => {
      const env = { ...process.env, LD_PRELOAD: counter };
      const options = { env, encoding: "utf8" } as const;
      const ended = spawnSync(process.execPath, [file(script), ...given], options);
      expect(ended.status, ended.stderr).toBe(0);
      return Number(/^mallocs (\d+)$/m.exec(ended.stderr)?.[1]);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(isSanitized)("no run calls malloc", { timeout: 120_000 }, () => {
  withMallocs((mallocs) => {
    // Node asks for memory too, from start to end, but not once a run.
    const [few, many] = [mallocs("runs.mjs", "10000"), mallocs("runs.mjs", "50000")];
    expect(few).toBeGreaterThan(100);
    expect(many - few).toBeLessThan(4_000);
  });
});

test.skipIf(isSanitized)(
  "no iteration of sparse least squares calls malloc, but Eigen's factorization now and then",
  { timeout: 120_000 },
  () => {
    withMallocs((mallocs) => {
      for (const factorization of ["cholesky", "qr"]) {
        const [few, many] = ["20", "420"].map((n) => mallocs("solves.mjs", n, factorization));
        expect(few).toBeGreaterThan(100);
        expect(many! - few!).toBeLessThan(4 * 400);
      }
    });
  },
);
