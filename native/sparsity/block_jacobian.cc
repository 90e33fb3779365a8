#include "sparsity/block_jacobian.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "ops/build.h"
#include "sparsity/blocks.h"
#include "sparsity/terms.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// Operations of the functions that lanes of one shape compute together.
constexpr std::int64_t kMaxTogether = 16384;

/// Terms are not taken apart where their entries are more than so many for each of the dense
/// matrix.
constexpr double kMaxEntriesOfTerms = 16;
/// What adding an entry up and another set of lanes take, in operations.
constexpr double kAddingCost = 4, kSetCost = 256;
/// Rows are lanes in this many sets, where that takes less than their terms do.
constexpr std::size_t kMaxSetsOfRows = 8;
/// Numbers of blocks past those that are listed.
constexpr std::size_t kOwnBlocks = std::size_t{1} << 31;

/// One column wide.
Strip narrowed(const Strip& strip) {
  Strip result;
  const auto lanes = static_cast<std::int64_t>(strip.rows.size());
  result.values = ex::reshape(strip.values, {lanes * strip.width, 1});
  for (std::size_t lane = 0; lane < strip.rows.size(); ++lane) {
    for (std::int64_t k = 0; k < strip.width; ++k) {
      result.rows.push_back(strip.rows[lane]);
      result.columns.push_back(strip.columns[lane] + static_cast<std::int32_t>(k));
    }
  }
  return result;
}

void checkEntries(std::int64_t entries, std::int64_t most) {
  if (entries <= most) return;
  throw Error(ErrorCode::Limit, "a sparse matrix of " + std::to_string(entries) +
                                    " entries, more than " + std::to_string(most));
}

class Jacobian {
 public:
  Jacobian(Terms terms, std::span<const std::size_t> wrt, const BlockOptions& options)
      : terms_(std::move(terms)),
        tape_(*terms_.tape),
        options_(options),
        wrt_(wrt.begin(), wrt.end()),
        active_(activeNodes(tape_, wrt)),
        movement_(tape_, active_),
        firstColumn_(tape_.size(), 0) {
    std::int64_t columns = 0;
    for (const std::size_t i : wrt) {
      const Port& port = tape_.inputs()[i];
      if (tape_.node(port.node).dtype == DType::Bool)
        throw Error(ErrorCode::NotDifferentiable, "input " + port.name + " is boolean");
      firstColumn_[port.node] = columns;
      columns += tape_.count(port.node);
    }
    assembly_ = std::make_unique<Assembly>(terms_.rows, columns, options.format, options.triangle);
    map_ = copyOnto(builder_, tape_);
    site_.emplace(
        BlockSite{tape_, options.mode, firstColumn_, builder_, map_, *assembly_, result_.blocks});
  }

  BlockJacobian run() {
    std::map<std::vector<std::size_t>, std::vector<DensePiece>> dense;  // by the inputs
    for (SummedPiece& piece : terms_.pieces) {
      if (addTerms(piece)) continue;
      Form form = formOf(piece.whole);
      if (form.isSparse()) {
        add(piece.whole, std::move(form));
      } else {
        dense[inputsOf(piece.whole.node)].push_back({std::move(piece.whole), form.lanes.cause});
      }
    }
    for (const auto& [inputs, pieces] : dense) expectDense(inputs, pieces);
    for (LaneRegion& region : regions_) addLaneBlocks(*site_, region);
    for (const auto& [inputs, pieces] : dense) addDenseBlocks(*site_, inputs, pieces);
    Expr values;
    result_.pattern = assembly_->finish(builder_, values);
    checkEntries(elementCount(values.shape()), options_.maxEntries);
    result_.tape = builder_.finish({{"values", values.id}});
    for (JacobianBlock& block : result_.blocks) {
      if (block.denseBy != kNoNode && !terms_.original.empty())
        block.denseBy = terms_.original[block.denseBy];
    }
    return std::move(result_);
  }

 private:
  /// Instances along an axis of a piece.
  struct Instances {
    int axis;
    IndexMaps maps;
    InstanceFunction function;
  };
  /// How a piece is computed.
  struct Form {
    PieceLanes lanes;
    std::optional<Instances> instances;

    bool isSparse() const { return instances || !lanes.sets.empty(); }
    /// Of the piece's Jacobian, or more.
    double entries() const;
  };

  Form formOf(const Piece& piece);
  std::optional<Instances> instancesOf(const Piece& piece);
  bool addRows(const Piece& piece, double operations);
  bool addTerms(const SummedPiece& piece);
  void add(const Piece& piece, Form form);
  void join(LaneSet set);
  void expectDense(const std::vector<std::size_t>& inputs, const std::vector<DensePiece>& pieces);
  std::vector<std::size_t> inputsOf(NodeId id) const;

