#include "test/support/random_tapes.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "ops/build.h"
#include "ops/row.h"
#include "test/support/custom.h"
#include "test/support/reference_evaluator.h"

namespace adjoint::testing {

namespace {

// One by one: the reference's functions of the same names are in the enclosing namespace.
using ex::operator+;
using ex::operator*;
using ex::abs, ex::cos, ex::floor, ex::greater, ex::log, ex::mod, ex::sin, ex::softplus, ex::square;
using ex::allAxes, ex::sum, ex::tanh;
using Ids = std::vector<NodeId>;

/// Bits while drawing: only the rough size of values matters.
constexpr mpfr_prec_t kDrawingBits = 64;
constexpr double kLargestValue = 200;
constexpr double kLargestSize = 1e5;

class Generator {
 public:
  Generator(std::uint64_t seed, const RandomTapeOptions& options, std::map<std::string, int>* used)
      : options_(options), used_(used), random_(seed * 0x9e3779b97f4a7c15ull + 12345) {
    if (chance(0.06)) options_.maxElements *= 8;
  }

  RandomTape run() {
    const mpfr_prec_t before = Real::precision;
    Real::precision = kDrawingBits;
    addInputs();
    ReferenceEvaluator evaluator(builder_.tape(), inexactInputs());
    evaluator_ = &evaluator;
    keep(builder_.constant(below(2) ? 0.5 : -1.25));
    // Few tapes are as long as the longest.
    const std::size_t span = options_.maxNodes - options_.minNodes + 1;
    const std::size_t target =
        options_.minNodes +
        static_cast<std::size_t>(std::pow(uniform(0, 1), 1.5) * static_cast<double>(span));
    for (int attempts = 0; builder_.size() < target && attempts < 2000; ++attempts) {
      try {
        step();
      } catch (const Error&) {
        // An operation that does not fit what was drawn.
      }
    }
    RandomTape result = finish();
    Real::precision = before;
    return result;
  }

 private:
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  bool chance(double p) { return uniform(0, 1) < p; }

  void addInputs() {
    const std::size_t count = 1 + below(3);
    for (std::size_t i = 0; i < count; ++i) {
      Shape shape;
      const std::size_t rank = below(4);
      for (std::size_t k = 0; k < rank; ++k)
        shape.push_back(between(1, rank == 1 && chance(0.1) ? 20 : 4));
      const NodeId id = builder_.input("x" + std::to_string(i), shape);
      numbers_.push_back(id);
      inputs_.emplace_back();
      for (std::int64_t k = elementCount(shape); k > 0; --k)
        inputs_.back().push_back(uniform(-2, 2));
    }
  }

  std::vector<Numbers> inexactInputs() const {
    std::vector<Numbers> result = exact(inputs_);
    for (Numbers& numbers : result) {
      for (Number& n : numbers) n.size = 1;
    }
    return result;
  }

  /// A value joins the pool when it is of moderate size there, and so are its terms.
  bool keep(NodeId id) {
    evaluator_->evaluate();
    const Numbers& values = evaluator_->of(id);
    if (static_cast<std::int64_t>(values.size()) > options_.maxElements) return false;
    for (const Number& n : values) {
      if (!n.value.isFinite() || std::abs(n.value.toDouble()) > kLargestValue ||
          !(n.size <= kLargestSize))
        return false;
    }
    (builder_.dtype(id) == DType::Bool ? bools_ : numbers_).push_back(id);
    return true;
  }

  void note(Op op) {
    if (used_) ++(*used_)[rowOf(op).name];
  }
  NodeId make(Op op, const Ids& operands, const std::vector<std::int64_t>& attrs = {}) {
    const NodeId id = apply(builder_, op, operands, attrs);
    if (keep(id)) note(op);
    return id;
  }

