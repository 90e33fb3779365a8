#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "tape/shape.h"

namespace adjoint {

/// offset + stride * lane.
struct Line {
  std::int64_t offset = 0, stride = 0;
};

/// For elements of a row-major value: base + sum over axes of coefficient * coordinate.
class Linear {
 public:
  Linear(const Shape& of, std::int64_t base, const std::vector<std::int64_t>& coefficients);

  std::int64_t operator()(std::int64_t element) const;
  /// Puts its image in the place of every element.
  void apply(std::vector<std::int64_t>& elements) const;
  /// The images of the elements on a line, where these are on a line again.
  std::optional<Line> along(const Line& line, std::int64_t lanes) const;

 private:
  struct Axis {
    std::int64_t extent, inner, coefficient;  ///< inner: elements of one step
  };
  std::int64_t base_;
  std::vector<Axis> axes_;  ///< outermost first; neighbors that are one axis are joined
};

using MapId = std::uint32_t;

/// Maps that give every lane an element of some value, each kept once: lines, and tables that are
/// shared by all maps that differ in their offset only.
class IndexMaps {
 public:
  static constexpr std::uint32_t kNoTable = 0xffffffffu;
  struct Map {
    std::int64_t offset = 0;
    std::int64_t stride = 0;         ///< without a table: offset + stride * lane
    std::uint32_t table = kNoTable;  ///< with one: offset + table[lane]; its least entry is 0

    bool isLine() const { return table == kNoTable; }
    bool isUniform() const { return isLine() && stride == 0; }
  };

  explicit IndexMaps(std::int64_t lanes) : lanes_(lanes) {}

  std::int64_t lanes() const { return lanes_; }
  MapId line(const Line& line);
  /// The map of these elements, one a lane.
  MapId list(std::vector<std::int64_t> elements);
  MapId shifted(MapId id, std::int64_t by);
  MapId through(const Linear& linear, MapId id);

  const Map& of(MapId id) const { return maps_[id]; }
  const std::vector<std::int32_t>& table(std::uint32_t index) const { return tables_[index]; }
  std::int64_t at(MapId id, std::int64_t lane) const;
  std::vector<std::int64_t> all(MapId id) const;
  /// Entries of all tables.
  std::int64_t tableEntries() const { return static_cast<std::int64_t>(tables_.size()) * lanes_; }

 private:
  MapId intern(const Map& map);

  std::int64_t lanes_;
  std::vector<Map> maps_;
  std::vector<std::vector<std::int32_t>> tables_;
  std::unordered_multimap<std::uint64_t, MapId> mapIds_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> tableIds_;
};

}  // namespace adjoint