  Terms terms_;
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
  std::int64_t denseEntries_ = 0;
  BlockJacobian result_;
  std::optional<BlockSite> site_;
};

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
  for (LaneElements& output : set.outputs) {
    const MapId map = function.maps().list(std::move(output.elements));
    region->outputs.push_back({function.at(output.node, map), std::move(output.rows)});
  }
}

double Jacobian::Form::entries() const {
  if (!instances) return lanes.entries;
  double result = 0;
  for (const InstanceFunction::Input& input : instances->function.inputs)
    result += static_cast<double>(input.elements.size());
  const Tape& body = *instances->function.body;
  return result * static_cast<double>(body.count(body.outputs()[0].node)) *
         static_cast<double>(instances->maps.lanes());
}

Jacobian::Form Jacobian::formOf(const Piece& piece) {
  Form form{lanesOf(tape_, active_, movement_, piece, options_.mode), {}};
  const bool isLong = form.lanes.sets.empty() || form.lanes.cost > options_.maxWrittenOut;
  if (isLong) form.instances = instancesOf(piece);
  return form;
}

/// The piece as instances with arrays inside, where it is that.
std::optional<Jacobian::Instances> Jacobian::instancesOf(const Piece& piece) {
  const Shape& shape = tape_.shape(piece.node);
  if (!classes_) classes_.emplace(tape_, 2);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] < 2) continue;
    IndexMaps maps(shape[k]);
    const auto axis = static_cast<int>(k);
    auto function = instanceFunction(tape_, active_, movement_, *classes_, maps, piece.node, axis);
    if (function) return Instances{axis, std::move(maps), std::move(*function)};
  }
  return std::nullopt;
}

/// The piece with a lane a row, where that takes at most so many operations: it adds nothing up.
bool Jacobian::addRows(const Piece& piece, double operations) {
  Form form{lanesOf(tape_, active_, movement_, piece, options_.mode, kMaxSetsOfRows), {}};
  const auto sets = static_cast<double>(form.lanes.sets.size());
  if (sets == 0 || form.lanes.cost > options_.maxWrittenOut ||
      form.lanes.operations + kSetCost * sets > operations)
    return false;
  add(piece, std::move(form));
  return true;
}

/// The piece by its terms, where there are any and each has a form that is not dense.
bool Jacobian::addTerms(const SummedPiece& piece) {
  std::vector<Form> forms;
  double entries = 0, operations = 0;
  for (const Piece& term : piece.terms) {
    forms.push_back(formOf(term));
    if (!forms.back().isSparse()) return false;
    entries += forms.back().entries();
    operations += forms.back().lanes.operations;
  }
  if (forms.empty()) return false;
  double columns = 0;
  for (const std::size_t i : inputsOf(piece.whole.node))
    columns += static_cast<double>(tape_.count(tape_.inputs()[i].node));
  const auto rows = static_cast<double>(piece.whole.rows.size());
  if (entries > kMaxEntriesOfTerms * rows * columns) return false;
  if (addRows(piece.whole, operations + kAddingCost * entries)) return true;
  site_->isOfTerms = true;
  for (std::size_t i = 0; i < forms.size(); ++i) add(piece.terms[i], std::move(forms[i]));
  site_->isOfTerms = false;
  return true;
}

void Jacobian::add(const Piece& piece, Form form) {
  if (form.instances) {
    const auto& [axis, maps, function] = *form.instances;
    addInstanceBlock(*site_, piece, axis, maps, function);
    return;
  }
  for (LaneSet& set : form.lanes.sets) join(std::move(set));
}

void Jacobian::expectDense(const std::vector<std::size_t>& inputs,
                           const std::vector<DensePiece>& pieces) {
  for (const std::size_t i : inputs) {
    const NodeId input = tape_.inputs()[i].node;
    const std::int64_t first = firstColumn_[input], end = first + tape_.count(input);
    for (const DensePiece& dense : pieces) {
      for (const std::int64_t row : dense.piece.rows) {
        const bool isUpper = options_.triangle == Triangle::Upper;
        const bool isLower = options_.triangle == Triangle::Lower;
        const std::int64_t from = isUpper ? std::max(first, row) : first;
        const std::int64_t to = isLower ? std::min(end, row + 1) : end;
        denseEntries_ += std::max<std::int64_t>(0, to - from);
      }
    }
  }
  checkEntries(denseEntries_, std::min(options_.maxEntries, options_.maxDenseEntries));
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

void BlockSite::add(Strip strip) {
  const bool isNarrowed = isOfTerms && strip.width > 1;
  if (isNarrowed) strip = narrowed(strip);
  strip.block = isNarrowed ? kOwnBlocks + ownBlocks++ : blocks.size();
  assembly.add(std::move(strip));
}

BlockJacobian blockJacobian(const TapePtr& t, std::span<const std::size_t> wrt,
                            const BlockOptions& options) {
  return Jacobian(termsOf(t, wrt), wrt, options).run();
}

}  // namespace adjoint
