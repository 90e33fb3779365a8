#include "tape/shape.h"

#include <algorithm>

#include "tape/error.h"

namespace adjoint {

const char* dtypeName(DType dtype) { return dtype == DType::Bool ? "bool" : "f64"; }

std::int64_t elementCount(const Shape& shape) {
  if (static_cast<std::int64_t>(shape.size()) > kMaxRank) {
    throw Error(ErrorCode::Limit, "a shape has at most " + std::to_string(kMaxRank) +
                                      " axes, got " + std::to_string(shape.size()));
  }
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw Error(ErrorCode::Shape, "negative extent in shape " + toString(shape));
    if (extent == 0) empty = true;
    if (extent > kMaxElements ||
        (!empty && count > kMaxElements / std::max<std::int64_t>(extent, 1))) {
      throw Error(ErrorCode::Limit, "shape " + toString(shape) + " has more than " +
                                        std::to_string(kMaxElements) + " elements");
    }
    if (!empty) count *= extent;
  }
  return empty ? 0 : count;
}

std::string toString(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ",";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

Shape broadcastShapes(const Shape& a, const Shape& b, const char* operation) {
  Shape result(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1) {
      throw Error(ErrorCode::Shape, std::string(operation) + ": shapes " + toString(a) + " and " +
                                        toString(b) + " do not broadcast (" + std::to_string(da) +
                                        " against " + std::to_string(db) + ")");
    }
    result[result.size() - 1 - i] = da == 1 ? db : da;
  }
  return result;
}

std::vector<std::int64_t> rowMajorStrides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

}  // namespace adjoint
