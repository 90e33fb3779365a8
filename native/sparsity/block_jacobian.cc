#include "sparsity/block_jacobian.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "ops/build.h"
#include "sparsity/instance_function.h"
#include "sparsity/local_jacobian.h"
#include "sparsity/pieces.h"
#include "transform/copy.h"
#include "transform/rules.h"

namespace adjoint {

namespace {

/// Operations of the functions that lanes of one shape compute together.
constexpr std::int64_t kMaxTogether = 16384;
/// Operations of the Jacobian of one lane; longer ones keep their arrays where they can.
constexpr double kMaxLocalCost = 32768;

/// Whether the elements of b are those of a moved by `distance`.
bool isNeighbor(const IndexMaps& maps, const Movement::Source& a, const Movement::Source& b,
                std::int64_t distance) {
  const IndexMaps::Map& x = maps.of(a.map);
  const IndexMaps::Map& y = maps.of(b.map);
  return a.node == b.node && x.offset + distance == y.offset && x.stride == y.stride &&
         x.table == y.table;
}

class Jacobian {
 public:
  Jacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode,
           SparseFormat format)
      : tape_(*t),
        shared_(t),
        mode_(mode),
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
    assembly_ = std::make_unique<Assembly>(rows, columns, format);
    for (const std::size_t i : wrt) wrt_.push_back(i);
  }

  BlockJacobian run() {
    copyPrimal();
    std::map<std::vector<std::size_t>, DensePart> dense;  // by the inputs
    for (Piece& piece : piecesOf(tape_, active_, movement_)) {
      PieceLanes found = lanesOf(tape_, active_, movement_, piece, mode_);
      const bool isLong = found.sets.empty() || found.cost > kMaxLocalCost;
      if (isLong && addArrays(piece)) continue;
      for (LaneSet& set : found.sets) join(std::move(set));
      if (!found.sets.empty()) continue;
      const auto [part, isNew] = dense.try_emplace(inputsOf(piece.node));
      if (isNew) part->second.cause = found.cause;
      part->second.pieces.push_back(std::move(piece));
    }
    for (Region& region : regions_) addRegion(region);
    for (const auto& [inputs, part] : dense) addDense(inputs, part);
    Expr values;
    result_.pattern = assembly_->finish(builder_, values);
    result_.tape = builder_.finish({{"values", values.id}});
    return std::move(result_);
  }

 private:
  /// Lanes of one shape and the function that they compute together.
  struct Region {
    Shape shape;
    std::unique_ptr<LaneFunction> function;
    struct Output {
      NodeId value;
      std::vector<std::int64_t> rows;
    };
    std::vector<Output> outputs;
  };

  /// Pieces whose rows are all of the columns of some inputs.
  struct DensePart {
    std::vector<Piece> pieces;
    NodeId cause;
  };

  void copyPrimal();
  void join(LaneSet set);
  void addRegion(Region& region);
  bool addArrays(const Piece& piece);
  void addArrays(const Piece& piece, int axis, const IndexMaps& maps, const InstanceFunction& f);
  std::vector<std::size_t> inputsOf(NodeId id) const;
  void addDense(const std::vector<std::size_t>& inputs, const DensePart& part);
  Expr laneValue(const LaneFunction::Input& input, const IndexMaps& maps, const Shape& shape);

