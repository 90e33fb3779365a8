#include "sparsity/dependence.h"

#include <algorithm>
#include <iterator>

namespace adjoint {

namespace {

/// Merges neighbors that are one axis on both sides, so that the innermost loop is long.
Move simplified(const Move& move) {
  Move result = move;
  result.extents.clear();
  result.fromStrides.clear();
  result.toStrides.clear();
  for (std::size_t k = 0; k < move.extents.size(); ++k) {
    const std::int64_t extent = move.extents[k];
    if (extent == 1) continue;
    const bool isOne = !result.extents.empty() &&
                       result.fromStrides.back() == move.fromStrides[k] * extent &&
                       result.toStrides.back() == move.toStrides[k] * extent;
    if (isOne) {
      result.extents.back() *= extent;
      result.fromStrides.back() = move.fromStrides[k];
      result.toStrides.back() = move.toStrides[k];
    } else {
      result.extents.push_back(extent);
      result.fromStrides.push_back(move.fromStrides[k]);
      result.toStrides.push_back(move.toStrides[k]);
    }
  }
  return result;
}

/// Calls `line` with the first positions on either side of every innermost line.
template <class OnLine>
void visitMoveLines(const Move& move, OnLine line) {
  Move outer = move;
  std::int64_t count = 1, from = 0, to = 0;
  if (!outer.extents.empty()) {
    count = outer.extents.back();
    from = outer.fromStrides.back();
    to = outer.toStrides.back();
    outer.extents.pop_back();
    outer.fromStrides.pop_back();
    outer.toStrides.pop_back();
  }
  if (count == 0) return;
  visitMove(outer, [&](std::int64_t at, std::int64_t into) { line(at, into, count, from, to); });
}

void copyMove(const Move& move, const BigVector<SetId>& source, BigVector<SetId>& target) {
  visitMoveLines(move, [&](std::int64_t from, std::int64_t to, std::int64_t count,
                           std::int64_t fromStride, std::int64_t toStride) {
    if (fromStride == 1 && toStride == 1) {
      std::copy_n(source.begin() + from, count, target.begin() + to);
      return;
    }
    for (std::int64_t i = 0; i < count; ++i)
      target[static_cast<std::size_t>(to + i * toStride)] =
          source[static_cast<std::size_t>(from + i * fromStride)];
  });
}

void fillMove(const Move& move, SetId id, BigVector<SetId>& target) {
  visitMoveLines(move, [&](std::int64_t, std::int64_t to, std::int64_t count, std::int64_t,
                           std::int64_t toStride) {
    for (std::int64_t i = 0; i < count; ++i)
      target[static_cast<std::size_t>(to + i * toStride)] = id;
  });
}

bool isUniform(const BigVector<SetId>& sets) {
  return std::ranges::all_of(sets, [&](SetId id) { return id == sets[0]; });
}

}  // namespace

CombinedElements combinedElements(const Shape& shape, std::span<const std::int64_t> reduced) {
  const std::vector<std::int64_t> strides = rowMajorStrides(shape);
  const auto positions = [&](bool ofReduced) {
    std::vector<std::int64_t> result = {0}, next;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const bool isReduced =
          std::ranges::find(reduced, static_cast<std::int64_t>(k)) != reduced.end();
      if (isReduced != ofReduced) continue;
      next.clear();
      for (const std::int64_t at : result) {
        for (std::int64_t i = 0; i < shape[k]; ++i) next.push_back(at + i * strides[k]);
      }
      result.swap(next);
    }
    return result;
  };
  return {positions(false), positions(true)};
}

Dependence Dependences::of(BigVector<SetId> sets) {
  if (sets.empty()) return {};
  if (isUniform(sets)) return {sets[0], {}};
  return {kEmptySet, {std::make_shared<const BigVector<SetId>>(std::move(sets))}};
}

void Dependences::join(Dependence& own, const Dependence& other, std::size_t elements) {
  const SetId common = sets_.unite(own.common, other.common);
  const auto isNew = [&](const Layer& layer) {
    return !isWithin(layer, common) && std::ranges::none_of(own.layers, [&](const Layer& known) {
      return known == layer || *known == *layer;
    });
  };
  if (common != own.common)
    std::erase_if(own.layers, [&](const Layer& layer) { return isWithin(layer, common); });
  own.common = common;
  std::ranges::copy_if(other.layers, std::back_inserter(own.layers), isNew);
  if (own.layers.size() > kMostLayers) settle(own, elements);
}

bool Dependences::isWithin(const Layer& layer, SetId common) const {
  return common != kEmptySet &&
         std::ranges::all_of(*layer, [&](SetId id) { return sets_.contains(common, id); });
}

