// Makes the code of rows.
#include <algorithm>
#include <unordered_map>

#include "exec/overlap.h"
#include "exec/plain_kernel.h"
#include "exec/rows_code.h"
#include "exec/schedule.h"

namespace adjoint::exec {
namespace {

constexpr std::int64_t kLanes = RowsOfPoints::kLanes;
/// Code is short beside what it does.
constexpr std::size_t kMostFormats = 16;
/// Points whose rows stay in the second-level cache until single elements are moved.
constexpr std::int64_t kPiece = 2048;
constexpr std::int64_t kDouble = sizeof(double);

}  // namespace

class RowsCode::Maker {
 public:
  Maker(const Plan& plan, const Kernel& kernel, const InterleaveStep& step,
        const std::vector<bool>& isComputed, JitBuilder& jit)
      : plan_(plan),
        kernel_(kernel),
        step_(step),
        isComputed_(isComputed),
        jit_(jit),
        ordered_(scheduled(kernel)),
        code_(new RowsCode(plan, step)),
        points_(step, isComputed, code_->out_.offset, kernel.points(), hasOutputs()) {}

  std::unique_ptr<RowsCode> run() {
    if (!points_.find()) return nullptr;
    code_->constantRuns_ = points_.constantRuns();
    for (const RowsOfPoints::Part& part : points_.parts()) {
      if (!addPart(part)) return nullptr;
    }
    if (!addSingles()) return nullptr;
    for (const std::vector<Call>& calls : calls_) {
      code_->calls_.insert(code_->calls_.end(), calls.begin(), calls.end());
      code_->callsOfPiece_.push_back(code_->calls_.size());
    }
    for (Code& code : codes_) code_->numbers_.push_back(jit_.add(std::move(code)));
    code_->values_ = roundUp(code_->values_, kLanes);
    code_->scratch_ = code_->values_ + kMostValues * doublesOfValues();
    return std::move(code_);
  }

 private:
  /// Whether others read values too.
  bool hasOutputs() const {
    return std::ranges::any_of(kernel_.body, [&](const Instr& instr) {
      if (instr.kind != InstrKind::Store) return false;
      const Access& access = kernel_.accesses[static_cast<std::size_t>(instr.extra)];
      return plan_.buffers[access.buffer].base != Base::Piece;
    });
  }

  // --- points ----------------------------------------------------------------------------------

  bool addPart(const RowsOfPoints::Part& part) {
    Part made;
    // Equal rows have equal code, wherever they are.
    std::vector<std::uint32_t> format;
    for (const PointRows& rows : part.rows) {
      made.rows.push_back({rows.start, rows.width});
      for (std::int64_t k = 0; k < rows.width; ++k) format.push_back(points_.column(rows, k).part);
      format.push_back(kNoPart);
    }
    const auto known = std::ranges::find(formats_, format);
    made.code = static_cast<std::uint32_t>(known - formats_.begin());
    if (known == formats_.end()) {
      if (formats_.size() == kMostFormats || !write(part)) return false;
      formats_.push_back(std::move(format));
    }
    addPieces(part);
    code_->parts_.push_back(std::move(made));
    return true;
  }

  /// Vectors at the ends of a part overlap others, so that rows between begin where a line of the
  /// cache does. Vectors that overlap are of one piece.
  void addPieces(const RowsOfPoints::Part& part) {
    const auto number = static_cast<std::uint32_t>(code_->parts_.size());
    const auto call = [&](std::int64_t first, std::int64_t points) {
      if (points > 0) calls_.back().push_back({number, first, points, 0});
    };
    const std::int64_t to = part.firstPoint + part.points;
    const std::int64_t aligned = alignedPoint(part);
    for (std::int64_t first = part.firstPoint; first < to;) {
      const std::int64_t begin = std::max(first, aligned);
      std::int64_t end = begin + kPiece;
      if (to - end < kPiece / 2) end = to;
      firstPoints_.push_back(first);
      calls_.emplace_back();
      if (begin > first) call(first, kLanes);
      const std::int64_t points = (end - begin) / kLanes * kLanes;
      call(begin, points);
      if (begin + points < end) call(end - kLanes, kLanes);
      first = end;
    }
  }

