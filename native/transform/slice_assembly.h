#pragma once

#include <optional>
#include <vector>

#include "transform/masked.h"

namespace adjoint {

/// Cotangents of pieces of one value: contiguous runs of its row-major elements. A thousand
/// elements read one by one would otherwise be a thousand padded vectors; here they are joined into
/// as few as the overlaps need.
class SliceAssembly {
 public:
  /// The run of flat positions that a slice reads, if it is one run.
  static std::optional<ex::Range> flatRun(const Shape& from, const std::vector<ex::Range>& ranges);

  void add(const ex::Range& run, const Masked& cotangent);
  bool empty() const { return runs_.empty(); }
  /// Adds everything to `sum`, as values of this shape.
  void addTo(MaskedSum& sum, const Shape& shape) const;

 private:
  struct Run {
    std::int64_t start;
    std::int64_t count;
    MaskedSum cotangent;
  };
  /// Adds one run as elements placed among zeros.
  static void addPlaced(MaskedSum& sum, const Run& run, const Shape& shape);

  std::vector<Run> runs_;
};

}  // namespace adjoint
