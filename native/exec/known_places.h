#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "exec/pattern.h"

namespace adjoint::exec {

/// Where in memory the element of every point is, written out: of gathers whose indices are
/// constants, and of few points.
class KnownPlaces {
 public:
  /// Up to so many points, copying takes less time so than a walk does.
  static constexpr std::int64_t kFewPoints = 64;

  static KnownPlaces ofFew(const Pattern& pattern, std::int64_t points);

  /// Where a gather's elements are: `from` and `stride` as in gatherWalk, in memory that ends after
  /// `readable` doubles.
  struct Source {
    const Pattern& from;
    std::int64_t stride, limit, readable;
  };
  /// `index` is where in `constants` the indices are. Nothing for windows, and where an index is
  /// not an integer in [0, limit): running says which one.
  static std::optional<KnownPlaces> ofGather(const Source& source, const Pattern& index,
                                             const double* constants, std::int64_t points);

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
