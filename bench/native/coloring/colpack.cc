#include "coloring/colpack.h"

#include <ColPack/ColPackHeaders.h>
#include <omp.h>

#include <chrono>
#include <memory>

namespace bench {

namespace {

using adjoint::coloring::Index;
using adjoint::coloring::Pattern;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Rows that begin with their length, as ADOL-C makes them. */
class Rows {
 public:
  explicit Rows(const Pattern& pattern) {
    numbers_.reserve(static_cast<std::size_t>(pattern.nonzeros()) +
                     static_cast<std::size_t>(pattern.rows()));
    std::vector<std::size_t> start;
    for (Index i = 0; i < pattern.rows(); ++i) {
      start.push_back(numbers_.size());
      numbers_.push_back(static_cast<unsigned>(pattern.row(i).size()));
      for (const Index j : pattern.row(i)) numbers_.push_back(static_cast<unsigned>(j));
    }
    for (const std::size_t at : start) rows_.push_back(numbers_.data() + at);
  }
  unsigned** data() { return rows_.data(); }

 private:
  std::vector<unsigned> numbers_;
  std::vector<unsigned*> rows_;
};

template <class Make, class Color, class Count>
Taken measure(Make make, Color color, Count count) {
  omp_set_num_threads(1);
  Taken taken;
  const double start = now();
  auto graph = make();
  taken.build = now() - start;
  const double built = now();
  color(*graph);
  taken.color = now() - built;
  taken.count = count(*graph);
  return taken;
}

}  // namespace

Taken colpackGraph(const Pattern& pattern, const std::string& order, const std::string& coloring) {
  Rows rows(pattern);
  return measure(
      [&] {
        return std::make_unique<ColPack::GraphColoringInterface>(SRC_MEM_ADOLC, rows.data(),
                                                                 pattern.rows());
      },
      [&](auto& graph) { graph.Coloring(order, coloring); },
      [](auto& graph) { return graph.GetVertexColorCount(); });
}

Taken colpackPartial(const Pattern& pattern, const std::string& order,
                     const std::string& coloring) {
  Rows rows(pattern);
  return measure(
      [&] {
        return std::make_unique<ColPack::BipartiteGraphPartialColoringInterface>(
            SRC_MEM_ADOLC, rows.data(), pattern.rows(), pattern.columns());
      },
      [&](auto& graph) { graph.PartialDistanceTwoColoring(order, coloring); },
      [&](auto& graph) {
        return coloring == "COLUMN_PARTIAL_DISTANCE_TWO" ? graph.GetRightVertexColorCount()
                                                         : graph.GetLeftVertexColorCount();
      });
}

Taken colpackBicoloring(const Pattern& pattern, const std::string& order) {
  Rows rows(pattern);
  return measure(
      [&] {
        return std::make_unique<ColPack::BipartiteGraphBicoloringInterface>(
            SRC_MEM_ADOLC, rows.data(), pattern.rows(), pattern.columns());
      },
      [&](auto& graph) { graph.Bicoloring(order, "IMPLICIT_COVERING__STAR_BICOLORING"); },
      [](auto& graph) { return graph.GetVertexColorCount(); });
}

}  // namespace bench
