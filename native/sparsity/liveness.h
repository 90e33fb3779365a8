#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sparsity/choices.h"

namespace adjoint {

/// The elements of a value on which an output depends differentiably; null: all of them.
using LiveElements = std::shared_ptr<const std::vector<std::uint8_t>>;

/// From the outputs back, which elements they need: of a slice those that are left, of a `where`
/// those of the branch that is taken, if that is known.
class Liveness {
 public:
  using Elements = std::vector<std::uint8_t>;

  /// It passes to nodes that are `wanted` only.
  Liveness(const Tape& t, Choices& choices, std::vector<bool> wanted);

  const LiveElements& of(NodeId id) const { return live_[id]; }
  /// Of a recurrence: elements that are live, and all before them.
  LiveElements behind(NodeId id) const {
    if (!live_[id]) return nullptr;
    return std::make_shared<const Elements>(running(id, tape_.node(id)));
  }

 private:
  void pass(NodeId id, const Node& node, std::size_t k);
  /// Some elements, or the node's own where the operand has the same.
  void add(NodeId operand, LiveElements elements);
  void add(NodeId operand, Elements elements) {
    add(operand, std::make_shared<const Elements>(std::move(elements)));
  }
  Elements moved(NodeId id, const Node& node, std::size_t k) const;
  Elements gathered(NodeId id, const Node& node, const std::vector<std::int64_t>& indices) const;
  Elements scattered(NodeId id, const Node& node, const std::vector<std::int64_t>& indices) const;
  Elements spread(NodeId id, const Node& node) const;
  Elements running(NodeId id, const Node& node) const;
  /// Live elements of the node where `keeps` says so.
  template <class Keeps>
  LiveElements where(Elements elements, Keeps keeps) const;

  Elements elementsOf(NodeId id) const;
  Elements noneOf(NodeId id) const {
    return Elements(static_cast<std::size_t>(tape_.count(id)), 0);
  }

  const Tape& tape_;
  Choices& choices_;
  std::vector<bool> wanted_;
  std::vector<bool> isKnown_;  ///< by node: something reads it
  std::vector<LiveElements> live_;
};

}  // namespace adjoint
