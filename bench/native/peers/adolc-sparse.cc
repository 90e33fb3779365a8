// ADOL-C with ColPack: a function is recorded once, ADOL-C finds the pattern of its Jacobian or
// Hessian on the tape and ColPack colors it. A run computes the derivative times the colors' seeds
// and picks the entries, whose places are known. ADOL-C's own sparse drivers do the same where they
// are built with ColPack, which Debian's are not.
//
// Set-up is measured by problems of their own: NAME-record, NAME-pattern, NAME-natural (coloring in
// that order) and NAME-smallestLast.
#include <ColPack/ColPackHeaders.h>
#include <adolc/adolc.h>
#include <adolc/adolc_sparse.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "functions/sparse.h"

namespace bench {

/** A number that changes from run to run and is no variable. */
struct Parameter {
  locint index;
};
adouble operator*(const Parameter& a, const badouble& b) { return getparam(a.index) * b; }

namespace {

constexpr short kTag = 1;
/** As ColPack names it. */
constexpr const char* kSmallestLast = "SMALLEST_LAST";

/** Rows as ADOL-C makes them: how many entries, and their columns. */
class Rows {
 public:
  explicit Rows(long count) : rows_(static_cast<std::size_t>(count)) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() { clear(); }

  unsigned** data() { return rows_.data(); }
  void clear() {
    for (unsigned*& row : rows_) {
      std::free(row);
      row = nullptr;
    }
  }
  std::span<unsigned> row(long i) const { return {rows_[i] + 1, *rows_[i]}; }
  long count() const { return static_cast<long>(rows_.size()); }

 private:
  std::vector<unsigned*> rows_;
};

/** A matrix as drivers take it. */
class Matrix {
 public:
  Matrix(long rows, long columns) : columns_(columns), values_(rows * columns), rows_(rows) {
    for (long i = 0; i < rows; i++) rows_[i] = values_.data() + i * columns;
  }
  double** data() { return rows_.data(); }
  const double* values() const { return values_.data(); }
  double& operator()(long row, long column) { return values_[row * columns_ + column]; }

 private:
  long columns_;
  std::vector<double> values_;
  std::vector<double*> rows_;
};

enum class Step { Record, Pattern, Natural, SmallestLast, Values };

template <class Function>
class Sparse : public DerivativeOnly {
 public:
  Sparse(Sizes sizes, Numbers inputs, Step step)
      : function_(sizes, inputs),
        step_(step),
        n_(static_cast<int>(function_.variables.size())),
        m_(static_cast<int>(function_.outputs())) {
    record();
  }

  void derivative() override {
    if (step_ == Step::Record) return record();
    if (step_ == Step::Pattern) return findPattern();
    if (step_ == Step::Natural) return color("NATURAL");
    if (step_ == Step::SmallestLast) return color(kSmallestLast);
    const Numbers parameters = function_.parameters();
    if (!parameters.empty()) {
      set_param_vec(kTag, static_cast<locint>(parameters.size()),
                    const_cast<double*>(parameters.data()));
    }
    compress();
    for (std::size_t k = 0; k < places_.size(); k++) {
      values_[k] = compressed_->values()[places_[k]];
    }
  }

 protected:
  virtual void findPattern() = 0;
  virtual void color(const char* order) = 0;
  /** The derivative times the seeds. */
  virtual void compress() = 0;
  /** Where in the compressed matrix entry (i, j) is; -1 where it is not wanted. */
  virtual long placeOf(long i, long j) = 0;

  double* x() const { return const_cast<double*>(function_.variables.data()); }

  /** The seeds of all colors, and where in their products the pattern's entries are. */
  void prepare(Rows& rows) {
    findPattern();
    color(kSmallestLast);
    seed_ = std::make_unique<Matrix>(n_, count_);
    compressed_ = std::make_unique<Matrix>(rows.count(), count_);
    for (int j = 0; j < n_; j++) (*seed_)(j, colors_[j]) = 1;
    for (long i = 0; i < rows.count(); i++) {
      const auto row = rows.row(i);
      std::sort(row.begin(), row.end());
      for (const unsigned j : row) {
        if (const long place = placeOf(i, j); place >= 0) places_.push_back(place);
      }
    }
    values_.resize(places_.size());
  }

