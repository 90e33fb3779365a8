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
    isDone_.assign(size_, 0);
    order_.reserve(size_);
    for (std::uint32_t i = 0; i < size_; ++i) {
      // Effects draw in what they need; loads come where they are read first.
      if (isEffect(i) && !isDone_[i]) demand(i);
    }
    return std::move(order_);
  }

 private:
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
    std::vector<std::uint8_t> isLive(size_, 0);
    missing_.assign(size_, 0);
    firstReader_.assign(size_ + 1, 0);
    for (auto i = static_cast<std::uint32_t>(size_); i-- > 0;) {
      if (isEffect(i)) isLive[i] = 1;
      if (!isLive[i]) continue;
      visitOperands(i, [&](std::uint32_t o) {
        isLive[o] = 1;
        if (isLeaf(o)) return;
        ++missing_[i];
        ++firstReader_[o + 1];
      });
    }
    for (std::size_t i = 0; i < size_; ++i) firstReader_[i + 1] += firstReader_[i];
    readers_.resize(firstReader_[size_]);
    std::vector<std::uint32_t> next(firstReader_.begin(), firstReader_.end() - 1);
    for (std::uint32_t i = 0; i < size_; ++i) {
      if (isLive[i])
        visitOperands(i, [&](std::uint32_t o) {
          if (!isLeaf(o)) readers_[next[o]++] = i;
        });
    }
  }

  /// Computes i, with all that can be had on the way.
  void demand(std::uint32_t i) {
    waiting_.push_back(i);
    while (!isDone_[i]) {
      while (isDone_[waiting_.back()]) waiting_.pop_back();
      // Down to something whose operands are all there.
      std::uint32_t at = waiting_.back();
      while (missing_[at] > 0) {
        std::uint32_t down = at;
        visitOperands(at, [&](std::uint32_t o) {
          if (down == at && !isLeaf(o) && !isDone_[o]) down = o;
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

  void finish(std::uint32_t i) {
    visitOperands(i, [&](std::uint32_t o) {
      if (isDone_[o]) return;  // leaves are not done before their first reader
      isDone_[o] = 1;
      order_.push_back(o);
    });
    isDone_[i] = 1;
    order_.push_back(i);
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
  std::vector<std::uint8_t> isDone_;
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
    const int n = arityOf(instr);
    if (n > 0) instr.a = position[instr.a];
    if (n > 1) instr.b = position[instr.b];
    if (n > 2) instr.c = position[instr.c];
    position[i] = static_cast<std::uint32_t>(result.body.size());
    result.body.push_back(instr);
  }
  return result;
}

}  // namespace adjoint::exec
