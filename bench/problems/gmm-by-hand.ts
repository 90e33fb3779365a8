import { type GmmInput, gmmConstant } from "./gmm-input.js";

// Value and gradient by hand. The factors are unpacked row by row, so that the loops over points are dot products;
// L (x - mu) is L x - L mu, and what the means and the factors share of the gradient waits until after the points.

export interface GmmGradient {
  readonly alpha: Float64Array;
  readonly mu: Float64Array;
  readonly q: Float64Array;
  readonly l: Float64Array;
}

/** Everything a run needs, so that none allocates. */
export type GmmScratch = ReturnType<typeof gmmScratch>;

export function gmmScratch(d: number, k: number) {
  const triangles = (k * d * (d + 1)) / 2;
  return {
    factor: new Float64Array(triangles),
    factorBar: new Float64Array(triangles),
    offset: new Float64Array(k),
    shift: new Float64Array(k * d),
    weight: new Float64Array(k),
    scaledBar: new Float64Array(k * d),
    // For four points, side by side.
    points: new Float64Array(4 * d),
    scaled: new Float64Array(4 * k * d),
    terms: new Float64Array(4 * k),
  };
}

/** Four points at a time: four independent chains of additions, and every factor is read once for all of them. */
export function gmmByHand(input: GmmInput, scratch: GmmScratch, gradient: GmmGradient): number {
  begin(input, scratch);
  const whole = input.n - (input.n % 4);
  let value = 0;
  for (let p = 0; p < whole; p += 4) value += fourPoints(input, scratch, p);
  for (let p = whole; p < input.n; p++) value += onePoint(input, scratch, p);
  return value + finish(input, scratch, gradient);
}

/** One point at a time: what one writes first. */
export function gmmByHandSimply(
  input: GmmInput,
  scratch: GmmScratch,
  gradient: GmmGradient,
): number {
  begin(input, scratch);
  let value = 0;
  for (let p = 0; p < input.n; p++) value += onePoint(input, scratch, p);
  return value + finish(input, scratch, gradient);
}

/** L and L mu of every component, and the sums at zero. */
function begin(input: GmmInput, scratch: GmmScratch): void {
  const { d, k, alpha, mu, q, l } = input;
  const { factor, offset, shift } = scratch;
  let packed = 0;
  for (let c = 0; c < k; c++) {
    const o = c * d;
    const base = (o * (d + 1)) / 2;
    let sum = alpha[c]!;
    for (let i = 0; i < d; i++) {
      const qi = q[o + i]!;
      sum += qi;
      factor[base + (i * (i + 3)) / 2] = Math.exp(qi);
      for (let j = i + 1; j < d; j++) factor[base + (j * (j + 1)) / 2 + i] = l[packed++]!;
    }
    offset[c] = sum;
    for (let j = 0, t = base; j < d; j++) {
      let y = 0;
      for (let i = 0; i <= j; i++) y += factor[t++]! * mu[o + i]!;
      shift[o + j] = y;
    }
  }
  scratch.factorBar.fill(0);
  scratch.scaledBar.fill(0);
  scratch.weight.fill(0);
}

function onePoint(input: GmmInput, scratch: GmmScratch, p: number): number {
  const { d, k, x } = input;
  const { factor, factorBar, offset, shift, scaled, scaledBar, terms, weight } = scratch;
  const start = p * d;
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0, o = 0, t = 0; c < k; c++) {
    let squares = 0;
    for (let j = 0; j < d; j++, o++) {
      let y = -shift[o]!;
      for (let i = start; i <= start + j; i++) y += factor[t++]! * x[i]!;
      scaled[o] = y;
      squares += y * y;
    }
    const term = offset[c]! - 0.5 * squares;
    terms[c] = term;
    if (term > largest) largest = term;
  }
  let sum = 0;
  for (let c = 0; c < k; c++) {
    const e = Math.exp(terms[c]! - largest);
    terms[c] = e;
    sum += e;
  }
  const inverse = 1 / sum;
  for (let c = 0, o = 0, t = 0; c < k; c++) {
    const r = terms[c]! * inverse;
    weight[c]! += r;
    for (let j = 0; j < d; j++, o++) {
      const yBar = -r * scaled[o]!;
      scaledBar[o]! += yBar;
      for (let i = start; i <= start + j; i++) factorBar[t++]! += yBar * x[i]!;
    }
  }
  return largest + Math.log(sum);
}

