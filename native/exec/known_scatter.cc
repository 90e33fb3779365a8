#include "exec/known_scatter.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <utility>

#include "exec/pool.h"

namespace adjoint::exec {
namespace {

/// Updates of so many bytes are in a cache, whatever their order.
constexpr std::int64_t kNearBytes = std::int64_t{1} << 20;
/// Of more than these, one of so many rows may be far from the one before.
constexpr std::int64_t kRowsPerJump = 4;
constexpr std::int64_t kFarBytes = 512;
/// Elements of updates that a thread takes at a time, about.
constexpr std::int64_t kChunk = std::int64_t{1} << 16;
/// More results than that for each row are mostly zeros, which are written faster by themselves.
constexpr std::int64_t kMostResults = 2;
/// Rows of so many elements are summed in registers.
constexpr std::size_t kMostInner = 8;
/// Sums that go on side by side: each waits for its last addition.
constexpr std::size_t abreast(std::size_t inner) { return inner < 3 ? 4 : 2; }

using Row = const std::int32_t*;

template <std::size_t Inner, std::size_t Sums>
void sumAbreast(const double* updates, Row rows, const std::int32_t* start, double* out) {
  std::array<std::array<double, Inner>, Sums> sum{};
  const auto add = [&](std::size_t s, std::int32_t k) {
    const double* const row = updates + static_cast<std::ptrdiff_t>(rows[k]) * Inner;
    for (std::size_t i = 0; i < Inner; ++i) sum[s][i] += row[i];
  };
  std::int32_t common = std::numeric_limits<std::int32_t>::max();
  for (std::size_t s = 0; s < Sums; ++s) common = std::min(common, start[s + 1] - start[s]);
  for (std::int32_t k = 0; k < common; ++k) {
    for (std::size_t s = 0; s < Sums; ++s) add(s, start[s] + k);
  }
  for (std::size_t s = 0; s < Sums; ++s) {
    for (std::int32_t k = start[s] + common; k < start[s + 1]; ++k) add(s, k);
    std::ranges::copy(sum[s], out + s * Inner);
  }
}

template <std::size_t Inner>
void sumResults(const double* updates, Row rows, const std::int32_t* start, std::int64_t results,
                double* out) {
  constexpr std::size_t kSums = abreast(Inner);
  std::int64_t r = 0;
  for (; r + static_cast<std::int64_t>(kSums) <= results; r += kSums)
    sumAbreast<Inner, kSums>(updates, rows, start + r, out + r * Inner);
  for (; r < results; ++r) sumAbreast<Inner, 1>(updates, rows, start + r, out + r * Inner);
}

void sumLongResults(const double* updates, Row rows, const std::int32_t* start,
                    std::int64_t results, std::int64_t inner, double* out) {
  for (std::int64_t r = 0; r < results; ++r, out += inner) {
    std::fill_n(out, inner, 0.0);
    for (std::int32_t k = start[r]; k < start[r + 1]; ++k) {
      const double* const row = updates + rows[k] * inner;
      for (std::int64_t i = 0; i < inner; ++i) out[i] += row[i];
    }
  }
}

using SumResults = void (*)(const double*, Row, const std::int32_t*, std::int64_t, double*);
constexpr auto kSumResults = []<std::size_t... I>(std::index_sequence<I...>) {
  return std::array<SumResults, sizeof...(I)>{&sumResults<I + 1>...};
}(std::make_index_sequence<kMostInner>());

/// Whether rows of these lengths are best read in this order.
bool isNear(const std::vector<std::int32_t>& rows, std::int64_t inner) {
  const auto bytes = static_cast<std::int64_t>(inner * sizeof(double));
  if (std::ssize(rows) * bytes <= kNearBytes) return true;
  std::int64_t jumps = 0;
  for (std::size_t k = 1; k < rows.size(); ++k)
    jumps += std::abs(std::int64_t{rows[k]} - std::int64_t{rows[k - 1]}) * bytes > kFarBytes;
  return jumps * kRowsPerJump <= std::ssize(rows);
}

}  // namespace

std::unique_ptr<const KnownScatter> KnownScatter::make(const Plan& plan,
                                                       const ScatterAddStep& step) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const Place indices = placeOf(plan, step.indices);
  if (indices.base != Base::Constant || step.count > kMost || step.size >= kMost ||
      step.size > kMostResults * (step.count + kChunk / 64))
    return nullptr;
  const double* const index = plan.constants.data() + indices.offset;
  auto made = std::make_unique<KnownScatter>();
  std::vector<std::int32_t>& starts = made->starts_;
  starts.assign(static_cast<std::size_t>(step.size) + 1, 0);
  for (std::int64_t j = 0; j < step.count; ++j) {
    const double at = index[j];
    if (!isIndex(at, step.size)) return nullptr;
    ++starts[static_cast<std::size_t>(at) + 1];
  }
  for (std::size_t r = 1; r < starts.size(); ++r) starts[r] += starts[r - 1];
  std::vector<std::int32_t> next(starts.begin(), starts.end() - 1);
  made->rows_.resize(static_cast<std::size_t>(step.count));
  for (std::int64_t j = 0; j < step.count; ++j) {
    std::int32_t& place = next[static_cast<std::size_t>(index[j])];
    made->rows_[static_cast<std::size_t>(place++)] = static_cast<std::int32_t>(j);
  }
  if (!isNear(made->rows_, step.inner)) return nullptr;
  made->updates_ = placeOf(plan, step.updates);
  made->out_ = placeOf(plan, step.out);
  made->outer_ = step.outer;
  made->inner_ = step.inner;
  made->size_ = step.size;
  made->count_ = step.count;
  made->chunks_ = std::clamp<std::int64_t>(step.outer * step.count * step.inner / kChunk, 1,
                                           std::max<std::int64_t>(step.size, 1));
  return made;
}

/// Chunks of results, the same of each outer block.
void KnownScatter::runChunk(std::int64_t chunk, const double* updates, double* out) const noexcept {
  const std::int64_t first = size_ * chunk / chunks_, end = size_ * (chunk + 1) / chunks_;
  const std::int32_t* const start = starts_.data() + first;
  for (std::int64_t o = 0; o < outer_; ++o) {
    const double* const from = updates + o * count_ * inner_;
    double* const to = out + (o * size_ + first) * inner_;
    if (inner_ <= static_cast<std::int64_t>(kMostInner)) {
      kSumResults[static_cast<std::size_t>(inner_ - 1)](from, rows_.data(), start, end - first, to);
    } else {
      sumLongResults(from, rows_.data(), start, end - first, inner_, to);
    }
  }
}

bool KnownScatter::run(const RunContext& context) const noexcept {
  if (inner_ == 0) return true;
  const double* const updates = context.at(updates_.base, updates_.offset);
  double* const out = context.at(out_.base, out_.offset);
  const auto runOne = [&](unsigned, std::int64_t chunk) {
    if (stopped(context)) return false;
    runChunk(chunk, updates, out);
    return true;
  };
  const auto most = context.control == nullptr ? 1 : std::int64_t{context.control->threads};
  const auto threads = static_cast<unsigned>(std::min(most, chunks_));
  if (threads > 1) return Pool::shared().run(chunks_, threads, runOne);
  for (std::int64_t chunk = 0; chunk < chunks_; ++chunk) {
    if (!runOne(0, chunk)) return false;
  }
  return true;
}

std::size_t KnownScatter::bytes() const {
  return sizeof(*this) + (starts_.capacity() + rows_.capacity()) * sizeof(std::int32_t);
}

}  // namespace adjoint::exec
