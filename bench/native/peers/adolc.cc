// ADOL-C: a function is recorded on a tape once and its reverse mode driver reads the tape in every
// run, with the inputs of that run. Nothing here branches on what changes from run to run. Data of
// instances are the tape's parameters.
#include <adolc/adolc.h>
#include <adolc/checkpointing.h>

#include <stdexcept>

#include "functions/tool.h"

namespace bench {

template <>
struct Plain<adouble> {
  static double of(const adouble& x) { return x.value(); }
};

/** A number that changes from run to run and is no variable. A pdouble itself cannot be kept in an
 * array. */
struct Parameter {
  locint index;
};
adouble operator-(const badouble& a, const Parameter& b) { return a - getparam(b.index); }

namespace {

constexpr short kTag = 1;

/** With buffers large enough that no tape goes to a file. */
void startTape(long operations) {
  const unsigned size = 1024 + 2 * static_cast<unsigned>(operations);
  trace_on(kTag, 0, size, 4 * size, size, size);
}

template <class Function>
class ForMany {
 public:
  explicit ForMany(const Function& function) {
    const Numbers x = function.variables;
    size_ = static_cast<int>(x.size());
    startTape(function.operations() + size_);
    {
      std::vector<adouble> variables(x.size());
      for (std::size_t i = 0; i < x.size(); i++) variables[i] <<= x[i];
      adouble y = function(variables.data());
      double value;
      y >>= value;
    }
    trace_off();
  }

  void gradient(const double* x, double* value, double* gradient) const {
    zos_forward(kTag, 1, size_, 1, x, value);
    double weight = 1;
    fos_reverse(kTag, 1, size_, &weight, gradient);
  }

 private:
  int size_;
};

/**
 * A hundred instances share a tape, because a call of a driver costs as much as a small function.
 * An instance's outputs depend on its own inputs only, so that one weight vector for each kind of
 * output gives whole Jacobians.
 */
template <class Function>
class OfChunks final : public Problem {
 public:
  OfChunks(Sizes sizes, Numbers inputs)
      : function_(sizes, inputs),
        chunk_(static_cast<int>(std::min(100L, function_.count))),
        x_(chunk_ * kInputs),
        data_(chunk_ * kData),
        values_(chunk_ * kOutputs),
        weights_(kOutputs * chunk_ * kOutputs),
        slopes_(kOutputs * chunk_ * kInputs),
        results_(function_.count * Function::kResults) {
    for (long o = 0; o < kOutputs; o++) {
      double* row = weights_.data() + o * chunk_ * kOutputs;
      for (long i = 0; i < chunk_; i++) row[i * kOutputs + o] = 1;
      weightRows_[o] = row;
      slopeRows_[o] = slopes_.data() + o * chunk_ * kInputs;
    }
    record();
  }

  void primal() override { throw std::runtime_error("no primal"); }

  void derivative() override {
    const int inputs = chunk_ * kInputs;
    const int outputs = chunk_ * kOutputs;
    for (long start = 0; start < function_.count; start += chunk_) {
      gather(start);
      set_param_vec(kTag, chunk_ * kData, data_.data());
      zos_forward(kTag, outputs, inputs, 1, x_.data(), values_.data());
      fov_reverse(kTag, outputs, inputs, kOutputs, weightRows_, slopeRows_);
      for (long i = 0; i < chunk_ && start + i < function_.count; i++) {
        double* results = results_.data() + (start + i) * Function::kResults;
        for (long o = 0; o < kOutputs; o++) {
          std::copy_n(slopeRows_[o] + i * kInputs, kInputs, results + o * kInputs);
        }
        function_.finish(x_.data() + i * kInputs, results);
      }
    }
  }

  Numbers value() const override { return values_; }
  Numbers gradient() const override { return results_; }

 private:
  static constexpr int kInputs = Function::kInputs;
  static constexpr int kData = Function::kData;
  static constexpr int kOutputs = Function::kOutputs;

