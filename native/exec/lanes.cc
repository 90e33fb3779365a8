#include "exec/lanes.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "exec/pool.h"
#include "exec/transpose.h"

namespace adjoint::exec {
namespace {

/// Lanes that a thread takes at a time where no sum says otherwise.
constexpr std::int64_t kChunkLanes = 1024;
/// What a loop may read and write from beginning to end and find again in the second-level cache.
constexpr std::int64_t kCacheDoubles = 64 * 1024;

using Kind = LaneStep::Port::Kind;

/// The next doubles of a memory.
std::int64_t takeFrom(std::int64_t& at, std::int64_t doubles) {
  const std::int64_t from = at;
  at += roundUp(doubles, 8);
  return from;
}

bool isReduction(const LaneStep::Port& port) { return port.kind == Kind::Reduce; }

}  // namespace

LineQueue lineQueueOf(const LaneStep& step) {
  constexpr std::int64_t kLine = LineQueue::kLine;
  std::int64_t touched = 0, lines = 0;
  for (const auto* ports : {&step.inputs, &step.outputs}) {
    for (const LaneStep::Port& port : *ports) {
      if (port.kind == Kind::Mapped) {
        touched += port.outer * step.lanes * port.inner;
        lines += port.outer * roundUp(step.block * port.inner, kLine) / kLine;
      } else if (port.kind == Kind::Gathered) {
        touched += port.outer * port.rows * port.inner;
        lines += port.outer * step.block * roundUp(port.inner, kLine) / kLine;
      }
    }
  }
  const std::int64_t rows = (lines + step.block - 1) / step.block;
  return {step.block, touched > kCacheDoubles ? rows : 0};
}

LaneProgram::LaneProgram(const Plan& plan, const LaneStep& step,
                         std::shared_ptr<const Executable> body)
    : body_(std::move(body)), lanes_(step.lanes), block_(step.block), lines_(lineQueueOf(step)) {
  const Plan& inner = body_->plan();
  io_ = takeFrom(perThread_, inner.ioDoubles + lines_.doubles());
  workspace_ = takeFrom(perThread_, body_->workspaceDoubles(1));
  std::int64_t widest = 0;
  const auto makePort = [&](const LaneStep::Port& outside, const IoPort& inside) {
    Port port;
    port.outside = outside;
    const Buffer& buffer = plan.buffers[outside.buffer];
    port.place = {buffer.base, buffer.offset + outside.offset};
    if (outside.kind == Kind::Gathered) {
      const Buffer& indices = plan.buffers[outside.indices];
      port.indices = {indices.base, indices.offset};
    }
    port.offset = inner.buffers[inside.buffer].offset;
    port.rows = outside.outer * outside.inner;
    if (isReduction(outside)) {
      port.rows = outside.terms * outside.inner;
      widest = std::max(widest, port.rows);
    }
    return port;
  };
  for (std::size_t i = 0; i < step.inputs.size(); ++i)
    inputs_.push_back(makePort(step.inputs[i], inner.inputs[i]));
  for (std::size_t i = 0; i < step.outputs.size(); ++i)
    outputs_.push_back(makePort(step.outputs[i], inner.outputs[i]));
  turned_ = takeFrom(perThread_, widest * block_);
  // A chunk has whole chunks of every sum (docs/design/0003); its last block may be a part of one.
  chunkLanes_ = kChunkLanes;
  bool hasSums = false;
  for (const Port& port : outputs_) {
    if (port.outside.kind == Kind::Mapped) continue;
    hasSums = true;
    const std::int64_t terms = std::max<std::int64_t>(1, port.outside.terms);
    chunkLanes_ = std::lcm(chunkLanes_, kSumChunk / std::gcd(kSumChunk, terms));
  }
  if (!hasSums) chunkLanes_ = roundUp(chunkLanes_, block_);
  chunks_ = (lanes_ + chunkLanes_ - 1) / chunkLanes_;
  parts_ = (lanes_ + kSumChunk - 1) / kSumChunk;
  placeProducts();

  for (Port& port : outputs_) {
    if (!isReduction(port.outside)) continue;
    const std::int64_t terms = std::min(chunkLanes_, lanes_) * port.outside.terms;
    const std::int64_t inner_ = port.outside.inner;
    port.state = takeFrom(perThread_, sizeof(ReduceState) / sizeof(double));
    port.accumulators = takeFrom(perThread_, shapeOf(port, terms).accumulators(inner_));
    const std::int64_t parts = (lanes_ * port.outside.terms + kSumChunk - 1) / kSumChunk;
    port.table = takeFrom(scratch_, parts * inner_);
    port.total = takeFrom(scratch_, shapeOf(port, parts).accumulators(inner_));
  }
  first_ = takeFrom(scratch_, perThread_);
}

void LaneProgram::placeProducts() {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    Port& port = outputs_[i];
    if (port.outside.kind != Kind::Left) continue;
    port.product = {port.outside.outer, port.outside.inner, outputs_[i + 1].outside.inner, block_};
    if (!port.outside.needed.empty()) port.product.needed = port.outside.needed.data();
    if (block_ < kProductChain) port.chain = takeFrom(perThread_, port.productSize());
    if (parts_ > 1) port.table = takeFrom(scratch_, parts_ * port.productSize());
    if (packed_ == 0) packed_ = takeFrom(perThread_, outerProductScratch());
  }
}