  const Tape& tape_;
  const TapePtr shared_;
  const JacobianMode mode_;
  std::vector<std::size_t> wrt_;
  std::vector<bool> active_;
  Movement movement_;
  std::optional<AxisClasses> classes_;
  std::vector<std::int64_t> firstColumn_;  ///< by input node
  std::vector<Region> regions_;
  std::unique_ptr<Assembly> assembly_;
  std::size_t nextBlock_ = 0;
  Builder builder_;
  std::vector<NodeId> map_;  ///< by node, on the new tape
  BlockJacobian result_;
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
  const auto place = std::ranges::find_if(regions_, [&](const Region& region) {
    return region.shape == set.shape && region.function->cost() < kMaxTogether;
  });
  Region* region = place == regions_.end() ? nullptr : &*place;
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

/// An element for every lane, or one scalar where all have the same.
Expr Jacobian::laneValue(const LaneFunction::Input& input, const IndexMaps& maps,
                         const Shape& shape) {
  const IndexMaps::Map& map = maps.of(input.nearMap);
  const Expr all{&builder_, map_[input.nearNode]};
  const Shape from = all.shape();
  const std::int64_t count = elementCount(from), lanes = maps.lanes();
  const auto flat = [&] { return ex::reshape(all, {count}); };
  if (map.isUniform()) return ex::reshape(ex::sliceAxis(flat(), 0, {map.offset, 1, 1}), {});
  if (!map.isLine()) {
    const std::vector<std::int32_t>& table = maps.table(map.table);
    const std::int64_t reach = *std::ranges::max_element(table) + 1;
    const Expr indices{&builder_,
                       builder_.data(std::vector<double>(table.begin(), table.end()), shape)};
    return ex::gather(ex::sliceAxis(flat(), 0, {map.offset, reach, 1}), indices, 0);
  }
  if (map.offset == 0 && map.stride == 1 && lanes == count) return ex::reshape(all, shape);
  // All of one axis, at a place of the others: no other order of elements.
  const std::vector<std::int64_t> strides = rowMajorStrides(from);
  for (std::size_t axis = 0; axis < from.size(); ++axis) {
    const bool isAxis = from[axis] == lanes && strides[axis] == map.stride &&
                        map.offset / strides[axis] % from[axis] == 0;
    if (!isAxis) continue;
    std::vector<ex::Range> ranges;
    for (std::size_t k = 0; k < from.size(); ++k)
      ranges.push_back(k == axis ? ex::Range{0, lanes, 1}
                                 : ex::Range{map.offset / strides[k] % from[k], 1, 1});
    return ex::reshape(ex::slice(all, ranges), shape);
  }
  const std::int64_t last = map.offset + map.stride * (lanes - 1);
  const Expr line =
      ex::sliceAxis(flat(), 0, {std::min(map.offset, last), lanes, std::abs(map.stride)});
  return ex::reshape(map.stride < 0 ? ex::flip(line, {0}) : line, shape);
}

void Jacobian::addRegion(Region& region) {
  LaneFunction& function = *region.function;
  const IndexMaps& maps = function.maps();
  const std::int64_t lanes = maps.lanes();
  std::vector<Port> ports;
  for (const Region::Output& output : region.outputs) ports.push_back({"y", output.value});
  const TapePtr body = function.body().finish(std::move(ports));
  std::vector<std::size_t> wrt;
  std::vector<NodeId> arguments;
  std::vector<bool> isBatched;
  for (std::size_t i = 0; i < function.inputs().size(); ++i) {
    const LaneFunction::Input& input = function.inputs()[i];
    if (input.isActive) wrt.push_back(i);
    arguments.push_back(laneValue(input, maps, region.shape).id);
    isBatched.push_back(!maps.of(input.nearMap).isUniform());
  }
  const LocalJacobian local = localJacobian(body, wrt, mode_);
  TapePtr overLanes = local.tape;
  for (std::size_t axis = region.shape.size(); axis-- > 0;)
    overLanes = vmap(overLanes, region.shape[axis], isBatched);
  const std::vector<NodeId> values = inlineTape(builder_, *overLanes, arguments, true);

  const auto rank = static_cast<std::int64_t>(region.shape.size());
  std::size_t next = 0;
  for (const LocalGroup& group : local.groups) {
    const auto scale = static_cast<double>(lanes);
    result_.blocks.push_back({lanes, static_cast<std::int64_t>(group.outputs.size()),
                              static_cast<std::int64_t>(group.inputs.size()), group.mode,
                              group.forwardCost * scale, group.reverseCost * scale, kNoNode});
    for (const LocalGroup::Entry& entry : group.entries) {
      const LaneFunction::Input& input = function.inputs()[entry.input];
      const std::vector<std::int64_t>& rows = region.outputs[entry.output].rows;
      Strip strip;
      strip.values = ex::expandAxes({&builder_, values[next++]}, {rank});
      strip.rows.assign(rows.begin(), rows.end());
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        strip.columns.push_back(
            static_cast<std::int32_t>(firstColumn_[input.node] + maps.at(input.map, lane)));
      strip.block = nextBlock_;
      assembly_->add(std::move(strip));
    }
    ++nextBlock_;
  }
}

/// The piece as instances with arrays inside, where it is that.
bool Jacobian::addArrays(const Piece& piece) {
  const Shape& shape = tape_.shape(piece.node);
  if (!classes_) classes_.emplace(tape_, 2);
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] < 2) continue;
    IndexMaps maps(shape[k]);
    const auto axis = static_cast<int>(k);
    const auto function =
        instanceFunction(tape_, active_, movement_, *classes_, maps, piece.node, axis);
    if (!function) continue;
    addArrays(piece, axis, maps, *function);
    return true;
  }
  return false;
}

