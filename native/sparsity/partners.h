#pragma once

#include <span>
#include <vector>

#include "sparsity/interactions.h"

namespace adjoint {

/// For every column, the sets that it interacts with: the rows of a Hessian.
class Partners {
 public:
  /// Throws Limit where these are more than four times `mostNonzeros`.
  Partners(const IndexSets& sets, const Interactions& interactions, std::int64_t mostNonzeros);

  std::span<const SetId> of(std::int64_t column) const {
    const auto at = static_cast<std::size_t>(column);
    return {partners_.data() + start_[at], static_cast<std::size_t>(start_[at + 1] - start_[at])};
  }

 private:
  BigVector<std::int64_t> start_;
  BigVector<SetId> partners_;
};

/// The first node that lets this column interact with so many, or the one with most of them.
NodeId madeToInteractBy(const IndexSets& sets, const Interactions& interactions,
                        std::int64_t column, std::int64_t least);

}  // namespace adjoint