/// One chunk of a sum, or the sum of all chunks' results.
ReduceShape LaneProgram::shapeOf(const Port& port, std::int64_t terms) const {
  ReduceShape shape;
  shape.op = port.outside.op;
  shape.terms = terms;
  shape.inner = port.outside.inner;
  shape.contiguous = true;
  return shape;
}

void LaneProgram::share(const RunContext& context, double* own) const {
  for (const Port& port : inputs_) {
    if (port.outside.kind == Kind::Shared)
      std::memcpy(own + io_ + port.offset, context.at(port.place.base, port.place.offset),
                  static_cast<std::size_t>(port.rows) * sizeof(double));
  }
}

/// Lanes first .. first + n - 1 of an input.
void LaneProgram::readPort(const RunContext& context, const Port& port, double* to,
                           std::int64_t first, std::int64_t n) const {
  const std::int64_t inner = port.outside.inner;
  const double* from = context.at(port.place.base, port.place.offset);
  if (port.outside.kind == Kind::Gathered) {
    const double* indices = context.at(port.indices.base, port.indices.offset) + first;
    for (std::int64_t o = 0; o < port.outside.outer; ++o) {
      gatherRows(from, inner, indices, n, to, block_);
      from += port.outside.rows * inner;
      to += inner * block_;
    }
    return;
  }
  from += first * inner;
  for (std::int64_t o = 0; o < port.outside.outer; ++o) {
    if (inner == 1) {
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(double));
    } else {
      transpose(from, inner, n, inner, to, block_);
    }
    from += lanes_ * inner;
    to += inner * block_;
  }
}

/// Calls visit(address) for each line with what lanes first .. first + n - 1 read and write.
template <class Visit>
void LaneProgram::visitLines(const RunContext& context, std::int64_t first, std::int64_t n,
                             Visit visit) const {
  const auto visitRun = [&](const double* from, std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += LineQueue::kLine) visit(from + i);
  };
  for (const auto* ports : {&inputs_, &outputs_}) {
    for (const Port& port : *ports) {
      const std::int64_t inner = port.outside.inner;
      const double* from = context.at(port.place.base, port.place.offset);
      if (port.outside.kind == Kind::Mapped) {
        for (std::int64_t o = 0; o < port.outside.outer; ++o)
          visitRun(from + (o * lanes_ + first) * inner, n * inner);
      } else if (port.outside.kind == Kind::Gathered) {
        const double* indices = context.at(port.indices.base, port.indices.offset) + first;
        for (std::int64_t o = 0; o < port.outside.outer; ++o) {
          for (std::int64_t i = 0; i < n; ++i)
            visitRun(from + (o * port.outside.rows + static_cast<std::int64_t>(indices[i])) * inner,
                     inner);
        }
      }
    }
  }
}

