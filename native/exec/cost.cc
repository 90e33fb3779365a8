#include "exec/cost.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "exec/code.h"
#include "exec/target.h"

namespace adjoint::exec {
namespace {

// --- the model ----------------------------------------------------------------------------------

/// Operations that cost about the same.
enum Class { Arithmetic, Division, Elementary, Special, kClasses };

/// Nanoseconds an operation: of one lane of vectors of four, and of a scalar kernel, each by
/// machine code and by the interpreter. Throughput: what waits for its operands takes longer.
struct Price {
  double vector, vectorInterpreted, scalar, scalarInterpreted;
};
constexpr Price kPrices[kClasses] = {
    {0.05, 0.15, 0.3, 1.6},  // sums, products, extremes, comparisons, choices
    {0.7, 0.7, 1.8, 3.0},    // divisions and square roots
    {1.5, 1.8, 6.0, 20.0},   // exp, log, sin, tanh and others with a core
    {6.0, 6.0, 25.0, 30.0},  // all others
};
constexpr double kVectorLanes = 4;

/// Bytes a nanosecond, where all that the plan touches stays in the caches, and where it does not.
constexpr double kCacheBandwidth = 40, kMemoryBandwidth = 8;
constexpr double kCacheBytes = 1 << 20;

/// Nanoseconds before a step computes anything.
constexpr double kScalarStart = 3, kKernelStart = 40, kLibraryStart = 20;

/// Nanoseconds of a term of a recurrence, whose next one waits for it, and of a comparison in a
/// sort.
constexpr double kChain = 1.3, kCompare = 1.5;

// --- counting -----------------------------------------------------------------------------------

Class classOf(Op op) {
  switch (op) {
    case Op::Div:
    case Op::Reciprocal:
    case Op::Sqrt:
    case Op::Rsqrt:
      return Division;
    default:
      if (hasCore(op)) return Elementary;
      return canLower(op) ? Arithmetic : Special;
  }
}

double priceOf(Class kind, bool isScalar, StepCost::By by) {
  const Price& price = kPrices[kind];
  const bool isCode = by != StepCost::By::Interpreter;
  if (isScalar) return isCode ? price.scalar : price.scalarInterpreted;
  // Without generated code the kernels have the vectors that the addon was built for.
  const int ofCode = lanesOf(chosenInstructionSet());
  const double lanes = isCode && ofCode > 0 ? ofCode : kVectorLanes;
  return (isCode ? price.vector : price.vectorInterpreted) * kVectorLanes / lanes;
}

/// Bytes by buffer, none more than it has.
class Traffic {
 public:
  explicit Traffic(const Plan& plan) : plan_(plan) {}

  void add(BufferId buffer, double elements) { elements_[buffer] += elements; }
  void addAll(BufferId buffer) { add(buffer, sizeOf(buffer)); }
  double bytes() const {
    double sum = 0;
    for (const auto& [buffer, elements] : elements_) sum += std::min(elements, sizeOf(buffer));
    return sum * sizeof(double);
  }

 private:
  double sizeOf(BufferId buffer) const {
    return static_cast<double>(plan_.buffers[buffer].elements);
  }

  const Plan& plan_;
  std::map<BufferId, double> elements_;
};

/// Elements that an access meets.
double reach(const Kernel& kernel, std::size_t access) {
  const IndexMap& map = kernel.maps[kernel.accesses[access].map];
  double elements = 1;
  for (std::size_t l = 0; l < kernel.extents.size(); ++l) {
    if (map.stride[l] == 0) continue;
    std::int64_t indices = kernel.extents[l];
    for (const Window& w : map.windows) {
      if (w.loop == l)
        indices = std::clamp<std::int64_t>((w.hi - w.lo + w.step - 1) / w.step, 0, indices);
    }
    elements *= static_cast<double>(indices);
  }
  return elements;
}

std::string product(const std::vector<std::int64_t>& extents) {
  std::string text;
  for (const std::int64_t e : extents) text += (text.empty() ? "" : "x") + std::to_string(e);
  return text;
}

const char* nameOf(ReduceOp op) {
  return op == ReduceOp::Sum ? "sum" : op == ReduceOp::Max ? "max" : "min";
}

class Counter {
 public:
  Counter(const Plan& plan, StepCost::By by, const std::vector<StepCost>& body)
      : plan_(plan), by_(by), body_(body), read_(plan), written_(plan) {}

