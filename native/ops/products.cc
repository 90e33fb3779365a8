#include <algorithm>
#include <string>

#include "ops/build.h"
#include "ops/row.h"
#include "ops/structural.h"

namespace adjoint {

namespace {

using namespace ex;

[[noreturn]] void mismatch(Op op, const Expr& a, const Expr& b, const std::string& why) {
  throw Error(ErrorCode::Shape, std::string(rowOf(op).name) + ": shapes " + toString(a.shape()) +
                                    " and " + toString(b.shape()) + " do not match" + why);
}

/// NumPy's matmul: vectors gain an axis that goes again, leading axes broadcast.
Expr matmul(Expr a, Expr b) {
  if (a.shape().empty() || b.shape().empty())
    mismatch(Op::MatMul, a, b, " (a scalar multiplies with mul)");
  const bool vectorA = a.shape().size() == 1;
  const bool vectorB = b.shape().size() == 1;
  const Expr left = vectorA ? expandAxes(a, {0}) : a;
  const Expr right = vectorB ? expandAxes(b, {1}) : b;
  const Shape sa = left.shape();
  const Shape sb = right.shape();
  const std::int64_t k = sa[sa.size() - 1];
  if (k != sb[sb.size() - 2]) {
    mismatch(Op::MatMul, a, b,
             ": " + std::to_string(k) + " against " + std::to_string(sb[sb.size() - 2]));
  }
  const Shape batch =
      broadcastShapes(Shape(sa.begin(), sa.end() - 2), Shape(sb.begin(), sb.end() - 2), "matmul");
  const auto withBatch = [&](Expr x) {
    Shape shape = batch;
    const Shape& own = x.shape();
    shape.insert(shape.end(), own.end() - 2, own.end());
    return broadcastTo(x, shape);
  };
  const Expr product = batchMatmul(withBatch(left), withBatch(right));
  Shape shape = batch;
  if (!vectorA) shape.push_back(sa[sa.size() - 2]);
  if (!vectorB) shape.push_back(sb[sb.size() - 1]);
  return reshape(product, shape);
}

/// Labels of one operand of an einsum.
using Labels = std::vector<char>;

[[noreturn]] void badSubscripts(const std::string& text, const std::string& why) {
  throw Error(ErrorCode::Argument, "einsum: \"" + text + "\" " + why);
}

struct Subscripts {
  std::vector<Labels> operands;
  Labels result;
};

Subscripts parseSubscripts(const std::string& text, std::size_t operandCount) {
  Subscripts parsed;
  std::string compact;
  for (const char c : text) {
    if (c != ' ') compact += c;
  }
  const std::size_t arrow = compact.find("->");
  const std::string left = compact.substr(0, arrow);
  parsed.operands.emplace_back();
  for (const char c : left) {
    if (c == ',') {
      parsed.operands.emplace_back();
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      parsed.operands.back().push_back(c);
    } else {
      badSubscripts(text, "has a character that is not a letter");
    }
  }
  if (parsed.operands.size() != operandCount) {
    badSubscripts(text, "names " + std::to_string(parsed.operands.size()) + " values, got " +
                            std::to_string(operandCount));
  }
  const auto countOf = [&](char c) {
    std::ptrdiff_t n = 0;
    for (const Labels& labels : parsed.operands) n += std::count(labels.begin(), labels.end(), c);
    return n;
  };
  if (arrow == std::string::npos) {
    // NumPy's implicit result: letters that stand once, in alphabetical order.
    for (int c = 'A'; c <= 'z'; ++c) {
      if (countOf(static_cast<char>(c)) == 1) parsed.result.push_back(static_cast<char>(c));
    }
    return parsed;
  }
  for (const char c : compact.substr(arrow + 2)) {
    if (countOf(c) == 0) badSubscripts(text, std::string("has '") + c + "' in its result only");
    if (std::count(parsed.result.begin(), parsed.result.end(), c) > 0) {
      badSubscripts(text, std::string("has '") + c + "' twice in its result");
    }
    parsed.result.push_back(c);
  }
  return parsed;
}

std::int64_t positionOf(const Labels& labels, char c) {
  return std::find(labels.begin(), labels.end(), c) - labels.begin();
}
bool contains(const Labels& labels, char c) {
  return std::find(labels.begin(), labels.end(), c) != labels.end();
}

/// One operand with its labels; every step of an einsum keeps the two in agreement.
struct Term {
  Expr x;
  Labels labels;

  /// Takes the diagonal of a repeated label, e.g. "ii".
  void takeDiagonals() {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      for (std::size_t j = i + 1; j < labels.size(); ++j) {
        if (labels[i] != labels[j]) continue;
        Axes order;
        for (std::size_t k = 0; k < labels.size(); ++k) {
          if (k != i && k != j) order.push_back(static_cast<std::int64_t>(k));
        }
        order.push_back(static_cast<std::int64_t>(i));
        order.push_back(static_cast<std::int64_t>(j));
        const Expr moved = transpose(x, order);
        Shape shape = moved.shape();
        const std::int64_t n = shape.back();
        if (shape[shape.size() - 2] != n) {
          throw Error(ErrorCode::Shape, std::string("einsum: '") + labels[i] + "' has extents " +
                                            std::to_string(shape[shape.size() - 2]) + " and " +
                                            std::to_string(n));
        }
        shape.pop_back();
        shape.back() = n * n;
        const auto last = static_cast<std::int64_t>(shape.size()) - 1;
        const Expr flat = reshape(moved, shape);
        x = n == 0 ? reshape(flat,
                             [&] {
                               Shape s = shape;
                               s.back() = 0;
                               return s;
                             }())
                   : sliceAxis(flat, last, {0, n, n + 1});
        const char c = labels[i];
        labels.erase(labels.begin() + static_cast<std::ptrdiff_t>(j));
        labels.erase(labels.begin() + static_cast<std::ptrdiff_t>(i));
        labels.push_back(c);
        takeDiagonals();
        return;
      }
    }
  }

