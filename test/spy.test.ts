import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ArgumentError,
  type ColoringMethod,
  colorPattern,
  fn,
  IndexError,
  matrix,
  parseMatrixMarket,
  ShapeError,
  scalar,
  sparseHessian,
  sparseJacobian,
  sparseMatrix,
  spyHtml,
  vector,
} from "adjoint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { any, thrown } from "./thrown.js";

const data = fileURLToPath(new URL("data/market/", import.meta.url));
const wheel = parseMatrixMarket(readFileSync(`${data}wheel.mtx`, "utf8"));

const model = fn({ x: vector(6), k: scalar(), "<wide>": matrix(3, 2) }, (given) => ({
  near: given.x.slice([1, null]).mul(given.x.slice([0, -1])),
  scaled: given.x.mul(given.k),
  own: given["<wide>"].square(),
}));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adjoint-spy-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function chromium(html: string, ...options: string[]): string {
  const file = join(folder, "page.html");
  writeFileSync(file, html);
  const { stdout, stderr, status, error } = spawnSync(
    "chromium",
    [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
      ...[`--user-data-dir=${join(folder, "profile")}`, "--window-size=1280,1000"],
      ...[...options, `file://${file}`],
    ],
    { encoding: "utf8", timeout: 60_000, maxBuffer: 2 ** 28 },
  );
  if (error !== undefined) throw error;
  expect(status, stderr).toBe(0);
  return stdout;
}

/** What a script finds in the page; the page's own policy allows none, so it is put in its place. */
function measured<T>(html: string, script: string, ...options: string[]): T {
  const open = html
    .replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "")
    .replace("</body>", `<script>document.title = JSON.stringify(${script})</script></body>`);
  return JSON.parse(/<title>(.*?)<\/title>/.exec(chromium(open, "--dump-dom", ...options))![1]!);
}

/** How many squares path data draws. */
const chain = fn({ x: vector(4) }, ({ x }) =>
  x
    .slice([0, 3])
    .mul(x.slice([1, 4]))
    .sin()
    .sum(),
);

const squaresOf = (html: string) => html.match(/h\.88v\.88/g)?.length ?? 0;

