// The loops over sixteen points of gmm.cc.
#pragma once

namespace bench::hand {

inline constexpr long kLanes = 16;
/** Over sixteen points: a loop for the vectorizer, which comes too late for loops that were written
 * out before. */
#define BENCH_LANES(q) _Pragma("GCC unroll 1") for (long q = 0; q < kLanes; q++)
/** Sums over lanes are kept in so many parts. */
inline constexpr long kParts = 4;
/** From this dimension on, rows of L are long enough to be vectors themselves. */
inline constexpr long kLongRow = 16;
/** y[q] += sum over i < count of row[i] columns[i][q]. */
inline void multiplyRow(const double* row, const double* columns, long count,
                        double* __restrict__ y) {
  long i = 0;
  for (; i + 4 <= count; i += 4, columns += 4 * kLanes) {
    const double r0 = row[i], r1 = row[i + 1], r2 = row[i + 2], r3 = row[i + 3];
    BENCH_LANES(q) {
      y[q] += r0 * columns[q] + r1 * columns[q + kLanes] + r2 * columns[q + 2 * kLanes] +
              r3 * columns[q + 3 * kLanes];
    }
  }
  for (; i < count; i++, columns += kLanes) {
    const double r = row[i];
    BENCH_LANES(q) y[q] += r * columns[q];
  }
}

/** row[i] -= sum over q of bar[q] points[q][i]. */
inline void addOuterLong(const double* bar, const double* points, long d, long count,
                         double* __restrict__ row) {
  for (long q = 0; q < kLanes; q += 8, points += 8 * d) {
    const double* x[8];
    for (long p = 0; p < 8; p++) x[p] = points + p * d;
    for (long i = 0; i < count; i++) {
      row[i] -= bar[q] * x[0][i] + bar[q + 1] * x[1][i] + bar[q + 2] * x[2][i] +
                bar[q + 3] * x[3][i] + bar[q + 4] * x[4][i] + bar[q + 5] * x[5][i] +
                bar[q + 6] * x[6][i] + bar[q + 7] * x[7][i];
    }
  }
}

/** The same, in kParts parts an element. */
inline void addOuterShort(const double* bar, const double* columns, long count,
                          double* __restrict__ row) {
  for (long i = 0; i < count; i++, columns += kLanes, row += kParts) {
    for (long q = 0; q < kParts; q++) {
      row[q] -= (bar[q] * columns[q] + bar[q + 4] * columns[q + 4]) +
                (bar[q + 8] * columns[q + 8] + bar[q + 12] * columns[q + 12]);
    }
  }
}

/** The sum over sixteen points. */
inline double sum(const double* lanes) {
  double parts[kParts];
  for (long q = 0; q < kParts; q++) {
    parts[q] = (lanes[q] + lanes[q + 4]) + (lanes[q + 8] + lanes[q + 12]);
  }
  return (parts[0] + parts[2]) + (parts[1] + parts[3]);
}

}  // namespace bench::hand