  /** Past the last instance comes the last one again. */
  void gather(long start) {
    for (long i = 0; i < chunk_; i++) {
      function_.gather(std::min(start + i, function_.count - 1), x_.data() + i * kInputs,
                       data_.data() + i * kData);
    }
  }

  void record() {
    gather(0);
    startTape(chunk_ * 1000);
    {
      std::vector<adouble> x(x_.size());
      std::vector<adouble> y(values_.size());
      std::vector<Parameter> data;
      for (std::size_t i = 0; i < x.size(); i++) x[i] <<= x_[i];
      for (const double d : data_) data.push_back(Parameter{mkparam_idx(d)});
      for (long i = 0; i < chunk_; i++) {
        function_(x.data() + i * kInputs, data.data() + i * kData, y.data() + i * kOutputs);
      }
      for (std::size_t i = 0; i < y.size(); i++) y[i] >>= values_[i];
    }
    trace_off();
  }

  Function function_;
  int chunk_;
  std::vector<double> x_, data_, values_, weights_, slopes_, results_;
  double* weightRows_[kOutputs];
  double* slopeRows_[kOutputs];
};

/**
 * Burgers' equation, hand/burgers.cc, by ADOL-C's own checkpointing: one step is on a tape, states
 * are kept where revolve says.
 */
class Burgers final : public Problem {
 public:
  Burgers(Sizes sizes, Numbers inputs) : u_(inputs.data()), gradient_(kCells) {
    const double* target = u_ + kCells;
    trace_on(kTag);
    {
      std::vector<adouble> u(kCells);
      for (int i = 0; i < kCells; i++) u[i] <<= u_[i];
      CP_Context context(step<adouble>);
      context.setDoubleFct(step<double>);
      context.setNumberOfSteps(static_cast<int>(sizes[0]));
      context.setNumberOfCheckpoints(static_cast<int>(sizes[1]));
      context.setDimensionXY(kCells);
      context.setInput(u.data());
      context.setOutput(u.data());
      context.setTapeNumber(kTag + 1);
      context.setAlwaysRetaping(false);
      context.checkpointing();
      adouble sum = 0;
      for (int i = 0; i < kCells; i++) sum += (u[i] - target[i]) * (u[i] - target[i]);
      sum >>= value_;
    }
    trace_off();
  }

  void primal() override { throw std::runtime_error("no primal"); }

  void derivative() override {
    zos_forward(kTag, 1, kCells, 1, u_, &value_);
    double weight = 1;
    fos_reverse(kTag, 1, kCells, &weight, gradient_.data());
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  static constexpr int kCells = 100;

  template <class T>
  static int step(int n, T* u) {
    constexpr double kTransport = 2.5e-4;
    constexpr double kDiffusion = 2e-3;
    std::vector<T> v(n);
    for (int i = 0; i < n; i++) {
      const T& left = u[(i + n - 1) % n];
      const T& right = u[(i + 1) % n];
      v[i] = u[i] - kTransport * (right * right - left * left) +
             kDiffusion * (right - 2.0 * u[i] + left);
    }
    for (int i = 0; i < n; i++) u[i] = v[i];
    return 1;
  }

  const double* u_;
  double value_ = 0;
  std::vector<double> gradient_;
};

template <class Function>
const Make ofMany = makeTaped<Function, ForMany<Function>>;
template <class Function>
const Make ofInstances = make<OfChunks<Function>>;

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  return serve("ADOL-C", {
                             {"rosenbrock", ofMany<Rosenbrock>},
                             {"logsumexp", ofMany<LogSumExp>},
                             {"llsq", ofMany<LeastSquares>},
                             {"det", ofMany<Determinant>},
                             {"gmm", ofMany<Mixture>},
                             {"curvefit", ofInstances<CurveFits>},
                             {"ba", ofInstances<Observations>},
                             {"burgers", make<Burgers>},
                         });
}
