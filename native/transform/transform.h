#pragma once

#include <span>
#include <vector>

#include "ops/expr.h"
#include "tape/tape.h"

namespace adjoint {

/// Copies `callee` onto `builder` with its inputs replaced by `arguments`; returns the nodes of its
/// outputs.
/// With `keepOrigins` the copies come from the user's nodes that the callee's nodes come from;
/// otherwise they come from where the call does.
std::vector<NodeId> inlineTape(Builder& builder, const Tape& callee,
                               std::span<const NodeId> arguments, bool keepOrigins = false);

/// Pushes tangents forward. Inputs: those of t, then one tangent "d_<name>" for each input in `wrt`
/// (positions). Outputs: those of t, then the tangent of each.
TapePtr jvp(const TapePtr& t, std::span<const std::size_t> wrt);

/// Pulls cotangents back. Inputs: those of t, then one cotangent "bar_<name>" for each output.
/// Outputs: those of t, then the cotangent of each input in `wrt`.
TapePtr vjp(const TapePtr& t, std::span<const std::size_t> wrt);

/// The gradient of a function with one scalar output: outputs are the value, then one gradient for
/// each input in `wrt`. A vjp whose seed is the constant 1. Throws ERR_SHAPE unless there is one
/// scalar output.
TapePtr valueAndGrad(const TapePtr& t, std::span<const std::size_t> wrt);
/// The same without the value.
TapePtr gradient(const TapePtr& t, std::span<const std::size_t> wrt);

/// The counterpart in forward mode: the derivative of every output by one scalar input, a jvp whose
/// seed is the constant 1.
TapePtr derivative(const TapePtr& t, std::size_t input);

/// One copy of t for each of `lanes` lanes, the lane axis first. Inputs where `batched` is false
/// are shared. Outputs all have the lane axis.
TapePtr vmap(const TapePtr& t, std::int64_t lanes, const std::vector<bool>& batched);

/// Which way a Jacobian is computed.
enum class JacobianMode { Auto, Forward, Reverse };
struct JacobianResult {
  TapePtr tape;  ///< outputs: for each output of t, for each input in wrt: [...output, ...input]
  JacobianMode mode;                        ///< the one chosen
  double forwardCost = 0, reverseCost = 0;  ///< estimated operations of each
};
JacobianResult jacobian(const TapePtr& t, std::span<const std::size_t> wrt, JacobianMode mode);

/// Only the outputs at `positions`, dead code removed.
TapePtr selectOutputs(const TapePtr& t, std::span<const std::size_t> positions);

/// Estimated scalar operations of one evaluation.
double estimateCost(const Tape& t);

/// Replaces custom nodes by their primal, so that a plan can be made.
TapePtr expandCalls(const TapePtr& t);

/// Leaves out of loops what no output or check needs: constants, carries, streams and results. Work
/// that is the same in all steps moves in front of the loop, unless it has at most one step.
TapePtr simplifyLoops(const TapePtr& t);

}  // namespace adjoint