void Jacobian::addArrays(const Piece& piece, int axis, const IndexMaps& maps,
                         const InstanceFunction& f) {
  const std::int64_t lanes = maps.lanes();
  std::vector<std::size_t> wrt;
  std::vector<NodeId> arguments;
  std::vector<bool> isBatched;
  std::map<NodeId, int> uses;  // of inputs, by how many values
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    const InstanceFunction::Input& input = f.inputs[i];
    Expr value{&builder_, map_[input.node]};
    if (input.axis > 0) {
      ex::Axes order = ex::allAxes(value);
      order.erase(order.begin() + input.axis);
      order.insert(order.begin(), input.axis);
      value = ex::transpose(value, order);
    }
    arguments.push_back(value.id);
    isBatched.push_back(input.axis >= 0);
    if (!input.isActive) continue;
    wrt.push_back(i);
    std::set<NodeId> sources;
    for (const Movement::Source& element : input.elements) sources.insert(element.node);
    for (const NodeId source : sources) ++uses[source];
  }
  const JacobianResult local = jacobian(f.body, wrt, mode_);
  const std::vector<NodeId> values =
      inlineTape(builder_, *vmap(local.tape, lanes, isBatched), arguments, true);
  const std::int64_t outputs = tape_.count(piece.node) / lanes;
  const auto scale = static_cast<double>(lanes);
  JacobianBlock block{
      lanes, outputs, 0, local.mode, local.forwardCost * scale, local.reverseCost * scale, kNoNode};
  const std::int64_t inner =
      rowMajorStrides(tape_.shape(piece.node))[static_cast<std::size_t>(axis)];
  for (std::size_t k = 0; k < wrt.size(); ++k) {
    const std::vector<Movement::Source>& elements = f.inputs[wrt[k]].elements;
    const auto width = static_cast<std::int64_t>(elements.size());
    block.inputs += width;
    const Expr all = ex::reshape({&builder_, values[k]}, {lanes, outputs, width});
    for (std::int64_t o = 0; o < outputs; ++o) {
      const Expr row = ex::reshape(ex::sliceAxis(all, 1, {o, 1, 1}), {lanes, width});
      std::vector<std::int32_t> rows;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const std::int64_t element = (o / inner * lanes + lane) * inner + o % inner;
        rows.push_back(static_cast<std::int32_t>(piece.rows[static_cast<std::size_t>(element)]));
      }
      for (std::int64_t first = 0, end = 0; first < width; first = end) {
        const Movement::Source& from = elements[static_cast<std::size_t>(first)];
        // Neighbors go together, where they are this value's alone.
        for (end = first + 1; end < width && uses[from.node] == 1; ++end) {
          const Movement::Source& other = elements[static_cast<std::size_t>(end)];
          if (!isNeighbor(maps, from, other, end - first)) break;
        }
        if (from.node == kNoNode) continue;
        Strip strip;
        strip.width = end - first;
        strip.values = ex::sliceAxis(row, 1, {first, strip.width, 1});
        strip.rows = rows;
        for (std::int64_t lane = 0; lane < lanes; ++lane)
          strip.columns.push_back(
              static_cast<std::int32_t>(firstColumn_[from.node] + maps.at(from.map, lane)));
        strip.block = nextBlock_;
        assembly_->add(std::move(strip));
      }
    }
  }
  ++nextBlock_;
  result_.blocks.push_back(block);
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

/// All columns of the inputs that the pieces depend on.
void Jacobian::addDense(const std::vector<std::size_t>& inputs, const DensePart& part) {
  std::vector<Port> ports;
  for (const Piece& piece : part.pieces) ports.push_back({"y", piece.node});
  const JacobianResult dense = jacobian(Builder(tape_).finish(std::move(ports)), inputs, mode_);
  std::vector<NodeId> arguments;
  for (const Port& port : tape_.inputs()) arguments.push_back(map_[port.node]);
  const std::vector<NodeId> values = inlineTape(builder_, *dense.tape, arguments, true);
  JacobianBlock block{1, 0, 0, dense.mode, dense.forwardCost, dense.reverseCost, part.cause};
  for (const std::size_t i : inputs) block.inputs += tape_.count(tape_.inputs()[i].node);
  std::size_t next = 0;
  for (const Piece& piece : part.pieces) {
    const std::int64_t count = tape_.count(piece.node);
    block.outputs += count;
    for (const std::size_t i : inputs) {
      const NodeId input = tape_.inputs()[i].node;
      Strip strip;
      strip.width = tape_.count(input);
      strip.values = ex::reshape({&builder_, values[next++]}, {count, strip.width});
      strip.rows.assign(piece.rows.begin(), piece.rows.end());
      strip.columns.assign(piece.rows.size(), static_cast<std::int32_t>(firstColumn_[input]));
      strip.block = nextBlock_;
      assembly_->add(std::move(strip));
    }
    ++nextBlock_;
  }
  result_.blocks.push_back(block);
}

}  // namespace

BlockJacobian blockJacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode,
                            SparseFormat format) {
  return Jacobian(t, wrt, mode, format).run();
}

}  // namespace adjoint