  void record() {
    const unsigned size = 1024 + 2 * static_cast<unsigned>(function_.operations() + n_);
    trace_on(kTag, 0, size, 4 * size, size, size);
    {
      std::vector<adouble> variables(n_);
      std::vector<adouble> results(m_);
      std::vector<Parameter> parameters;
      for (int i = 0; i < n_; i++) variables[i] <<= x()[i];
      for (const double p : function_.parameters()) parameters.push_back({mkparam_idx(p)});
      function_(variables.data(), parameters.data(), results.data());
      double value;
      for (adouble& result : results) result >>= value;
    }
    trace_off();
  }

  Function function_;
  Step step_;
  int n_, m_;
  std::vector<int> colors_;
  int count_ = 0;
  std::vector<long> places_;
  std::unique_ptr<Matrix> seed_, compressed_;
};

template <class Function>
class SparseJacobian final : public Sparse<Function> {
 public:
  SparseJacobian(Sizes sizes, Numbers inputs, Step step)
      : Sparse<Function>(sizes, inputs, step), rows_(this->m_), outputs_(this->m_) {
    this->prepare(rows_);
  }

 private:
  void findPattern() override {
    rows_.clear();
    int options[3] = {0, 0, 0};
    jac_pat(kTag, this->m_, this->n_, this->x(), rows_.data(), options);
  }

  void color(const char* order) override {
    ColPack::BipartiteGraphPartialColoringInterface graph(SRC_MEM_ADOLC, rows_.data(), this->m_,
                                                          this->n_);
    graph.PartialDistanceTwoColoring(order, "COLUMN_PARTIAL_DISTANCE_TWO");
    graph.GetRightVertexColors(this->colors_);
    this->count_ = graph.GetRightVertexColorCount();
  }

  long placeOf(long i, long j) override { return i * this->count_ + this->colors_[j]; }

  void compress() override {
    fov_forward(kTag, this->m_, this->n_, this->count_, this->x(), this->seed_->data(),
                outputs_.data(), this->compressed_->data());
  }

  Rows rows_;
  std::vector<double> outputs_;
};

/** The lower triangle, by a star coloring. */
template <class Function>
class SparseHessian final : public Sparse<Function> {
 public:
  SparseHessian(Sizes sizes, Numbers inputs, Step step)
      : Sparse<Function>(sizes, inputs, step), rows_(this->n_) {
    this->prepare(rows_);
  }

 private:
  void findPattern() override {
    rows_.clear();
    hess_pat(kTag, this->n_, this->x(), rows_.data(), 0);
  }

  void color(const char* order) override {
    ColPack::GraphColoringInterface graph(SRC_MEM_ADOLC, rows_.data(), this->n_);
    graph.Coloring(order, "STAR");
    graph.GetVertexColors(this->colors_);
    this->count_ = graph.GetVertexColorCount();
  }

  /** Row i has an entry by itself where no other of its columns has that color; else row j has. */
  long placeOf(long i, long j) override {
    if (j > i) return -1;
    const auto& colors = this->colors_;
    const auto sameAs = [&](unsigned k) { return colors[k] == colors[j]; };
    return std::ranges::count_if(rows_.row(i), sameAs) == 1 ? i * this->count_ + colors[j]
                                                            : j * this->count_ + colors[i];
  }

  void compress() override {
    hess_mat(kTag, this->n_, this->count_, this->x(), this->seed_->data(),
             this->compressed_->data());
  }

  Rows rows_;
};

template <class Tool>
void add(Problems& problems, const std::string& name) {
  const std::pair<const char*, Step> steps[] = {{"", Step::Values},
                                                {"-record", Step::Record},
                                                {"-pattern", Step::Pattern},
                                                {"-natural", Step::Natural},
                                                {"-smallestLast", Step::SmallestLast}};
  for (const auto& [suffix, step] : steps) {
    problems[name + suffix] = [step](Sizes sizes, Numbers inputs) {
      return std::make_unique<Tool>(sizes, inputs, step);
    };
  }
}

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  omp_set_num_threads(1);
  Problems problems;
  add<SparseJacobian<Brusselator>>(problems, "brusselator");
  add<SparseHessian<ChainedLagrangian>>(problems, "chained");
  return serve("ADOL-C with ColPack", problems);
}
