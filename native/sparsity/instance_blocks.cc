#include <algorithm>
#include <map>

#include "ops/build.h"
#include "sparsity/blocks.h"

namespace adjoint {

namespace {

/// Elements of a value that are neighbors in an input.
struct Run {
  Movement::Source first;
  std::int64_t start, count;
};

/// Whether the elements of b are those of a moved by `distance`.
bool isNeighbor(const IndexMaps& maps, const Movement::Source& a, const Movement::Source& b,
                std::int64_t distance) {
  const IndexMaps::Map& x = maps.of(a.map);
  const IndexMaps::Map& y = maps.of(b.map);
  return a.node == b.node && x.offset + distance == y.offset && x.stride == y.stride &&
         x.table == y.table;
}

std::vector<Run> runsOf(const IndexMaps& maps, const std::vector<Movement::Source>& elements) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    if (!runs.empty() && runs.back().start + runs.back().count == at &&
        isNeighbor(maps, runs.back().first, elements[i], runs.back().count)) {
      ++runs.back().count;
    } else if (elements[i].node != kNoNode) {
      runs.push_back({elements[i], at, 1});
    }
  }
  return runs;
}

/// What a function needs of a value: its axis along the instances first.
Expr argument(BlockSite& site, const InstanceFunction::Input& input) {
  const Expr value{&site.builder, site.map[input.node]};
  if (input.axis <= 0) return value;
  ex::Axes order = ex::allAxes(value);
  order.erase(order.begin() + input.axis);
  order.insert(order.begin(), input.axis);
  return ex::transpose(value, order);
}

/// The rows of one element of every instance.
std::vector<std::int32_t> rowsOf(const Tape& t, const Piece& piece, int axis, std::int64_t lanes,
                                 std::int64_t output) {
  const std::int64_t inner = rowMajorStrides(t.shape(piece.node))[static_cast<std::size_t>(axis)];
  std::vector<std::int32_t> rows;
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    const std::int64_t element = (output / inner * lanes + lane) * inner + output % inner;
    rows.push_back(static_cast<std::int32_t>(piece.rows[static_cast<std::size_t>(element)]));
  }
  return rows;
}

}  // namespace

void addInstanceBlock(BlockSite& site, const Piece& piece, int axis, const IndexMaps& maps,
                      const InstanceFunction& function) {
  const std::int64_t lanes = maps.lanes();
  std::vector<std::size_t> wrt;
  std::vector<NodeId> arguments;
  std::vector<bool> isBatched;
  std::vector<std::vector<Run>> runs;
  std::map<NodeId, int> uses;  // of inputs
  std::int64_t inputs = 0;
  for (std::size_t i = 0; i < function.inputs.size(); ++i) {
    const InstanceFunction::Input& input = function.inputs[i];
    arguments.push_back(argument(site, input).id);
    isBatched.push_back(input.axis >= 0);
    if (!input.isActive) continue;
    wrt.push_back(i);
    runs.push_back(runsOf(maps, input.elements));
    for (const Run& run : runs.back()) {
      ++uses[run.first.node];
      inputs += run.count;
    }
  }
  const JacobianResult local = jacobian(function.body, wrt, site.mode);
  const std::vector<NodeId> values =
      inlineTape(site.builder, *vmap(local.tape, lanes, isBatched), arguments, true);
  const std::int64_t outputs = site.tape.count(piece.node) / lanes;
  const auto scale = static_cast<double>(lanes);
  site.begin({lanes, outputs, inputs, local.mode, local.forwardCost * scale,
              local.reverseCost * scale, kNoNode});
  for (std::size_t k = 0; k < wrt.size(); ++k) {
    const auto width = static_cast<std::int64_t>(function.inputs[wrt[k]].elements.size());
    const Expr all = ex::reshape({&site.builder, values[k]}, {lanes, outputs, width});
    for (std::int64_t o = 0; o < outputs; ++o) {
      const Expr row = ex::reshape(ex::sliceAxis(all, 1, {o, 1, 1}), {lanes, width});
      const std::vector<std::int32_t> rows = rowsOf(site.tape, piece, axis, lanes, o);
      for (const Run& run : runs[k]) {
        // Where an input is used in several places, two of them can be one column.
        const std::int64_t step = uses[run.first.node] == 1 ? run.count : 1;
        for (std::int64_t i = 0; i < run.count; i += step) {
          Strip strip;
          strip.width = step;
          strip.values = ex::sliceAxis(row, 1, {run.start + i, step, 1});
          strip.rows = rows;
          for (std::int64_t lane = 0; lane < lanes; ++lane)
            strip.columns.push_back(static_cast<std::int32_t>(site.firstColumn[run.first.node] +
                                                              maps.at(run.first.map, lane) + i));
          site.add(std::move(strip));
        }
      }
    }
  }
}

}  // namespace adjoint