  /// A random value of the pool, later ones more often.
  NodeId any() { return numbers_[std::max(below(numbers_.size()), below(numbers_.size()))]; }
  NodeId anyOfRank(std::size_t least) {
    for (int i = 0; i < 20; ++i) {
      const NodeId id = any();
      if (builder_.shape(id).size() >= least) return id;
    }
    throw Error(ErrorCode::Shape, "none drawn");
  }
  bool broadcasts(const Shape& a, const Shape& b) {
    for (std::size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
      const std::int64_t p = a[a.size() - i];
      const std::int64_t q = b[b.size() - i];
      if (p != q && p != 1 && q != 1) return false;
    }
    return true;
  }
  NodeId partner(NodeId id) {
    for (int i = 0; i < 12; ++i) {
      const NodeId other = any();
      if (broadcasts(builder_.shape(id), builder_.shape(other))) return other;
    }
    return builder_.constant(uniform(-2, 2));
  }
  NodeId like(const Shape& shape) {
    for (int i = 0; i < 12; ++i) {
      const NodeId other = any();
      if (builder_.shape(other) == shape) return other;
    }
    std::vector<double> values;
    for (std::int64_t i = elementCount(shape); i > 0; --i) values.push_back(uniform(-2, 2));
    return builder_.data(values, shape);
  }
  NodeId condition(const Shape& shape) {
    for (int i = 0; i < 8 && !bools_.empty(); ++i) {
      const NodeId id = bools_[below(bools_.size())];
      if (broadcasts(builder_.shape(id), shape)) return id;
    }
    const NodeId x = any();
    const Ids pair{broadcasts(builder_.shape(x), shape) ? x : like(shape),
                   builder_.constant(uniform(-1, 1))};
    return apply(builder_, Op::Less, pair);
  }
  std::int64_t axisOf(NodeId id) {
    const auto rank = static_cast<std::int64_t>(builder_.shape(id).size());
    return between(0, rank - 1) - (chance(0.2) ? rank : 0);
  }
  std::int64_t extent(NodeId id, std::int64_t axis) {
    const Shape& shape = builder_.shape(id);
    return shape[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size())
                                                   : axis)];
  }
  std::vector<std::int64_t> reducedAxes(NodeId id) {
    std::vector<std::int64_t> attrs{chance(0.3) ? 1 : 0};
    for (std::size_t k = 0; k < builder_.shape(id).size(); ++k) {
      if (chance(0.5)) attrs.push_back(static_cast<std::int64_t>(k));
    }
    return attrs;
  }

  Expr wrap(NodeId id) { return {&builder_, id}; }

  /// The operand brought into the domain most of the time; what is left outside is not kept.
  NodeId fitted(NodeId id, Domain domain, std::size_t position) {
    if (chance(0.15)) return id;
    const Expr x = wrap(id);
    switch (domain) {
      case Domain::Positive:
      case Domain::NonNegative:
        return (chance(0.5) ? square(x) + 0.3 : softplus(x) + 0.2).id;
      case Domain::UnitClosed:
      case Domain::UnitOpen:
        return (0.8 * sin(x)).id;
      case Domain::AboveOne:
        return (1.2 + square(x)).id;
      case Domain::AboveMinusOne:
        return (0.7 * tanh(x)).id;
      case Domain::PowPair:
        return position == 0 ? (0.4 + abs(x)).id : (2.0 * cos(x)).id;
      case Domain::XLogY:
      case Domain::XLog1pY:
      case Domain::NonZeroSecond:
        return position == 1 ? (0.5 + square(x)).id : id;
      case Domain::NonZero:
      case Domain::NotPole:
        return (0.4 + square(x)).id;
      default:
        return chance(0.1) ? sin(x).id : id;
    }
  }

  const Row& randomRow(bool (*accept)(const Row&)) {
    const auto rows = allRows();
    for (;;) {
      const Row& row = rows[below(rows.size())];
      if (accept(row)) return row;
    }
  }

