/** A small seeded generator (mulberry32), so that every run of a benchmark sees the same inputs. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  #bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Uniform in [lo, hi), with 53 random bits. */
  uniform(lo = 0, hi = 1): number {
    const unit = ((this.#bits() >>> 5) * 67108864 + (this.#bits() >>> 6)) / 9007199254740992;
    return lo + (hi - lo) * unit;
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  uniforms(count: number, lo = 0, hi = 1): Float64Array {
    return Float64Array.from({ length: count }, () => this.uniform(lo, hi));
  }

  normals(count: number): Float64Array {
    return Float64Array.from({ length: count }, () => this.normal());
  }
}
