#include "sparsity/partners.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace adjoint {

namespace {

/// Pairs of unions once; those of single columns may come several times.
template <class Visit>
void visitDistinct(const IndexSets& sets, const Interactions& interactions, Visit visit) {
  std::unordered_set<std::uint64_t> seen;
  interactions.visitPairs([&](SetId a, SetId b, NodeId node) {
    if (!sets.isSingle(a) || !sets.isSingle(b)) {
      const auto low = static_cast<std::uint64_t>(std::min(a, b));
      const auto high = static_cast<std::uint64_t>(std::max(a, b));
      if (!seen.insert(high << 32 | low).second) return;
    }
    visit(a, b, node);
  });
}

}  // namespace

Partners::Partners(const IndexSets& sets, const Interactions& interactions,
                   std::int64_t mostNonzeros)
    : start_(static_cast<std::size_t>(sets.columns()) + 1, 0) {
  SetMembers members(sets);
  const auto forEachMember = [&](SetId of, auto visit) {
    if (sets.isSingle(of)) return visit(static_cast<std::size_t>(of - 1));
    for (const std::int32_t column : members.of({&of, 1})) visit(static_cast<std::size_t>(column));
  };
  std::int64_t total = 0;
  visitDistinct(sets, interactions, [&](SetId a, SetId b, NodeId) {
    const auto countIn = [&](std::size_t column) {
      ++start_[column + 1];
      ++total;
    };
    forEachMember(a, countIn);
    if (a != b) forEachMember(b, countIn);
    if (total / 4 > mostNonzeros)
      throw Error(ErrorCode::Limit, "the pattern has more than " + std::to_string(mostNonzeros) +
                                        " nonzeros, or takes too many pairs to be found");
  });
  for (std::size_t i = 1; i < start_.size(); ++i) start_[i] += start_[i - 1];
  partners_.resize(static_cast<std::size_t>(total));
  BigVector<std::int64_t> next = start_;
  visitDistinct(sets, interactions, [&](SetId a, SetId b, NodeId) {
    const auto put = [&](std::size_t column, SetId partner) {
      partners_[static_cast<std::size_t>(next[column]++)] = partner;
    };
    forEachMember(a, [&](std::size_t column) { put(column, b); });
    if (a != b) forEachMember(b, [&](std::size_t column) { put(column, a); });
  });
}

NodeId madeToInteractBy(const IndexSets& sets, const Interactions& interactions,
                        std::int64_t column, std::int64_t least) {
  SetMembers members(sets);
  std::unordered_map<SetId, bool> known;
  const auto has = [&](SetId id) {
    if (sets.isSingle(id)) return id == sets.single(column);
    const auto [it, isNew] = known.try_emplace(id, false);
    if (isNew) {
      const auto all = members.of({&id, 1});
      it->second = std::ranges::binary_search(all, static_cast<std::int32_t>(column));
    }
    return it->second;
  };
  std::map<NodeId, std::vector<SetId>> partners;
  interactions.visitPairs([&](SetId a, SetId b, NodeId node) {
    if (has(a)) partners[node].push_back(b);
    if (has(b)) partners[node].push_back(a);
  });
  NodeId result = kNoNode;
  std::size_t most = 0;
  for (const auto& [node, ids] : partners) {
    const std::size_t size = members.of(ids).size();
    if (size <= most) continue;
    result = node;
    most = size;
    if (static_cast<std::int64_t>(most) >= least) break;
  }
  return result;
}

}  // namespace adjoint
