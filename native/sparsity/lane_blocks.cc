#include <algorithm>
#include <cstdlib>

#include "ops/build.h"
#include "sparsity/blocks.h"
#include "sparsity/local_jacobian.h"

namespace adjoint {

namespace {

/// An element for every lane, or one scalar where all have the same.
Expr laneValue(BlockSite& site, const LaneFunction::Input& input, const IndexMaps& maps,
               const Shape& shape) {
  const IndexMaps::Map& map = maps.of(input.nearMap);
  const Expr all{&site.builder, site.map[input.nearNode]};
  const Shape from = all.shape();
  const std::int64_t count = elementCount(from), lanes = maps.lanes();
  const auto flat = [&] { return ex::reshape(all, {count}); };
  if (map.isUniform()) return ex::reshape(ex::sliceAxis(flat(), 0, {map.offset, 1, 1}), {});
  if (!map.isLine()) {
    const std::vector<std::int32_t>& table = maps.table(map.table);
    const std::int64_t reach = *std::ranges::max_element(table) + 1;
    const Expr indices{&site.builder,
                       site.builder.data(std::vector<double>(table.begin(), table.end()), shape)};
    return ex::gather(ex::sliceAxis(flat(), 0, {map.offset, reach, 1}), indices, 0);
  }
  if (map.offset == 0 && map.stride == 1 && lanes == count) return ex::reshape(all, shape);
  // All of one axis, at a place of the others: no other order of elements.
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const bool isAxis = from[axis] == lanes && strides[axis] == map.stride &&
                        map.offset / strides[axis] % from[axis] == 0;
    if (!isAxis) continue;
    std::vector<ex::Range> ranges;
    for (std::size_t k = 0; k < from.size(); ++k)
      ranges.push_back(k == axis ? ex::Range{0, lanes, 1}
                                 : ex::Range{map.offset / strides[k] % from[k], 1, 1});
    return ex::reshape(ex::slice(all, ranges), shape);
  }
  const std::int64_t last = map.offset + map.stride * (lanes - 1);
  const Expr line =
      ex::sliceAxis(flat(), 0, {std::min(map.offset, last), lanes, std::abs(map.stride)});
  return ex::reshape(map.stride < 0 ? ex::flip(line, {0}) : line, shape);
}

}  // namespace

void addLaneBlocks(BlockSite& site, LaneRegion& region) {
  LaneFunction& function = *region.function;
  const IndexMaps& maps = function.maps();
  const std::int64_t lanes = maps.lanes();
  std::vector<Port> ports;
  for (const LaneRegion::Output& output : region.outputs) ports.push_back({"y", output.value});
  const TapePtr body = function.body().finish(std::move(ports));
  std::vector<std::size_t> wrt;
  std::vector<NodeId> arguments;
  std::vector<bool> isBatched;
  for (std::size_t i = 0; i < function.inputs().size(); ++i) {
    const LaneFunction::Input& input = function.inputs()[i];
    if (input.isActive) wrt.push_back(i);
    arguments.push_back(laneValue(site, input, maps, region.shape).id);
    isBatched.push_back(!maps.of(input.nearMap).isUniform());
  }
  const LocalJacobian local = localJacobian(body, wrt, site.mode);
  TapePtr overLanes = local.tape;
  for (std::size_t axis = region.shape.size(); axis-- > 0;)
    overLanes = vmap(overLanes, region.shape[axis], isBatched);
  const std::vector<NodeId> values = inlineTape(site.builder, *overLanes, arguments, true);

  const auto rank = static_cast<std::int64_t>(region.shape.size());
  std::size_t next = 0;
  for (const LocalGroup& group : local.groups) {
    const auto scale = static_cast<double>(lanes);
    site.begin({lanes, static_cast<std::int64_t>(group.outputs.size()),
                static_cast<std::int64_t>(group.inputs.size()), group.mode,
                group.forwardCost * scale, group.reverseCost * scale, kNoNode});
    for (const LocalGroup::Entry& entry : group.entries) {
      const LaneFunction::Input& input = function.inputs()[entry.input];
      const std::vector<std::int64_t>& rows = region.outputs[entry.output].rows;
      Strip strip;
      strip.values = ex::expandAxes({&site.builder, values[next++]}, {rank});
      strip.rows.assign(rows.begin(), rows.end());
      const std::vector<std::int64_t> elements = maps.all(input.map);
      const std::int64_t firstColumn = site.firstColumn[input.node];
      strip.columns.reserve(elements.size());
      for (const std::int64_t element : elements)
        strip.columns.push_back(static_cast<std::int32_t>(firstColumn + element));
      site.add(std::move(strip));
    }
  }
}

}  // namespace adjoint
