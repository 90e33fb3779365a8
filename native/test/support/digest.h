#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
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

/// Writes the text into the file that an environment variable names, if it is set.
inline void writeForComparison(const char* variable, const std::string& text) {
  const char* path = std::getenv(variable);
  if (path == nullptr) return;
  std::FILE* file = std::fopen(path, "w");
  ASSERT_NE(file, nullptr) << path;
  std::fputs(text.c_str(), file);
  std::fclose(file);
}

}  // namespace adjoint::testing