  void elementwise() {
    const Row& row =
        randomRow([](const Row& r) { return r.family == Family::Elementwise && !r.internal; });
    Ids operands;
    for (int i = 0; i < row.arity; ++i) {
      const NodeId id = i == 0 ? any() : partner(operands[0]);
      operands.push_back(fitted(id, row.domain, static_cast<std::size_t>(i)));
    }
    if (row.op == Op::Clip) {
      operands[1] = builder_.constant(-0.7);
      operands[2] = builder_.constant(chance(0.5) ? 0.9 : 4.0);
    }
    make(row.op, operands);
  }

  void arithmetic() {
    static constexpr Op kOps[] = {Op::Add, Op::Sub,    Op::Mul, Op::Mul,
                                  Op::Neg, Op::Square, Op::Sin, Op::Tanh};
    const Op op = kOps[below(std::size(kOps))];
    const NodeId a = any();
    Ids operands{a};
    if (rowOf(op).arity == 2) operands.push_back(partner(a));
    if (chance(0.5)) std::ranges::reverse(operands);
    make(op, operands);
  }

  void select() {
    const Row& row = randomRow(
        [](const Row& r) { return r.family == Family::Select && !r.internal && r.kernel; });
    if (row.operandType == DType::Bool) {
      Ids operands{condition({})};
      for (int i = 1; i < row.arity; ++i)
        operands.push_back(condition(builder_.shape(operands[0])));
      make(row.op, operands);
      return;
    }
    Ids operands{any()};
    for (int i = 1; i < row.arity; ++i) operands.push_back(partner(operands[0]));
    make(row.op, operands);
  }

  void where() {
    const NodeId a = any();
    const NodeId b = partner(a);
    const Shape shape = broadcastShapes(builder_.shape(a), builder_.shape(b), "where");
    if (chance(0.3)) {
      // A branch that is singular exactly where it is not taken.
      const Expr x = wrap(a);
      make(Op::Where, {greater(x, 0.3).id, log(x).id, b});
    } else {
      make(Op::Where, {condition(shape), a, b});
    }
  }

  void movement() {
    const NodeId x = chance(0.1) && !bools_.empty() ? bools_[below(bools_.size())] : any();
    const Shape shape = builder_.shape(x);
    const auto rank = static_cast<std::int64_t>(shape.size());
    std::vector<std::int64_t> attrs;
    switch (below(8)) {
      case 0: {
        Shape order = shape;
        if (chance(0.4)) order.insert(order.begin() + between(0, rank), 1);
        std::ranges::shuffle(order, random_);
        if (chance(0.3)) order = {elementCount(shape)};
        if (chance(0.3) && !order.empty()) order[below(order.size())] = -1;
        make(Op::Reshape, {x}, order);
        return;
      }
      case 1:
        for (std::int64_t k = 0; k < rank; ++k) attrs.push_back(k);
        std::ranges::shuffle(attrs, random_);
        make(Op::Transpose, {x}, attrs);
        return;
      case 2: {
        Shape to = shape;
        for (std::int64_t& e : to) e = e == 1 && chance(0.7) ? between(1, 4) : e;
        if (chance(0.5)) to.insert(to.begin(), between(1, 4));
        make(Op::BroadcastTo, {x}, to);
        return;
      }
      case 3:
        for (const std::int64_t e : shape) {
          const std::int64_t start = e == 0 ? 0 : between(0, e - 1);
          const std::int64_t step = between(1, 3);
          const std::int64_t most = e == 0 ? 0 : (e - 1 - start) / step + 1;
          attrs.insert(
              attrs.end(),
              {start, chance(0.02) ? 0 : between(std::min<std::int64_t>(1, most), most), step});
        }
        make(Op::Slice, {x}, attrs);
        return;
      case 4:
        for (const std::int64_t e : shape) {
          const std::int64_t lo = between(0, 2);
          const std::int64_t step = between(1, 2);
          attrs.insert(attrs.end(),
                       {lo, e == 0 ? lo : lo + (e - 1) * step + 1 + between(0, 2), step});
        }
        make(Op::Place, {x}, attrs);
        return;
      case 5:
        for (std::int64_t k = 0; k < rank; ++k) {
          if (chance(0.6)) attrs.push_back(k);
        }
        make(Op::Flip, {x}, attrs);
        return;
      case 6:
        for (std::int64_t k = 0; k < rank; ++k)
          attrs.insert(attrs.end(), {between(0, 2), between(0, 2)});
        make(Op::Pad,
             chance(0.5) || builder_.dtype(x) == DType::Bool ? Ids{x}
                                                             : Ids{x, builder_.constant(0.75)},
             attrs);
        return;
      default:
        for (std::int64_t k = between(0, rank); k > 0; --k) {
          const std::int64_t e = shape[attrs.size()];
          attrs.push_back(between(-e, e - 1));
        }
        make(Op::At, {x}, attrs);
    }
  }

