#include "coloring/coloring.h"

#include <string>

#include "coloring/checks.h"
#include "tape/error.h"

namespace adjoint::coloring {

void checkOrder(std::span<const Index> order, Index vertices) {
  if (order.size() != static_cast<std::size_t>(vertices))
    throw Error(ErrorCode::Argument, "an order of " + std::to_string(order.size()) +
                                         " vertices for " + std::to_string(vertices));
  std::vector<bool> isThere(order.size(), false);
  for (const Index v : order) {
    if (v < 0 || v >= vertices || isThere[v])
      throw Error(ErrorCode::Argument,
                  "an order that names vertex " + std::to_string(v) + " twice or out of range");
    isThere[v] = true;
  }
}

void checkColors(const Coloring& coloring, Index vertices) {
  if (coloring.colors.size() != static_cast<std::size_t>(vertices) || coloring.count < 0)
    throw Error(ErrorCode::Shape, std::to_string(coloring.colors.size()) + " colors for " +
                                      std::to_string(vertices) + " vertices");
  for (const Index color : coloring.colors) {
    if (color < kNoColor || color >= coloring.count)
      throw Error(ErrorCode::Argument,
                  "color " + std::to_string(color) + " of " + std::to_string(coloring.count));
  }
}

ColorClasses colorClasses(const Coloring& coloring) {
  ColorClasses result;
  result.start.assign(static_cast<std::size_t>(coloring.count) + 1, 0);
  for (const Index color : coloring.colors) {
    if (color != kNoColor) ++result.start[color + 1];
  }
  for (Index c = 0; c < coloring.count; ++c) result.start[c + 1] += result.start[c];
  result.vertex.resize(result.start.back());
  std::vector<Index> next = result.start;
  for (std::size_t v = 0; v < coloring.colors.size(); ++v) {
    const Index color = coloring.colors[v];
    if (color != kNoColor) result.vertex[next[color]++] = static_cast<Index>(v);
  }
  return result;
}

}  // namespace adjoint::coloring
