#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sparsity/assembly.h"
#include "transform/transform.h"

namespace adjoint {

/// How a part of a Jacobian is computed.
struct JacobianBlock {
  std::int64_t lanes = 0;    ///< instances of one function
  std::int64_t outputs = 0;  ///< of each instance
  std::int64_t inputs = 0;   ///< that these depend on
  JacobianMode mode = JacobianMode::Reverse;
  double forwardCost = 0, reverseCost = 0;  ///< estimated operations, of all lanes
  /// The node because of which the part is a dense matrix; kNoNode: it is none.
  NodeId denseBy = kNoNode;
};

struct BlockJacobian {
  /// Inputs: those of the function. One output: the values of the pattern's entries.
  TapePtr tape;
  SparsePattern pattern;
  std::vector<JacobianBlock> blocks;
};

struct BlockOptions {
  JacobianMode mode = JacobianMode::Auto;
  SparseFormat format = SparseFormat::Csr;
  /// Estimated operations of the Jacobian of one instance: up to so many are written out element by
  /// element, longer ones keep their arrays where they can.
  double maxWrittenOut = 32768;
  Triangle triangle = Triangle::Full;
  /// Limit is thrown for more entries, and before dense blocks of more than these are made.
  std::int64_t maxEntries = std::numeric_limits<std::int32_t>::max();
  std::int64_t maxDenseEntries = std::numeric_limits<std::int32_t>::max();
};

/// The Jacobian of a function that does the same for many instances, each of which depends on a few
/// elements of the inputs. Rows are the elements of all outputs, columns those of the inputs `wrt`,
/// one after another. What has no such structure is dense.
BlockJacobian blockJacobian(const TapePtr& t, std::span<const std::size_t> wrt,
                            const BlockOptions& options = {});

}  // namespace adjoint
