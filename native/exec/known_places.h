#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "exec/pattern.h"

namespace adjoint::exec {

/// A gather by constants: `from` and `stride` as in gatherWalk.
struct KnownGather {
  const Pattern& from;
  std::int64_t stride, limit;
};
/// Where the elements of all points are. `index` is where in `constants` the indices are. Nothing
/// for windows, and where an index is not an integer in [0, limit): running says which one.
std::optional<std::vector<std::int32_t>> placesOfGather(const KnownGather& gather,
                                                        const Pattern& index,
                                                        const double* constants,
                                                        std::int64_t points);

/// Where in memory the element of every point is, written out: of gathers whose indices are
/// constants, and of few points.
class KnownPlaces {
 public:
  /// Up to so many points, copying takes less time so than a walk does.
  static constexpr std::int64_t kFewPoints = 64;

  static KnownPlaces ofFew(const Pattern& pattern, std::int64_t points);

  /// By point; memory may be read up to `readable` doubles from its beginning.
  static KnownPlaces ofPlaces(std::vector<std::int32_t> places, std::int64_t readable);

  /// out[i] = element of point p + i, for n points.
  void load(const double* memory, std::int64_t p, double* out, std::int64_t n) const;
  /// The element of point p + i = in[i]. Of few points only.
  void store(double* memory, std::int64_t p, const double* in, std::int64_t n) const;

  std::size_t bytes() const {
    return (offsets_.capacity() + marks_.capacity()) * sizeof(std::int32_t) +
           runs_.capacity() * sizeof(Run);
  }

 private:
  /// From this point to the next run's, elements are neighbors.
  struct Run {
    std::int32_t point, offset;
  };

  void findRuns(std::int64_t readable);
  void copyRuns(const double* memory, std::int64_t p, double* out, std::int64_t n) const;

  std::vector<std::int32_t> offsets_;  ///< by point, where runs are too short to pay
  std::vector<Run> runs_;              ///< and one past the last
  std::vector<std::int32_t> marks_;    ///< the runs that have every kMark-th point
  bool canOverread_ = false;           ///< there is memory past the end of every run
};

}  // namespace adjoint::exec