/// Asks for the memory of lanes first .. first + n - 1, or has the body ask for it: the processor's
/// own prefetching loses rows that several loads take apart, and does not fetch what is only
/// written.
void LaneProgram::askFor(const RunContext& context, double* own, std::int64_t first,
                         std::int64_t n) const {
  if (!body_->asksForLines()) {
    visitLines(context, first, n, [](const double* line) { __builtin_prefetch(line, 0, 2); });
    return;
  }
  double* to = own + io_ + body_->plan().ioDoubles;
  double* const end = to + lines_.doubles();
  const auto put = [&](const double* line) {
    if (to != end) *to++ = std::bit_cast<double>(line);
  };
  visitLines(context, first, n, put);
  while (to != end) put(own);
}

void LaneProgram::readBlock(const RunContext& context, double* own, std::int64_t first,
                            std::int64_t n) const {
  for (const Port& port : inputs_) {
    if (port.outside.kind == Kind::Shared) continue;
    double* to = own + io_ + port.offset;
    readPort(context, port, to, first, n);
    // The last block repeats its last lane.
    for (std::int64_t row = 0; n < block_ && row < port.rows; ++row) {
      double* at = to + row * block_;
      std::fill(at + n, at + block_, at[n - 1]);
    }
  }
}

void LaneProgram::writeBlock(const RunContext& context, double* own, std::int64_t first,
                             std::int64_t n) const {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const Port& port = outputs_[i];
    const std::int64_t inner = port.outside.inner;
    const double* from = own + io_ + port.offset;
    if (port.outside.kind == Kind::Right) continue;
    if (port.outside.kind == Kind::Left) {
      multiply(port, context, own, from, own + io_ + outputs_[i + 1].offset, first, n);
      continue;
    }
    if (isReduction(port.outside)) {
      if (port.rows == 0) continue;
      if (port.rows > 1) {
        double* turned = own + turned_;
        transpose(from, block_, port.rows, n, turned, port.rows);
        from = turned;
      }
      feed(port, context, own, from, first * port.outside.terms, n * port.outside.terms);
      continue;
    }
    double* to = context.at(port.place.base, port.place.offset) + first * inner;
    for (std::int64_t o = 0; o < port.outside.outer; ++o) {
      if (inner == 1) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(double));
      } else {
        transpose(from, block_, inner, n, to, inner);
      }
      from += inner * block_;
      to += lanes_ * inner;
    }
  }
}

/// Rows `at` .. at + rows - 1 of a sum, chunk by chunk; a chunk's result goes into the table.
void LaneProgram::feed(const Port& port, const RunContext& context, double* own, const double* x,
                       std::int64_t at, std::int64_t rows) const {
  const std::int64_t all = lanes_ * port.outside.terms;
  const std::int64_t inner = port.outside.inner;
  ReduceState& state = *reinterpret_cast<ReduceState*>(own + port.state);
  while (rows > 0) {
    const std::int64_t part = at / kSumChunk, start = part * kSumChunk;
    const std::int64_t length = std::min(kSumChunk, all - start);
    const std::int64_t run = std::min(rows, start + length - at);
    const ReduceShape shape = shapeOf(port, length);
    if (at == start) {
      state.accumulators = own + port.accumulators;
      state.results = context.scratch + port.table + part * inner;
      beginReduce(shape, state, 0, inner);
    }
    feedReduce(shape, state, x, run * inner);
    x += run * inner;
    at += run;
    rows -= run;
  }
}

