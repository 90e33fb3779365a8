#include "plan/join.h"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>
#include <variant>

namespace adjoint {

namespace {

/// The longer loop has at most one point in so many that the shorter one has not.
constexpr std::int64_t kSimilar = 16;
constexpr std::size_t kMostInstructions = 512;

/// Adds the body of a kernel that only sums over its loop to one that loops further.
class Join {
 public:
  Join(const Kernel& sums, Kernel& wide, const std::vector<Buffer>& buffers)
      : sums_(sums), wide_(wide), buffers_(buffers) {}

  bool isPossible() const {
    if (sums_.extents.size() != 1 || wide_.extents.size() != 1) return false;
    if (std::max(sums_.body.size(), wide_.body.size()) > kMostInstructions) return false;
    const std::int64_t few = sums_.extents[0], many = wide_.extents[0];
    if (few > many || many - few > many / kSimilar) return false;
    if (!std::ranges::all_of(sums_.body, isJoinable)) return false;
    if (!std::ranges::all_of(sums_.reductions, [](const Reduction& r) {
          return r.reducedLoops == 1 && r.points == 0;
        }))
      return false;
    return isIndependent() && std::ranges::any_of(sums_.body, [&](const Instr& instr) {
             return instr.kind == InstrKind::Load && strideOf(sums_, instr) != 0 &&
                    sameLoad(instr) != kNone;
           });
  }

