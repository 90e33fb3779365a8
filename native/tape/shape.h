#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint {

/// Extents of a tensor, outermost first; a scalar has none.
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kMaxRank = 16;
/// Largest number of elements a single value may have (16 GiB of doubles).
constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

/// What a value's elements are. Booleans are held as 0.0 and 1.0, so every buffer is an array of
/// doubles.
enum class DType : std::uint8_t { F64, Bool };

const char* dtypeName(DType dtype);

/// Number of elements; throws ERR_LIMIT past kMaxElements and ERR_SHAPE on a negative extent.
std::int64_t elementCount(const Shape& shape);

/// "[2,3]".
std::string toString(const Shape& shape);

/// NumPy broadcasting of two shapes; throws ERR_SHAPE naming `operation`.
Shape broadcastShapes(const Shape& a, const Shape& b, const char* operation);

/// Row-major strides in elements.
std::vector<std::int64_t> rowMajorStrides(const Shape& shape);

}  // namespace adjoint