  /// The first point from which rows of whole vectors begin lines, if any does.
  std::int64_t alignedPoint(const RowsOfPoints::Part& part) const {
    const std::int64_t from = part.firstPoint;
    const std::int64_t last = std::min(from + kLanes, from + part.points - kLanes);
    for (std::int64_t point = from; point <= last && !part.rows.empty(); ++point) {
      if (points_.beginsLine(part.rows.front(), point)) return point;
    }
    return from;
  }

  /// The one whose calls come last before those of later points.
  std::size_t pieceOf(std::int64_t point) const {
    const auto after = std::ranges::upper_bound(firstPoints_, point);
    return after == firstPoints_.begin()
               ? 0
               : static_cast<std::size_t>(after - firstPoints_.begin()) - 1;
  }

  // --- single elements -------------------------------------------------------------------------

  bool addSingles() {
    std::vector<std::vector<Moves::Move>> singles(calls_.size());
    for (const InterleaveStep::Single& single : points_.singles()) {
      const auto& [part, element] = single.from;
      const std::int64_t ofRow = points_.pointAt(single.place);
      // After the row that it is in, and where its value is.
      if (isComputed_[part] && ofRow >= 0 && ofRow != element) return false;
      const std::size_t piece = pieceOf(isComputed_[part] ? element : ofRow);
      const std::optional<Place> from = placeOf(single.from, piece);
      if (!from) return false;
      const bool isThere =
          from->base == code_->out_.base && from->offset == code_->out_.offset + single.place;
      if (!isThere) singles[piece].push_back({single.place, *from});
    }
    for (std::vector<Moves::Move>& piece : singles) {
      if (!Moves::areApart(piece, code_->out_)) return false;
      code_->singles_.add(std::move(piece));
    }
    return true;
  }

  /// Where a value can be found when its piece has been written: in the row of its point, or else
  /// among the piece's values.
  std::optional<Place> placeOf(const InterleaveStep::Column& value, std::size_t piece) {
    const auto& [part, element] = value;
    if (!isComputed_[part]) {
      const Place place = exec::placeOf(plan_, step_.sources[part].buffer);
      return Place{place.base, place.offset + element};
    }
    if (const std::int64_t place = points_.placeOf(value); place >= 0)
      return Place{code_->out_.base, code_->out_.offset + place};
    if (valuesPart_ == kNoPart && !writeValues()) return std::nullopt;
    std::vector<Call>& calls = calls_[piece];
    auto call = std::ranges::find_if(calls, [&](const Call& c) {
      return c.part == valuesPart_ && c.firstPoint <= element && element < c.firstPoint + kLanes;
    });
    if (call == calls.end()) {
      const auto count = std::ranges::count(calls, valuesPart_, &Call::part);
      if (count == kMostValues) return std::nullopt;
      const std::int64_t first = std::min<std::int64_t>(element, kernel_.points() - kLanes);
      calls.push_back({valuesPart_, first, kLanes, count * doublesOfValues()});
      call = calls.end() - 1;
    }
    return Place{Base::Piece, call->values + part * kLanes + element - call->firstPoint};
  }
  std::int64_t doublesOfValues() const { return std::ssize(step_.sources) * kLanes; }

  // --- code ------------------------------------------------------------------------------------

  using Values = std::unordered_map<BufferId, std::uint32_t>;

  /// The kernel on the next points, and its values.
  bool writeKernel(CodeWriter& writer, Values& values) {
    bool isInReach = true;
    const auto operand = [&](const Place& place, bool moves) {
      const std::int64_t bytes = place.offset * kDouble;
      isInReach = isInReach && bytes == static_cast<std::int32_t>(bytes);
      if (moves && std::ranges::find(code_->bases_, place.base) == code_->bases_.end())
        code_->bases_.push_back(place.base);
      return MemoryOperand{static_cast<std::uint32_t>(place.base) + (moves ? kFromPoint : 0), moves,
                           bytes};
    };
    const auto store = [&](const Access& to, std::uint32_t value) {
      values[to.buffer] = value;
      const Place place = exec::placeOf(plan_, to);
      if (place.base != Base::Piece) writer.store(operand(place, true), value);
    };
    return writePlainKernel(plan_, ordered_, writer, operand, store) && isInReach;
  }

