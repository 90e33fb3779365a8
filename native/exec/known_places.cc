#include "exec/known_places.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace adjoint::exec {
namespace {

/// Mean length from which copying runs takes less time than single elements.
constexpr std::size_t kLongRun = 2;
constexpr std::size_t kMark = 256;
/// Doubles copied at once.
constexpr std::int64_t kWide = 4;

}  // namespace

KnownPlaces KnownPlaces::ofFew(const Pattern& pattern, std::int64_t points) {
  KnownPlaces places;
  double addresses[kFewPoints];
  PatternState state;
  seek(pattern, 0, state);
  iotaWalk(pattern, state, addresses, points);
  for (std::int64_t i = 0; i < points; ++i)
    places.offsets_.push_back(static_cast<std::int32_t>(addresses[i]));
  return places;
}

KnownPlaces KnownPlaces::ofPlaces(std::vector<std::int32_t> places, std::int64_t readable) {
  KnownPlaces result;
  result.offsets_ = std::move(places);
  result.findRuns(readable);
  return result;
}

std::optional<std::vector<std::int32_t>> placesOfGather(const KnownGather& gather,
                                                        const Pattern& index,
                                                        const double* constants,
                                                        std::int64_t points) {
  const auto& [from, stride, limit] = gather;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (from.windowed || index.windowed || points >= kMost) return std::nullopt;
  std::vector<std::int32_t> places(static_cast<std::size_t>(points));
  PatternState fromState, indexState;
  seek(from, 0, fromState);
  seek(index, 0, indexState);
  constexpr std::int64_t kPiece = 256;
  double bases[kPiece], indices[kPiece];
  for (std::int64_t p = 0; p < points; p += kPiece) {
    const std::int64_t n = std::min(kPiece, points - p);
    iotaWalk(from, fromState, bases, n);
    loadWalk(index, indexState, constants, indices, n);
    for (std::int64_t i = 0; i < n; ++i) {
      if (!(indices[i] >= 0 && indices[i] < static_cast<double>(limit))) return std::nullopt;
      const std::int64_t at = static_cast<std::int64_t>(indices[i]);
      if (static_cast<double>(at) != indices[i]) return std::nullopt;
      const std::int64_t offset = static_cast<std::int64_t>(bases[i]) + stride * at;
      if (offset < -kMost || offset > kMost) return std::nullopt;
      places[static_cast<std::size_t>(p + i)] = static_cast<std::int32_t>(offset);
    }
  }
  return places;
}

void KnownPlaces::findRuns(std::int64_t readable) {
  const std::size_t points = offsets_.size();
  const auto startsAt = [&](std::size_t p) { return p == 0 || offsets_[p] != offsets_[p - 1] + 1; };
  std::size_t count = 0;
  for (std::size_t p = 0; p < points; ++p) count += startsAt(p);
  if (count * kLongRun > points) return;
  runs_.reserve(count + 1);
  for (std::size_t p = 0; p < points; ++p) {
    if (startsAt(p)) runs_.push_back({static_cast<std::int32_t>(p), offsets_[p]});
    if (p % kMark == 0) marks_.push_back(static_cast<std::int32_t>(runs_.size() - 1));
  }
  runs_.push_back({static_cast<std::int32_t>(points), 0});
  const auto last = std::ranges::max_element(offsets_);
  canOverread_ = *last + kWide <= readable;
  offsets_ = {};
}

void KnownPlaces::load(const double* memory, std::int64_t p, double* out, std::int64_t n) const {
  if (!runs_.empty()) return copyRuns(memory, p, out, n);
  const std::int32_t* offset = offsets_.data() + p;
  std::int64_t i = 0;
  // Loads of single elements: they take less time than the processors' own gathers.
  for (; i + 4 <= n; i += 4) {
    const double a = memory[offset[i]], b = memory[offset[i + 1]];
    const double c = memory[offset[i + 2]], d = memory[offset[i + 3]];
    out[i] = a;
    out[i + 1] = b;
    out[i + 2] = c;
    out[i + 3] = d;
  }
  for (; i < n; ++i) out[i] = memory[offset[i]];
}

void KnownPlaces::store(double* memory, std::int64_t p, const double* in, std::int64_t n) const {
  const std::int32_t* offset = offsets_.data() + p;
  for (std::int64_t i = 0; i < n; ++i) memory[offset[i]] = in[i];
}

void KnownPlaces::copyRuns(const double* memory, std::int64_t p, double* out,
                           std::int64_t n) const {
  const std::int64_t end = p + n;
  const Run* run = runs_.data() + marks_[static_cast<std::size_t>(p) / kMark];
  while (run[1].point <= p) ++run;
  const auto exactly = [&](std::int64_t from, std::int64_t to) {
    const double* element = memory + run->offset + (from - run->point);
    std::copy(element, element + (to - from), out + (from - p));
  };
  const std::int64_t first = std::min<std::int64_t>(end, run[1].point);
  exactly(p, first);
  if (first == end) return;
  // What is copied past the end of a run, the next one overwrites.
  if (canOverread_) {
    for (++run; run[1].point + kWide <= end; ++run) {
      const double* element = memory + run->offset;
      double* to = out + (run->point - p);
      const std::int64_t length = run[1].point - run->point;
      std::int64_t i = 0;
      do {
        std::memcpy(to + i, element + i, kWide * sizeof(double));
        i += kWide;
      } while (i < length);
    }
    --run;
  }
  do {
    ++run;
    exactly(run->point, std::min<std::int64_t>(end, run[1].point));
  } while (run[1].point < end);
}

}  // namespace adjoint::exec