  StepCost operator()(const Step& step) {
    std::visit([&](const auto& s) { count(s); }, step);
    cost_.operations.assign(operations_.begin(), operations_.end());
    std::ranges::stable_sort(cost_.operations, std::ranges::greater{},
                             [](const auto& entry) { return entry.second; });
    cost_.by = by_;
    cost_.bytesRead = read_.bytes();
    cost_.bytesWritten = written_.bytes();
    const double touched =
        static_cast<double>(plan_.ioDoubles + plan_.tempDoubles) * sizeof(double);
    const double bandwidth = touched > kCacheBytes ? kMemoryBandwidth : kCacheBandwidth;
    // Computing and moving overlap.
    const double moving = (cost_.bytesRead + cost_.bytesWritten) / bandwidth;
    cost_.seconds = (start_ + std::max(computing_, moving)) * 1e-9;
    return std::move(cost_);
  }

 private:
  void add(const char* name, double times, double price) {
    operations_[name] += times;
    computing_ += times * price;
  }

  void count(const Kernel& kernel) {
    const bool isScalar = kernel.points() == 1;
    const auto points = static_cast<double>(kernel.points());
    cost_.text = isScalar ? "scalar code" : "kernel " + product(kernel.extents);
    start_ = isScalar ? kScalarStart : kKernelStart;
    for (const Instr& instr : kernel.body) {
      const auto extra = static_cast<std::size_t>(instr.extra);
      switch (instr.kind) {
        case InstrKind::Compute: {
          const Op op = static_cast<Op>(instr.op);
          add(rowOf(op).name, points, priceOf(classOf(op), isScalar, by_));
          break;
        }
        case InstrKind::Load:
          read_.add(kernel.accesses[extra].buffer, reach(kernel, extra));
          break;
        case InstrKind::Gather:
          read_.add(kernel.accesses[kernel.gathers[extra].access].buffer, points);
          add("gather", points, kCompare);
          break;
        case InstrKind::Store:
          written_.add(kernel.accesses[extra].buffer, reach(kernel, extra));
          break;
        case InstrKind::Reduce: {
          const Reduction& reduction = kernel.reductions[extra];
          written_.add(kernel.accesses[reduction.access].buffer, reach(kernel, reduction.access));
          add(nameOf(reduction.op), points, priceOf(Arithmetic, isScalar, by_));
          break;
        }
        case InstrKind::Const:
        case InstrKind::Iota:
          break;
      }
    }
  }

  /// The part of rows of so many columns that is in spans.
  static double share(const std::vector<Span>& spans, std::int64_t columns) {
    if (spans.empty()) return 1;
    double kept = 0;
    for (const Span& span : spans) kept += static_cast<double>(span.last - span.first);
    return kept / (static_cast<double>(spans.size()) * static_cast<double>(columns));
  }

  void count(const MatMulStep& s) {
    cost_.text = (s.isOfLanes ? "matmul of lanes " : "matmul ") +
                 (s.batch > 1 ? std::to_string(s.batch) + " of " : std::string()) +
                 product({s.m, s.k, s.n});
    start_ = kLibraryStart;
    read_.add(s.a.buffer, static_cast<double>((s.a.stride[0] != 0 ? s.batch : 1) * s.m * s.k));
    read_.add(s.b.buffer, static_cast<double>((s.b.stride[0] != 0 ? s.batch : 1) * s.k * s.n));
    written_.addAll(s.c);
    const double terms = static_cast<double>(s.batch * s.m) * static_cast<double>(s.k * s.n);
    add("fma", terms * share(s.nonzero, s.k) * share(s.needed, s.n),
        priceOf(Arithmetic, false, by_));
  }

  void count(const RecurrenceStep& s) {
    cost_.text = (s.hasA ? "recurrence " : "cumsum ") + product({s.outer, s.n, s.inner});
    start_ = kLibraryStart;
    if (s.hasA) read_.addAll(s.a);
    read_.addAll(s.b);
    written_.addAll(s.y);
    const double price = s.inner == 1 ? kChain : priceOf(Arithmetic, false, by_);
    add(s.hasA ? "fma" : "add", static_cast<double>(s.outer * s.n * s.inner), price);
  }

  void count(const IndexStep& s) {
    const bool isSort = s.kind == IndexStep::Kind::ArgSort;
    const char* name = isSort ? "argsort" : s.kind == IndexStep::Kind::ArgMax ? "argmax" : "argmin";
    cost_.text = std::string(name) + " " + product({s.outer, s.n, s.inner});
    start_ = kLibraryStart;
    read_.addAll(s.in);
    written_.addAll(s.out);
    const double rounds = isSort ? std::ceil(std::log2(static_cast<double>(s.n) + 1)) : 1;
    add("compare", static_cast<double>(s.outer * s.n * s.inner) * rounds, kCompare);
  }