  void joining() {
    const NodeId first = anyOfRank(chance(0.5) ? 1 : 0);
    const Shape shape = builder_.shape(first);
    Ids pieces{first};
    const std::size_t count = 1 + below(4);
    for (std::size_t i = 0; i < count; ++i) pieces.push_back(like(shape));
    if (chance(0.5)) {
      make(Op::Stack, pieces, {between(0, static_cast<std::int64_t>(shape.size()))});
    } else if (!shape.empty()) {
      make(Op::Concat, pieces, {axisOf(first)});
    }
  }

  NodeId indices(std::int64_t size, const Shape& shape) {
    if (size == 0) throw Error(ErrorCode::Shape, "nothing to index");
    if (chance(0.3)) {
      // Computed from values, and always inside.
      const Expr x = wrap(any());
      return mod(floor(3.0 * abs(x)), static_cast<double>(size)).id;
    }
    std::vector<double> values;
    for (std::int64_t i = elementCount(shape); i > 0; --i)
      values.push_back(static_cast<double>(between(0, size - 1)));
    return builder_.data(values, shape);
  }
  Shape smallShape() {
    Shape shape(below(3));
    for (std::int64_t& e : shape) e = between(1, 3);
    return shape;
  }

  void indexing() {
    const NodeId x = anyOfRank(1);
    const std::int64_t axis = axisOf(x);
    const std::int64_t size = extent(x, axis);
    const std::int64_t fromFront =
        axis < 0 ? axis + static_cast<std::int64_t>(builder_.shape(x).size()) : axis;
    switch (below(4)) {
      case 0:
        make(Op::Gather, {x, indices(size, smallShape())}, {axis});
        return;
      case 1: {
        const NodeId at = indices(size, smallShape());
        const NodeId updates = apply(builder_, Op::Gather, Ids{like(builder_.shape(x)), at},
                                     std::vector<std::int64_t>{fromFront});
        make(Op::ScatterAdd, {x, at, updates}, {axis});
        return;
      }
      case 2: {
        const NodeId at = indices(size, smallShape());
        const NodeId updates =
            apply(builder_, Op::Gather, Ids{x, at}, std::vector<std::int64_t>{fromFront});
        make(Op::ScatterSum, {at, updates}, {fromFront, size + between(0, 2)});
        return;
      }
      default: {
        Shape shape = builder_.shape(x);
        shape[static_cast<std::size_t>(fromFront)] = between(1, 3);
        const NodeId at =
            chance(0.5) ? apply(builder_, Op::ArgSort, Ids{x}, std::vector<std::int64_t>{fromFront})
                        : indices(size, shape);
        if (builder_.shape(at).size() == shape.size())
          make(Op::TakeAlongAxis, {x, at}, {fromFront});
      }
    }
  }

  void ordering() {
    static constexpr Op kOps[] = {Op::Sort, Op::ArgSort, Op::ArgMax, Op::ArgMin};
    const NodeId x = anyOfRank(1);
    make(kOps[below(std::size(kOps))], {x}, {axisOf(x)});
  }

