#include "sparsity/index_map.h"

#include <algorithm>
#include <utility>

namespace adjoint {

namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

}  // namespace

Linear::Linear(const Shape& of, std::int64_t base, const std::vector<std::int64_t>& coefficients)
    : base_(base) {
  std::int64_t inner = 1;
  for (std::size_t k = of.size(); k-- > 0;) {
    if (of[k] == 1) continue;
    if (!axes_.empty() && coefficients[k] == axes_.back().coefficient * axes_.back().extent) {
      axes_.back().extent *= of[k];
    } else {
      axes_.push_back({of[k], inner, coefficients[k]});
    }
    inner *= of[k];
  }
  std::ranges::reverse(axes_);
}

std::int64_t Linear::operator()(std::int64_t element) const {
  std::int64_t result = base_;
  for (const Axis& axis : axes_) {
    const std::int64_t coordinate = element / axis.inner;
    element -= coordinate * axis.inner;
    result += coordinate * axis.coefficient;
  }
  return result;
}

void Linear::apply(std::vector<std::int64_t>& elements) const {
  if (axes_.empty()) {
    std::ranges::fill(elements, base_);
    return;
  }
  // Elements are mostly neighbors along the innermost axis: its first one is divided up.
  const Axis& innermost = axes_.back();
  std::int64_t first = 0, end = 0, image = 0;
  for (std::int64_t& element : elements) {
    if (element < first || element >= end) {
      first = element - element % innermost.extent;
      end = first + innermost.extent;
      image = (*this)(first);
    }
    element = image + (element - first) * innermost.coefficient;
  }
}

std::optional<Line> Linear::along(const Line& line, std::int64_t lanes) const {
  const std::int64_t first = (*this)(line.offset);
  if (lanes <= 1 || line.stride == 0) return Line{first, 0};
  for (const Axis& axis : axes_) {
    if (line.stride % axis.inner != 0) continue;
    const std::int64_t step = line.stride / axis.inner;
    const std::int64_t coordinate = line.offset / axis.inner % axis.extent;
    const std::int64_t last = coordinate + step * (lanes - 1);
    if (last < 0 || last >= axis.extent) return std::nullopt;
    return Line{first, step * axis.coefficient};
  }
  return std::nullopt;
}

MapId IndexMaps::intern(const Map& map) {
  const std::uint64_t key = mix(
      mix(mix(0, static_cast<std::uint64_t>(map.offset)), static_cast<std::uint64_t>(map.stride)),
      map.table);
  const auto [from, to] = mapIds_.equal_range(key);
  for (auto it = from; it != to; ++it) {
    const Map& other = maps_[it->second];
    if (other.offset == map.offset && other.stride == map.stride && other.table == map.table)
      return it->second;
  }
  const auto id = static_cast<MapId>(maps_.size());
  maps_.push_back(map);
  mapIds_.emplace(key, id);
  return id;
}

MapId IndexMaps::line(const Line& line) {
  return intern({line.offset, lanes_ > 1 ? line.stride : 0, kNoTable});
}

MapId IndexMaps::list(std::vector<std::int64_t> elements) {
  const auto n = elements.size();
  const std::int64_t step = n > 1 ? elements[1] - elements[0] : 0;
  bool isLine = true;
  for (std::size_t i = 1; i < n && isLine; ++i) isLine = elements[i] - elements[i - 1] == step;
  if (isLine) return line({n > 0 ? elements[0] : 0, step});
  const std::int64_t least = *std::ranges::min_element(elements);
  std::vector<std::int32_t> table(n);
  std::uint64_t key = n;
  for (std::size_t i = 0; i < n; ++i) {
    table[i] = static_cast<std::int32_t>(elements[i] - least);
    key = mix(key, static_cast<std::uint64_t>(table[i]));
  }
  const auto [from, to] = tableIds_.equal_range(key);
  for (auto it = from; it != to; ++it) {
    if (tables_[it->second] == table) return intern({least, 0, it->second});
  }
  const auto index = static_cast<std::uint32_t>(tables_.size());
  tables_.push_back(std::move(table));
  tableIds_.emplace(key, index);
  return intern({least, 0, index});
}

MapId IndexMaps::shifted(MapId id, std::int64_t by) {
  Map map = maps_[id];
  map.offset += by;
  return intern(map);
}

MapId IndexMaps::through(const Linear& linear, MapId id) {
  const Map map = maps_[id];
  if (map.isLine()) {
    if (const auto image = linear.along({map.offset, map.stride}, lanes_)) return line(*image);
  }
  std::vector<std::int64_t> elements = all(id);
  linear.apply(elements);
  return list(std::move(elements));
}

std::int64_t IndexMaps::at(MapId id, std::int64_t lane) const {
  const Map& map = maps_[id];
  return map.offset +
         (map.isLine() ? map.stride * lane : tables_[map.table][static_cast<std::size_t>(lane)]);
}

std::vector<std::int64_t> IndexMaps::all(MapId id) const {
  const Map& map = maps_[id];
  std::vector<std::int64_t> result(static_cast<std::size_t>(lanes_));
  if (map.isLine()) {
    std::int64_t next = map.offset;
    for (std::int64_t& element : result) element = std::exchange(next, next + map.stride);
  } else {
    std::ranges::transform(tables_[map.table], result.begin(),
                           [&](std::int32_t entry) { return map.offset + entry; });
  }
  return result;
}

}  // namespace adjoint
