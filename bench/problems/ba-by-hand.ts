import type { BaInput } from "./ba.js";

/**
 * The Jacobian by hand, [p][31]: an observation's two errors by its camera, point and weight, then the weight's error by the
 * weight. Its derivative by the turned point is pushed on to everything the turned point depends on. Returns the first
 * element.
 */
export function baByHand(input: BaInput, out: Float64Array): number {
  const { n, m, p, cams, x: points, w: weights, feats } = input;
  for (let i = 0; i < p; i++) {
    const camera = (i % n) * 11;
    const point = (i % m) * 3;
    const [rx, ry, rz] = [cams[camera]!, cams[camera + 1]!, cams[camera + 2]!];
    const x = points[point]! - cams[camera + 3]!;
    const y = points[point + 1]! - cams[camera + 4]!;
    const z = points[point + 2]! - cams[camera + 5]!;
    const focal = cams[camera + 6]!;
    const k1 = cams[camera + 9]!;
    const k2 = cams[camera + 10]!;
    const w = weights[i]!;

    // Coefficients of Rodrigues' formula, and their derivatives by the square of the angle, 0 at no rotation but for terms
    // that vanish there with r itself.
    const square = rx * rx + ry * ry + rz * rz;
    let cos = 1;
    let a = 1;
    let b = 0.5;
    let da = -1 / 6;
    let db = -1 / 24;
    if (square > 0) {
      const angle = Math.sqrt(square);
      cos = Math.cos(angle);
      a = Math.sin(angle) / angle;
      b = (1 - cos) / square;
      da = (cos - a) / (2 * square);
      db = (a - 2 * b) / (2 * square);
    }
    const dot = rx * x + ry * y + rz * z;
    const crossX = ry * z - rz * y;
    const crossY = rz * x - rx * z;
    const crossZ = rx * y - ry * x;
    const along = b * dot;
    const tx = x * cos + crossX * a + rx * along;
    const ty = y * cos + crossY * a + ry * along;
    const tz = z * cos + crossZ * a + rz * along;

    const depth = 1 / tz;
    const u = tx * depth;
    const v = ty * depth;
    const r2 = u * u + v * v;
    const distortion = 1 + r2 * (k1 + r2 * k2);
    const wf = w * focal;
    // d error / d (u, v), then by the turned point.
    const slope = 2 * wf * (k1 + 2 * k2 * r2);
    const uu = wf * distortion + slope * u * u;
    const uv = slope * u * v;
    const vv = wf * distortion + slope * v * v;
    const o = i * 31;
    for (let row = 0; row < 2; row++) {
      const gu = (row === 0 ? uu : uv) * depth;
      const gv = (row === 0 ? uv : vv) * depth;
      const gz = -(gu * u + gv * v);
      const at = o + row * 15;
      // By the coefficients, through the square of the angle.
      const byA = gu * crossX + gv * crossY + gz * crossZ;
      const byAlong = gu * rx + gv * ry + gz * rz;
      const byCos = gu * x + gv * y + gz * z;
      const bySquare = byA * da + byAlong * dot * db - byCos * 0.5 * a;
      const byDot = byAlong * b;
      out[at] = a * (y * gz - z * gv) + along * gu + byDot * x + 2 * bySquare * rx;
      out[at + 1] = a * (z * gu - x * gz) + along * gv + byDot * y + 2 * bySquare * ry;
      out[at + 2] = a * (x * gv - y * gu) + along * gz + byDot * z + 2 * bySquare * rz;
      const px = cos * gu + a * (gv * rz - gz * ry) + byDot * rx;
      const py = cos * gv + a * (gz * rx - gu * rz) + byDot * ry;
      const pz = cos * gz + a * (gu * ry - gv * rx) + byDot * rz;
      out[at + 3] = -px;
      out[at + 4] = -py;
      out[at + 5] = -pz;
      const error = row === 0 ? u : v;
      out[at + 6] = w * error * distortion;
      out[at + 7] = row === 0 ? w : 0;
      out[at + 8] = row === 0 ? 0 : w;
      out[at + 9] = wf * error * r2;
      out[at + 10] = wf * error * r2 * r2;
      out[at + 11] = px;
      out[at + 12] = py;
      out[at + 13] = pz;
      const center = cams[camera + 7 + row]!;
      out[at + 14] = error * distortion * focal + center - feats[i * 2 + row]!;
    }
    out[o + 30] = -2 * w;
  }
  return out[0]!;
}
