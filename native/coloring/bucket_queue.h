#pragma once

#include <algorithm>
#include <vector>

#include "coloring/pattern.h"

namespace adjoint::coloring {

/// Vertices by a small key, in lists: every step takes constant time, but for finding the least or
/// largest key, which takes as long as keys have moved. Of equal keys the last one that got its key
/// comes first.
class BucketQueue {
 public:
  BucketQueue(Index vertices, Index largestKey)
      : first_(static_cast<std::size_t>(largestKey) + 1, kNone),
        links_(static_cast<std::size_t>(vertices)),
        least_(largestKey) {}

  void insert(Index v, Index key) {
    Links& links = links_[v];
    links = {first_[key], kNone, key};
    if (links.next != kNone) links_[links.next].before = v;
    first_[key] = v;
    ++size_;
    least_ = std::min(least_, key);
    largest_ = std::max(largest_, key);
  }
  void remove(Index v) {
    Links& links = links_[v];
    if (links.next != kNone) links_[links.next].before = links.before;
    (links.before != kNone ? links_[links.before].next : first_[links.key]) = links.next;
    links.key = kNone;
    --size_;
  }
  void change(Index v, Index key) {
    remove(v);
    insert(v, key);
  }

  bool isEmpty() const { return size_ == 0; }
  bool contains(Index v) const { return links_[v].key != kNone; }
  Index key(Index v) const { return links_[v].key; }
  /// A vertex of the least or largest key, where there is any.
  Index least() {
    while (first_[least_] == kNone) ++least_;
    return first_[least_];
  }
  Index largest() {
    while (first_[largest_] == kNone) --largest_;
    return first_[largest_];
  }

 private:
  static constexpr Index kNone = -1;
  struct Links {
    Index next = kNone, before = kNone, key = kNone;
  };

  std::vector<Index> first_;
  std::vector<Links> links_;
  Index least_, largest_ = 0, size_ = 0;
};

}  // namespace adjoint::coloring
