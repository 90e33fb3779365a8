// What the compiler knows: shapes, names and kinds. What must not compile carries @ts-expect-error.
import {
  type AdjointFunction,
  type AnyFunction,
  type AnyPattern,
  type BodyResult,
  type Coloring,
  type CooPattern,
  type CscPattern,
  type CsrPattern,
  checkPattern,
  colorPattern,
  concat,
  constant,
  custom,
  type Dims,
  einsum,
  fn,
  grad,
  hessian,
  hvp,
  jacobian,
  jvp,
  type LeastSquaresStatus,
  leastSquares,
  matmul,
  matrix,
  max,
  type Operand,
  type Plain,
  parse,
  parseMatrixMarket,
  type SparseFormat,
  type SparseMatrix,
  type Spec,
  scalar,
  sin,
  sparseHessian,
  sparseJacobian,
  sparseMatrix,
  sparsity,
  stack,
  sub,
  sum,
  type TensorSpec,
  type Traced,
  tensor,
  type Value,
  valueAndGrad,
  vector,
  vjp,
  vmap,
  where,
} from "adjoint";
import { describe, expectTypeOf, test } from "vitest";

const f = fn({ x: vector(3), s: scalar() }, ({ x, s }) => x.mul(s).sum());

describe("specs", () => {
  test("values in the body have the shapes of the spec", () => {
    fn(
      { a: scalar(), b: vector(4), c: matrix(2, 3), t: tensor([2, 3, 4]), in: { d: vector(5) } },
      (values) => {
        expectTypeOf(values.a).toEqualTypeOf<Value<[]>>();
        expectTypeOf(values.b).toEqualTypeOf<Value<[4]>>();
        expectTypeOf(values.c).toEqualTypeOf<Value<[2, 3]>>();
        expectTypeOf(values.t).toEqualTypeOf<Value<[2, 3, 4]>>();
        expectTypeOf(values.in.d).toEqualTypeOf<Value<[5]>>();
        expectTypeOf(values.c.shape).toEqualTypeOf<[2, 3]>();
        return values.a;
      },
    );
  });

  test("wrong names in the body do not compile", () => {
    fn({ x: scalar() }, (values) => {
      // @ts-expect-error there is no input y
      return values.y;
    });
  });

  test("specs are specs", () => {
    // @ts-expect-error a number is not a spec
    fn({ x: 3 }, ({ x }) => x);
    // @ts-expect-error an extent is a number
    vector("3");
    // @ts-expect-error two extents
    matrix(3);
  });

  test("bodies return values", () => {
    // @ts-expect-error a string is no result
    fn({ x: scalar() }, () => "3");
  });
});

