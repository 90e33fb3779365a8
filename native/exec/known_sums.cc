#include "exec/known_sums.h"

#include <algorithm>
#include <limits>

namespace adjoint::exec {
namespace {

/// More are worth blocks, and threads.
constexpr std::int64_t kMostSums = 16384;
/// Places that are written out for a kernel, at most.
constexpr std::int64_t kMostPlaces = std::int64_t{1} << 20;
/// So many terms have code of their own.
constexpr std::size_t kMostTerms = 8;
/// Fewer elements than that are not worth a loop of machine code where they are only moved.
constexpr std::int64_t kFewMoved = 64;

/// A value of a kernel that is a sum of elements: where they are at each point.
struct Sum {
  Base base = Base::Temp;
  std::vector<std::vector<std::int32_t>> terms;
};

/// Reads a kernel as sums, if that is all it is.
class SumReader {
 public:
  SumReader(const Plan& plan, const Kernel& kernel)
      : plan_(plan), kernel_(kernel), points_(kernel.points()), sums_(kernel.body.size()) {}

  /// The sums that are stored, by the order of stores; empty: it is something else.
  std::vector<std::pair<const Sum*, Place>> read() {
    if (!mayBeSums()) return {};
    for (std::size_t i = 0; i < kernel_.body.size(); ++i) {
      if (!readOne(i)) return {};
    }
    if (!hasGathers_ && points_ >= kFewMoved) return {};
    return stores_;
  }

 private:
  bool mayBeSums() const {
    return std::ssize(kernel_.body) * points_ <= kMostPlaces &&
           std::ranges::all_of(kernel_.body, [](const Instr& instr) {
             return instr.kind == InstrKind::Load || instr.kind == InstrKind::Gather ||
                    instr.kind == InstrKind::Store ||
                    (instr.kind == InstrKind::Compute && static_cast<Op>(instr.op) == Op::Add);
           });
  }

  const Access& accessOf(const Instr& instr) const {
    return kernel_.accesses[static_cast<std::size_t>(instr.extra)];
  }
  Pattern patternOf(const Access& access) const {
    return makePattern(kernel_.maps[access.map], kernel_.extents);
  }

  bool readOne(std::size_t i) {
    const Instr& instr = kernel_.body[i];
    switch (instr.kind) {
      case InstrKind::Load:
        return true;  // read when it is asked for
      case InstrKind::Gather:
        return hasGathers_ = readGather(instr, sums_[i]);
      case InstrKind::Compute: {
        // From left to right: the right operand is one element.
        const Sum* const a = sumOf(instr.a);
        const Sum* const b = sumOf(instr.b);
        if (a == nullptr || b == nullptr || b->terms.size() != 1 || a->base != b->base ||
            a->terms.size() == kMostTerms)
          return false;
        sums_[i] = *a;
        sums_[i].terms.push_back(b->terms.front());
        return true;
      }
      case InstrKind::Store: {
        const Access& access = accessOf(instr);
        const Sum* const sum = sumOf(instr.a);
        if (sum == nullptr || !patternOf(access).contiguous()) return false;
        stores_.push_back({sum, placeOf(plan_, access)});
        return true;
      }
      default:
        return false;
    }
  }

  const Sum* sumOf(std::uint32_t i) {
    if (sums_[i].terms.empty() && !readLoad(kernel_.body[i], sums_[i])) return nullptr;
    return &sums_[i];
  }

  bool readLoad(const Instr& instr, Sum& sum) const {
    if (instr.kind != InstrKind::Load) return false;
    const Access& access = accessOf(instr);
    const Pattern pattern = patternOf(access);
    const Place place = placeOf(plan_, access);
    if (pattern.windowed) return false;
    std::vector<double> addresses(static_cast<std::size_t>(points_));
    PatternState state;
    seek(pattern, 0, state);
    iotaWalk(pattern, state, addresses.data(), points_);
    std::vector<std::int32_t> places;
    for (const double address : addresses) places.push_back(static_cast<std::int32_t>(address));
    return addTerm(place, places, sum);
  }

  bool readGather(const Instr& instr, Sum& sum) const {
    const Instr& index = kernel_.body[instr.a];
    if (index.kind != InstrKind::Load) return false;
    const Place constants = placeOf(plan_, accessOf(index));
    if (constants.base != Base::Constant) return false;
    const Gather& gather = kernel_.gathers[static_cast<std::size_t>(instr.extra)];
    const Access& from = kernel_.accesses[gather.access];
    const Pattern pattern = patternOf(from);
    const auto places =
        placesOfGather({pattern, gather.stride, gather.limit}, patternOf(accessOf(index)),
                       plan_.constants.data() + constants.offset, points_);
    return places && addTerm(placeOf(plan_, from), *places, sum);
  }

