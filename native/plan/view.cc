#include "plan/view.h"

#include <algorithm>

#include "ops/op.h"
#include "transform/moves.h"

namespace adjoint {

namespace {

/// An axis of the value being walked to: coefficient * index of an axis of the value walked from +
/// base.
struct AxisMap {
  int source = -1;  ///< -1: constant
  std::int64_t coefficient = 0;
  std::int64_t base = 0;
};

using AxisMaps = std::vector<AxisMap>;

/// Reshapes of views of reshapes are looked through this deep; past it a copy is kept.
constexpr int kMaxNestedReshapes = 4;

/// Axes that are not 1, in order, are the same ones.
bool sameButUnits(const Shape& a, const Shape& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  for (;;) {
    while (i < a.size() && a[i] == 1) ++i;
    while (j < b.size() && b[j] == 1) ++j;
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (a[i++] != b[j++]) return false;
  }
}

AxisMaps throughUnits(const Shape& from, const Shape& to, const AxisMaps& maps) {
  AxisMaps result(to.size());
  std::size_t i = 0;
  for (std::size_t j = 0; j < to.size(); ++j) {
    if (to[j] == 1) continue;
    while (from[i] == 1) ++i;
    result[j] = maps[i++];
  }
  return result;
}

}  // namespace

Shape squeezed(const Shape& shape) {
  Shape result;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(result),
               [](std::int64_t e) { return e != 1; });
  return result;
}

Views::Views(const Tape& tape) : tape_(tape), state_(tape.size(), 0) {
  for (NodeId id = 0; id < tape.size(); ++id) {
    if (movesData(opOf(tape.node(id)))) state_[id] = kMovement;
  }
}

NodeId Views::strip(NodeId id) const {
  for (;;) {
    if (!isVirtual(id)) return id;
    const Node& node = tape_.node(id);
    const NodeId operand = node.operand[0];
    switch (opOf(node)) {
      case Op::StopGradient:
        break;
      case Op::Reshape:
      case Op::BroadcastTo:
        if (!sameButUnits(tape_.shape(node), tape_.shape(operand))) return id;
        break;
      default:
        return id;
    }
    id = operand;
  }
}

bool Views::isContiguous(const View& view, const Shape& shape) {
  if (!view.windows.empty()) return false;
  const std::vector<std::int64_t> strides = rowMajorStrides(shape);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] != 1 && view.stride[k] != strides[k]) return false;
  }
  return true;
}

View Views::resolve(NodeId id, bool through, int depth) {
  const Shape& outer = tape_.shape(id);
  View view;
  view.rank = outer.size();
  if (!isMovement(id)) {
    // Most values are read where they are.
    view.root = id;
    std::int64_t stride = tape_.node(id).op == tapeop::kConstant ? 0 : 1;
    for (std::size_t k = outer.size(); k-- > 0;) {
      view.stride[k] = stride;
      stride *= outer[k];
    }
    return view;
  }
  AxisMaps maps(outer.size());
  for (std::size_t i = 0; i < outer.size(); ++i) maps[i] = {static_cast<int>(i), 1, 0};

  const auto finish = [&](NodeId root, const Shape& shape) {
    view.root = root;
    std::int64_t stride = 1;
    for (std::size_t k = shape.size(); k-- > 0;) {
      view.offset += stride * maps[k].base;
      if (maps[k].source >= 0) {
        view.stride[static_cast<std::size_t>(maps[k].source)] += stride * maps[k].coefficient;
      }
      stride *= shape[k];
    }
    if (tape_.node(root).op == tapeop::kConstant) {
      // One element stands for all.
      view.offset = 0;
      view.stride.fill(0);
    }
    return view;
  };

  NodeId current = id;
  for (;;) {
    const Node& node = tape_.node(current);
    const bool isRoot = !isMovement(current) || (isKept(current) && !(through && current == id));
    if (isRoot) return finish(current, tape_.shape(current));
    const NodeId operand = node.operand[0];
    const Shape& from = tape_.shape(node);
    const Shape& to = tape_.shape(operand);
    const auto& attrs = tape_.attrs(node);
    switch (opOf(node)) {
      case Op::Transpose: {
        AxisMaps next(to.size());
        for (std::size_t j = 0; j < from.size(); ++j)
          next[static_cast<std::size_t>(attrs[j])] = maps[j];
        maps = next;
        break;
      }
      case Op::BroadcastTo: {
        const std::size_t extra = from.size() - to.size();
        AxisMaps next(maps.begin() + static_cast<std::ptrdiff_t>(extra), maps.end());
        for (std::size_t k = 0; k < to.size(); ++k) {
          if (to[k] == 1) next[k] = {};
        }
        maps = next;
        break;
      }
      case Op::Slice:
        for (std::size_t k = 0; k < to.size(); ++k) {
          maps[k].base = attrs[3 * k] + attrs[3 * k + 2] * maps[k].base;
          maps[k].coefficient *= attrs[3 * k + 2];
        }
        break;
      case Op::Flip:
        for (const std::int64_t axis : attrs) {
          AxisMap& map = maps[static_cast<std::size_t>(axis)];
          map.coefficient = -map.coefficient;
          map.base = to[static_cast<std::size_t>(axis)] - 1 - map.base;
        }
        break;
      case Op::Place: {
        const AxisMaps before = maps;
        const std::vector<Window> windowsBefore = view.windows;
        bool affine = true;
        for (std::size_t k = 0; affine && k < to.size(); ++k) {
          const std::int64_t lo = attrs[3 * k];
          const std::int64_t step = attrs[3 * k + 2];
          if (lo == 0 && step == 1 && to[k] == from[k]) continue;
          AxisMap& map = maps[k];
          const auto loop = static_cast<std::uint32_t>(map.source);
          affine = map.source >= 0 && map.coefficient == 1 && to[k] > 0 &&
                   std::none_of(view.windows.begin(), view.windows.end(),
                                [&](const Window& w) { return w.loop == loop; });
          if (!affine) break;
          const std::int64_t first = lo - map.base;
          view.windows.push_back({loop, first, first + (to[k] - 1) * step + 1, step});
          map.base = 0;
        }
        if (!affine) {
          maps = before;
          view.windows = windowsBefore;
          keep(current);
          return finish(current, from);
        }
        break;
      }
      case Op::Reshape: {
        if (sameButUnits(from, to)) {
          maps = throughUnits(from, to, maps);
          break;
        }
        // Elements keep their row-major position; only a value in memory can be read by position.
        const NodeId source = strip(operand);
        if (isVirtual(source)) {
          if (depth < kMaxNestedReshapes) {
            const View inner = resolve(source, false, depth + 1);
            if (isContiguous(inner, tape_.shape(source)) &&
                tape_.node(inner.root).op != tapeop::kConstant) {
              view.offset += inner.offset;
              return finish(inner.root, from);
            }
          }
          keep(source);
        }
        return finish(source, from);
      }
      default:
        break;
    }
    current = operand;
  }
}

}  // namespace adjoint
