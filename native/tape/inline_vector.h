#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

namespace adjoint {

/// A vector of at most N elements without a heap: for operands, of which rules see millions.
template <class T, std::size_t N>
class InlineVector {
 public:
  InlineVector() = default;
  explicit InlineVector(std::size_t size) : size_(size) {}
  InlineVector(std::initializer_list<T> values) {
    for (const T& value : values) push_back(value);
  }

  void push_back(const T& value) { items_[size_++] = value; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }
  const T* data() const { return items_.data(); }

 private:
  std::array<T, N> items_{};
  std::size_t size_ = 0;
};

}  // namespace adjoint
