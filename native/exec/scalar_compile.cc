#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "exec/scalar.h"

namespace adjoint::exec {
namespace {

constexpr std::uint32_t kNone = 0xffffffffu;

[[noreturn]] void bug(const char* what) {
  throw Error(ErrorCode::Native, std::string("scalar kernel: ") + what);
}

/// What an operation code becomes: an inlined operation or a call.
struct Target {
  ScalarOp op = ScalarOp::Call;
  std::uint16_t function = 0;
  std::uint8_t arity = 0;  ///< 0: not looked up yet
};

class Compiler {
 public:
  Compiler(const Plan& plan, const Kernel& kernel)
      : plan_(plan), kernel_(kernel), body_(kernel.body), size_(kernel.body.size()) {}

  std::unique_ptr<const ScalarProgram> run() {
    out_ = std::make_unique<ScalarProgram>();
    findLive();
    schedule();
    emit();
    return std::move(out_);
  }

 private:
  const Target& target(OpCode op) {
    if (op >= targets_.size()) targets_.resize(op + 1);
    if (targets_[op].arity != 0) return targets_[op];
    const Row& row = rowOf(static_cast<Op>(op));
    Target t;
    t.arity = static_cast<std::uint8_t>(row.arity);
    const auto is = [&](const char* name) { return std::strcmp(row.name, name) == 0; };
#define X(text, id, value) \
  if (is(text)) t.op = ScalarOp::id;
    ADJOINT_SCALAR_UNARY(X)
    ADJOINT_SCALAR_BINARY(X)
#undef X
    if (is("fma")) t.op = ScalarOp::Fma;
    if (is("where")) t.op = ScalarOp::Where;
    if (t.op == ScalarOp::Call) {
      if (row.kernel == nullptr) bug("an operation without a kernel");
      t.function = static_cast<std::uint16_t>(out_->functions.size());
      out_->functions.push_back(row.kernel);
    }
    return targets_[op] = t;
  }

  int arity(const Instr& instr) {
    if (instr.kind != InstrKind::Compute) return arityOf(instr);
    // Bodies are long and operations few: most instructions repeat the last one asked for.
    if (instr.op != lastOp_) {
      lastArity_ = target(instr.op).arity;
      lastOp_ = instr.op;
    }
    return lastArity_;
  }

  static bool effect(const Instr& instr) {
    return instr.kind == InstrKind::Store || instr.kind == InstrKind::Reduce;
  }

  void findLive() {
    live_.assign(size_, 0);
    for (std::size_t i = size_; i-- > 0;) {
      const Instr& instr = body_[i];
      if (effect(instr)) live_[i] = 1;
      if (!live_[i]) continue;
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      const int n = arity(instr);
      for (int k = 0; k < n; ++k) {
        if (operands[k] >= i) bug("an operand that is not earlier");
        live_[operands[k]] = 1;
      }
    }
  }

  /// Orders instructions so that equal operations follow each other: an interpreter's time goes
  /// into mispredicted jumps. Within windows of the body, by depth and then by operation; windows
  /// keep values' lives short. Memory is read and written in the old order wherever a store is
  /// involved.
  void schedule() {
    order_.reserve(size_);
    BigVector<std::uint32_t> depth(size_, 0);
    std::vector<Item> items, sorted;
    items.reserve(kWindow);
    sorted.reserve(kWindow);
    for (std::size_t from = 0; from < size_; from += kWindow) {
      const std::size_t to = std::min(size_, from + kWindow);
      items.clear();
      std::uint32_t afterStores = 0;  // depth that a load must have
      std::uint32_t afterLoads = 0;   // depth that a store must have
      for (std::size_t i = from; i < to; ++i) {
        if (!live_[i]) continue;
        const Instr& instr = body_[i];
        std::uint32_t d = 0;
        const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
        const int n = arity(instr);
        for (int k = 0; k < n; ++k) {
          if (operands[k] >= from) d = std::max(d, depth[operands[k]] + 1);
        }
        if (instr.kind == InstrKind::Load || instr.kind == InstrKind::Gather) {
          d = std::max(d, afterStores);
          afterLoads = std::max(afterLoads, d + 1);
        } else if (effect(instr)) {
          d = std::max(d, std::max(afterLoads, afterStores));
          afterStores = d + 1;
        }
        depth[i] = d;
        // Codes past the last bucket share some: they are grouped less well, no more.
        const std::uint32_t kind = instr.kind == InstrKind::Compute
                                       ? 8 + instr.op % (kKinds - 8)
                                       : static_cast<std::uint32_t>(instr.kind);
        items.push_back({static_cast<std::uint32_t>(i), kind, d});
      }
      bucketSort(items, sorted, kKinds, [](const Item& item) { return item.kind; });
      bucketSort(sorted, items, kWindow + 1, [](const Item& item) { return item.depth; });
      for (const Item& item : items) order_.push_back(item.index);
    }
  }

