#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sparsity/index_sets.h"
#include "transform/moves.h"

namespace adjoint {

/// A set for every element of a value.
using Layer = std::shared_ptr<const BigVector<SetId>>;

/// What the elements of a value depend on: each on the union of its sets in all layers and of a set
/// that is common to all elements. Layers are shared between values.
struct Dependence {
  SetId common = kEmptySet;
  std::vector<Layer> layers;

  bool isEmpty() const { return common == kEmptySet && layers.empty(); }
  /// Appends the sets of an element.
  void setsOf(std::size_t element, std::vector<SetId>& ids) const {
    if (common != kEmptySet) ids.push_back(common);
    for (const Layer& layer : layers) {
      if (const SetId id = (*layer)[element]; id != kEmptySet) ids.push_back(id);
    }
  }
};

/// Positions of the elements that are combined to one: for every result the sum of an entry of
/// `first` and one of `then`.
struct CombinedElements {
  std::vector<std::int64_t> first;  ///< by result
  std::vector<std::int64_t> then;   ///< by term
};
/// Elements of a value along the `reduced` axes, for every place along the others.
CombinedElements combinedElements(const Shape& shape, std::span<const std::int64_t> reduced);

/// The ways in which operations combine dependences.
class Dependences {
 public:
  explicit Dependences(IndexSets& sets) : sets_(sets) {}

  /// Adds what `other`, of the same shape, depends on. `elements` is their number.
  void join(Dependence& own, const Dependence& other, std::size_t elements);
  /// One layer with everything; none where the value has a common set only.
  void settle(Dependence& own, std::size_t elements);
  /// The parts of a value by data movement; elements that none goes to are empty.
  Dependence moved(std::span<const Move> moves, std::span<const Dependence* const> operands,
                   std::size_t elements) const;
  /// Elements in any order: `source` has the position in the operand of each, or -1.
  Dependence taken(const Dependence& from, std::span<const std::int64_t> source) const;
  /// Empty where `isKept` is false.
  template <class IsKept>
  Dependence masked(const Dependence& from, std::size_t elements, IsKept isKept) const {
    std::vector<std::int64_t> source(elements);
    for (std::size_t i = 0; i < elements; ++i)
      source[i] = isKept(i) ? static_cast<std::int64_t>(i) : -1;
    return taken(from, source);
  }
  /// Unions over terms: a set for every result.
  BigVector<SetId> reduced(const Dependence& from, const CombinedElements& terms);
  /// The same as a dependence.
  Dependence combined(const Dependence& from, const CombinedElements& terms);
  /// Unions of each element with all before it (after it, in reverse) along an axis.
  Dependence running(const Dependence& from, const Shape& shape, std::int64_t axis, bool reverse);

  static Dependence of(BigVector<SetId> sets);

 private:
  bool isWithin(const Layer& layer, SetId common) const;

  /// Layers beyond which they are made one.
  static constexpr std::size_t kMostLayers = 16;

  IndexSets& sets_;
  std::vector<SetId> ids_;
};

/// Visits the elements along an axis, line by line: the position of each, and of the one before it
/// or -1.
template <class Visit>
void visitLines(const Shape& shape, std::int64_t axis, bool reverse, Visit visit) {
  const Around a = around(shape, axis);
  for (std::int64_t o = 0; o < a.outer; ++o) {
    for (std::int64_t i = 0; i < a.inner; ++i) {
      std::int64_t before = -1;
      for (std::int64_t k = 0; k < a.n; ++k) {
        const std::int64_t at = (o * a.n + (reverse ? a.n - 1 - k : k)) * a.inner + i;
        visit(at, before);
        before = at;
      }
    }
  }
}

}  // namespace adjoint
