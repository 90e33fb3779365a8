#include "sparsity/substitution.h"

#include <algorithm>
#include <bit>
#include <map>

#include "ops/build.h"

namespace adjoint {

namespace {

using coloring::Index;
using coloring::SubstitutionPlan;

constexpr Index kNone = -1;

/// The steps of a plan as chains: from a step to the one above it of which it is the largest part.
class Chains {
 public:
  struct Chain {
    Index first;   ///< the lowest step
    Index length;  ///< in steps
  };
  /// Chains of one level have nothing but chains of lower levels to wait for; those of lengths that
  /// round up to one power of two are computed together.
  using Key = std::pair<Index, Index>;  ///< level, rounded length

  explicit Chains(const SubstitutionPlan& plan)
      : plan_(plan), steps_(static_cast<Index>(plan.target.size())) {
    findSteps();
    choose();
    measure();
  }

  const std::map<Key, std::vector<Chain>>& groups() const { return groups_; }
  /// The next step of a chain.
  Index above(Index step) const { return above_[at(step)]; }
  /// Steps that a step subtracts, other than the one before it in its chain.
  template <class Visit>
  void others(Index step, Visit visit) const {
    for (Index k = plan_.termStart[at(step)]; k < plan_.termStart[at(step) + 1]; ++k) {
      const Index term = stepOf_[at(plan_.term[at(k)])];
      if (term != below_[at(step)]) visit(term);
    }
  }
  /// The step that computes a nonzero.
  Index stepOf(Index nonzero) const { return stepOf_[at(nonzero)]; }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  void findSteps() {
    stepOf_.assign(at(plan_.nonzeros), kNone);
    for (Index s = 0; s < steps_; ++s)
      stepOf_[at(plan_.target[at(s)])] = stepOf_[at(plan_.mirror[at(s)])] = s;
  }
  /// Terms come before what they are subtracted from, and are subtracted once.
  void choose() {
    std::vector<Index> size(at(steps_), 1);
    above_.assign(at(steps_), kNone);
    below_.assign(at(steps_), kNone);
    for (Index s = 0; s < steps_; ++s) {
      others(s, [&](Index term) {
        size[at(s)] += size[at(term)];
        Index& below = below_[at(s)];
        if (below == kNone || size[at(term)] > size[at(below)]) below = term;
      });
    }
    for (Index s = 0; s < steps_; ++s) {
      if (below_[at(s)] != kNone) above_[at(below_[at(s)])] = s;
    }
  }
  void measure() {
    std::vector<Index> level(at(steps_), 0);  ///< of a step's chain, as far as the step
    std::vector<Chain> chain(at(steps_));
    for (Index s = 0; s < steps_; ++s) {
      const Index below = below_[at(s)];
      chain[at(s)] =
          below == kNone ? Chain{s, 1} : Chain{chain[at(below)].first, chain[at(below)].length + 1};
      Index& own = level[at(s)];
      if (below != kNone) own = level[at(below)];
      others(s, [&](Index term) { own = std::max(own, level[at(term)] + 1); });
      if (above_[at(s)] != kNone) continue;
      const auto length = static_cast<std::uint32_t>(chain[at(s)].length);
      groups_[{own, static_cast<Index>(std::bit_ceil(length))}].push_back(chain[at(s)]);
    }
  }

  const SubstitutionPlan& plan_;
  Index steps_;
  std::vector<Index> stepOf_;         ///< by nonzero
  std::vector<Index> above_, below_;  ///< by step
  std::map<Key, std::vector<Chain>> groups_;
};

class Substitution {
 public:
  Substitution(const SubstitutionPlan& plan, Expr compressed)
      : plan_(plan), chains_(plan), compressed_(compressed), place_(plan.target.size(), 0) {}

  Expr run(std::span<const Index> entries) {
    Index level = 0;
    std::vector<Expr> ready;
    for (const auto& [key, chains] : chains_.groups()) {
      if (key.first != level) {
        gatherKnown(ready);
        level = key.first;
      }
      ready.push_back(compute(chains, key.second));
    }
    gatherKnown(ready);
    std::vector<double> places;
    places.reserve(entries.size());
    for (const Index entry : entries)
      places.push_back(static_cast<double>(place_[at(chains_.stepOf(entry))]));
    return pick(known_, std::move(places));
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  Expr indices(std::vector<double> values) {
    const auto count = static_cast<std::int64_t>(values.size());
    return {compressed_.builder, compressed_.builder->data(std::move(values), {count})};
  }
  Expr pick(Expr from, std::vector<double> places) {
    return ex::gather(from, indices(std::move(places)), 0);
  }
  /// What was computed joins what was known.
  void gatherKnown(std::vector<Expr>& ready) {
    if (known_) ready.insert(ready.begin(), known_);
    known_ = ready.size() == 1 ? ready[0] : ex::concat(ready, 0);
    ready.clear();
  }

  /// Chains side by side, each filled up with zeros at its end.
  Expr compute(const std::vector<Chains::Chain>& chains, Index length) {
    const std::int64_t count = static_cast<std::int64_t>(chains.size()) * length;
    std::vector<double> sources(static_cast<std::size_t>(count), 0), targets, terms;
    std::int64_t row = 0;
    for (const Chains::Chain& chain : chains) {
      Index step = chain.first;
      for (Index i = 0; i < chain.length; ++i, step = chains_.above(step)) {
        const std::int64_t place = row + i;
        sources[static_cast<std::size_t>(place)] = plan_.source[at(step)];
        chains_.others(step, [&](Index term) {
          targets.push_back(static_cast<double>(place));
          terms.push_back(static_cast<double>(place_[at(term)]));
        });
        place_[at(step)] = computed_ + place;
      }
      row += length;
    }
    computed_ += count;
    Expr sums = pick(compressed_, std::move(sources));
    if (!terms.empty()) {
      const Expr others = pick(known_, std::move(terms));
      sums = ex::operator-(sums, ex::scatterSum(indices(std::move(targets)), others, 0, count));
    }
    if (length == 1) return sums;
    const Expr rows = ex::reshape(sums, {count / length, length});
    return ex::reshape(ex::linearRecurrence(ex::full(rows, -1), rows, 1, false), {count});
  }

  const SubstitutionPlan& plan_;
  Chains chains_;
  Expr compressed_;
  Expr known_;                       ///< values computed so far
  std::vector<std::int64_t> place_;  ///< of a step's value among all
  std::int64_t computed_ = 0;
};

}  // namespace

Expr substituted(const SubstitutionPlan& plan, Expr compressed, std::span<const Index> entries) {
  return Substitution(plan, compressed).run(entries);
}

}  // namespace adjoint