  struct Item {
    std::uint32_t index, kind, depth;
  };

  /// Stable and linear.
  template <class Key>
  void bucketSort(const std::vector<Item>& from, std::vector<Item>& to, std::size_t buckets,
                  Key key) {
    start_.assign(buckets + 1, 0);
    for (const Item& item : from) ++start_[key(item) + 1];
    for (std::size_t b = 1; b < buckets; ++b) start_[b] += start_[b - 1];
    to.resize(from.size());
    for (const Item& item : from) to[start_[key(item)]++] = item;
  }

  Point point(std::size_t i, std::uint32_t skip) const { return pointOf(plan_, kernel_, i, skip); }

  std::uint32_t newRegister() {
    if (!free_.empty()) {
      const std::uint32_t r = free_.back();
      free_.pop_back();
      return r;
    }
    return out_->registers++;
  }

  void emit() {
    // Where in the new order each value is read last.
    BigVector<std::uint32_t> lastUse(size_, kNone);
    for (std::size_t at = 0; at < order_.size(); ++at) {
      const Instr& instr = body_[order_[at]];
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      const int n = arity(instr);
      for (int k = 0; k < n; ++k) lastUse[operands[k]] = static_cast<std::uint32_t>(at);
    }
    out_->code.reserve(order_.size() + order_.size() / 8 + 1);
    register_.assign(size_, kNone);
    for (std::size_t at = 0; at < order_.size(); ++at) {
      const std::uint32_t i = order_[at];
      const Instr& instr = body_[i];
      const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
      std::uint32_t from[3] = {0, 0, 0};
      const int n = arity(instr);
      for (int k = 0; k < n; ++k) from[k] = register_[operands[k]];
      for (int k = 0; k < n; ++k) {
        std::uint32_t& last = lastUse[operands[k]];
        if (last == at) {
          free_.push_back(register_[operands[k]]);
          last = kNone;  // an operand named twice is freed once
        }
      }
      if (!effect(instr)) register_[i] = newRegister();
      emitOne(instr, register_[i], from, n);
    }
    append(ScalarOp::End, 0, 0, 0);
  }

  void append(ScalarOp op, std::uint32_t d, std::uint32_t a, std::uint32_t b,
              std::uint16_t function = 0) {
    out_->code.push_back({static_cast<std::uint16_t>(op), function, d, a, b});
  }

  void appendConst(std::uint32_t d, double value) {
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    append(ScalarOp::Const, d, static_cast<std::uint32_t>(bits),
           static_cast<std::uint32_t>(bits >> 32));
  }

  static std::uint32_t narrow(std::int64_t offset) {
    if (offset < 0 || offset > 0xffffffffLL) bug("an address out of range");
    return static_cast<std::uint32_t>(offset);
  }