void Dependences::settle(Dependence& own, std::size_t elements) {
  if (own.layers.empty() || (own.layers.size() == 1 && own.common == kEmptySet)) return;
  BigVector<SetId> sets(elements);
  for (std::size_t i = 0; i < elements; ++i) {
    ids_.clear();
    own.setsOf(i, ids_);
    sets[i] = sets_.unite(ids_);
  }
  own = of(std::move(sets));
}

Dependence Dependences::moved(std::span<const Move> moves,
                              std::span<const Dependence* const> operands,
                              std::size_t elements) const {
  std::size_t covered = 0, layers = 0;
  bool hasOneCommon = true;
  for (const Move& move : moves) {
    covered += static_cast<std::size_t>(elementCount(move.extents));
    hasOneCommon = hasOneCommon && operands[move.operand]->common == operands[0]->common;
  }
  // A common set of a part only is a layer.
  const bool keepsCommon = hasOneCommon && covered == elements;
  const auto layersOf = [&](const Dependence& d) {
    return d.layers.size() + (!keepsCommon && d.common != kEmptySet ? 1 : 0);
  };
  for (const Dependence* operand : operands) layers = std::max(layers, layersOf(*operand));
  Dependence result;
  if (keepsCommon && elements > 0) result.common = operands[0]->common;
  std::vector<Move> simple;
  for (const Move& move : moves) simple.push_back(simplified(move));
  for (std::size_t l = 0; l < layers; ++l) {
    BigVector<SetId> sets(elements, kEmptySet);
    for (const Move& move : simple) {
      const Dependence& operand = *operands[move.operand];
      if (l < operand.layers.size()) {
        copyMove(move, *operand.layers[l], sets);
      } else if (l < layersOf(operand)) {
        fillMove(move, operand.common, sets);
      }
    }
    if (std::ranges::any_of(sets, [](SetId id) { return id != kEmptySet; }))
      result.layers.push_back(std::make_shared<const BigVector<SetId>>(std::move(sets)));
  }
  return result;
}

Dependence Dependences::taken(const Dependence& from, std::span<const std::int64_t> source) const {
  Dependence result;
  const bool isWhole = std::ranges::all_of(source, [](std::int64_t at) { return at >= 0; });
  const auto add = [&](auto setAt) {
    BigVector<SetId> sets(source.size());
    bool isEmpty = true;
    for (std::size_t i = 0; i < source.size(); ++i) {
      sets[i] = source[i] < 0 ? kEmptySet : setAt(static_cast<std::size_t>(source[i]));
      isEmpty = isEmpty && sets[i] == kEmptySet;
    }
    if (!isEmpty)
      result.layers.push_back(std::make_shared<const BigVector<SetId>>(std::move(sets)));
  };
  if (isWhole) {
    result.common = from.common;
  } else if (from.common != kEmptySet) {
    add([&](std::size_t) { return from.common; });
  }
  for (const Layer& layer : from.layers) add([&](std::size_t at) { return (*layer)[at]; });
  return result;
}

BigVector<SetId> Dependences::reduced(const Dependence& from, const CombinedElements& terms) {
  BigVector<SetId> result(terms.first.size(), kEmptySet);
  if (terms.then.empty()) return result;
  for (std::size_t r = 0; r < result.size(); ++r) {
    ids_.clear();
    if (from.common != kEmptySet) ids_.push_back(from.common);
    for (const Layer& layer : from.layers) {
      const SetId* const sets = layer->data() + terms.first[r];
      SetId last = kEmptySet;
      for (const std::int64_t at : terms.then) {
        if (sets[at] == last) continue;
        last = sets[at];
        ids_.push_back(last);
      }
    }
    result[r] = sets_.unite(ids_);
  }
  return result;
}

Dependence Dependences::combined(const Dependence& from, const CombinedElements& terms) {
  if (from.layers.empty()) return {terms.then.empty() ? kEmptySet : from.common, {}};
  return of(reduced(from, terms));
}

Dependence Dependences::running(const Dependence& from, const Shape& shape, std::int64_t axis,
                                bool reverse) {
  if (from.layers.empty()) return from;
  BigVector<SetId> sets(static_cast<std::size_t>(elementCount(shape)));
  visitLines(shape, axis, reverse, [&](std::int64_t at, std::int64_t before) {
    ids_.clear();
    from.setsOf(static_cast<std::size_t>(at), ids_);
    if (before >= 0) ids_.push_back(sets[static_cast<std::size_t>(before)]);
    sets[static_cast<std::size_t>(at)] = sets_.unite(ids_);
  });
  return of(std::move(sets));
}

}  // namespace adjoint