  void reduction() {
    static constexpr Op kOps[] = {Op::Sum,  Op::Sum,       Op::ReduceMax, Op::ReduceMin,
                                  Op::Mean, Op::Prod,      Op::Var,       Op::Std,
                                  Op::Norm, Op::LogSumExp, Op::Median,    Op::MaskedLogSumExp};
    const Op op = kOps[below(std::size(kOps))];
    const NodeId x = any();
    std::vector<std::int64_t> attrs = reducedAxes(x);
    if (op == Op::Var || op == Op::Std) attrs.insert(attrs.begin(), between(0, 1));
    if (op == Op::Norm) attrs.insert(attrs.begin(), between(0, 2));
    make(op, op == Op::MaskedLogSumExp ? Ids{x, condition(builder_.shape(x))} : Ids{x}, attrs);
  }

  void alongAxis() {
    const NodeId x = anyOfRank(1);
    const std::int64_t axis = axisOf(x);
    switch (below(5)) {
      case 0:
        make(Op::CumSum, {x}, {axis, between(0, 1)});
        return;
      case 1:
        make(Op::LinearRecurrence, {x, like(builder_.shape(x))}, {axis, between(0, 1)});
        return;
      case 2:
        make(Op::CumProd, {x}, {axis});
        return;
      case 3:
        make(Op::Softmax, {x}, {axis});
        return;
      default:
        make(Op::LogSoftmax, {x}, {axis});
    }
  }

  void product() {
    const NodeId a = anyOfRank(1);
    const Shape shape = builder_.shape(a);
    switch (below(5)) {
      case 0: {
        Shape other = shape;
        if (shape.size() == 1) {
          other = {shape[0], between(1, 3)};
        } else {
          std::swap(other[other.size() - 1], other[other.size() - 2]);
          if (chance(0.3)) other = {shape.back()};
        }
        make(Op::MatMul, {a, like(other)});
        return;
      }
      case 1:
        make(Op::Dot, {a, like(shape)});
        return;
      case 2:
        make(Op::Outer, {a, like({between(1, 4)})});
        return;
      case 3: {
        if (shape.size() < 2) return;
        Shape other = shape;
        other.back() = between(1, 3);
        other[other.size() - 2] = shape.back();
        make(Op::BatchMatMul, {a, like(other)});
        return;
      }
      default:
        einsum(a);
    }
  }

  void einsum(NodeId a) {
    const Shape shape = builder_.shape(a);
    std::string text;
    Ids operands{a};
    if (shape.size() == 1) {
      static const char* const kForms[] = {"i,i->i", "i,i->", "i,j->ij", "i->", "i,i,i->i"};
      text = kForms[below(std::size(kForms))];
      for (std::size_t i = 1; i <= static_cast<std::size_t>(std::ranges::count(text, ',')); ++i)
        operands.push_back(like(shape));
    } else if (shape.size() == 2) {
      static const char* const kForms[] = {"ij->ji",  "ij->j", "ij,ij->i", "ij,kj->ik",
                                           "ij,ij->", "ii->i", "ii"};
      text = kForms[below(std::size(kForms))];
      if (std::ranges::count(text, ',')) operands.push_back(like(shape));
    } else {
      text = "ijk,ikj->i";
      if (shape.size() != 3) return;
      operands.push_back(like({shape[0], shape[2], shape[1]}));
    }
    make(Op::Einsum, operands, std::vector<std::int64_t>(text.begin(), text.end()));
  }

  void matrix() {
    static constexpr Op kOps[] = {Op::Diag, Op::Tril, Op::Triu};
    make(kOps[below(std::size(kOps))], {anyOfRank(1)}, {between(-1, 1)});
  }

  void leaf() {
    if (chance(0.4)) {
      Shape shape = smallShape();
      if (shape.empty()) shape = {3};
      std::vector<std::int64_t> attrs{between(0, static_cast<std::int64_t>(shape.size()) - 1)};
      attrs.insert(attrs.end(), shape.begin(), shape.end());
      make(Op::Iota, {}, attrs);
    } else {
      keep(chance(0.5) ? builder_.constant(uniform(-2, 2), smallShape()) : like(smallShape()));
    }
  }