  template <class Needed>
  void sumOut(Needed needed) {
    Axes axes;
    Labels kept;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (needed(labels[i])) {
        kept.push_back(labels[i]);
      } else {
        axes.push_back(static_cast<std::int64_t>(i));
      }
    }
    x = sum(x, axes);
    labels = kept;
  }

  void arrange(const Labels& order) {
    Axes axes;
    bool identity = true;
    for (std::size_t i = 0; i < order.size(); ++i) {
      axes.push_back(positionOf(labels, order[i]));
      identity = identity && axes.back() == static_cast<std::int64_t>(i);
    }
    if (!identity) x = transpose(x, axes);
    labels = order;
  }

  std::int64_t extent(char c) const {
    return x.shape()[static_cast<std::size_t>(positionOf(labels, c))];
  }
  std::int64_t extent(const Labels& group) const {
    std::int64_t n = 1;
    for (const char c : group) n *= extent(c);
    return n;
  }
};

Labels join(std::initializer_list<const Labels*> groups) {
  Labels all;
  for (const Labels* group : groups) all.insert(all.end(), group->begin(), group->end());
  return all;
}

/// Contracts two terms into one by a batched matrix product.
template <class Needed>
Term contract(Term a, Term b, Needed needed) {
  Labels batch, rows, inner, columns;
  for (const char c : a.labels) {
    if (contains(b.labels, c)) {
      if (a.extent(c) != b.extent(c)) {
        throw Error(ErrorCode::Shape, std::string("einsum: '") + c + "' has extents " +
                                          std::to_string(a.extent(c)) + " and " +
                                          std::to_string(b.extent(c)));
      }
      (needed(c) ? batch : inner).push_back(c);
    } else {
      rows.push_back(c);
    }
  }
  for (const char c : b.labels) {
    if (!contains(a.labels, c)) columns.push_back(c);
  }
  a.arrange(join({&batch, &rows, &inner}));
  b.arrange(join({&batch, &inner, &columns}));
  Shape shape;
  for (const char c : batch) shape.push_back(a.extent(c));
  for (const char c : rows) shape.push_back(a.extent(c));
  for (const char c : columns) shape.push_back(b.extent(c));
  const Labels labels = join({&batch, &rows, &columns});
  const std::int64_t nb = a.extent(batch);
  const Expr left = reshape(a.x, {nb, a.extent(rows), a.extent(inner)});
  const Expr right = reshape(b.x, {nb, b.extent(inner), b.extent(columns)});
  if (inner.empty()) {
    // Nothing is summed: a product with broadcasting keeps its own rounding and special values.
    return {reshape(left * right, shape), labels};
  }
  return {reshape(batchMatmul(left, right), shape), labels};
}

Expr einsum(Builder& builder, std::span<const NodeId> operands,
            std::span<const std::int64_t> attrs) {
  std::string text;
  for (const std::int64_t c : attrs) {
    if (c < 32 || c > 126)
      throw Error(ErrorCode::Argument, "einsum: subscripts have a character that is not a letter");
    text += static_cast<char>(c);
  }
  if (operands.empty()) badSubscripts(text, "is given no values");
  const Subscripts subscripts = parseSubscripts(text, operands.size());
  std::vector<Term> terms;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    Term term{{&builder, operands[i]}, subscripts.operands[i]};
    if (term.x.shape().size() != term.labels.size()) {
      badSubscripts(text, "gives " + std::to_string(term.labels.size()) + " letters to shape " +
                              toString(term.x.shape()));
    }
    term.takeDiagonals();
    terms.push_back(term);
  }
  Term result = terms[0];
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto needed = [&](char c) {
      if (contains(subscripts.result, c)) return true;
      for (std::size_t j = i + 1; j < terms.size(); ++j) {
        if (contains(terms[j].labels, c)) return true;
      }
      return false;
    };
    if (i > 0) {
      terms[i].sumOut([&](char c) { return needed(c) || contains(result.labels, c); });
      result = contract(result, terms[i], needed);
    }
    result.sumOut(needed);
  }
  result.arrange(subscripts.result);
  return result.x;
}

}  // namespace

NodeId applyProduct(Builder& builder, Op op, std::span<const NodeId> operands,
                    std::span<const std::int64_t> attrs) {
  if (op == Op::Einsum) return einsum(builder, operands, attrs).id;
  const Expr a{&builder, operands[0]};
  const Expr b{&builder, operands[1]};
  switch (op) {
    case Op::MatMul:
      return matmul(a, b).id;
    case Op::Dot:
      if (a.shape().size() != 1 || a.shape() != b.shape())
        mismatch(op, a, b, " (two vectors of one length)");
      return sum(a * b, {0}).id;
    case Op::Outer:
      if (a.shape().size() != 1 || b.shape().size() != 1) mismatch(op, a, b, " (two vectors)");
      return (expandAxes(a, {1}) * expandAxes(b, {0})).id;
    default:
      throw Error(ErrorCode::Argument,
                  std::string(rowOf(op).name) + ": can not be applied by itself");
  }
}

}  // namespace adjoint
