#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sparsity/column_runs.h"
#include "tape/big_vector.h"
#include "tape/tape.h"

namespace adjoint {

/// A set of columns: 0 is empty, column + 1 that column alone, what is above a union.
using SetId = std::int32_t;
constexpr SetId kEmptySet = 0;

/// Sets of columns, equal ones kept once. Unions of a few runs of columns are lists of these;
/// others refer to the sets that they are made of, so that a union takes no longer than these are
/// many.
class IndexSets {
 public:
  /// Throws Limit for more than 2^31 - 2 columns.
  explicit IndexSets(std::int64_t columns);

  std::int32_t columns() const { return columns_; }
  SetId single(std::int64_t column) const { return static_cast<SetId>(column + 1); }
  /// At most one member.
  bool isSingle(SetId id) const { return id <= columns_; }
  /// Number of unions so far.
  std::size_t unions() const { return unions_.size(); }

  /// Sorts `ids`, which may be empty sets and the same ones several times.
  SetId unite(std::span<SetId> ids);
  SetId unite(SetId a, SetId b) {
    if (a == b || b == kEmptySet) return a;
    if (a == kEmptySet) return b;
    SetId both[] = {a, b};
    return unite(both);
  }

  struct Union {
    std::int64_t start = 0;     ///< in parts
    std::int32_t count = 0;     ///< of numbers there
    std::int32_t atLeast = 0;   ///< members
    SetId largest = kEmptySet;  ///< of the sets that were united
    bool isList = false;        ///< the parts are runs, two numbers each, else sets
    NodeId maker = kNoNode;
  };
  const Union& at(SetId id) const { return unions_[position(id)]; }
  std::span<const std::int32_t> parts(SetId id) const {
    const Union& u = at(id);
    return {parts_.data() + u.start, static_cast<std::size_t>(u.count)};
  }
  /// Whether the columns of a set are known as runs.
  bool isListed(SetId id) const { return isSingle(id) || at(id).isList; }
  /// Adds the columns of sets that are all listed.
  void addRuns(std::span<const SetId> ids, ColumnRuns& runs) const;

  std::size_t position(SetId id) const { return static_cast<std::size_t>(id - columns_) - 1; }

  /// Members that a set has, or some of them.
  std::int32_t atLeast(SetId id) const { return isSingle(id) ? (id != kEmptySet) : at(id).atLeast; }

  /// Whether all of `part` is known to be in `whole`; false also where finding out takes long.
  bool contains(SetId whole, SetId part) const {
    return part == kEmptySet || part == whole || (!isSingle(whole) && covers(whole, part));
  }

  /// Unions made from now on are made by this node.
  void setMaker(NodeId node) { maker_ = node; }
  /// The node that first united so many members in this set; kNoNode where it has fewer.
  NodeId madeBy(SetId id, std::int64_t members) const;

 private:
  /// Longest list.
  static constexpr std::size_t kMostRuns = 64;

  SetId uniteSets(std::span<const SetId> ids);
  bool covers(SetId large, SetId small) const;
  SetId largestOf(std::span<const SetId> ids) const;
  SetId intern(std::span<const std::int32_t> parts, const Union& made);
  void grow();

  std::int32_t columns_;
  NodeId maker_ = kNoNode;
  BigVector<Union> unions_;
  BigVector<std::int32_t> parts_;
  BigVector<std::uint32_t> hashes_;  ///< by union
  BigVector<std::int32_t> table_;    ///< position + 1, by hash; a power of two of them
  ColumnRuns runs_;
  std::vector<std::int32_t> scratch_;
};

/// Lists the members of unions.
class SetMembers {
 public:
  explicit SetMembers(const IndexSets& sets) : sets_(sets) {}

  /// Members of all these sets, ascending; good until the next call.
  std::span<const std::int32_t> of(std::span<const SetId> ids);

 private:
  void visit(SetId id);

  const IndexSets& sets_;
  /// The call that saw it last; empty as long as lists of columns are all there is.
  BigVector<std::int32_t> seenColumn_, seenUnion_;
  std::int32_t call_ = 0;
  ColumnRuns runs_;
  std::vector<std::int32_t> members_;
  std::vector<SetId> open_;
};

}  // namespace adjoint