  /// A smooth function of values of given shapes, perhaps calling another custom function.
  TapePtr innerFunction(const std::vector<Shape>& shapes, int depth) {
    Builder inner;
    std::vector<Expr> x;
    for (std::size_t i = 0; i < shapes.size(); ++i)
      x.push_back({&inner, inner.input("a" + std::to_string(i), shapes[i])});
    Expr y = sin(x[0]);
    for (std::size_t i = 1; i < x.size(); ++i) y = y * tanh(x[i]) + 0.5 * x[i];
    if (depth > 0 && chance(0.4)) {
      const auto rule = makeRule(innerFunction({y.shape()}, depth - 1), chance(0.5), chance(0.5));
      y = y + callCustom(inner, rule, {y})[0];
    }
    std::vector<Port> outputs{{"p", y.id}};
    if (chance(0.5)) outputs.push_back({"q", (x[0] * cos(x[0])).id});
    return inner.finish(outputs);
  }

  void custom() {
    const NodeId a = any();
    std::vector<Expr> operands{wrap(a)};
    std::vector<Shape> shapes{builder_.shape(a)};
    if (chance(0.5)) {
      const NodeId b = like(shapes[0]);
      operands.push_back(wrap(b));
      shapes.push_back(shapes[0]);
    }
    const auto rule = makeRule(innerFunction(shapes, 1), chance(0.5), chance(0.5));
    bool kept = false;
    for (const Expr& y : callCustom(builder_, rule, operands)) kept = keep(y.id) || kept;
    if (kept) note(Op::Custom);
    if (kept) note(Op::Item);
  }

  void step() {
    const std::size_t which = below(30);
    if (which < 8) return elementwise();
    if (which < 12) return arithmetic();
    if (which < 16) return movement();
    switch (which) {
      case 16:
        return select();
      case 17:
        return where();
      case 18:
        return joining();
      case 19:
      case 20:
        return indexing();
      case 21:
        return ordering();
      case 22:
      case 23:
        return reduction();
      case 24:
        return alongAxis();
      case 25:
      case 26:
        return product();
      case 27:
        return matrix();
      case 28:
        return chance(0.5) ? leaf() : custom();
      default:
        // Finite differences see through stopGradient, so it is put where the derivative is zero
        // anyway.
        make(Op::StopGradient, {floor(wrap(any())).id});
    }
  }

  RandomTape finish() {
    std::vector<bool> isUsed(builder_.size(), false);
    for (NodeId id = 0; id < builder_.size(); ++id) {
      for (const NodeId operand : builder_.tape().operands(builder_.node(id)))
        isUsed[operand] = true;
    }
    Expr s{&builder_, builder_.constant(0.25)};
    Ids candidates = numbers_;
    std::vector<Port> others;
    for (const NodeId id : candidates) {
      const bool isInput = builder_.node(id).op == tapeop::kInput;
      if (!(isUsed[id] || isInput ? chance(0.05) : chance(0.8))) continue;
      const Expr x = wrap(id);
      if (others.size() < 3 && chance(0.3)) {
        others.push_back({"y" + std::to_string(others.size()), id});
      } else {
        s = s + uniform(0.3, 1.5) * sum(chance(0.3) ? sin(x) : x, allAxes(x));
      }
    }
    std::vector<Port> outputs{{"s", s.id}};
    outputs.insert(outputs.end(), others.begin(), others.end());
    return {builder_.finish(std::move(outputs)), inputs_};
  }

  RandomTapeOptions options_;
  std::map<std::string, int>* used_;
  std::mt19937_64 random_;
  Builder builder_;
  ReferenceEvaluator* evaluator_ = nullptr;
  Ids numbers_;
  Ids bools_;
  Arrays inputs_;
};

}  // namespace

RandomTape randomTape(std::uint64_t seed, const RandomTapeOptions& options,
                      std::map<std::string, int>* used) {
  return Generator(seed, options, used).run();
}

}  // namespace adjoint::testing
