#include "sparsity/block_jacobian.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "sparsity/blocks.h"
#include "transform/copy.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// Operations of the functions that lanes of one shape compute together.
constexpr std::int64_t kMaxTogether = 16384;

class Jacobian {
 public:
  Jacobian(const Tape& t, std::span<const std::size_t> wrt, const BlockOptions& options)
      : tape_(t),
        options_(options),
        wrt_(wrt.begin(), wrt.end()),
        active_(activeNodes(tape_, wrt)),
        movement_(tape_, active_),
        firstColumn_(tape_.size(), 0) {
    std::int64_t rows = 0, columns = 0;
    for (const std::size_t i : wrt) {
      const Port& port = tape_.inputs()[i];
      if (tape_.node(port.node).dtype == DType::Bool)
        throw Error(ErrorCode::NotDifferentiable, "input " + port.name + " is boolean");
      firstColumn_[port.node] = columns;
      columns += tape_.count(port.node);
    }
    for (const Port& port : tape_.outputs()) rows += tape_.count(port.node);
    assembly_ = std::make_unique<Assembly>(rows, columns, options.format, options.triangle);
    copyPrimal();
    site_.emplace(
        BlockSite{tape_, options.mode, firstColumn_, builder_, map_, *assembly_, result_.blocks});
  }

  BlockJacobian run() {
    std::map<std::vector<std::size_t>, std::vector<DensePiece>> dense;  // by the inputs
    for (Piece& piece : piecesOf(tape_, active_, movement_)) {
      PieceLanes found = lanesOf(tape_, active_, movement_, piece, options_.mode);
      const bool isLong = found.sets.empty() || found.cost > options_.maxWrittenOut;
      if (isLong && addInstances(piece)) continue;
      for (LaneSet& set : found.sets) join(std::move(set));
      if (!found.sets.empty()) continue;
      dense[inputsOf(piece.node)].push_back({std::move(piece), found.cause});
    }
    for (LaneRegion& region : regions_) addLaneBlocks(*site_, region);
    for (const auto& [inputs, pieces] : dense) addDenseBlocks(*site_, inputs, pieces);
    Expr values;
    result_.pattern = assembly_->finish(builder_, values);
    result_.tape = builder_.finish({{"values", values.id}});
    return std::move(result_);
  }

 private:
  void copyPrimal();
  void join(LaneSet set);
  bool addInstances(const Piece& piece);
  std::vector<std::size_t> inputsOf(NodeId id) const;

  const Tape& tape_;
  const BlockOptions options_;
  std::vector<std::size_t> wrt_;
  std::vector<bool> active_;
  Movement movement_;
  std::optional<AxisClasses> classes_;
  std::vector<std::int64_t> firstColumn_;  ///< by input node
  std::vector<LaneRegion> regions_;
  std::unique_ptr<Assembly> assembly_;
  Builder builder_;
  std::vector<NodeId> map_;  ///< by node, on the new tape
  BlockJacobian result_;
  std::optional<BlockSite> site_;
};

void Jacobian::copyPrimal() {
  Copier copier(builder_, tape_);
  map_.assign(tape_.size(), kNoNode);
  for (const Port& port : tape_.inputs())
    map_[port.node] =
        builder_.input(port.name, tape_.shape(port.node), tape_.node(port.node).dtype);
  for (NodeId id = 0; id < tape_.size(); ++id) {
    const Node& node = tape_.node(id);
    if (node.op == tapeop::kInput) continue;
    builder_.setOrigin(node.origin);
    map_[id] = copier.copyMapped(node, map_);
  }
  builder_.setOrigin(kNoNode);
}

void Jacobian::join(LaneSet set) {
  const auto place = std::ranges::find_if(regions_, [&](const LaneRegion& region) {
    return region.shape == set.shape && region.function->cost() < kMaxTogether;
  });
  LaneRegion* region = place == regions_.end() ? nullptr : &*place;
  if (region == nullptr) {
    regions_.push_back({set.shape, nullptr, {}});
    region = &regions_.back();
    region->function =
        std::make_unique<LaneFunction>(tape_, active_, movement_, elementCount(set.shape),
                                       std::numeric_limits<std::int64_t>::max());
  }
  LaneFunction& function = *region->function;
  for (LaneOutput& output : set.outputs) {
    const MapId map = function.maps().list(std::move(output.elements));
    region->outputs.push_back({function.at(output.node, map), std::move(output.rows)});
  }
}

/// The piece as instances with arrays inside, where it is that.
bool Jacobian::addInstances(const Piece& piece) {
  const Shape& shape = tape_.shape(piece.node);
  if (!classes_) classes_.emplace(tape_, 2);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] < 2) continue;
    IndexMaps maps(shape[k]);
    const auto axis = static_cast<int>(k);
    const auto function =
        instanceFunction(tape_, active_, movement_, *classes_, maps, piece.node, axis);
    if (!function) continue;
    addInstanceBlock(*site_, piece, axis, maps, *function);
    return true;
  }
  return false;
}

/// The inputs of interest that a value depends on.
std::vector<std::size_t> Jacobian::inputsOf(NodeId id) const {
  std::vector<bool> isUsed(id + 1, false);
  isUsed[id] = true;
  for (NodeId i = id + 1; i-- > 0;) {
    if (!isUsed[i]) continue;
    for (const NodeId operand : differentiableOperands(tape_, tape_.node(i)))
      isUsed[operand] = true;
  }
  std::vector<std::size_t> result;
  for (const std::size_t i : wrt_) {
    const NodeId input = tape_.inputs()[i].node;
    if (input <= id && isUsed[input] && tape_.count(input) > 0) result.push_back(i);
  }
  return result;
}

}  // namespace

BlockJacobian blockJacobian(const TapePtr& t, std::span<const std::size_t> wrt,
                            const BlockOptions& options) {
  return Jacobian(*t, wrt, options).run();
}

}  // namespace adjoint
