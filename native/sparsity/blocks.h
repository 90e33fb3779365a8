#pragma once

#include <memory>
#include <vector>

#include "sparsity/assembly.h"
#include "sparsity/block_jacobian.h"
#include "sparsity/instance_function.h"
#include "sparsity/lane_function.h"
#include "sparsity/pieces.h"

namespace adjoint {

/// What the blocks of a Jacobian are made from and put into.
struct BlockSite {
  const Tape& tape;
  JacobianMode mode;
  const std::vector<std::int64_t>& firstColumn;  ///< of the inputs, by node
  Builder& builder;
  const std::vector<NodeId>& map;  ///< the tape's nodes on the builder
  Assembly& assembly;
  std::vector<JacobianBlock>& blocks;
  /// Whether what is added are terms: several of their entries can have one place, in which case
  /// they must be strips of one column.
  bool isOfTerms = false;
  std::size_t ownBlocks = 0;  ///< of one strip each

  /// Begins a block, to which the strips that follow belong.
  void begin(const JacobianBlock& block) { blocks.push_back(block); }
  void add(Strip strip);
};

/// Lanes of one shape and the function that they compute together.
struct LaneRegion {
  Shape shape;
  std::unique_ptr<LaneFunction> function;
  struct Output {
    NodeId value;  ///< of the function's body
    std::vector<std::int64_t> rows;
  };
  std::vector<Output> outputs;
};
void addLaneBlocks(BlockSite& site, LaneRegion& region);

/// The piece as instances along an axis.
void addInstanceBlock(BlockSite& site, const Piece& piece, int axis, const IndexMaps& maps,
                      const InstanceFunction& function);

/// A piece that has no blocks.
struct DensePiece {
  Piece piece;
  NodeId cause;  ///< the operation because of which it has none
};
/// Pieces whose rows are all of the columns of these inputs.
void addDenseBlocks(BlockSite& site, const std::vector<std::size_t>& inputs,
                    const std::vector<DensePiece>& pieces);

}  // namespace adjoint
