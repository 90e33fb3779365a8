#include "exec/moves.h"

#include <algorithm>
#include <unordered_set>

namespace adjoint::exec {

bool Moves::areApart(const std::vector<Move>& moves, const Place& out) {
  std::unordered_set<std::int64_t> written;
  for (const Move& move : moves) {
    if (move.from.base <= out.base) written.insert(move.to);
  }
  return std::ranges::none_of(moves, [&](const Move& move) {
    return move.from.base == out.base && written.contains(move.from.offset - out.offset);
  });
}

void Moves::add(std::vector<Move> moves) {
  std::ranges::stable_sort(moves, {}, [](const Move& move) { return move.from.base; });
  for (const auto& [to, from] : moves) {
    if (groups_.size() == parts_.back() || groups_.back().base != from.base)
      groups_.push_back({from.base, 0});
    elements_.push_back({to, from.offset});
    groups_.back().end = elements_.size();
  }
  parts_.push_back(groups_.size());
}

void Moves::run(const RunContext& context, double* out, std::size_t part) const {
  const std::size_t first = parts_[part], last = parts_[part + 1];
  std::size_t i = first == 0 ? 0 : groups_[first - 1].end;
  for (std::size_t g = first; g < last; ++g) {
    const double* const from = context.at(groups_[g].base, 0);
    for (; i < groups_[g].end; ++i) out[elements_[i].to] = from[elements_[i].from];
  }
}

std::size_t Moves::bytes() const {
  return parts_.capacity() * sizeof(std::size_t) + groups_.capacity() * sizeof(Group) +
         elements_.capacity() * sizeof(Element);
}

}  // namespace adjoint::exec
