// Stan Math: reverse mode; an expression is recorded in every run, and the memory for it is kept
// between runs.
#include <stan/math/rev/core.hpp>
#include <stan/math/rev/scal.hpp>
#include <stan/math/version.hpp>

#include "functions/tool.h"

namespace bench {

using Var = stan::math::var;

template <>
struct Plain<Var> {
  static double of(const Var& x) { return x.val(); }
};

namespace {

template <class Function>
class ForMany {
 public:
  explicit ForMany(const Function& function)
      : function_(function), variables_(function.variables.size()) {}

  void gradient(const double* x, double* value, double* gradient) {
    for (std::size_t i = 0; i < variables_.size(); i++) variables_[i] = x[i];
    const Var y = function_(variables_.data());
    stan::math::grad(y.vi_);
    *value = y.val();
    for (std::size_t i = 0; i < variables_.size(); i++) gradient[i] = variables_[i].adj();
    stan::math::recover_memory();
  }

 private:
  const Function& function_;
  std::vector<Var> variables_;
};

template <class Function>
class ForInstances {
 public:
  explicit ForInstances(const Function& function) : function_(function) {}

  void jacobian(const double* x, const double* data, double* out) const {
    constexpr int kInputs = Function::kInputs;
    Var variables[kInputs];
    for (int i = 0; i < kInputs; i++) variables[i] = x[i];
    Var y[Function::kOutputs];
    function_(variables, data, y);
    for (int o = 0; o < Function::kOutputs; o++) {
      if (o > 0) stan::math::set_zero_all_adjoints();
      stan::math::grad(y[o].vi_);
      for (int i = 0; i < kInputs; i++) out[o * kInputs + i] = variables[i].adj();
    }
    stan::math::recover_memory();
  }

 private:
  const Function& function_;
};

template <class Function>
const Make ofMany = makeTaped<Function, ForMany<Function>>;
template <class Function>
const Make ofInstances = make<OfInstances<Function, ForInstances<Function>>>;

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  const std::string version = "Stan Math " + stan::math::MAJOR_VERSION + "." +
                              stan::math::MINOR_VERSION + "." + stan::math::PATCH_VERSION;
  return serve(version, {
                            {"rosenbrock", ofMany<Rosenbrock>},
                            {"logsumexp", ofMany<LogSumExp>},
                            {"llsq", ofMany<LeastSquares>},
                            {"det", ofMany<Determinant>},
                            {"gmm", ofMany<Mixture>},
                            {"curvefit", ofInstances<CurveFits>},
                            {"ba", ofInstances<Observations>},
                        });
}
