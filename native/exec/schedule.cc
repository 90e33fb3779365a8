#include "exec/schedule.h"

#include <algorithm>

#include "exec/block.h"

namespace adjoint::exec {
namespace {

class Scheduler {
 public:
  explicit Scheduler(const BigVector<Instr>& body) : body_(body), size_(body.size()) {}

  /// Instructions in their new order; dead ones are left out.
  std::vector<std::uint32_t> run() {
    findReaders();
    std::vector<std::uint32_t> given = ordered([&](std::uint32_t i) {
      if (isLive_[i] && !isLeaf(i)) place(i);
    });
    std::vector<std::uint32_t> byDemand = ordered([&](std::uint32_t i) {
      // Effects draw in what they need.
      if (isEffect(i) && !isDone_[i]) demand(i);
    });
    return farReads(given) < farReads(byDemand) ? given : byDemand;
  }

 private:
  /// A value read so many instructions after it was last at hand has left the registers.
  static constexpr std::uint32_t kFar = 24;

  template <class Visit>
  std::vector<std::uint32_t> ordered(Visit visit) {
    order_.clear();
    order_.reserve(size_);
    isDone_.assign(size_, 0);
    for (std::uint32_t i = 0; i < size_; ++i) visit(i);
    return order_;
  }

  /// Reads of values that would have to be kept in memory.
  std::size_t farReads(const std::vector<std::uint32_t>& order) const {
    std::vector<std::uint32_t> touched(size_);
    std::uint32_t now = 0;
    std::size_t count = 0;
    for (const std::uint32_t i : order) {
      if (isLeaf(i)) continue;
      ++now;
      visitOperands(i, [&](std::uint32_t o) {
        if (isLeaf(o)) return;
        if (now - touched[o] > kFar) ++count;
        touched[o] = now;
      });
      touched[i] = now;
    }
    return count;
  }

  bool isEffect(std::uint32_t i) const {
    return body_[i].kind == InstrKind::Store || body_[i].kind == InstrKind::Reduce;
  }
  bool isLeaf(std::uint32_t i) const { return arityOf(body_[i]) == 0; }

  template <class Visit>
  void visitOperands(std::uint32_t i, Visit visit) const {
    const Instr& instr = body_[i];
    const std::uint32_t operands[3] = {instr.a, instr.b, instr.c};
    const int n = arityOf(instr);
    for (int k = 0; k < n; ++k) {
      const bool isRepeated = std::find(operands, operands + k, operands[k]) != operands + k;
      if (!isRepeated) visit(operands[k]);
    }
  }

  void findReaders() {
    isLive_.assign(size_, 0);
    missing_.assign(size_, 0);
    firstReader_.assign(size_ + 1, 0);
    for (auto i = static_cast<std::uint32_t>(size_); i-- > 0;) {
      if (isEffect(i)) isLive_[i] = 1;
      if (!isLive_[i]) continue;
      visitOperands(i, [&](std::uint32_t o) {
        isLive_[o] = 1;
        if (isLeaf(o)) return;
        ++missing_[i];
        ++firstReader_[o + 1];
      });
    }
    for (std::size_t i = 0; i < size_; ++i) firstReader_[i + 1] += firstReader_[i];
    readers_.resize(firstReader_[size_]);
    std::vector<std::uint32_t> next(firstReader_.begin(), firstReader_.end() - 1);
    depth_.assign(size_, 0);
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (!isLive_[i]) continue;
      visitOperands(i, [&](std::uint32_t o) {
        if (isLeaf(o)) return;
        readers_[next[o]++] = i;
        depth_[i] = std::max(depth_[i], depth_[o] + 1);
      });
    }
  }

  /// Computes i, with all that can be had on the way.
  void demand(std::uint32_t i) {
    waiting_.push_back(i);
    while (!isDone_[i]) {
      while (isDone_[waiting_.back()]) waiting_.pop_back();
      // Down to something whose operands are all there, where most has to be done first: the sum
      // before its next term.
      std::uint32_t at = waiting_.back();
      while (missing_[at] > 0) {
        std::uint32_t down = at;
        visitOperands(at, [&](std::uint32_t o) {
          if (isLeaf(o) || isDone_[o]) return;
          if (down == at || depth_[o] > depth_[down]) down = o;
        });
        at = down;
      }
      ready_.push_back(at);
      while (!ready_.empty()) {
        const std::uint32_t now = ready_.back();
        ready_.pop_back();
        if (!isDone_[now]) finish(now);
      }
    }
  }

  /// The next instruction; loads come where they are read first.
  void place(std::uint32_t i) {
    visitOperands(i, [&](std::uint32_t o) {
      if (isDone_[o]) return;  // leaves are not done before their first reader
      isDone_[o] = 1;
      order_.push_back(o);
    });
    isDone_[i] = 1;
    order_.push_back(i);
  }

  void finish(std::uint32_t i) {
    place(i);
    if (isLeaf(i)) return;
    for (std::uint32_t r = firstReader_[i + 1]; r-- > firstReader_[i];) {
      const std::uint32_t reader = readers_[r];
      if (--missing_[reader] == 0) {
        ready_.push_back(reader);
      } else {
        waiting_.push_back(reader);
      }
    }
  }

  const BigVector<Instr>& body_;
  const std::size_t size_;
  std::vector<std::uint32_t> firstReader_, readers_;
  std::vector<std::uint8_t> missing_;  ///< operands that are not there, leaves not counted
  std::vector<std::uint32_t> depth_;   ///< the longest way down to leaves
  std::vector<std::uint8_t> isLive_, isDone_;
  std::vector<std::uint32_t> waiting_, ready_, order_;
};

}  // namespace

Kernel scheduled(const Kernel& kernel) {
  const std::vector<std::uint32_t> order = Scheduler(kernel.body).run();
  std::vector<std::uint32_t> position(kernel.body.size());
  Kernel result = kernel;
  result.body.clear();
  for (const std::uint32_t i : order) {
    Instr instr = kernel.body[i];
    renumber(instr, position);
    position[i] = static_cast<std::uint32_t>(result.body.size());
    result.body.push_back(instr);
  }
  return result;
}

}  // namespace adjoint::exec