  void emitOne(const Instr& instr, std::uint32_t d, const std::uint32_t* from, int n) {
    const std::size_t extra = static_cast<std::size_t>(instr.extra);
    switch (instr.kind) {
      case InstrKind::Compute: {
        const Target& t = target(instr.op);
        append(t.op, d, from[0], from[n > 1 ? 1 : 0], t.function);
        if (t.op == ScalarOp::Call || t.op == ScalarOp::Fma || t.op == ScalarOp::Where)
          append(t.op, 0, from[n > 2 ? 2 : 0], static_cast<std::uint32_t>(instr.extra));
        break;
      }
      case InstrKind::Const:
        appendConst(d, kernel_.constants.at(extra));
        break;
      case InstrKind::Iota:
        appendConst(d, 0);
        break;
      case InstrKind::Load: {
        const Point p = point(extra, 0);
        if (!p.inside) {
          appendConst(d, p.fill);
          break;
        }
        append(loadFrom(p.place.base), d, narrow(p.place.offset), 0);
        break;
      }
      case InstrKind::Gather: {
        const adjoint::Gather& gather = kernel_.gathers.at(extra);
        const Point p = point(gather.access, 0);
        if (!p.inside) {
          appendConst(d, p.fill);
          break;
        }
        if (gather.limit > kMaxElements) bug("a gather past the largest value");
        append(ScalarOp::Gather, d, from[0], static_cast<std::uint32_t>(out_->gathers.size()));
        out_->gathers.push_back({p.place, gather.stride, gather.limit, gather.node});
        break;
      }
      case InstrKind::Store:
        emitStore(point(extra, 0), from[0]);
        break;
      case InstrKind::Reduce: {
        // One term: the reduction is that term.
        const adjoint::Reduction& reduction = kernel_.reductions.at(extra);
        emitStore(point(reduction.access, reduction.reducedLoops), from[0]);
        break;
      }
    }
  }

  void emitStore(const Point& p, std::uint32_t value) {
    if (!p.inside) bug("a store where nothing may be written");
    append(storeTo(p.place.base), narrow(p.place.offset), value, 0);
  }

  static ScalarOp loadFrom(Base base) {
    switch (base) {
      case Base::Io:
        return ScalarOp::LoadIo;
      case Base::Temp:
        return ScalarOp::LoadTemp;
      case Base::Next:
        return ScalarOp::LoadNext;
      case Base::Kept:
        return ScalarOp::LoadKept;
      case Base::Piece:
      case Base::Constant:
        break;
    }
    return ScalarOp::LoadConstant;
  }

  static ScalarOp storeTo(Base base) {
    switch (base) {
      case Base::Io:
        return ScalarOp::StoreIo;
      case Base::Temp:
        return ScalarOp::StoreTemp;
      case Base::Next:
        return ScalarOp::StoreNext;
      case Base::Kept:
      case Base::Piece:
      case Base::Constant:
        break;
    }
    bug("a store where nothing may be written");
  }

  static constexpr std::size_t kWindow = 1024;
  static constexpr std::uint32_t kKinds = 512;

  const Plan& plan_;
  const Kernel& kernel_;
  const BigVector<Instr>& body_;
  const std::size_t size_;
  std::unique_ptr<ScalarProgram> out_;
  std::vector<Target> targets_;  ///< by code
  OpCode lastOp_ = 0xffff;
  int lastArity_ = 0;
  std::vector<std::uint8_t> live_;
  std::vector<std::uint32_t> start_;  ///< of buckets
  BigVector<std::uint32_t> order_;
  BigVector<std::uint32_t> register_;
  std::vector<std::uint32_t> free_;
};

}  // namespace

Point pointOf(const Plan& plan, const Kernel& kernel, std::size_t access, std::uint32_t skip) {
  if (access >= kernel.accesses.size()) bug("no such access");
  const Access& to = kernel.accesses[access];
  if (to.map >= kernel.maps.size()) bug("no such map");
  const IndexMap& map = kernel.maps[to.map];
  Point result;
  result.place = placeOf(plan, to);
  result.fill = map.fill;
  for (const Window& window : map.windows) {
    if (skip >> window.loop & 1u) continue;
    const std::int64_t at = -window.lo;
    if (at < 0 || window.hi <= 0 || at % window.step != 0) {
      result.inside = false;
    } else {
      result.place.offset += at / window.step * map.stride.at(window.loop);
    }
  }
  return result;
}

std::unique_ptr<const ScalarProgram> compileScalar(const Plan& plan, const Kernel& kernel) {
  return Compiler(plan, kernel).run();
}

}  // namespace adjoint::exec