  /// False where places are too far from the beginning of the memory.
  static bool addTerm(const Place& place, std::vector<std::int32_t> places, Sum& sum) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    for (std::int32_t& at : places) {
      if (place.offset + at > kMost) return false;
      at += static_cast<std::int32_t>(place.offset);
    }
    sum.base = place.base;
    sum.terms.push_back(std::move(places));
    return true;
  }

  const Plan& plan_;
  const Kernel& kernel_;
  const std::int64_t points_;
  std::vector<Sum> sums_;  ///< by instruction
  std::vector<std::pair<const Sum*, Place>> stores_;
  bool hasGathers_ = false;
};

template <std::size_t Terms>
void sumAll(const double* from, const std::int32_t* place, std::size_t sums, double* to) {
  for (std::size_t i = 0; i < sums; ++i, place += Terms) {
    double sum = from[place[0]];
    for (std::size_t k = 1; k < Terms; ++k) sum += from[place[k]];
    to[i] = sum;
  }
}

using SumAll = void (*)(const double*, const std::int32_t*, std::size_t, double*);
constexpr SumAll kSumAll[kMostTerms] = {&sumAll<1>, &sumAll<2>, &sumAll<3>, &sumAll<4>,
                                        &sumAll<5>, &sumAll<6>, &sumAll<7>, &sumAll<8>};

}  // namespace

bool KnownSums::add(const Plan& plan, const Kernel& kernel) {
  const std::int64_t points = kernel.points();
  if (points == 0 || points > kMostSums || !kernel.reductions.empty()) return false;
  SumReader reader(plan, kernel);
  const auto stored = reader.read();
  if (stored.empty()) return false;
  for (const auto& [sum, to] : stored) {
    Group group;
    group.from = sum->base;
    group.to = to;
    group.sums = static_cast<std::size_t>(points);
    group.terms = sum->terms.size();
    group.first = places_.size();
    if (group.terms == 1) {
      group.copies = KnownPlaces::ofPlaces(sum->terms.front(), plan.doubles(sum->base));
    } else {
      for (std::size_t i = 0; i < group.sums; ++i) {
        for (const auto& term : sum->terms) places_.push_back(term[i]);
      }
    }
    groups_.push_back(std::move(group));
  }
  return true;
}

bool KnownSums::add(const Plan& plan, const ScatterAddStep& step) {
  const Place indices = placeOf(plan, step.indices), updates = placeOf(plan, step.updates);
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (step.outer != 1 || step.inner != 1 || indices.base != Base::Constant ||
      step.count + step.size > kMostSums || updates.offset + step.count > kMost)
    return false;
  const double* const index = plan.constants.data() + indices.offset;
  std::vector<std::vector<std::int32_t>> terms(static_cast<std::size_t>(step.size));
  for (std::int64_t j = 0; j < step.count; ++j) {
    const double at = index[j];
    if (!isIndex(at, step.size)) return false;
    terms[static_cast<std::size_t>(at)].push_back(static_cast<std::int32_t>(updates.offset + j));
  }
  Group group;
  group.from = updates.base;
  group.to = placeOf(plan, step.out);
  group.sums = terms.size();
  group.first = places_.size();
  group.firstCount = counts_.size();
  for (const auto& places : terms) {
    counts_.push_back(static_cast<std::int32_t>(places.size()));
    places_.insert(places_.end(), places.begin(), places.end());
  }
  groups_.push_back(std::move(group));
  return true;
}

void KnownSums::run(const RunContext& context) const noexcept {
  for (const Group& group : groups_) {
    const double* const from = context.at(group.from, 0);
    double* const to = context.at(group.to.base, group.to.offset);
    const std::int32_t* place = places_.data() + group.first;
    if (group.copies) {
      group.copies->load(from, 0, to, static_cast<std::int64_t>(group.sums));
    } else if (group.terms > 0) {
      kSumAll[group.terms - 1](from, place, group.sums, to);
    } else {
      const std::int32_t* const count = counts_.data() + group.firstCount;
      for (std::size_t i = 0; i < group.sums; ++i) {
        // From zero, as one that adds into memory: -0 becomes 0.
        double sum = 0;
        for (std::int32_t k = 0; k < count[i]; ++k) sum += from[*place++];
        to[i] = sum;
      }
    }
  }
}

std::size_t KnownSums::bytes() const {
  std::size_t total = sizeof(*this) + groups_.capacity() * sizeof(Group) +
                      (places_.capacity() + counts_.capacity()) * sizeof(std::int32_t);
  for (const Group& group : groups_) total += group.copies ? group.copies->bytes() : 0;
  return total;
}

}  // namespace adjoint::exec
