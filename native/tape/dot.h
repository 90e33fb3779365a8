#pragma once

#include <string>

#include "tape/tape.h"

namespace adjoint {

/// One node as a formula over others, for people: "sin(v3)", "slice(v1; 0, 2, 1)", "2.5", or an
/// input's name.
std::string nodeText(const Tape& tape, NodeId node);

/// The tape as a graph in Graphviz's language: operands point to the nodes that use them. Names are
/// escaped.
std::string toDot(const Tape& tape);

}  // namespace adjoint