function fourPoints(input: GmmInput, scratch: GmmScratch, p: number): number {
  const { d, k, x } = input;
  const { factor, factorBar, offset, shift, points, scaled, scaledBar, terms, weight } = scratch;
  for (let i = 0, at = p * d; i < d; i++, at++) {
    points[4 * i] = x[at]!;
    points[4 * i + 1] = x[at + d]!;
    points[4 * i + 2] = x[at + 2 * d]!;
    points[4 * i + 3] = x[at + 3 * d]!;
  }
  let most0 = Number.NEGATIVE_INFINITY;
  let most1 = most0;
  let most2 = most0;
  let most3 = most0;
  for (let c = 0, o = 0, t = 0; c < k; c++) {
    let squares0 = 0;
    let squares1 = 0;
    let squares2 = 0;
    let squares3 = 0;
    for (let j = 0; j < d; j++, o++) {
      let y0 = -shift[o]!;
      let y1 = y0;
      let y2 = y0;
      let y3 = y0;
      for (let i = 0; i <= 4 * j; i += 4) {
        const f = factor[t++]!;
        y0 += f * points[i]!;
        y1 += f * points[i + 1]!;
        y2 += f * points[i + 2]!;
        y3 += f * points[i + 3]!;
      }
      scaled[4 * o] = y0;
      scaled[4 * o + 1] = y1;
      scaled[4 * o + 2] = y2;
      scaled[4 * o + 3] = y3;
      squares0 += y0 * y0;
      squares1 += y1 * y1;
      squares2 += y2 * y2;
      squares3 += y3 * y3;
    }
    most0 = Math.max(most0, (terms[4 * c] = offset[c]! - 0.5 * squares0));
    most1 = Math.max(most1, (terms[4 * c + 1] = offset[c]! - 0.5 * squares1));
    most2 = Math.max(most2, (terms[4 * c + 2] = offset[c]! - 0.5 * squares2));
    most3 = Math.max(most3, (terms[4 * c + 3] = offset[c]! - 0.5 * squares3));
  }
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  for (let c = 0; c < 4 * k; c += 4) {
    sum0 += terms[c] = Math.exp(terms[c]! - most0);
    sum1 += terms[c + 1] = Math.exp(terms[c + 1]! - most1);
    sum2 += terms[c + 2] = Math.exp(terms[c + 2]! - most2);
    sum3 += terms[c + 3] = Math.exp(terms[c + 3]! - most3);
  }
  for (let c = 0, o = 0, t = 0; c < k; c++) {
    const r0 = terms[4 * c]! / sum0;
    const r1 = terms[4 * c + 1]! / sum1;
    const r2 = terms[4 * c + 2]! / sum2;
    const r3 = terms[4 * c + 3]! / sum3;
    weight[c]! += r0 + r1 + (r2 + r3);
    for (let j = 0; j < d; j++, o++) {
      const b0 = r0 * scaled[4 * o]!;
      const b1 = r1 * scaled[4 * o + 1]!;
      const b2 = r2 * scaled[4 * o + 2]!;
      const b3 = r3 * scaled[4 * o + 3]!;
      scaledBar[o]! -= b0 + b1 + (b2 + b3);
      for (let i = 0; i <= 4 * j; i += 4) {
        factorBar[t++]! -=
          b0 * points[i]! + b1 * points[i + 1]! + (b2 * points[i + 2]! + b3 * points[i + 3]!);
      }
    }
  }
  return (
    most0 +
    most1 +
    most2 +
    most3 +
    Math.log(sum0) +
    Math.log(sum1) +
    Math.log(sum2) +
    Math.log(sum3)
  );
}

/** From the sums over points to the gradient. Returns what the value has besides them. */
function finish(input: GmmInput, scratch: GmmScratch, gradient: GmmGradient): number {
  const { d, k, n, gamma, m, alpha, mu, q } = input;
  const { factor, factorBar, scaledBar, weight } = scratch;
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < k; c++) if (alpha[c]! > largest) largest = alpha[c]!;
  let sum = 0;
  for (let c = 0; c < k; c++) sum += Math.exp(alpha[c]! - largest);
  let value = gmmConstant(d, k, n, gamma, m) - n * (largest + Math.log(sum));
  const square = gamma * gamma;
  let norm = 0;
  let packed = 0;
  for (let c = 0; c < k; c++) {
    gradient.alpha[c] = weight[c]! - (n * Math.exp(alpha[c]! - largest)) / sum;
    const base = (c * d * (d + 1)) / 2;
    for (let i = 0; i < d; i++) {
      const o = c * d + i;
      const diagonal = base + (i * (i + 3)) / 2;
      const e = factor[diagonal]!;
      norm += e * e;
      value += m * q[o]!;
      const eBar = factorBar[diagonal]! - scaledBar[o]! * mu[o]!;
      gradient.q[o] = eBar * e + weight[c]! - square * e * e + m;
      let muBar = -e * scaledBar[o]!;
      for (let j = i + 1; j < d; j++) {
        const at = base + (j * (j + 1)) / 2 + i;
        const lij = factor[at]!;
        const yBar = scaledBar[c * d + j]!;
        norm += lij * lij;
        muBar -= lij * yBar;
        gradient.l[packed++] = factorBar[at]! - yBar * mu[o]! - square * lij;
      }
      gradient.mu[o] = muBar;
    }
  }
  return value - 0.5 * square * norm;
}
