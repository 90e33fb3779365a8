#include "test/support/block_jacobian_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/row.h"
#include "test/exec_reference.h"

namespace adjoint::testing {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The line of every entry, where these are the places at which lines begin.
std::vector<std::int32_t> expanded(const std::vector<std::int32_t>& starts) {
  std::vector<std::int32_t> lines;
  for (std::size_t line = 0; line + 1 < starts.size(); ++line)
    lines.insert(lines.end(), static_cast<std::size_t>(starts[line + 1] - starts[line]),
                 static_cast<std::int32_t>(line));
  return lines;
}

/// Row and column of every entry.
std::vector<std::pair<std::int32_t, std::int32_t>> placesOf(const SparsePattern& pattern,
                                                            SparseFormat format) {
  const std::vector<std::int32_t> rows =
      format == SparseFormat::Csr ? expanded(pattern.rowIndex) : pattern.rowIndex;
  const std::vector<std::int32_t> columns =
      format == SparseFormat::Csc ? expanded(pattern.columnIndex) : pattern.columnIndex;
  EXPECT_EQ(rows.size(), columns.size());
  std::vector<std::pair<std::int32_t, std::int32_t>> places;
  for (std::size_t i = 0; i < rows.size(); ++i) places.emplace_back(rows[i], columns[i]);
  return places;
}

/// Whether entries are in the order of the format, one a place.
bool isInOrder(const std::vector<std::pair<std::int32_t, std::int32_t>>& places,
               SparseFormat format) {
  if (format == SparseFormat::Coo) return true;
  return std::ranges::adjacent_find(places, [&](const auto& a, const auto& b) {
           if (format == SparseFormat::Csr) return a >= b;
           return std::pair(a.second, a.first) >= std::pair(b.second, b.first);
         }) == places.end();
}

/// Whether no operation passes numbers on with a derivative that is zero by its kind.
bool hasDerivativesOfAll(const Tape& t) {
  return std::ranges::none_of(t.nodes(), [](const Node& node) {
    const bool isStep = rowOf(node).family == Family::Select && node.dtype == DType::F64;
    return isStep || opOf(node) == Op::StopGradient;
  });
}

}  // namespace

Values denseOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const Arrays blocks = evaluate(jacobian(t, wrt, JacobianMode::Reverse).tape, inputs);
  Values result;
  std::size_t block = 0;
  for (const Port& port : t->outputs()) {
    const auto rows = static_cast<std::size_t>(t->count(port.node));
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t k = 0; k < wrt.size(); ++k) {
        const Values& own = blocks[block + k];
        const std::size_t width = own.size() / rows;
        result.insert(result.end(), own.begin() + static_cast<std::ptrdiff_t>(row * width),
                      own.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
      }
    }
    block += wrt.size();
  }
  return result;
}

BlockJacobian check(const TapePtr& t, const Positions& wrt, const Arrays& inputs, double tolerance,
                    bool isStrict) {
  const Values dense = denseOf(t, wrt, inputs);
  double scale = 0;
  for (const double x : dense) scale = std::isfinite(x) ? std::max(scale, std::abs(x)) : scale;
  BlockJacobian chosen;
  using enum JacobianMode;
  using enum SparseFormat;
  // With arrays inside instances, and written out.
  const BlockOptions all[] = {{Forward, Coo, 0}, {Reverse, Csr, 0}, {Auto, Csc, 0}, {Forward, Csr},
                              {Reverse, Coo},    {Auto, Coo},       {Auto, Csc},    {Auto, Csr}};
  Values byColumns;
  for (const BlockOptions& options : all) {
    chosen = blockJacobian(t, wrt, options);
    const SparseFormat format = options.format;
    const SparsePattern& pattern = chosen.pattern;
    const Values values = evaluate(chosen.tape, inputs)[0];
    const auto places = placesOf(pattern, format);
    EXPECT_EQ(values.size(), places.size());
    EXPECT_EQ(static_cast<std::size_t>(pattern.rows * pattern.columns), dense.size());
    EXPECT_TRUE(isInOrder(places, format));
    Values sum(dense.size(), 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto [row, column] = places[i];
      sum[static_cast<std::size_t>(row * pattern.columns + column)] += values[i];
    }
    if (format == Csc) byColumns = sum;
    if (options.mode == Auto && format == Csr) {
      EXPECT_TRUE(std::ranges::equal(sum, byColumns, sameBits));
    }
    for (std::size_t i = 0; i < dense.size(); ++i) {
      const bool isSame = (std::isnan(dense[i]) && (!isStrict || std::isnan(sum[i]))) ||
                          dense[i] == sum[i] ||
                          std::abs(dense[i] - sum[i]) <= tolerance * std::max(1.0, scale);
      EXPECT_TRUE(isSame) << "element " << i << ": " << sum[i] << ", not " << dense[i];
      if (!isSame) return chosen;
    }
  }
  if (!hasDerivativesOfAll(*t)) return chosen;
  // NaN in one element of an input reaches no output outside of the pattern.
  Evaluator primal(t);
  const Values clean = [&] {
    Values all;
    for (const Values& output : primal(inputs)) all.insert(all.end(), output.begin(), output.end());
    return all;
  }();
  std::size_t column = 0;
  const SparsePattern& pattern = chosen.pattern;
  const std::size_t columns = static_cast<std::size_t>(pattern.columns);
  const std::size_t stride = std::max<std::size_t>(1, columns / 24);
  for (const std::size_t k : wrt) {
    for (std::size_t element = 0; element < inputs[k].size(); ++element, ++column) {
      if (column % stride != 0) continue;
      Arrays probe = inputs;
      probe[k][element] = kNaN;
      std::size_t row = 0;
      for (const Values& output : primal(probe)) {
        for (const double y : output) {
          const auto* const from = pattern.columnIndex.data() + pattern.rowIndex[row];
          const auto* const to = pattern.columnIndex.data() + pattern.rowIndex[row + 1];
          const bool isIn = std::binary_search(from, to, static_cast<std::int32_t>(column));
          EXPECT_TRUE(!std::isnan(y) || std::isnan(clean[row]) || isIn)
              << "row " << row << ", column " << column;
          ++row;
        }
      }
    }
  }
  return chosen;
}

Values randomValues(std::mt19937& random, std::int64_t count, double low, double high) {
  std::uniform_real_distribution<double> draw(low, high);
  Values result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(draw(random));
  return result;
}

Expr randomIndices(Builder& builder, std::mt19937& random, std::int64_t count,
                   std::int64_t extent) {
  Values indices;
  for (std::int64_t i = 0; i < count; ++i)
    indices.push_back(static_cast<double>(random() % static_cast<std::uint64_t>(extent)));
  return {&builder, builder.data(std::move(indices), {count})};
}

void expectSparse(const BlockJacobian& found, std::size_t entries) {
  for (const JacobianBlock& block : found.blocks) EXPECT_EQ(block.denseBy, kNoNode);
  EXPECT_EQ(found.pattern.columnIndex.size(), entries);
}

NodeId denseBy(const BlockJacobian& found) {
  NodeId result = kNoNode;
  for (const JacobianBlock& block : found.blocks) {
    if (block.denseBy != kNoNode) result = block.denseBy;
  }
  return result;
}

}  // namespace adjoint::testing