  void run() {
    for (std::uint32_t i = 0; i < wide_.body.size(); ++i)
      made_.try_emplace(keyOf(wide_.body[i]), i);
    for (const Instr& instr : sums_.body) position_.push_back(add(instr));
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  using Key =
      std::tuple<InstrKind, OpCode, std::uint32_t, std::uint32_t, std::uint32_t, std::int32_t>;

  static Key keyOf(const Instr& instr) {
    return {instr.kind, instr.op, instr.a, instr.b, instr.c, instr.extra};
  }

  static bool isJoinable(const Instr& instr) {
    return instr.kind != InstrKind::Store && instr.kind != InstrKind::Gather;
  }

  static const Access& accessOf(const Kernel& kernel, const Instr& load) {
    return kernel.accesses[static_cast<std::size_t>(load.extra)];
  }
  static const IndexMap& mapOf(const Kernel& kernel, const Instr& load) {
    return kernel.maps[accessOf(kernel, load).map];
  }
  static std::int64_t strideOf(const Kernel& kernel, const Instr& load) {
    return mapOf(kernel, load).stride[0];
  }

  /// Whether neither reads or writes what the other one writes.
  bool isIndependent() const {
    const auto writes = [](const Kernel& kernel, BufferId buffer) {
      const auto isIt = [&](std::uint32_t access) {
        return kernel.accesses[access].buffer == buffer;
      };
      return std::ranges::any_of(kernel.body,
                                 [&](const Instr& instr) {
                                   return instr.kind == InstrKind::Store &&
                                          isIt(static_cast<std::uint32_t>(instr.extra));
                                 }) ||
             std::ranges::any_of(kernel.reductions,
                                 [&](const Reduction& r) { return isIt(r.access); });
    };
    return std::ranges::none_of(sums_.accesses,
                                [&](const Access& a) { return writes(wide_, a.buffer); }) &&
           std::ranges::none_of(wide_.accesses,
                                [&](const Access& a) { return writes(sums_, a.buffer); });
  }

  /// The wide kernel's load of the same elements, as far as the sums go.
  std::uint32_t sameLoad(const Instr& load) const {
    const Access& access = accessOf(sums_, load);
    const IndexMap& map = sums_.maps[access.map];
    for (std::uint32_t i = 0; i < wide_.body.size(); ++i) {
      const Instr& other = wide_.body[i];
      if (other.kind != InstrKind::Load) continue;
      const Access& theirs = accessOf(wide_, other);
      const IndexMap& theirMap = wide_.maps[theirs.map];
      if (theirs.buffer != access.buffer || theirs.offset != access.offset ||
          theirMap.stride != map.stride)
        continue;
      if (map == theirMap) return i;
      const bool covers = std::ranges::all_of(theirMap.windows, [&](const Window& w) {
        return w.lo == 0 && w.step == 1 && w.hi >= sums_.extents[0];
      });
      if (covers && map.windows.empty()) return i;
    }
    return kNone;
  }

  std::uint32_t add(Instr instr) {
    switch (instr.kind) {
      case InstrKind::Const:
        return append(constant(sums_.constants[static_cast<std::size_t>(instr.extra)]));
      case InstrKind::Load: {
        const std::uint32_t same = sameLoad(instr);
        if (same != kNone) return same;
        wide_.accesses.push_back(accessOf(sums_, instr));
        wide_.accesses.back().map = mapFor(instr);
        instr.extra = static_cast<std::int32_t>(wide_.accesses.size() - 1);
        return append(instr);
      }
      case InstrKind::Reduce: {
        Reduction reduction = sums_.reductions[static_cast<std::size_t>(instr.extra)];
        if (sums_.extents[0] < wide_.extents[0]) reduction.points = sums_.extents[0];
        wide_.accesses.push_back(sums_.accesses[reduction.access]);
        wide_.accesses.back().map = put(sums_.maps[sums_.accesses[reduction.access].map]);
        reduction.access = static_cast<std::uint32_t>(wide_.accesses.size() - 1);
        wide_.reductions.push_back(reduction);
        instr.extra = static_cast<std::int32_t>(wide_.reductions.size() - 1);
        break;
      }
      default:
        break;
    }
    renumber(instr, position_);
    return append(instr);
  }

  std::uint32_t append(const Instr& instr) {
    const auto [entry, isNew] =
        made_.try_emplace(keyOf(instr), static_cast<std::uint32_t>(wide_.body.size()));
    if (isNew) wide_.body.push_back(instr);
    return entry->second;
  }

  Instr constant(double value) {
    const auto sameBits = [&](double x) {
      return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(value);
    };
    const auto at = std::ranges::find_if(wide_.constants, sameBits) - wide_.constants.begin();
    if (at == std::ssize(wide_.constants)) wide_.constants.push_back(value);
    return {.kind = InstrKind::Const, .extra = static_cast<std::int32_t>(at)};
  }

  std::uint32_t put(const IndexMap& map) {
    const auto at = std::ranges::find(wide_.maps, map) - wide_.maps.begin();
    if (at == std::ssize(wide_.maps)) wide_.maps.push_back(map);
    return static_cast<std::uint32_t>(at);
  }

  /// A load's map, without what is past the end of its buffer.
  std::uint32_t mapFor(const Instr& load) {
    const Access& access = accessOf(sums_, load);
    IndexMap map = sums_.maps[access.map];
    const std::int64_t last = access.offset + map.stride[0] * (wide_.extents[0] - 1);
    if (map.windows.empty() && (last < 0 || last >= buffers_[access.buffer].elements))
      map.windows.push_back({0, 0, sums_.extents[0], 1});
    return put(map);
  }

  const Kernel& sums_;
  Kernel& wide_;
  const std::vector<Buffer>& buffers_;
  std::map<Key, std::uint32_t> made_;
  std::vector<std::uint32_t> position_;  ///< in the wide kernel, of each instruction of the sums
};

}  // namespace

void joinNeighbors(std::vector<Step>& steps, const std::vector<Buffer>& buffers) {
  std::vector<Step> joined;
  for (Step& step : steps) {
    auto* kernel = std::get_if<Kernel>(&step);
    auto* before = joined.empty() ? nullptr : std::get_if<Kernel>(&joined.back());
    if (kernel != nullptr && before != nullptr) {
      if (Join join(*kernel, *before, buffers); join.isPossible()) {
        join.run();
        continue;
      }
      if (Join join(*before, *kernel, buffers); join.isPossible()) {
        join.run();
        joined.back() = std::move(step);
        continue;
      }
    }
    joined.push_back(std::move(step));
  }
  steps = std::move(joined);
}

}  // namespace adjoint
