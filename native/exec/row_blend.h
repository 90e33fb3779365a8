#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "exec/code.h"
#include "ops/math/vec.h"

namespace adjoint::exec {

/// Rows that are alike but for a few columns, written as vectors of their elements.
class RowBlend {
 public:
  static constexpr std::int64_t kWidest = 8;
  static constexpr std::size_t kMostVarying = 3;
  static constexpr std::size_t kMostPicked = 2;  ///< of those, for `picks`
  static constexpr std::int64_t kFewestRows = 8;

  /// Of columns that are one number, or vary. Nothing where vectors do not help.
  static std::optional<RowBlend> of(std::span<const std::optional<double>> columns);

  bool operator==(const RowBlend&) const = default;

  /// Where no more than kMostPicked columns vary: what vector k of eight rows takes from the two,
  /// or from one as the first.
  LanePicks picks(std::size_t k) const;

  /// kFewestRows or more; `from`: the columns that vary, in their order.
  void write(const double* const* from, std::int64_t rows, double* to) const {
    write_(*this, from, rows, to);
  }

 private:
  using Write = void (*)(const RowBlend&, const double* const* from, std::int64_t rows, double* to);
  template <int Width, int Count>
  static void writeOf(const RowBlend& blend, const double* const* from, std::int64_t rows,
                      double* to);

  Write write_ = nullptr;  ///< for the width and the number of columns that vary
  /// The bits of eight rows. Where elements are of the first two of several varying columns, an
  /// integer: the row, or 8 and the row.
  alignas(64) std::array<std::int64_t, 8 * kWidest> alike_ = {};
  std::array<std::uint8_t, kWidest> picked_ = {};  ///< by vector: lanes of these two columns
  std::array<std::uint8_t, kWidest> third_ = {};   ///< and of a third
};

}  // namespace adjoint::exec