  void count(const ScatterAddStep& s) {
    cost_.text =
        "scatter " + product({s.outer, s.count, s.inner}) + " into " + std::to_string(s.size);
    start_ = kLibraryStart;
    read_.addAll(s.indices);
    read_.addAll(s.updates);
    written_.addAll(s.out);
    // Known places are summed in registers.
    const bool isKnown = plan_.buffers[s.indices].base == Base::Constant;
    add("add", static_cast<double>(s.outer * s.count * s.inner), isKnown ? kCompare / 4 : kCompare);
  }

  void count(const InterleaveStep& s) {
    cost_.text = "interleave " + std::to_string(s.sources.size()) + " values";
    start_ = kLibraryStart;
    for (const InterleaveStep::Source& source : s.sources) read_.addAll(source.buffer);
    written_.addAll(s.out);
    add("gather", static_cast<double>(plan_.buffers[s.out].elements), kCompare / 4);
  }

  /// The last loop is that of lanes.
  static bool isOverLanes(const Step& step, std::int64_t block) {
    const auto* kernel = std::get_if<Kernel>(&step);
    return kernel == nullptr || (!kernel->extents.empty() && kernel->extents.back() == block);
  }

  void count(const LaneStep& s) {
    cost_.text = "lanes " + std::to_string(s.lanes) + " by " + std::to_string(s.block);
    start_ = kLibraryStart;
    const auto lanes = static_cast<double>(s.lanes), block = static_cast<double>(s.block);
    for (std::size_t i = 0; i < body_.size(); ++i) {
      const StepCost& step = body_[i];
      // What has no lanes is computed once a block, for how many of them it may be.
      const bool isWide = isOverLanes(s.plan->steps[i], s.block);
      const double computed = isWide ? lanes : std::ceil(lanes / block) * block;
      for (const auto& [name, times] : step.operations)
        operations_[name] += times * computed / block;
      computing_ += computed / block * step.seconds * 1e9;
      if (step.by == StepCost::By::MachineCode) by_ = step.by;
    }
    for (const LaneStep::Port& port : s.inputs) {
      read_.addAll(port.buffer);
      if (port.kind == LaneStep::Port::Kind::Gathered) read_.addAll(port.indices);
    }
    for (std::size_t i = 0; i < s.outputs.size(); ++i) {
      const LaneStep::Port& port = s.outputs[i];
      written_.addAll(port.buffer);
      if (port.kind == LaneStep::Port::Kind::Left) {
        const std::int64_t n = s.outputs[i + 1].inner;
        add("fma",
            static_cast<double>(s.lanes * port.outer * port.inner * n) * share(port.needed, n),
            priceOf(Arithmetic, false, by_));
      }
      if (port.kind == LaneStep::Port::Kind::Reduce)
        add(nameOf(port.op), static_cast<double>(s.lanes * port.terms * port.inner),
            priceOf(Arithmetic, false, by_));
    }
  }

  void count(const LoopStep& s) {
    cost_.text = "loop " + std::to_string(s.length);
    start_ = kLibraryStart;
    for (const StepCost& step : body_) {
      for (const auto& [name, times] : step.operations)
        operations_[name] += static_cast<double>(s.length) * times;
      computing_ += static_cast<double>(s.length) * step.seconds * 1e9;
      if (step.by == StepCost::By::MachineCode) by_ = step.by;
    }
    for (const auto* ports : {&s.constants, &s.initial, &s.streams})
      for (const LoopStep::Port& port : *ports) read_.addAll(port.buffer);
    for (const auto* ports : {&s.last, &s.results}) {
      for (const LoopStep::Port& port : *ports)
        if (port.buffer != LoopStep::kNone) written_.addAll(port.buffer);
    }
  }

  const Plan& plan_;
  StepCost::By by_;
  const std::vector<StepCost>& body_;
  Traffic read_, written_;
  std::map<std::string, double> operations_;
  StepCost cost_;
  double start_ = 0, computing_ = 0;  ///< nanoseconds
};

}  // namespace

StepCost costOf(const Plan& plan, const Step& step, StepCost::By by,
                const std::vector<StepCost>& body) {
  return Counter(plan, by, body)(step);
}

}  // namespace adjoint::exec