describe("pages", () => {
  test("say what the matrix and the coloring are", () => {
    const { pattern } = sparseJacobian(model);
    const html = spyHtml(pattern, { coloring: colorPattern(pattern) });
    expect(squaresOf(html)).toBe(pattern.nonzeros);
    for (const fact of [
      "<b>17</b><span>rows",
      "<b>13</b><span>columns",
      "<b>28</b><span>nonzeros",
    ]) {
      expect(html).toContain(fact);
    }
    expect(html).toContain("<b>3</b><span>colors");
    expect(html).toContain("A by columns: 17 × 3");
    expect(html).toContain("near[0], x[0], color 0 of columns</title>");
    expect(html).toContain("&lt;wide&gt;: 6 columns from 7 on");
    expect(html).not.toContain("<wide>");
    expect(html).toContain("Columns of one color share no row");
    expect(html).toMatch(/<li><i style="background:#\w+"><\/i>0: \d+ columns<\/li>/);
  });

  test("have values of matrices, and triangles", () => {
    const h = sparseHessian(
      fn({ x: vector(3) }, ({ x }) =>
        x
          .slice([0, 2])
          .mul(x.slice([1, 3]))
          .square()
          .sum(),
      ),
      { triangle: "lower", format: "csc" },
    );
    const html = spyHtml(sparseMatrix(h.pattern, h({ x: [1, 2, 3] })));
    expect(html).toContain("x[1], x[0]: 8</title>");
    expect(html).toContain("the lower triangle of a symmetric matrix");
    expect(html).not.toContain("colors");
    expect(squaresOf(html)).toBe(5);
  });

  test("of matrices and derivatives by their methods", () => {
    expect(wheel.toHtml({ title: "Wheel" })).toBe(spyHtml(wheel, { title: "Wheel" }));
    const h = sparseHessian(chain, { triangle: "lower", method: "coloring" });
    expect(h.toHtml({ title: "H" })).toBe(
      spyHtml(h.pattern, { coloring: h.coloring!, title: "H" }),
    );
    expect(sparseJacobian(model, { method: "instances" }).toHtml()).not.toContain("colors");
  });

  test("load nothing and run nothing", () => {
    const html = spyHtml(wheel, { title: "<script>x</script>", source: `"&'` });
    expect(html).not.toContain("<script");
    expect(html.replaceAll("http://www.w3.org/", "")).not.toMatch(/https?:\/\//);
    expect(html).toContain("default-src 'none'");
    expect(html).toContain("&quot;&amp;&#39;");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("of large patterns stay small, and say that a square is several entries", () => {
    const n = 20_000;
    const { pattern } = sparseJacobian(
      fn({ x: vector(n) }, ({ x }) => x.slice([1, null]).mul(x.slice([0, -1]))),
    );
    const html = spyHtml(pattern, { coloring: colorPattern(pattern) });
    expect(html.length).toBeLessThan(200_000);
    expect(html).toContain("A square stands for 34 rows by 34 columns");
    expect(html).toContain(`<b>${2 * (n - 1)}</b><span>nonzeros`);
    const dense = { rows: 500, columns: 500, rowIndices: new Int32Array(250_000) };
    const places = dense.rowIndices.map((_, k) => k);
    const whole = {
      ...dense,
      rowIndices: places.map((k) => Math.floor(k / 500)),
      columnIndices: places.map((k) => k % 500),
    };
    expect(spyHtml(whole).length).toBeLessThan(50_000);
    expect(spyHtml(whole)).toContain("A square stands for 2 rows by 2 columns");
  });

  test("of nothing", () => {
    for (const [rows, columns] of [
      [0, 0],
      [3, 0],
      [0, 2],
      [2, 2],
    ] as const) {
      const pattern = {
        rows,
        columns,
        rowIndices: new Int32Array(0),
        columnIndices: new Int32Array(0),
      };
      for (const method of ["columns", "rows", "rowsAndColumns"] as const) {
        const html = spyHtml(pattern, { coloring: colorPattern(pattern, { method }) });
        expect(html).toContain(`A: ${rows} × ${columns}`);
        expect(html).not.toMatch(/NaN|undefined|Infinity/);
      }
    }
  });
});

describe("compressed matrices", () => {
  /** Squares of a kind in a page: the entries' own are said one by one, the others' are paths of their group. */
  const pathsOf = (html: string, title: RegExp) =>
    [...html.matchAll(/<path fill="[^"]*" d="([^"]*)"><title>([^<]*)<\/title>/g)]
      .filter(([, , name]) => title.test(name!))
      .map(([, path]) => path!.match(/M/g)!.length)
      .reduce((sum, count) => sum + count, 0);

  test("of a triangle are those of the whole matrix", () => {
    for (const triangle of ["full", "lower", "upper"] as const) {
      const html = sparseHessian(chain, { triangle, method: "coloring" }).toHtml();
      expect(html).toContain("A by columns: 4 × 3");
      expect(pathsOf(html, /^from columns of color/)).toBe(8);
      expect(pathsOf(html, /^sums/)).toBe(1);
    }
  });

  test("have a square for every entry that is read, and grey ones for sums", () => {
    const columns = spyHtml(wheel, { coloring: colorPattern(wheel) });
    expect(pathsOf(columns, /^from columns of color/)).toBe(36);
    expect(pathsOf(columns, /^sums/)).toBe(0);
    const star = spyHtml(wheel, { coloring: colorPattern(wheel, { method: "star" }) });
    // Each vertex and one of two mirrored entries: at least as many squares as there are in a triangle.
    expect(pathsOf(star, /^from columns of color/)).toBeGreaterThanOrEqual(22);
    expect(pathsOf(star, /^sums/)).toBeGreaterThan(0);
    const rows = spyHtml(wheel, { coloring: colorPattern(wheel, { method: "rows" }) });
    expect(pathsOf(rows, /^from rows of color/)).toBe(36);
  });

  test("by rows and by columns", () => {
    const n = 9;
    const rows = [...new Array(n).keys()].flatMap((i) => (i === 0 ? new Array(n).fill(0) : [i, i]));
    const columns = rows.map((row, k) => (row === 0 ? k : (k - n) % 2 === 0 ? 0 : row));
    const arrow = {
      ...{ rows: n, columns: n, rowIndices: Int32Array.from(rows) },
      columnIndices: Int32Array.from(columns),
    };
    const html = spyHtml(arrow, { coloring: colorPattern(arrow, { method: "rowsAndColumns" }) });
    expect(html).toContain("A by columns: 9 × 2");
    expect(html).toContain("A by rows: 1 × 9");
    expect(html).toMatch(/row 0, column 5, color 0 of rows<\/title>/);
    expect(html).toMatch(/row 5, column 0, color \d of columns<\/title>/);
  });
});

describe("in a browser", () => {
  const methods: ColoringMethod[] = ["columns", "rows", "rowsAndColumns", "star"];

  test.each(methods)(
    "a picture by %s has everything in its place",
    (method) => {
      const html = spyHtml(wheel, { coloring: colorPattern(wheel, { method }) });
      const found = measured<{
        inside: boolean;
        overlaps: number;
        label: string;
        role: string;
        panels: number;
        wide: boolean;
      }>(
        html,
        `(() => {
        const svg = document.querySelector("figure svg");
        const outer = svg.getBoundingClientRect();
        const boxes = [...svg.querySelectorAll("text, rect")].map((e) => e.getBoundingClientRect());
        const texts = [...svg.querySelectorAll("text")].filter((e) => e.textContent)
          .map((e) => e.getBoundingClientRect());
        const overlap = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 &&
          a.top < b.bottom - 3 && b.top < a.bottom - 3;
        return {
          inside: boxes.every((b) => b.left >= outer.left - 1 && b.right <= outer.right + 1 &&
            b.top >= outer.top - 1 && b.bottom <= outer.bottom + 1),
          overlaps: texts.filter((a, i) => texts.some((b, j) => j > i && overlap(a, b))).length,
          label: document.getElementById(svg.getAttribute("aria-labelledby").split(" ")[0]).textContent,
          role: svg.getAttribute("role"),
          panels: svg.querySelectorAll(".panel").length,
          wide: document.documentElement.scrollWidth <= window.innerWidth,
        };
      })()`,
      );
      expect(found).toEqual({
        inside: true,
        overlaps: 0,
        label: "A matrix of 8 rows and 8 columns with 36 entries",
        role: "img",
        panels: expect.any(Number),
        wide: true,
      });
      // The matrix and the compressed one, each with a strip of colors.
      expect(found.panels).toBeGreaterThanOrEqual(4);
    },
    120_000,
  );

  test("colors can be told from the page, light or dark", () => {
    const html = spyHtml(wheel, { coloring: colorPattern(wheel, { method: "star" }) });
    const script = `[...document.querySelectorAll("figure path[fill], .heading, .tick, .legend li")].map((e) =>
      [getComputedStyle(e)[e.matches("li") ? "color" : "fill"],
        getComputedStyle(document.querySelector("section")).backgroundColor])`;
    for (const [scheme, paper] of [
      ["0", "rgb(31, 41, 55)"],
      ["1", "rgb(255, 255, 255)"],
    ] as const) {
      const light = `--blink-settings=preferredColorScheme=${scheme}`;
      const pairs = measured<[string, string][]>(html, script, light);
      expect(pairs.length).toBeGreaterThan(40);
      for (const [ink, background] of pairs) {
        expect(background).toBe(paper);
        expect(contrast(ink, background), ink).toBeGreaterThan(3);
      }
    }
  }, 120_000);

  test("a screenshot shows the entries in the colors of the legend", () => {
    const html = spyHtml(wheel, { coloring: colorPattern(wheel) });
    const file = join(folder, "page.png");
    chromium(html, `--screenshot=${file}`);
    const url = `data:image/png;base64,${readFileSync(file).toString("base64")}`;
    const colors = [...html.matchAll(/<i style="background:(#\w{6})">/g)].map(
      ([, color]) => color!,
    );
    expect(colors).toHaveLength(8);
    const counted = chromium(
      `<!DOCTYPE html><title></title><img src="${url}"><script>
        onload = () => {
          const image = document.images[0];
          const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
          canvas.drawImage(image, 0, 0);
          const { data } = canvas.getImageData(0, 0, image.width, image.height);
          const counts = {};
          for (let k = 0; k < data.length; k += 4) {
            const color = "#" + [...data.slice(k, k + 3)]
              .map((part) => part.toString(16).padStart(2, "0")).join("");
            counts[color] = (counts[color] ?? 0) + 1;
          }
          document.title = ${JSON.stringify(colors)}.map((color) => counts[color] ?? 0).join(" ");
        };
      </script>`,
      ...["--dump-dom", "--virtual-time-budget=20000"],
    );
    const counts = /<title>(.*?)<\/title>/.exec(counted)![1]!.split(" ").map(Number);
    // Of each column, squares in the matrix and in the compressed one: 19 pixels, less their edges.
    wheel.pattern.rowStarts.slice(1).forEach((end, column) => {
      const entries = end - wheel.pattern.rowStarts[column]!;
      expect(counts[column]).toBeGreaterThan(2 * entries * 17 ** 2 * 0.6);
    });
  }, 120_000);
});

/** WCAG 2's contrast ratio of two colors like "rgb(1, 2, 3)". */
function contrast(a: string, b: string): number {
  const luminance = (color: string) => {
    const [red, green, blue] = color.match(/\d+/g)!.map((part) => {
      const value = Number(part) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe("errors", () => {
  const message = (kind: Parameters<typeof thrown>[0], call: () => unknown) => {
    const error = thrown(kind, call);
    expect(error.location?.file).toContain("spy.test.ts");
    return error.message;
  };

  test("what is no pattern, no coloring, or one of another pattern", () => {
    message(ArgumentError, () => spyHtml(any(null)));
    message(ArgumentError, () => spyHtml(any({ rows: 1, columns: 1 })));
    message(ArgumentError, () => spyHtml(wheel, any({ colour: 1 })));
    message(ArgumentError, () => spyHtml(wheel, { title: any(3) }));
    const coloring = colorPattern(wheel);
    const wrong = (change: object, kind: Parameters<typeof thrown>[0]) =>
      message(kind, () => spyHtml(wheel, { coloring: { ...coloring, ...change } }));
    message(ArgumentError, () => spyHtml(wheel, { coloring: any(3) }));
    expect(wrong({ method: "cols" }, ArgumentError)).toContain("method is");
    wrong({ order: "best" }, ArgumentError);
    wrong({ columnColors: [0] }, ArgumentError);
    expect(wrong({ columnColors: new Int32Array(7) }, ShapeError)).toContain("expected 8");
    wrong({ columnColors: new Int32Array(0) }, ShapeError);
    wrong({ columnColors: new Int32Array(8).fill(8) }, IndexError);
    wrong({ columnColors: new Int32Array(8).fill(-2) }, IndexError);
    wrong({ method: "rows" }, ShapeError);
  });
});
