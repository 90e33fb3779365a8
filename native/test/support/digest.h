#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>

namespace adjoint::testing {

/// Every NaN counts as one: its sign and payload depend on the processor and on the order of
/// operands the compiler chose.
inline std::uint64_t bitsOf(double x) {
  return std::isnan(x) ? 1 : std::bit_cast<std::uint64_t>(x);
}

/// Of the bits of many numbers (FNV-1a), for comparisons between builds.
class Digest {
 public:
  void add(double x) { hash_ = (hash_ ^ bitsOf(x)) * 1099511628211ull; }
  std::string text() const {
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(hash_));
    return hex;
  }

 private:
  std::uint64_t hash_ = 14695981039346656037ull;
};

}  // namespace adjoint::testing