  bool write(const RowsOfPoints::Part& part) {
    Code code;
    CodeWriter writer(code);
    Values values;
    if (!writeKernel(writer, values)) return false;
    for (std::uint32_t r = 0; r < part.rows.size(); ++r) {
      if (!writeRows(part.rows[r], kRows + r, values, writer, code)) return false;
    }
    add(std::move(code));
    return true;
  }

  /// Code for values that no row has.
  bool writeValues() {
    Code code;
    CodeWriter writer(code);
    Values values;
    if (!writeKernel(writer, values)) return false;
    for (std::size_t k = 0; k < step_.sources.size(); ++k) {
      const auto value = values.find(step_.sources[k].buffer);
      if (value == values.end()) continue;
      const auto at = static_cast<std::int64_t>(k) * kLanes * kDouble;
      writer.store({kRows, false, at}, value->second);
    }
    valuesPart_ = static_cast<std::uint32_t>(code_->parts_.size());
    code_->parts_.push_back({static_cast<std::uint32_t>(codes_.size()), {}});
    add(std::move(code));
    return true;
  }

  void add(Code code) {
    code.spillSlot = kScratch;
    codes_.push_back(overlapped(code, jit_.instructionSet()));
    code_->values_ = std::max(code_->values_, codes_.back().spillDoubles(kLanes));
  }

  bool writeRows(const PointRows& rows, std::uint32_t slot, const Values& values,
                 CodeWriter& writer, Code& code) const {
    std::vector<std::optional<double>> columns;
    std::vector<std::uint32_t> varying;
    for (std::int64_t k = 0; k < rows.width; ++k) {
      const InterleaveStep::Source& source = step_.sources[points_.column(rows, k).part];
      columns.emplace_back();
      if (source.isUniform) {
        columns.back() =
            plan_.constants[static_cast<std::size_t>(plan_.buffers[source.buffer].offset)];
      } else {
        varying.push_back(values.at(source.buffer));
      }
    }
    const std::optional<RowBlend> blend = RowBlend::of(columns);
    if (!blend || varying.size() > RowBlend::kMostPicked) return false;
    for (std::int64_t k = 0; k < rows.width; ++k) {
      const std::uint32_t vector =
          writer.pick(blend->picks(static_cast<std::size_t>(k)), varying.front(), varying.back());
      writer.store({slot, false, k * kLanes * kDouble}, vector);
    }
    code.moving.push_back({slot, static_cast<std::int32_t>(rows.width * kLanes * kDouble)});
    return true;
  }

  static constexpr std::uint32_t kNoPart = 0xffffffffu;
  /// Calls for values in one piece.
  static constexpr std::int64_t kMostValues = 4;

  const Plan& plan_;
  const Kernel& kernel_;
  const InterleaveStep& step_;
  const std::vector<bool>& isComputed_;
  JitBuilder& jit_;
  const Kernel ordered_;
  std::unique_ptr<RowsCode> code_;
  RowsOfPoints points_;
  std::vector<std::int64_t> firstPoints_;            ///< by piece
  std::vector<std::vector<Call>> calls_;             ///< by piece
  std::vector<Code> codes_;                          ///< by format, and of values
  std::vector<std::vector<std::uint32_t>> formats_;  ///< columns of a part's rows
  std::uint32_t valuesPart_ = kNoPart;               ///< where values are wanted that no row has
};

std::unique_ptr<RowsCode> RowsCode::make(const Plan& plan, const Kernel& kernel,
                                         const InterleaveStep& step,
                                         const std::vector<bool>& isComputed, JitBuilder& jit) {
  if (jit.instructionSet() != InstructionSet::Avx512 || !isPlainKernel(plan, kernel))
    return nullptr;
  return Maker(plan, kernel, step, isComputed, jit).run();
}

}  // namespace adjoint::exec
