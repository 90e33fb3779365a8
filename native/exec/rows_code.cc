// Runs the code of rows.
#include "exec/rows_code.h"

#include <algorithm>

#include "exec/pool.h"

namespace adjoint::exec {
namespace {

/// That a thread takes at a time.
constexpr std::int64_t kPiecesOfChunk = 8;

}  // namespace

void RowsCode::link(const JitModule& module) {
  for (const std::uint32_t number : numbers_) functions_.push_back(module.function(number));
}

std::size_t RowsCode::bytes() const {
  std::size_t n = sizeof(*this) + calls_.capacity() * sizeof(Call) +
                  callsOfPiece_.capacity() * sizeof(std::size_t) + singles_.bytes() +
                  functions_.capacity() * (sizeof(CodeFunction) + sizeof(std::uint32_t));
  for (const Part& part : parts_) n += sizeof(Part) + part.rows.capacity() * sizeof(Rows);
  return n;
}

void RowsCode::runPiece(const RunContext& context, std::int64_t piece) const {
  double* const out = context.at(out_.base, out_.offset);
  double* slots[kRows + RowsOfPoints::kMostRows];
  std::copy_n(context.base, kBases, slots);
  slots[kScratch] = context.scratch;
  const auto p = static_cast<std::size_t>(piece);
  for (std::size_t c = callsOfPiece_[p]; c < callsOfPiece_[p + 1]; ++c) {
    const Call& call = calls_[c];
    const Part& part = parts_[call.part];
    for (const Base base : bases_)
      slots[kFromPoint + static_cast<std::uint32_t>(base)] = context.at(base, call.firstPoint);
    double** row = slots + kRows;
    *row = context.at(Base::Piece, call.values);
    for (const Rows& rows : part.rows) *row++ = out + (rows.start + call.firstPoint * rows.width);
    functions_[part.code](slots, call.points);
  }
  singles_.run(context, out, p);
}

bool RowsCode::runPieces(const RunContext& shared, std::int64_t from, std::int64_t to) const {
  RunContext context = shared;
  context.base[static_cast<int>(Base::Piece)] = context.scratch + values_;
  for (std::int64_t piece = from; piece < to; ++piece) {
    if (stopped(context)) return false;
    runPiece(context, piece);
  }
  return true;
}

bool RowsCode::run(const RunContext& context, unsigned threads) const noexcept {
  const auto pieces = static_cast<std::int64_t>(callsOfPiece_.size()) - 1;
  if (threads <= 1) return runPieces(context, 0, pieces);
  const std::int64_t chunks = (pieces + kPiecesOfChunk - 1) / kPiecesOfChunk;
  const auto runChunk = [&](unsigned worker, std::int64_t chunk) {
    RunStatus status;
    const std::int64_t from = chunk * kPiecesOfChunk;
    return runPieces(context.ofWorker(worker, scratch_, status), from,
                     std::min(pieces, from + kPiecesOfChunk));
  };
  return Pool::shared().run(chunks, threads, runChunk) || runPieces(context, 0, pieces);
}

}  // namespace adjoint::exec
