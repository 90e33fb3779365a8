#include "test/support/detected.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "sparsity/decisions.h"
#include "transform/transform.h"

namespace adjoint::testing {

Entries entriesOf(const SparsePattern& pattern) {
  Entries entries;
  EXPECT_EQ(pattern.rowIndex.size(), static_cast<std::size_t>(pattern.rows) + 1);
  EXPECT_EQ(static_cast<std::size_t>(pattern.rowIndex.back()), pattern.columnIndex.size());
  for (std::int64_t row = 0; row < pattern.rows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    for (std::int32_t k = pattern.rowIndex[at]; k < pattern.rowIndex[at + 1]; ++k) {
      const std::int64_t column = pattern.columnIndex[static_cast<std::size_t>(k)];
      EXPECT_TRUE(column >= 0 && column < pattern.columns);
      if (k > pattern.rowIndex[at]) {
        EXPECT_LT(pattern.columnIndex[static_cast<std::size_t>(k) - 1], column);
      }
      entries.emplace(row, column);
    }
  }
  return entries;
}

Entries globalEntries(const TapePtr& t, const Positions& wrt, PatternOf of) {
  return entriesOf(detectPattern(t, wrt, {.of = of}).pattern);
}
Entries localEntries(const TapePtr& t, const Positions& wrt, const Arrays& inputs, PatternOf of) {
  const Arrays decisions = evaluate(decisionTape(t, wrt), inputs);
  return entriesOf(detectPattern(t, wrt, {.of = of, .decisions = &decisions}).pattern);
}

Entries nonzerosOf(const TapePtr& t, const Positions& wrt, const Arrays& inputs) {
  const auto nonzeros = [&](JacobianMode mode) {
    const Arrays blocks = evaluate(jacobian(t, wrt, mode).tape, inputs);
    Entries result;
    std::int64_t row = 0;
    std::size_t block = 0;
    for (const Port& port : t->outputs()) {
      const std::int64_t rows = t->count(port.node);
      std::int64_t column = 0;
      for (const std::size_t k : wrt) {
        const std::int64_t width = t->count(t->inputs()[k].node);
        const Values& own = blocks[block++];
        for (std::size_t i = 0; i < own.size(); ++i) {
          const auto at = static_cast<std::int64_t>(i);
          if (own[i] != 0 && !std::isnan(own[i]))
            result.emplace(row + at / width, column + at % width);
        }
        column += width;
      }
      row += rows;
    }
    return result;
  };
  const Entries forward = nonzeros(JacobianMode::Forward);
  const Entries reverse = nonzeros(JacobianMode::Reverse);
  Entries both;
  std::ranges::set_intersection(forward, reverse, std::inserter(both, both.end()));
  return both;
}

namespace {

std::string text(const Entries& entries) {
  std::string result;
  for (const auto& [row, column] : entries)
    result += "(" + std::to_string(row) + ", " + std::to_string(column) + ") ";
  return result;
}

}  // namespace

void expectWithin(const Entries& inner, const Entries& outer, const char* what) {
  Entries missing;
  std::ranges::set_difference(inner, outer, std::inserter(missing, missing.end()));
  EXPECT_TRUE(missing.empty()) << what << ": " << text(missing);
}

}  // namespace adjoint::testing
