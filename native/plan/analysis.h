#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "plan/view.h"
#include "tape/tape.h"

namespace adjoint {

/// What a plan makes of a node.
enum class Role : std::uint8_t {
  Constant,   ///< a literal inside kernels
  Leaf,       ///< input or dense constant: in memory before the plan runs
  Pointwise,  ///< computed at each point of a kernel
  View,       ///< read through (Views)
  Reduction,  ///< result of a kernel's reduction
  Concat,     ///< pieces stored into one buffer by the kernels that have them
  Library,    ///< matmul, recurrence, index and scatter steps
};

/// Which kernel a pointwise node is computed in. Kernels of one level do not depend on each other;
/// everything of a level comes before the next level, so the schedule has no cycles whatever is
/// fused.
class Analysis {
 public:
  explicit Analysis(const Tape& tape);

  const Tape& tape() const { return tape_; }
  Views& views() { return views_; }

  Role role(NodeId id) const { return roles_[id]; }
  /// Kernel space of a value: an identifier of its shape without unit axes.
  std::uint32_t space(NodeId id) const { return spaceOfShape_[tape_.node(id).shape]; }
  const Shape& spaceShape(std::uint32_t space) const { return spaceShapes_[space]; }
  /// Level of the kernel or step that computes the node.
  std::uint32_t level(NodeId id) const { return levels_[id]; }
  /// First level at which a value in memory can be read.
  std::uint32_t readyLevel(NodeId id) const;
  std::uint32_t levelCount() const { return levelCount_; }

  /// Whether `value` is computed by the kernel of this space and level.
  bool isFused(NodeId value, std::uint32_t space, std::uint32_t level) const {
    return roles_[value] == Role::Pointwise && levels_[value] == level &&
           this->space(value) == space;
  }
  /// Whether a kernel of another level computes the value again instead of reading it: a cheap
  /// operation on values that are in memory anyway.
  bool isRecomputed(NodeId value) const { return recomputed_[value]; }

  /// Level of the kernel that stores `piece` (an operand of concat, or an output) into a buffer.
  std::uint32_t storeLevel(NodeId piece);

  /// Values that must have a buffer because something reads them from memory.
  bool isStored(NodeId id) const { return stored_[id]; }
  void setStored(NodeId id) { stored_[id] = true; }

 private:
  void assignRoles();
  void assignLevels();
  void markStored();
  void markChecks();
  void markRead(NodeId operand, std::uint32_t space, std::uint32_t level);
  /// Level from which a kernel of this space can use the operand.
  std::uint32_t usableLevel(NodeId operand, std::uint32_t space);

  const Tape& tape_;
  Views views_;
  std::vector<Role> roles_;
  BigVector<std::uint32_t> levels_;
  std::vector<bool> recomputed_;
  std::vector<std::uint8_t> recomputeDepth_;
  std::vector<bool> stored_;
  std::vector<std::uint32_t> spaceOfShape_;
  std::vector<Shape> spaceShapes_;
  std::uint32_t levelCount_ = 0;
};

/// Whether each element of the result is computed from those at its place, by a kernel.
bool isElementwise(const Node& node);
/// Sums and extremes over axes.
bool isReduction(Op op);
/// Whether the operation takes less time than storing its result and reading it elsewhere.
bool isCheap(const Node& node);

/// How often each node is an operand, an output or a check.
std::vector<std::uint32_t> useCounts(const Tape& tape);
/// Roughly what an operation costs an element, in sums; nothing where it only moves data.
std::int64_t operationPrice(const Node& node);
/// Of functions like exp and sin.
constexpr std::int64_t kElementaryPrice = 24;

/// Operands of a pointwise node that its kernel computes with. Gather's source is not one: it is
/// read by address.
struct PointwiseOperands {
  NodeId ids[3];
  std::size_t count = 0;
};
PointwiseOperands pointwiseOperands(const Tape& tape, const Node& node);

}  // namespace adjoint
