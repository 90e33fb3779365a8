#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "coloring/coloring.h"

namespace adjoint::coloring {

/// Greedy coloring of vertices that meet in lines: columns in rows, rows in columns, or vertices in
/// neighborhoods. Vertices that meet conflict where one of them owns the line. Instead of walking
/// the lines of a vertex, which is quadratic in their lengths, the colors that a line has seen are
/// kept in bits.
///
/// The first 64 colors take one word a line. A vertex that needs a later color is left over: those
/// before it see only its color, which is none of the 64, so nobody's choice depends on it. For
/// vertices left over, short lines are walked, and long ones, of which there are few, have a word
/// for every 64 colors.
///
/// Owns: bool owns(vertex, line), and kAlways when that is always true. kIsClosed: lines are
/// vertices and belong to themselves, whether the pattern says so or not.
template <class Owns, bool kIsClosed>
class ByLines {
 public:
  ByLines(const Pattern& linesOf, const Pattern& verticesOf, Owns owns)
      : linesOf_(linesOf), verticesOf_(verticesOf), owns_(owns) {
    result_.colors.assign(static_cast<std::size_t>(linesOf.rows()), kNoColor);
  }

  Coloring color(std::span<const Index> order) {
    std::vector<Index> left = colorFirst(order);
    if (!left.empty()) colorLeft(left);
    return std::move(result_);
  }

 private:
  static constexpr Index kBits = 64;
  /// Colors of the vertices of a line, and of those that own it.
  struct SeenBoth {
    std::uint64_t all = 0, owners = 0;
    std::uint64_t by(bool owner) const { return owner ? all : owners; }
    void add(std::uint64_t bit, bool owner) {
      all |= bit;
      if (owner) owners |= bit;
    }
  };
  struct SeenAll {
    std::uint64_t all = 0;
    std::uint64_t by(bool) const { return all; }
    void add(std::uint64_t bit, bool) { all |= bit; }
  };
  using Seen = std::conditional_t<Owns::kAlways, SeenAll, SeenBoth>;

  template <class Visit>
  void lines(Index v, Visit visit) const {
    for (const Index line : linesOf_.row(v)) visit(line);
    if (kIsClosed) visit(v);
  }
  bool isNeeded(Index v) const {
    const std::span<const Index> lines = linesOf_.row(v);
    return std::any_of(lines.begin(), lines.end(), [&](Index line) { return owns_(v, line); });
  }
  void take(Index v, Index color) {
    result_.colors[v] = color;
    result_.count = std::max(result_.count, color + 1);
  }

  /// Vertices that need more than the first colors, in order.
  std::vector<Index> colorFirst(std::span<const Index> order) {
    std::vector<Index> left;
    std::vector<Seen> seen(static_cast<std::size_t>(verticesOf_.rows()));
    for (const Index v : order) {
      if (!isNeeded(v)) continue;
      std::uint64_t forbidden = 0;
      lines(v, [&](Index line) { forbidden |= seen[line].by(owns_(v, line)); });
      const int color = std::countr_one(forbidden);
      if (color == kBits) {
        left.push_back(v);
        continue;
      }
      const std::uint64_t bit = std::uint64_t{1} << color;
      lines(v, [&](Index line) { seen[line].add(bit, owns_(v, line)); });
      take(v, color);
    }
    return left;
  }

  // --- later colors, counted from kBits ---

  /// The first word that is not full, of both kinds.
  struct Full {
    std::size_t all = 0, owners = 0;
  };

  void colorLeft(const std::vector<Index>& left) {
    listLongLines();
    for (const Index v : left) {
      std::size_t word = 0;
      longOfVertex_.clear();
      lines(v, [&](Index line) {
        if (longOf_[line] < 0) {
          walk(v, line);
          return;
        }
        longOfVertex_.push_back(line);
        const Full& full = full_[longOf_[line]];
        word = std::max(word, owns_(v, line) ? full.all : full.owners);
      });
      std::uint64_t forbidden = forbiddenIn(word, v);
      while (forbidden == ~std::uint64_t{0}) forbidden = forbiddenIn(++word, v);
      for (const std::size_t w : touched_) near_[w] = 0;
      touched_.clear();
      const int bit = std::countr_one(forbidden);
      for (const Index line : longOfVertex_) see(line, owns_(v, line), word, bit);
      take(v, static_cast<Index>(kBits + kBits * word) + bit);
    }
  }

  void listLongLines() {
    Index longest = 0;
    for (Index line = 0; line < verticesOf_.rows(); ++line)
      longest = std::max(longest, length(line));
    // Long enough that the words of all long lines are about as many as there are nonzeros.
    const Index least = std::max(kBits, longest / kBits);
    longOf_.assign(static_cast<std::size_t>(verticesOf_.rows()), -1);
    for (Index line = 0; line < verticesOf_.rows(); ++line) {
      if (length(line) < least) continue;
      longOf_[line] = static_cast<Index>(full_.size());
      full_.emplace_back();
    }
  }
  Index length(Index line) const { return static_cast<Index>(verticesOf_.row(line).size()); }

  /// Colors of those that v meets in a short line.
  void walk(Index v, Index line) {
    const bool isOwner = owns_(v, line);
    const auto meet = [&](Index u) {
      const Index color = result_.colors[u] - kBits;
      if (color < 0 || !(isOwner || owns_(u, line))) return;
      const auto word = static_cast<std::size_t>(color / kBits);
      if (near_.size() <= word) near_.resize(word + 1, 0);
      if (near_[word] == 0) touched_.push_back(word);
      near_[word] |= std::uint64_t{1} << color % kBits;
    };
    for (const Index u : verticesOf_.row(line)) meet(u);
    if (kIsClosed) meet(line);
  }

  std::uint64_t forbiddenIn(std::size_t word, Index v) const {
    std::uint64_t result = word < near_.size() ? near_[word] : 0;
    for (const Index line : longOfVertex_) {
      const std::size_t at = word * full_.size() + static_cast<std::size_t>(longOf_[line]);
      if (at < seen_.size()) result |= seen_[at].by(owns_(v, line));
    }
    return result;
  }

  void see(Index line, bool isOwner, std::size_t word, int bit) {
    const std::size_t lines = full_.size();
    const auto own = static_cast<std::size_t>(longOf_[line]);
    if (seen_.size() < (word + 1) * lines) seen_.resize((word + 1) * lines);
    seen_[word * lines + own].add(std::uint64_t{1} << bit, isOwner);
    Full& full = full_[own];
    const auto isFull = [&](std::size_t w, bool owner) {
      const std::size_t at = w * lines + own;
      return at < seen_.size() && seen_[at].by(owner) == ~std::uint64_t{0};
    };
    while (isFull(full.all, true)) ++full.all;
    while (isFull(full.owners, false)) ++full.owners;
  }

  const Pattern& linesOf_;
  const Pattern& verticesOf_;
  Owns owns_;
  Coloring result_;
  std::vector<Index> longOf_;         ///< by line, its position among the long ones, or -1
  std::vector<Full> full_;            ///< by long line
  std::vector<Seen> seen_;            ///< [word][long line]
  std::vector<std::uint64_t> near_;   ///< colors in short lines of the current vertex
  std::vector<std::size_t> touched_;  ///< words of near_ that are not 0
  std::vector<Index> longOfVertex_;
};

}  // namespace adjoint::coloring