describe("operations", () => {
  test("elementwise operations broadcast", () => {
    fn({ a: vector(4), b: matrix(3, 4), c: matrix(3, 1), s: scalar() }, ({ a, b, c, s }) => {
      expectTypeOf(a.add(b)).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(c.mul(a)).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(s.sub(b)).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(a.add(1)).toEqualTypeOf<Value<[4]>>();
      expectTypeOf(sin(b)).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(a.greater(0)).toEqualTypeOf<Value<[4], "bool">>();
      expectTypeOf(where(a.greater(0), a, b)).toEqualTypeOf<Value<[3, 4]>>();
      return a.sum();
    });
  });

  test("shapes that do not broadcast do not compile", () => {
    fn({ a: vector(4), b: vector(5), m: matrix(3, 4) }, ({ a, b, m }) => {
      // @ts-expect-error 4 against 5
      a.add(b);
      // @ts-expect-error [3, 4] against [5]
      m.mul(b);
      // @ts-expect-error 4 against 5
      max(a, b);
      return a.sum();
    });
  });

  test("a matrix product of 3x4 and 5x2 does not compile", () => {
    fn({ a: matrix(3, 4), b: matrix(5, 2), c: matrix(4, 2), v: vector(4) }, ({ a, b, c, v }) => {
      expectTypeOf(a.matmul(c)).toEqualTypeOf<Value<[3, 2]>>();
      expectTypeOf(matmul(a, v)).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(matmul(v, c)).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(v.matmul(v)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(v.dot(v)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(v.outer(v)).toEqualTypeOf<Value<[4, 4]>>();
      // @ts-expect-error 4 against 5
      a.matmul(b);
      // @ts-expect-error 4 against 5
      matmul(a, b);
      // @ts-expect-error vectors only
      v.dot(a);
      return v.sum();
    });
  });

  test("kinds are kept apart", () => {
    fn({ a: vector(4) }, ({ a }) => {
      const positive = a.greater(0);
      // @ts-expect-error a boolean has no sine
      positive.sin();
      // @ts-expect-error a condition is boolean
      where(a, a, a);
      // @ts-expect-error a number is not a truth value
      a.logicalNot();
      // @ts-expect-error text is no operand
      a.add("1");
      // @ts-expect-error nor is an array
      a.add([1, 2, 3, 4]);
      expectTypeOf(positive.logicalAnd(true)).toEqualTypeOf<Value<[4], "bool">>();
      expectTypeOf(positive.toNumber()).toEqualTypeOf<Value<[4]>>();
      return a.sum();
    });
  });

  test("axes that go or stay", () => {
    fn({ t: tensor([2, 3, 4]) }, ({ t }) => {
      expectTypeOf(t.sum()).toEqualTypeOf<Value<[]>>();
      expectTypeOf(t.sum({ axis: 1 })).toEqualTypeOf<Value<[2, 4]>>();
      expectTypeOf(t.sum({ axis: -1 })).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(t.mean({ axis: [0, 2] })).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(t.max({ axis: 1, keepDims: true })).toEqualTypeOf<Value<[2, 1, 4]>>();
      expectTypeOf(sum(t, { keepDims: true })).toEqualTypeOf<Value<[1, 1, 1]>>();
      expectTypeOf(t.argmax({ axis: 0 })).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(t.argmax()).toEqualTypeOf<Value<[]>>();
      expectTypeOf(t.softmax()).toEqualTypeOf<Value<[2, 3, 4]>>();
      expectTypeOf(t.norm({ order: 1, axis: 2 })).toEqualTypeOf<Value<[2, 3]>>();
      return t.sum();
    });
  });

  test("shapes that move", () => {
    fn({ t: tensor([2, 3, 4]), m: matrix(2, 3), v: vector(6) }, ({ t, m, v }) => {
      expectTypeOf(t.at(0)).toEqualTypeOf<Value<[3, 4]>>();
      expectTypeOf(t.at(1, 2, 3)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(t.transpose()).toEqualTypeOf<Value<[4, 3, 2]>>();
      expectTypeOf(t.transpose([1, 0, 2])).toEqualTypeOf<Value<[3, 2, 4]>>();
      expectTypeOf(v.reshape([2, 3])).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(v.reshape([3, -1])).toEqualTypeOf<Value<[3, number]>>();
      expectTypeOf(m.slice(null, [0, 2])).toEqualTypeOf<Value<[2, 2]>>();
      expectTypeOf(stack([v, v])).toEqualTypeOf<Value<[2, 6]>>();
      expectTypeOf(einsum("ij,jk->ik", m, t.at(0))).toEqualTypeOf<Value<[2, 4]>>();
      expectTypeOf(constant([1, 2, 3], [3])).toEqualTypeOf<Value<[3]>>();
      // @ts-expect-error too many indices
      t.at(0, 0, 0, 0).sum();
      return t.sum();
    });
  });
});

describe("what literals decide", () => {
  test("extents of slices", () => {
    const two = fn({ x: vector(2) }, ({ x }) => x.sum());
    fn({ v: vector(10), m: matrix(3, 4), w: vector(2000) }, ({ v, m, w }) => {
      expectTypeOf(v.slice([0, 2])).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(v.slice([3])).toEqualTypeOf<Value<[7]>>();
      expectTypeOf(v.slice([3, null])).toEqualTypeOf<Value<[7]>>();
      expectTypeOf(v.slice([null, 4])).toEqualTypeOf<Value<[4]>>();
      expectTypeOf(v.slice([8, 20])).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(v.slice([5, 2])).toEqualTypeOf<Value<[0]>>();
      expectTypeOf(v.slice([1, 10, 1])).toEqualTypeOf<Value<[9]>>();
      expectTypeOf(v.slice([1, 10, 2])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(v.slice([-2, null])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(v.slice([0, -2])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(v.slice([null, null, -1])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(v.slice([0, Number("3")])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(v.slice([0, 5] as [number?, number?])).toEqualTypeOf<Value<[number]>>();
      expectTypeOf(m.slice([1, 3], [0, 2])).toEqualTypeOf<Value<[2, 2]>>();
      expectTypeOf(m.slice([1, 3])).toEqualTypeOf<Value<[2, 4]>>();
      expectTypeOf(w.slice([5, 995])).toEqualTypeOf<Value<[990]>>();
      expectTypeOf(w.slice([901, 1500])).toEqualTypeOf<Value<[599]>>();
      expectTypeOf(w.slice([0, 5000])).toEqualTypeOf<Value<[2000]>>();
      two({ x: v.slice([0, 2]) });
      // @ts-expect-error 3 against 2
      two({ x: v.slice([0, 3]) });
      return v.sum();
    });
  });

  test("positions outside an axis do not compile", () => {
    fn({ v: vector(3), m: matrix(3, 4), w: vector(2000) }, ({ v, m, w }) => {
      for (let i = 0; i < 3; i++) expectTypeOf(v.at(i)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(m.at(2, -4)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(w.at(1999)).toEqualTypeOf<Value<[]>>();
      const place: 0 | 2 = Math.random() < 0.5 ? 0 : 2;
      v.at(place);
      // @ts-expect-error there are 0 to 1999
      w.at(2000);
      // @ts-expect-error there are 0, 1 and 2
      v.at(3);
      // @ts-expect-error and -1, -2 and -3
      v.at(-4);
      // @ts-expect-error the second axis has 4
      m.at(0, 4);
      // @ts-expect-error two axes
      m.at(0, 0, 0);
      return v.sum();
    });
  });

  test("axes that are none do not compile", () => {
    fn({ v: vector(3), m: matrix(3, 4) }, ({ v, m }) => {
      const axis: number = 1;
      expectTypeOf(m.sum({ axis })).toEqualTypeOf<Value<Dims>>();
      // @ts-expect-error there are 0 and 1
      m.sum({ axis: 5 });
      // @ts-expect-error and -1 and -2
      sum(m, { axis: -3 });
      // @ts-expect-error the second is none
      m.mean({ axis: [0, 2] });
      // @ts-expect-error a vector has one
      v.argmax({ axis: 1 });
      // @ts-expect-error a vector has one
      v.max({ axis: 1 });
      return v.sum();
    });
  });

  test("reshapes keep the number of elements", () => {
    fn({ m: matrix(3, 4), big: matrix(28, 28), huge: matrix(500, 500) }, ({ m, big, huge }) => {
      expectTypeOf(m.reshape([2, 6])).toEqualTypeOf<Value<[2, 6]>>();
      expectTypeOf(m.reshape([2, -1])).toEqualTypeOf<Value<[2, number]>>();
      expectTypeOf(m.reshape([2, Number("6")])).toEqualTypeOf<Value<[2, number]>>();
      expectTypeOf(big.reshape([784])).toEqualTypeOf<Value<[784]>>();
      expectTypeOf(huge.reshape([250000])).toEqualTypeOf<Value<[250000]>>();
      // @ts-expect-error 250000 elements
      huge.reshape([500, 501]);
      // @ts-expect-error 12 elements
      m.reshape([5, 3]);
      // @ts-expect-error 12 elements
      m.reshape([]);
      // @ts-expect-error 784 elements
      big.reshape([783]);
      return m.sum();
    });
  });

  test("lists that can not be joined do not compile", () => {
    fn({ a: matrix(3, 4), b: matrix(2, 4), c: matrix(4, 2), v: vector(4) }, ({ a, b, c, v }) => {
      expectTypeOf(concat([a, b])).toEqualTypeOf<Value<[5, 4]>>();
      expectTypeOf(concat([a, a], { axis: -1 })).toEqualTypeOf<Value<[3, 8]>>();
      expectTypeOf(concat([v, v, v])).toEqualTypeOf<Value<[12]>>();
      expectTypeOf(concat([a, b].map((x) => x.neg()))).toEqualTypeOf<Value<[number, 4]>>();
      // @ts-expect-error 4 against 2 columns
      concat([a, c]);
      // @ts-expect-error 3 against 2 rows
      concat([a, b], { axis: 1 });
      // @ts-expect-error two axes and one
      concat([a, v]);
      return v.sum();
    });
  });

  test("subscripts that do not fit do not compile", () => {
    fn({ a: matrix(3, 4), b: matrix(5, 2) }, ({ a, b }) => {
      expectTypeOf(einsum("ij -> ji", a)).toEqualTypeOf<Value<[4, 3]>>();
      expectTypeOf(einsum("ij,ij->i", a, a)).toEqualTypeOf<Value<[3]>>();
      // @ts-expect-error j is 4 and 5
      einsum("ij,jk->ik", a, b);
      // @ts-expect-error there is no k
      einsum("ij->ik", a);
      return a.sum();
    });
  });
});

describe("functions of any shape", () => {
  const scale = <D extends Dims>(a: Value<D>): Value<D> => a.mul(2);
  const addAny = <D extends Dims>(a: Value<D>, b: Value<D>) => a.add(b);
  const mv = <M extends number, N extends number>(w: Value<[M, N]>, x: Value<[N]>) => w.matmul(x);

  test("one shape parameter", () => {
    const mix = <D extends Dims>(a: Value<D>, b: Value<D>, t: number | Value<[]>): Value<D> =>
      a.add(b.sub(a).mul(t));
    const axpy = <D extends Dims>(s: Value<[]>, a: Value<D>, b: Value<D>): Value<D> =>
      s.mul(a).add(sub(1, b)).fma(2, b);
    const relu = <D extends Dims>(a: Value<D>): Value<D> => where(a.greater(0), a, 0).max(a);
    const smooth = <D extends Dims>(a: Value<D>): Value<D> => max(0, where(a.less(0), 0, a));
    const meanSquare = <D extends Dims>(a: Value<D>): Value<[]> => a.mul(a).mean().sqrt().mul(2);
    fn({ v: vector(3), m: matrix(2, 3), s: scalar() }, ({ v, m, s }) => {
      expectTypeOf(scale(v)).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(addAny(m, m)).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(mix(v, v, s)).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(axpy(s, m, m)).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(smooth(relu(v))).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(meanSquare(m)).toEqualTypeOf<Value<[]>>();
      // @ts-expect-error [2, 3] against [3]
      addAny(m, v);
      return v.sum();
    });
  });

  test("what a shape parameter leaves open is left to run time", () => {
    const open = <D extends Dims>(a: Value<D>) => {
      a.sum({ axis: 0 });
      a.max({ axis: -1 });
      a.at(0);
      a.slice([0, 2]);
      concat([a, a]);
      return a.reshape([2, 3]).add(a.reshape([-1]).sum());
    };
    const first = <N extends number>(a: Value<[N]>): Value<[]> => a.at(0).add(a.sum({ axis: 0 }));
    const row = <M extends number, N extends number>(a: Value<[M, N]>, b: Value<[N]>): Value<[N]> =>
      b.mul(a.at(0)).add(a.sum({ axis: 0 }));
    const rows = <M extends number, N extends number>(a: Value<[M, N]>): Value<[M, 1]> =>
      a.max({ axis: 1, keepDims: true });
    const any = (a: Value<Dims>, b: Operand) => {
      a.sum({ axis: 7 });
      return concat([a.at(0, 1), max(a, b)], { axis: 1 }).add(max(b, b));
    };
    fn({ m: matrix(2, 3), v: vector(3) }, ({ m, v }) => {
      expectTypeOf(open(m)).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(first(v)).toEqualTypeOf<Value<[]>>();
      expectTypeOf(row(m, v)).toEqualTypeOf<Value<[3]>>();
      expectTypeOf(rows(m)).toEqualTypeOf<Value<[2, 1]>>();
      expectTypeOf(any(m, 2)).toEqualTypeOf<Value<Dims>>();
      return v.sum();
    });
  });

  test("extents as parameters", () => {
    const layer = <M extends number, N extends number>(
      w: Value<[M, N]>,
      x: Value<[N]>,
      b: Value<[M]>,
    ): Value<[M]> => mv(w, x).add(b).tanh();
    const product = <M extends number, K extends number, N extends number>(
      a: Value<[M, K]>,
      b: Value<[K, N]>,
    ): Value<[M, N]> => matmul(a, b);
    const columns = <M extends number, N extends number>(a: Value<[M, N]>, b: Value<[N]>) =>
      a.mul(b);
    const cosine = <N extends number>(a: Value<[N]>, b: Value<[N]>): Value<[]> =>
      a.dot(b).div(a.norm().mul(b.norm()));
    fn({ w: matrix(2, 3), x: vector(3), b: vector(2) }, ({ w, x, b }) => {
      expectTypeOf(mv(w, x)).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(layer(w, x, b)).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(product(w, w.transpose())).toEqualTypeOf<Value<[2, 2]>>();
      expectTypeOf(columns(w, x)).toEqualTypeOf<Value<[2, 3]>>();
      expectTypeOf(cosine(x, x)).toEqualTypeOf<Value<[]>>();
      return x.sum();
    });
  });

  test("shapes that need not fit do not compile", () => {
    const two = <D extends Dims, E extends Dims>(a: Value<D>, b: Value<E>) => {
      // @ts-expect-error nothing says that D and E broadcast
      a.add(b);
    };
    void two;
  });
});

describe("calls", () => {
  test("numbers in and out", () => {
    expectTypeOf(f({ x: [1, 2, 3], s: 2 })).toEqualTypeOf<number>();
    expectTypeOf(f({ x: new Float32Array(3), s: 2 })).toEqualTypeOf<number>();
    const g = fn({ m: matrix(2, 2) }, ({ m }) => ({ y: m, parts: [m.sum(), 1], b: m.less(1) }));
    expectTypeOf(g({ m: [[1, 2], new Float64Array(2)] })).toEqualTypeOf<{
      y: Float64Array;
      parts: [number, number];
      b: Float64Array;
    }>();
  });

  test("wrong names and kinds of arguments do not compile", () => {
    // @ts-expect-error s is missing
    f({ x: [1, 2, 3] });
    // @ts-expect-error there is no y
    f({ x: [1, 2, 3], s: 2, y: 3 });
    // @ts-expect-error s is a number
    f({ x: [1, 2, 3], s: [2] });
    // @ts-expect-error x is a vector
    f({ x: 1, s: 2 });
    // @ts-expect-error x is not a matrix
    f({ x: [[1, 2, 3]], s: 2 });
    // @ts-expect-error text is no number
    f({ x: ["1", 2, 3], s: 2 });
    // @ts-expect-error one argument
    f({ x: [1, 2, 3], s: 2 }, 3);
  });

  test("traced values in give traced values out", () => {
    fn({ y: vector(3), w: vector(4) }, ({ y, w }) => {
      expectTypeOf(f({ x: y, s: 2 })).toEqualTypeOf<Value<[]>>();
      expectTypeOf(grad(f)({ x: y, s: y.at(0) }).x).toEqualTypeOf<Value<[3]>>();
      // @ts-expect-error 4 is not 3
      f({ x: w, s: 2 });
      return y.sum();
    });
  });

  test("functions as functions of JavaScript", () => {
    const several = [1, 2].map((s) => ({ x: [1, 2, 3], s }));
    expectTypeOf(several.map(f)).toEqualTypeOf<number[]>();
    expectTypeOf<ReturnType<typeof f>>().toEqualTypeOf<number>();
    const plain: (inputs: { x: number[]; s: number }) => number = f;
    const inputs: Parameters<typeof f> = [{ x: [1, 2, 3], s: 2 }];
    const squared = <X>(g: AdjointFunction<[X], Value<[]>>, x: Plain<X>) => g(x) ** 2;
    const twice = <X>(g: AdjointFunction<[X], Value<[]>>, x: Traced<X>) => g(x).mul(2);
    void [plain, inputs, squared, twice];
  });

  test("numbers among traced values are scalars only", () => {
    fn({ y: vector(3), s: scalar() }, ({ y, s }) => {
      // @ts-expect-error an array needs constant()
      f({ x: [1, 2, 3], s });
      // @ts-expect-error a condition is no number
      f({ x: y.greater(0), s });
      return y.sum();
    });
  });

  test("sessions, batches and promises", () => {
    const s = f.session();
    expectTypeOf(s.inputs).toEqualTypeOf<{ readonly x: Float64Array; readonly s: Float64Array }>();
    expectTypeOf(s.outputs).toEqualTypeOf<Float64Array>();
    // @ts-expect-error there is no input y
    s.inputs.y;
    expectTypeOf(f.async({ x: [1, 2, 3], s: 1 }, { deadline: 10 })).toEqualTypeOf<
      Promise<number>
    >();
    expectTypeOf(f.batch({ x: [[1, 2, 3]], s: [1] })).toEqualTypeOf<Float64Array>();
  });
});

describe("transforms", () => {
  const nested = fn({ camera: { focal: scalar(), center: vector(2) }, p: vector(3) }, (v) =>
    v.camera.focal.mul(v.p.sum()).add(v.camera.center.sum()),
  );

  test("gradients are records like the inputs", () => {
    expectTypeOf(grad(f)({ x: [1, 2, 3], s: 1 })).toEqualTypeOf<{ x: Float64Array; s: number }>();
    const { value, grad: g } = valueAndGrad(f)({ x: [1, 2, 3], s: 1 });
    expectTypeOf(value).toEqualTypeOf<number>();
    expectTypeOf(g.x).toEqualTypeOf<Float64Array>();
  });

  test("wrt selects by name and by path", () => {
    expectTypeOf(grad(f, { wrt: ["x"] })({ x: [1, 2, 3], s: 1 })).toEqualTypeOf<{
      x: Float64Array;
    }>();
    const g = grad(nested, { wrt: ["camera.focal", "p"] });
    const found = g({ camera: { focal: 1, center: [0, 0] }, p: [1, 2, 3] });
    expectTypeOf(found).toEqualTypeOf<{ camera: { focal: number }; p: Float64Array }>();
    // @ts-expect-error there is no input y
    grad(f, { wrt: ["y"] });
    // @ts-expect-error there is no input camera.zoom
    grad(nested, { wrt: ["camera.zoom"] });
  });

  test("wrt of names known at run time gives records by any name", () => {
    const names = ["x"].map(String);
    const found = grad(f, { wrt: names })({ x: [1, 2, 3], s: 1 });
    expectTypeOf(found).toEqualTypeOf<{ [name: string]: number | Float64Array }>();
    expectTypeOf(hvp(f, { wrt: names })({ x: [1, 2, 3], s: 1 }, { x: [1, 0, 0] })).toEqualTypeOf<{
      [name: string]: number | Float64Array;
    }>();
    const parts = grad(nested, { wrt: names })({
      camera: { focal: 1, center: [0, 0] },
      p: [1, 2, 3],
    });
    if (parts.camera instanceof Float64Array) return;
    expectTypeOf(parts.camera?.focal).toEqualTypeOf<number | Float64Array | undefined>();
    vmap(f, 5, { shared: names })({ x: [1, 2, 3], s: [1, 2, 3, 4, 5] });
  });

  test("a gradient needs one scalar", () => {
    const g = fn({ x: vector(3) }, ({ x }) => x.sin());
    // @ts-expect-error a vector is no scalar
    grad(g);
    // @ts-expect-error nor is a record
    hessian(fn({ x: scalar() }, ({ x }) => ({ y: x })));
    expectTypeOf(jacobian(g)({ x: [1, 2, 3] })).toEqualTypeOf<{ x: Float64Array }>();
  });

  test("shapes of second derivatives and products", () => {
    const h = hessian(f)({ x: [1, 2, 3], s: 1 });
    expectTypeOf(h.x.s).toEqualTypeOf<Float64Array>();
    expectTypeOf(h.s.s).toEqualTypeOf<number>();
    const product = hvp(f)({ x: [1, 2, 3], s: 1 }, { x: [1, 0, 0], s: 0 });
    expectTypeOf(product).toEqualTypeOf<{ x: Float64Array; s: number }>();
    const pushed = jvp(f)({ x: [1, 2, 3], s: 1 }, { x: [1, 0, 0], s: 0 });
    expectTypeOf(pushed).toEqualTypeOf<{ value: number; tangent: number }>();
    const pulled = vjp(f)({ x: [1, 2, 3], s: 1 }, 1);
    expectTypeOf(pulled).toEqualTypeOf<{ value: number; grad: { x: Float64Array; s: number } }>();
    // @ts-expect-error the tangent is missing
    jvp(f)({ x: [1, 2, 3], s: 1 });
  });

  test("sparse Jacobians have a pattern of their format", () => {
    const g = fn({ x: vector(3), k: { s: scalar() } }, ({ x, k }) => x.mul(k.s));
    const rows = sparseJacobian(g);
    expectTypeOf(rows({ x: [1, 2, 3], k: { s: 1 } })).toEqualTypeOf<Float64Array>();
    expectTypeOf(rows.pattern).toEqualTypeOf<CsrPattern>();
    expectTypeOf(rows.session().outputs).toEqualTypeOf<Float64Array>();
    const coordinates = sparseJacobian(g, { format: "coo", wrt: ["k.s"], mode: "forward" });
    expectTypeOf(coordinates.pattern).toEqualTypeOf<CooPattern>();
    const format = "csr" as SparseFormat;
    expectTypeOf(sparseJacobian(g, { format }).pattern).toEqualTypeOf<AnyPattern>();
    const columns = sparseJacobian(g, { format: "csc" });
    expectTypeOf(columns.pattern).toEqualTypeOf<CscPattern>();
    // @ts-expect-error there is no such format
    sparseJacobian(g, { format: "ccs" });
    // @ts-expect-error there is no input y
    sparseJacobian(g, { wrt: ["y"] });
    // @ts-expect-error rows have starts, and no indices
    rows.pattern.rowIndices;
  });

  test("sparse derivatives by coloring", () => {
    const g = fn({ x: vector(3), k: { s: scalar() } }, ({ x, k }) => x.mul(k.s));
    const at = { x: [1, 2, 3], k: { s: 1 } };
    const both = sparseJacobian(g, { withValue: true, wrt: ["x"], coloring: { method: "rows" } });
    expectTypeOf(both(at)).toEqualTypeOf<{ value: Float64Array; jacobian: Float64Array }>();
    expectTypeOf(both.coloring).toEqualTypeOf<Coloring | undefined>();
    const h = fn({ x: vector(3), k: { s: scalar() } }, ({ x, k }) => x.sum().mul(k.s));
    const all = sparseHessian(h, { withGradient: true, wrt: ["x"], coloring: { method: "star" } });
    expectTypeOf(all(at)).toEqualTypeOf<{
      value: number;
      gradient: { x: Float64Array };
      hessian: Float64Array;
    }>();
    expectTypeOf(sparseHessian(h, { withGradient: false })(at)).toEqualTypeOf<Float64Array>();
    sparseJacobian(g, { pattern: both.pattern, maxColors: 3, maxNonzeros: 9 });
    // @ts-expect-error stars are of Hessians
    sparseJacobian(g, { coloring: { method: "star" } });
    // @ts-expect-error a Jacobian comes with the value
    sparseJacobian(g, { withGradient: true });
    // @ts-expect-error there is no such way
    sparseHessian(h, { method: "dense" });
  });

  test("least squares gives what the function takes and gives", () => {
    const g = fn({ p: { a: scalar(), b: vector(2) }, y: vector(2) }, ({ p, y }) => ({
      fit: p.b.mul(p.a).sub(y),
      prior: p.a.sub(1),
    }));
    const x0 = { p: { a: 1, b: [1, 2] }, y: [3, 4] } as const;
    const found = leastSquares(g, { x0, wrt: ["p.a", "p.b"], factorization: "qr" });
    expectTypeOf(found.x).toEqualTypeOf<{ p: { a: number; b: Float64Array }; y: Float64Array }>();
    expectTypeOf(found.residuals).toEqualTypeOf<{ fit: Float64Array; prior: number }>();
    expectTypeOf(found.status).toEqualTypeOf<LeastSquaresStatus>();
    const later = leastSquares.async(g, { x0, signal: null });
    expectTypeOf(later).resolves.toHaveProperty("x").toEqualTypeOf<typeof found.x>();
    // @ts-expect-error there is no input z
    leastSquares(g, { x0, wrt: ["z"] });
    // @ts-expect-error the values of y are missing
    leastSquares(g, { x0: { p: { a: 1, b: [1, 2] } } });
    // @ts-expect-error only asynchronous solves have a signal
    leastSquares(g, { x0, signal: null });
    // @ts-expect-error there is no such factorization
    leastSquares(g, { x0, factorization: "lu" });
  });

  test("sparse matrices have the pattern they are made with", () => {
    const g = fn({ x: vector(3) }, ({ x }) => x.square());
    const j = sparseJacobian(g, { format: "csc" });
    expectTypeOf(sparseMatrix(j.pattern, [1, 2, 3])).toEqualTypeOf<SparseMatrix<CscPattern>>();
    const own = { rows: 1, columns: 1, rowIndices: Int32Array.of(0) };
    const coordinates = sparseMatrix({ ...own, columnIndices: Int32Array.of(0) }, [1]);
    expectTypeOf(coordinates).toEqualTypeOf<SparseMatrix<CooPattern>>();
    const columns = sparseMatrix({ ...own, columnStarts: Int32Array.of(0, 1) }, [1]);
    expectTypeOf(columns).toEqualTypeOf<SparseMatrix<CscPattern>>();
    expectTypeOf(parseMatrixMarket("")).toEqualTypeOf<SparseMatrix<CsrPattern>>();
    expectTypeOf(parseMatrixMarket("", { format: "coo" })).toEqualTypeOf<
      SparseMatrix<CooPattern>
    >();
    colorPattern(coordinates);
    colorPattern(j.pattern);
    // @ts-expect-error the columns are missing
    sparseMatrix(own, [1]);
  });

  test("patterns are detected for a point of the function", () => {
    const g = fn({ x: vector(3), k: { s: scalar() } }, ({ x, k }) => x.mul(k.s));
    const pattern = sparsity(g, { wrt: ["k.s"], at: { x: [1, 2, 3], k: { s: 1 } } });
    expectTypeOf(pattern).toExtend<CsrPattern>();
    expectTypeOf(pattern.dense[0]!.kind).toEqualTypeOf<"row" | "column">();
    sparsity(vjp(g), { at: [{ x: [1, 2, 3], k: { s: 1 } }, [1, 2, 3]] });
    checkPattern(g, pattern, { wrt: ["k.s"], at: { x: [1, 2, 3], k: { s: 1 } }, throws: false });
    // @ts-expect-error there is no input y
    sparsity(g, { wrt: ["y"] });
    // @ts-expect-error k is missing
    sparsity(g, { at: { x: [1, 2, 3] } });
    // @ts-expect-error derivatives need a point
    checkPattern(g, pattern, { wrt: ["k.s"] });
    // @ts-expect-error of is one of two
    sparsity(g, { of: "gradient" });
  });

  test("jacobians by output, by input", () => {
    const g = fn({ a: vector(2), b: scalar() }, ({ a, b }) => ({ y: a.mul(b), z: b.mul(b) }));
    fn({ a: vector(2), b: scalar() }, (values) => {
      const j = jacobian(g)(values);
      expectTypeOf(j.y.a).toEqualTypeOf<Value<[2, 2]>>();
      expectTypeOf(j.y.b).toEqualTypeOf<Value<[2]>>();
      expectTypeOf(j.z.b).toEqualTypeOf<Value<[]>>();
      return j.z.b;
    });
  });

  test("derivatives of derivatives", () => {
    const second = fn({ x: vector(3), s: scalar() }, (values) => grad(f)(values).x.at(0));
    expectTypeOf(grad(second)({ x: [1, 2, 3], s: 1 }).s).toEqualTypeOf<number>();
  });

  test("vmap adds an axis", () => {
    const g = vmap(f, 5, { shared: ["s"] });
    expectTypeOf(g).toEqualTypeOf<
      AdjointFunction<[{ readonly x: Value<[5, 3]>; readonly s: Value<[]> }], Value<[5]>>
    >();
  });
});

test("rules of custom derivatives", () => {
  custom(f, {
    vjp: ({ x, s }, _, yBar) => ({ x: x.mul(0).add(s.mul(yBar)), s: x.sum().mul(yBar) }),
  });
  custom(f, { vjp: ({ x }, y) => ({ x: x.mul(y), s: 0 }), jvp: (_, { x, s }) => x.sum().mul(s) });
  const g = fn({ x: vector(3) }, ({ x }) => ({ y: x.sin(), b: x.greater(0) }));
  custom(g, {
    jvp: ({ x }, dx) => ({ y: dx.x, b: x.mul(0) }),
    vjp: (_, y, yBar) => ({ x: yBar.y.mul(yBar.b).mul(y.b) }),
  });
  // @ts-expect-error s is missing
  custom(f, { vjp: ({ x }) => ({ x }) });
  // @ts-expect-error a number for a vector
  custom(f, { vjp: ({ s }) => ({ x: s, s }) });
  // @ts-expect-error a value for a record
  custom(f, { vjp: ({ x }) => x });
  // @ts-expect-error a vector for a number
  custom(f, { jvp: ({ x }) => x });
  // @ts-expect-error b is missing
  custom(g, { jvp: (_, dx) => ({ y: dx.x }) });
});

test("formulas", () => {
  const line = parse("a*x + b", ["a", "b", "x"]);
  fn({ a: scalar(), b: scalar(), x: vector(3) }, (values) => line(values));
  fn({ a: scalar(), x: vector(3) }, (values) => {
    // @ts-expect-error b is missing
    return line(values);
  });
});

test("functions where their arguments do not matter", () => {
  const all: AnyFunction[] = [f, grad(f), jvp(f), fn({ x: matrix(2, 2) }, ({ x }) => [x, 1])];
  // @ts-expect-error a function of numbers is not one of these
  all.push(Math.sin);
});

test("explain takes nothing, or the arguments of a call", () => {
  expectTypeOf(f.explain().measured).toEqualTypeOf<number | undefined>();
  const g = fn({ x: vector(2) }, ({ x }) => x.sum());
  g.explain({ x: [1, 2] });
  jvp(g).explain({ x: [1, 2] }, { x: [1, 0] });
  // @ts-expect-error options, no inputs
  g.explain({ measure: true });
  // @ts-expect-error the tangents are missing
  jvp(g).explain({ x: [1, 2] });
});

test("specs and results known only at run time", () => {
  const spec: Spec = Object.fromEntries(["a", "b"].map((name) => [name, scalar()]));
  const g = fn(spec, ({ a }) => a as Value<[]>);
  g({ a: 1, b: 2 });
  grad(g)({ a: 1, b: [1, 2] });
  const scalars: Record<string, TensorSpec<[]>> = { a: scalar() };
  const h = fn(scalars, (values) => values.a!.mul(2));
  expectTypeOf(h({ a: 1 })).toEqualTypeOf<number>();
  expectTypeOf(grad(h)({ a: 1 })).toEqualTypeOf<{ [x: string]: number }>();
  expectTypeOf(grad(h, { wrt: ["a"] })({ a: 1 })).toEqualTypeOf<{ [x: string]: number }>();
  const names = Object.keys(scalars);
  expectTypeOf(grad(h, { wrt: names })({ a: 1 })).toEqualTypeOf<{ [x: string]: number }>();
  fn({ x: scalar() }, (): BodyResult => 1)({ x: 1 });
});
