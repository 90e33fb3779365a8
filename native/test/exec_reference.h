#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "exec/executor.h"
#include "ops/row.h"
#include "plan/plan.h"

namespace adjoint::testing {

/// 64-byte aligned doubles.
class Aligned {
 public:
  explicit Aligned(std::size_t n, double fill = 0) : n_(n) {
    data_ = static_cast<double*>(std::aligned_alloc(64, (n * sizeof(double) + 127) / 64 * 64));
    for (std::size_t i = 0; i < n; ++i) data_[i] = fill;
  }
  ~Aligned() { std::free(data_); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  double* data() { return data_; }
  double& operator[](std::size_t i) { return data_[i]; }
  std::size_t size() const { return n_; }

 private:
  std::size_t n_;
  double* data_;
};

inline bool sameBits(double a, double b) {
  if (a != a && b != b) return true;
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Builds plans by hand.
struct PlanMaker {
  std::shared_ptr<Plan> plan = std::make_shared<Plan>();

  BufferId io(std::int64_t n) { return add(Base::Io, plan->ioDoubles, n); }
  BufferId temp(std::int64_t n) { return add(Base::Temp, plan->tempDoubles, n); }
  BufferId constant(const std::vector<double>& values) {
    const std::int64_t at = static_cast<std::int64_t>(plan->constants.size());
    plan->constants.insert(plan->constants.end(), values.begin(), values.end());
    plan->constants.resize((plan->constants.size() + 7) / 8 * 8 + 8);
    plan->buffers.push_back({Base::Constant, at, static_cast<std::int64_t>(values.size())});
    return static_cast<BufferId>(plan->buffers.size() - 1);
  }
  std::int64_t at(BufferId id) const { return plan->buffers[id].offset; }

 private:
  BufferId add(Base base, std::int64_t& size, std::int64_t n) {
    plan->buffers.push_back({base, size, n});
    size += (n + 7) / 8 * 8;
    return static_cast<BufferId>(plan->buffers.size() - 1);
  }
};

/// Writes kernel bodies by hand.
struct KernelMaker {
  Kernel k;

  std::uint32_t emit(Instr instr) {
    k.body.push_back(instr);
    return static_cast<std::uint32_t>(k.body.size() - 1);
  }
  std::uint32_t access(BufferId buffer, IndexMap map, std::int64_t offset = 0) {
    std::uint32_t m = 0;
    while (m < k.maps.size() && !(k.maps[m] == map)) ++m;
    if (m == k.maps.size()) k.maps.push_back(map);
    k.accesses.push_back({buffer, m, offset});
    return static_cast<std::uint32_t>(k.accesses.size() - 1);
  }
  std::uint32_t access(BufferId buffer, std::vector<std::int64_t> stride, std::int64_t offset = 0) {
    return access(buffer, IndexMap{std::move(stride), {}, 0}, offset);
  }
  /// Row-major strides of the whole nest.
  std::vector<std::int64_t> full() const {
    std::vector<std::int64_t> stride(k.extents.size());
    std::int64_t s = 1;
    for (std::size_t l = k.extents.size(); l-- > 0;) {
      stride[l] = s;
      s *= k.extents[l];
    }
    return stride;
  }
  std::uint32_t load(std::uint32_t access) {
    return emit({InstrKind::Load, 0, 0, 0, 0, static_cast<std::int32_t>(access)});
  }
  std::uint32_t loadAll(BufferId buffer) { return load(access(buffer, full())); }
  void store(std::uint32_t access, std::uint32_t value) {
    emit({InstrKind::Store, 0, value, 0, 0, static_cast<std::int32_t>(access)});
  }
  void storeAll(BufferId buffer, std::uint32_t value) { store(access(buffer, full()), value); }
  std::uint32_t constant(double value) {
    k.constants.push_back(value);
    return emit({InstrKind::Const, 0, 0, 0, 0, static_cast<std::int32_t>(k.constants.size() - 1)});
  }
  std::uint32_t iota(int loop) { return emit({InstrKind::Iota, 0, 0, 0, 0, loop}); }
  std::uint32_t op(Op op, std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0) {
    return emit({InstrKind::Compute, code(op), a, b, c, 0});
  }
  std::uint32_t gather(std::uint32_t access, std::uint32_t index, std::int64_t stride,
                       std::int64_t limit, NodeId node = 7) {
    k.gathers.push_back({access, stride, limit, node});
    return emit(
        {InstrKind::Gather, 0, index, 0, 0, static_cast<std::int32_t>(k.gathers.size() - 1)});
  }
  void reduce(ReduceOp op, std::uint32_t access, std::uint32_t mask, std::uint32_t value) {
    k.reductions.push_back({op, access, mask});
    emit({InstrKind::Reduce, 0, value, 0, 0, static_cast<std::int32_t>(k.reductions.size() - 1)});
  }
};

inline double apply(ReduceOp op, double acc, double x) {
  if (op == ReduceOp::Sum) return acc + x;
  if (acc != acc || x != x) return std::nan("");
  const bool larger = op == ReduceOp::Max;
  if (acc == x) return std::signbit(acc) == larger ? x : acc;
  return (x > acc) == larger ? x : acc;
}

/// The order of sums, word for word.
inline double referenceReduce(ReduceOp op, const std::vector<double>& x) {
  if (x.empty()) {
    const double inf = std::numeric_limits<double>::infinity();
    return op == ReduceOp::Sum ? 0 : op == ReduceOp::Max ? -inf : inf;
  }
  if (x.size() <= 16) {
    double acc = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) acc = apply(op, acc, x[i]);
    return acc;
  }
  if (x.size() <= 4096) {
    double p[16];
    for (std::size_t i = 0; i < x.size(); ++i)
      p[i % 16] = i < 16 ? x[i] : apply(op, p[i % 16], x[i]);
    for (int half = 8; half > 0; half /= 2)
      for (int j = 0; j < half; ++j) p[j] = apply(op, p[j], p[j + half]);
    return p[0];
  }
  std::vector<double> chunks;
  for (std::size_t i = 0; i < x.size(); i += 4096)
    chunks.push_back(referenceReduce(
        op, {x.begin() + static_cast<std::ptrdiff_t>(i),
             x.begin() + static_cast<std::ptrdiff_t>(std::min(x.size(), i + 4096))}));
  return referenceReduce(op, chunks);
}

/// Runs a kernel point by point. Memory is indexed by base.
inline RunStatus referenceKernel(const Plan& plan, const Kernel& k, double* io, double* temp) {
  RunStatus status;
  double* const base[kBases] = {io, temp, const_cast<double*>(plan.constants.data()), io, io};
  const std::int64_t points = k.points();
  const std::size_t rank = k.extents.size();
  std::vector<double> v(k.body.size());
  std::vector<std::vector<std::vector<double>>> terms(k.reductions.size());
  const auto keptIndex = [&](const Reduction& r, const std::vector<std::int64_t>& at) {
    std::int64_t n = 0;
    for (std::size_t l = 0; l < rank; ++l)
      if (!(r.reducedLoops >> l & 1u)) n = n * k.extents[l] + at[l];
    return n;
  };
  for (std::size_t r = 0; r < k.reductions.size(); ++r) {
    std::int64_t n = 1;
    for (std::size_t l = 0; l < rank; ++l)
      if (!(k.reductions[r].reducedLoops >> l & 1u)) n *= k.extents[l];
    terms[r].resize(static_cast<std::size_t>(n));
  }
  const auto address = [&](const Access& a, const std::vector<std::int64_t>& at, bool& inside) {
    const IndexMap& map = k.maps[a.map];
    std::int64_t offset = plan.buffers[a.buffer].offset + a.offset;
    inside = true;
    for (std::size_t l = 0; l < rank; ++l) {
      std::int64_t i = at[l];
      for (const Window& w : map.windows) {
        if (w.loop != l) continue;
        if (i < w.lo || i >= w.hi || (i - w.lo) % w.step != 0) inside = false;
        i = (i - w.lo) / w.step;
      }
      offset += i * map.stride[l];
    }
    return base[static_cast<int>(plan.buffers[a.buffer].base)] + offset;
  };
  std::vector<std::int64_t> at(rank);
  for (std::int64_t p = 0; p < points; ++p) {
    std::int64_t rest = p;
    for (std::size_t l = rank; l-- > 0;) {
      at[l] = rest % k.extents[l];
      rest /= k.extents[l];
    }
    for (std::size_t i = 0; i < k.body.size(); ++i) {
      const Instr& in = k.body[i];
      const std::size_t extra = static_cast<std::size_t>(in.extra);
      bool inside = true;
      switch (in.kind) {
        case InstrKind::Compute: {
          alignas(64) double x[4][8] = {};
          x[1][0] = v[in.a];
          x[2][0] = v[in.b];
          x[3][0] = v[in.c];
          rowOf(static_cast<Op>(in.op)).kernel(x[0], x[1], x[2], x[3], 1, in.extra);
          v[i] = x[0][0];
          break;
        }
        case InstrKind::Const:
          v[i] = k.constants[extra];
          break;
        case InstrKind::Iota:
          v[i] = static_cast<double>(at[extra]);
          break;
        case InstrKind::Load: {
          const Access& a = k.accesses[extra];
          const double* from = address(a, at, inside);
          v[i] = inside ? *from : k.maps[a.map].fill;
          break;
        }
        case InstrKind::Gather: {
          const Gather& g = k.gathers[extra];
          const Access& a = k.accesses[g.access];
          const double* from = address(a, at, inside);
          if (!inside) {
            v[i] = k.maps[a.map].fill;
            break;
          }
          const double index = v[in.a];
          if (!(index >= 0 && index < static_cast<double>(g.limit) && std::floor(index) == index)) {
            status.ok = false;
            status.code = ErrorCode::Index;
            status.node = g.node;
            status.element = p;
            status.value = index;
            status.limit = g.limit;
            return status;
          }
          v[i] = from[g.stride * static_cast<std::int64_t>(index)];
          break;
        }
        case InstrKind::Store:
          *address(k.accesses[extra], at, inside) = v[in.a];
          break;
        case InstrKind::Reduce:
          terms[extra][static_cast<std::size_t>(keptIndex(k.reductions[extra], at))].push_back(
              v[in.a]);
          break;
      }
    }
  }
  for (std::size_t r = 0; r < k.reductions.size(); ++r) {
    const Reduction& red = k.reductions[r];
    for (std::size_t q = 0; q < terms[r].size(); ++q) {
      std::vector<std::int64_t> at(rank, 0);
      std::int64_t rest = static_cast<std::int64_t>(q);
      for (std::size_t l = rank; l-- > 0;) {
        if (red.reducedLoops >> l & 1u) continue;
        at[l] = rest % k.extents[l];
        rest /= k.extents[l];
      }
      bool inside = true;
      *address(k.accesses[red.access], at, inside) = referenceReduce(red.op, terms[r][q]);
    }
  }
  return status;
}

}  // namespace adjoint::testing