/// Lanes first .. first + n - 1 of a product: a part of one chain (docs/design/0003).
void LaneProgram::multiply(const Port& port, const RunContext& context, double* own,
                           const double* a, const double* b, std::int64_t first,
                           std::int64_t n) const {
  double* sum = parts_ > 1 ? context.scratch + port.table + first / kSumChunk * port.productSize()
                           : context.at(port.place.base, port.place.offset);
  double* chain = own + port.chain;
  const bool isBegun = first % kProductChain != 0;
  const bool isWhole = (first + n) % kProductChain == 0 || first + n == lanes_;
  const bool adds = isWhole && first % kSumChunk >= kProductChain;
  addOuterProducts(port.product, n, a, b, isBegun ? chain : nullptr, isWhole ? sum : chain, adds,
                   own + packed_);
}

bool LaneProgram::runChunk(const RunContext& context, double* own, std::int64_t chunk) const {
  if (stopped(context)) return false;
  const std::int64_t end = std::min(lanes_, (chunk + 1) * chunkLanes_);
  for (std::int64_t first = chunk * chunkLanes_; first < end; first += block_) {
    const std::int64_t n = std::min(block_, end - first);
    readBlock(context, own, first, n);
    if (const std::int64_t next = first + n; lines_.rows > 0 && next < lanes_)
      askFor(context, own, next, std::min(block_, lanes_ - next));
    const RunStatus status = body_->run(own + io_, own + workspace_, nullptr);
    if (!status.ok) {
      *context.status = status;
      return false;
    }
    writeBlock(context, own, first, n);
  }
  return true;
}

/// The chunks' results are the terms of a last reduction; those of products are added in order.
void LaneProgram::finish(const RunContext& context) const {
  for (const Port& port : outputs_) {
    if (port.outside.kind == Kind::Left && parts_ > 1) {
      double* to = context.at(port.place.base, port.place.offset);
      const double* part = context.scratch + port.table;
      const std::int64_t size = port.productSize();
      std::copy_n(part, size, to);
      for (std::int64_t k = 1; k < parts_; ++k) {
        part += size;
        for (std::int64_t i = 0; i < size; ++i) to[i] += part[i];
      }
    }
    if (!isReduction(port.outside)) continue;
    const std::int64_t inner = port.outside.inner;
    const std::int64_t terms = lanes_ * port.outside.terms;
    double* results = context.at(port.place.base, port.place.offset);
    if (terms == 0) {
      std::fill_n(results, inner, emptyReduce(port.outside.op));
      continue;
    }
    const std::int64_t parts = (terms + kSumChunk - 1) / kSumChunk;
    const ReduceShape shape = shapeOf(port, parts);
    ReduceState state;
    state.accumulators = context.scratch + port.total;
    state.results = results;
    beginReduce(shape, state, 0, inner);
    feedReduce(shape, state, context.scratch + port.table, parts * inner);
  }
}

bool LaneProgram::run(const RunContext& context) const noexcept {
  const unsigned most = context.control == nullptr ? 1 : context.control->threads;
  const auto threads = static_cast<unsigned>(std::min<std::int64_t>(most, chunks_));
  // The first thread's is behind what all share.
  const auto memoryOf = [&](unsigned worker) {
    return context.scratchOf(worker, perThread_) + (worker == 0 ? first_ : 0);
  };
  for (unsigned t = 0; t < std::max(1u, threads); ++t) share(context, memoryOf(t));
  std::atomic<bool> isFailing{false};
  const bool isDone =
      Pool::shared().run(chunks_, threads, [&](unsigned worker, std::int64_t chunk) {
        RunStatus status;
        RunContext own = context;
        own.status = &status;
        if (runChunk(own, memoryOf(worker), chunk)) return true;
        // The first to fail says why.
        if (!isFailing.exchange(true)) *context.status = status;
        return false;
      });
  if (!isDone) return false;
  finish(context);
  return true;
}

}  // namespace adjoint::exec
