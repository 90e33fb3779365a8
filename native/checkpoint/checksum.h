#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace adjoint::checkpoint {

/// 64 bits that differ for any two byte sequences of one length which differ within one aligned
/// word of 8 bytes only, and for others but with probability 2^-64 or so.
///
/// Words go to four lanes in turn. A lane is multiplied, rotated and added to, by steps that have
/// inverses, so that lanes which have differed once go on to differ if they are fed the same; so do
/// the steps that join the lanes. (In the manner of Y. Collet's xxHash, of which it is no copy.)
std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed);

}  // namespace adjoint::checkpoint
