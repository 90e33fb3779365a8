#pragma once

#include <algorithm>
#include <vector>

#include "coloring/pattern.h"

namespace adjoint::coloring {

/// Vertices by a small key, in buckets: every step takes constant time, but for finding the least
/// or largest key, which takes as long as keys have moved. Of equal keys the one that came last to
/// its bucket is found first; where one leaves, the last one takes its place.
class BucketQueue {
 public:
  BucketQueue(Index vertices, Index largestKey)
      : buckets_(static_cast<std::size_t>(largestKey) + 1),
        places_(static_cast<std::size_t>(vertices)),
        least_(largestKey) {}

  void insert(Index v, Index key) {
    std::vector<Index>& bucket = buckets_[key];
    places_[v] = {key, static_cast<Index>(bucket.size())};
    bucket.push_back(v);
    ++size_;
    least_ = std::min(least_, key);
    largest_ = std::max(largest_, key);
  }
  void remove(Index v) {
    Place& place = places_[v];
    leave(place);
    place.key = kNone;
    --size_;
  }
  void change(Index v, Index key) {
    leave(places_[v]);
    --size_;
    insert(v, key);
  }

  bool isEmpty() const { return size_ == 0; }
  bool contains(Index v) const { return places_[v].key != kNone; }
  Index key(Index v) const { return places_[v].key; }
  /// A vertex of the least or largest key, where there is any.
  Index least() {
    while (buckets_[least_].empty()) ++least_;
    return buckets_[least_].back();
  }
  Index largest() {
    while (buckets_[largest_].empty()) --largest_;
    return buckets_[largest_].back();
  }

 private:
  static constexpr Index kNone = -1;
  struct Place {
    Index key = kNone, position = 0;
  };

  void leave(const Place& place) {
    std::vector<Index>& bucket = buckets_[place.key];
    const Index last = bucket.back();
    bucket.pop_back();
    // The last one of a bucket is the one that moves most often.
    if (static_cast<std::size_t>(place.position) == bucket.size()) return;
    bucket[place.position] = last;
    places_[last].position = place.position;
  }

  std::vector<std::vector<Index>> buckets_;
  std::vector<Place> places_;
  Index least_, largest_ = 0, size_ = 0;
};

}  // namespace adjoint::coloring
