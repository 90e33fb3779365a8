#pragma once

#include <unordered_map>
#include <vector>

#include "sparsity/constants.h"
#include "sparsity/index_map.h"
#include "tape/tape.h"

namespace adjoint {

/// Thrown where not all lanes do the same: the lanes of each group do.
struct Split {
  NodeId node;  ///< what tells them apart
  std::vector<std::vector<std::int64_t>> groups;
};

/// Lanes in groups of equal keys, in the order in which these first appear.
std::vector<std::vector<std::int64_t>> groupedBy(const std::vector<std::int64_t>& keys);

/// Follows data movement from values back to what is computed or given.
class Movement {
 public:
  /// `active`: the nodes that are followed.
  Movement(const Tape& t, const std::vector<bool>& active)
      : tape_(t), active_(active), constants_(t) {}

  /// Elements of a value, or zeros where there is no node.
  struct Source {
    NodeId node = kNoNode;
    MapId map = 0;
  };

  /// Whether the node gives elements of its operands, or zeros, in places known beforehand.
  bool moves(NodeId id);
  /// Where these elements of a value come from. Throws Split where not all come from one.
  Source find(IndexMaps& maps, Source from);
  /// One step of it, through what leads to one operand as a whole.
  Source back(IndexMaps& maps, Source from);
  /// For elements of a concat or place: the position of the operand that each is of, -1 for zeros,
  /// and in the place of the element that of the operand.
  void choose(NodeId id, std::vector<std::int64_t>& elements, std::vector<std::int64_t>& operands);

  /// Some lanes with their elements of a value.
  struct Strand {
    NodeId node;
    std::vector<std::int64_t> lanes;
    std::vector<std::int64_t> elements;
  };
  /// One step of these elements: through what `moves`. Where they come from several operands, or
  /// some are zeros, the lanes of the last one stay in `strand`; the others are appended, in order.
  void step(Strand& strand, std::vector<Strand>& others);

  Constants& constants() { return constants_; }

 private:
  /// A gather with known indices: an element is at rows(element) + offset(positions(element)) of
  /// the operand.
  struct Picks {
    Linear rows, positions;
    const std::vector<std::int64_t>& indices;
    std::int64_t stride;

    std::int64_t offset(std::int64_t position) const {
      return indices[static_cast<std::size_t>(position)] * stride;
    }
  };
  Picks picksOf(const Node& node);
  const std::vector<std::int64_t>& startsOf(NodeId concat);
  Source findEach(IndexMaps& maps, Source from);

  const Tape& tape_;
  const std::vector<bool>& active_;
  Constants constants_;
  std::unordered_map<NodeId, std::vector<std::int64_t>> starts_;
};

}  // namespace adjoint
