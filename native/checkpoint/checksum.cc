#include "checkpoint/checksum.h"

#include <bit>
#include <cstring>

namespace adjoint::checkpoint {

namespace {

// Odd, so that multiplication has an inverse: the golden ratio, and the square roots of 2 and 3.
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15ull;
constexpr std::uint64_t kRoot2 = 0x6a09e667f3bcc909ull;
constexpr std::uint64_t kRoot3 = 0xbb67ae8584caa73bull;

/// A bijection of the lane for each word, and of the word for each lane.
std::uint64_t fed(std::uint64_t lane, std::uint64_t word) {
  return std::rotl(lane + word * kRoot2, 31) * kGolden;
}

/// A bijection whose every output bit depends on every input bit.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 32)) * kRoot3;
  x = (x ^ (x >> 29)) * kGolden;
  return x ^ (x >> 32);
}

std::uint64_t wordAt(const std::byte* from, std::size_t bytes = sizeof(std::uint64_t)) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, bytes);
  return word;
}

}  // namespace

std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) {
  std::uint64_t lanes[4] = {seed + kGolden, seed ^ kRoot2, seed + kRoot3, ~seed};
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= sizeof lanes; at += sizeof lanes, left -= sizeof lanes) {
    for (int i = 0; i < 4; ++i) lanes[i] = fed(lanes[i], wordAt(at + 8 * i));
  }
  for (int i = 0; left > 0; ++i) {
    const std::size_t taken = left < 8 ? left : 8;
    lanes[i] = fed(lanes[i], wordAt(at, taken));
    at += taken;
    left -= taken;
  }
  std::uint64_t all = seed ^ bytes.size();
  for (const std::uint64_t lane : lanes) all = mixed(all + mixed(lane));
  return all;
}

}  // namespace adjoint::checkpoint
