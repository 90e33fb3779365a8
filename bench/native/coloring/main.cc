// Colorings of sparse patterns, ours and ColPack's in the same run: a line of JSON each, with the
// medians of some repetitions that take turns. Arguments: how many (5), and a word that a case's
// name has to contain.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "coloring/methods.h"
#include "test/support/patterns.h"
#if __has_include(<malloc.h>)
#include <malloc.h>
#endif
#if BENCH_COLPACK
#include "coloring/colpack.h"
#endif

namespace bench {

#if !BENCH_COLPACK
struct Taken {
  double build = 0, color = 0;
  int count = 0;
};
#endif

namespace {

using namespace adjoint::coloring;
using namespace adjoint::testing;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Taken ours(const Pattern& pattern, const Choice& choice) {
  Taken taken;
  const double start = now();
  double built = 0;
  Pattern copy(pattern.rows(), pattern.columns(), pattern.rowStart(), pattern.columnIndex());
  if (isSymmetric(choice.method)) {
    const AdjacencyGraph graph(std::move(copy));
    built = now();
    taken.count = color(graph, choice).count;
  } else {
    const BipartiteGraph graph(std::move(copy));
    built = now();
    taken.count = color(graph, choice).count();
  }
  taken.color = now() - built;
  taken.build = built - start;
  return taken;
}

#if BENCH_COLPACK
const char* const kOrders[] = {"NATURAL",          "LARGEST_FIRST",         "SMALLEST_LAST",
                               "INCIDENCE_DEGREE", "DYNAMIC_LARGEST_FIRST", "RANDOM"};

Taken colpack(const Pattern& pattern, Order order, Method method, bool isBipartite) {
  const std::string name = kOrders[static_cast<int>(order)];
  if (method == Method::RowsAndColumns) return colpackBicoloring(pattern, name);
  if (isBipartite) return colpackPartial(pattern, name, "COLUMN_PARTIAL_DISTANCE_TWO");
  const bool isPlain = order == Order::Natural || order == Order::DynamicLargestFirst;
  if (method == Method::DistanceTwo)
    return colpackGraph(pattern, isPlain ? name : "DISTANCE_TWO_" + name, "DISTANCE_TWO");
  return colpackGraph(pattern, name, method == Method::Star ? "STAR" : "ACYCLIC");
}
#endif

struct Case {
  std::string name;
  std::function<Pattern()> make;
  Order order;
  Method method;
  bool isTooMuch = false;  ///< for ColPack, in time or memory
};

void print(const char* who, std::vector<Taken> all) {
  const auto median = [&](double Taken::* member) {
    std::sort(all.begin(), all.end(),
              [&](const Taken& a, const Taken& b) { return a.*member < b.*member; });
    return all[all.size() / 2].*member;
  };
  std::printf(", \"%s\": {\"build\": %.6f, \"color\": %.6f, \"count\": %d}", who,
              median(&Taken::build), median(&Taken::color), all[0].count);
}

void run(const Case& c, int repetitions) {
  const Pattern pattern = c.make();
  std::vector<Taken> own;
#if BENCH_COLPACK
  const bool hasGraph =
      !c.isTooMuch && (isSymmetric(c.method) || c.method == Method::RowsAndColumns);
  const bool hasPartial =
      !c.isTooMuch && (c.method == Method::Columns || c.method == Method::DistanceTwo);
  std::vector<Taken> graph, partial;
#endif
  // The first one gets memory from the system, for all of them, and does not count.
  for (int r = -1; r < repetitions; ++r) {
    if (r == 0) {
      own.clear();
#if BENCH_COLPACK
      graph.clear();
      partial.clear();
#endif
    }
    own.push_back(ours(pattern, {.method = c.method, .order = c.order}));
#if BENCH_COLPACK
    if (hasGraph) graph.push_back(colpack(pattern, c.order, c.method, false));
    if (hasPartial) partial.push_back(colpack(pattern, c.order, c.method, true));
#endif
  }
  std::printf("{\"case\": \"%s\"", c.name.c_str());
  print("ours", own);
#if BENCH_COLPACK
  if (hasGraph) print(c.method == Method::RowsAndColumns ? "colpack" : "colpack graph", graph);
  if (hasPartial) print("colpack bipartite", partial);
#endif
  std::printf("}\n");
  std::fflush(stdout);
}

std::vector<Case> cases() {
  const auto grid5 = [] { return gridPattern(1000, 1000); };
  const auto lin = [] { return gridPattern(80, 80, 40); };
  const auto random = [] { return symmetrized(randomPattern(50000, 50000, 4, 1), true); };
  const auto brusselator = [] { return brusselatorPattern(200); };
  const auto rectangular = [] { return randomPattern(50000, 30000, 6, 2); };
  const auto arrow = [] { return arrowPattern(3000); };
  const auto band = [] { return bandPattern(100000, 4); };
  std::vector<Case> all;
  const std::pair<const char*, Order> orders[] = {{"natural", Order::Natural},
                                                  {"largest first", Order::LargestFirst},
                                                  {"smallest last", Order::SmallestLast},
                                                  {"incidence degree", Order::IncidenceDegree},
                                                  {"dynamic lf", Order::DynamicLargestFirst}};
  for (const auto& [name, order] : orders) {
    const std::string in = std::string(", ") + name;
    all.push_back({"grid 1000x1000 distance-2" + in, grid5, order, Method::DistanceTwo});
    all.push_back({"grid 1000x1000 star" + in, grid5, order, Method::Star});
    all.push_back({"grid 80x80x40 distance-2" + in, lin, order, Method::DistanceTwo});
    all.push_back({"grid 80x80x40 star" + in, lin, order, Method::Star});
    all.push_back({"grid 80x80x40 acyclic" + in, lin, order, Method::Acyclic});
    all.push_back({"random 50000 distance-2" + in, random, order, Method::DistanceTwo});
    all.push_back({"random 50000 star" + in, random, order, Method::Star});
    all.push_back({"random 50000 acyclic" + in, random, order, Method::Acyclic});
    all.push_back({"brusselator 200x200 columns" + in, brusselator, order, Method::Columns});
    all.push_back({"random 50000x30000 columns" + in, rectangular, order, Method::Columns});
    all.push_back({"band of 9, 100000, columns" + in, band, order, Method::Columns});
    all.push_back({"arrow 3000 rows and columns" + in, arrow, order, Method::RowsAndColumns});
    all.push_back(
        {"random 50000x30000 rows and columns" + in, rectangular, order, Method::RowsAndColumns});
  }
  const auto small = [] { return starPattern(10000, 0, true); };
  const auto large = [] { return starPattern(1000000, 0, true); };
  for (const auto& [method, name] :
       {std::pair{Method::Star, "star"}, {Method::Acyclic, "acyclic"}}) {
    const std::string n = name;
    all.push_back({"10000 leaves " + n + ", natural", small, Order::Natural, method});
    all.push_back({"1000000 leaves " + n + ", natural", large, Order::Natural, method, true});
  }
  all.push_back(
      {"1000000 leaves distance-2, natural", large, Order::Natural, Method::DistanceTwo, true});
  return all;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  const std::string wanted = argc > 2 ? argv[2] : "";
#if !BENCH_COLPACK
  std::printf("skipped: ColPack, which is not installed\n");
#endif
#if defined(M_TRIM_THRESHOLD)
  // What one gave back to the system another would have to get anew, at the price of page faults.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
#endif
  for (const bench::Case& c : bench::cases()) {
    if (c.name.find(wanted) != std::string::npos) bench::run(c, repetitions);
  }
}
