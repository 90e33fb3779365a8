// Sacado: reverse mode (Rad) for functions of many variables, forward mode with a fixed number of
// directions (SFad) for instances of few. No arrays of Kokkos, which would ask for MPI.
#define SACADO_DISABLE_FAD_VIEW_SPEC
#include <Sacado_No_Kokkos.hpp>
#include <Sacado_trad.hpp>

#include "functions/pose.h"
#include "functions/tool.h"

namespace bench {

using Reverse = Sacado::Rad::ADvar<double>;
template <int N>
using Forward = Sacado::Fad::SFad<double, N>;

template <>
struct Plain<Reverse> {
  static double of(const Reverse& x) { return x.val(); }
};
template <int N>
struct Plain<Forward<N>> {
  static double of(const Forward<N>& x) { return x.val(); }
};

namespace {

template <class Function>
class ForMany {
 public:
  explicit ForMany(const Function& function)
      : function_(function), variables_(function.variables.size()) {}

  void gradient(const double* x, double* value, double* gradient) {
    for (std::size_t i = 0; i < variables_.size(); i++) variables_[i] = x[i];
    const Reverse y = function_(variables_.data());
    Sacado::Rad::ADcontext<double>::Gradcomp();
    *value = y.val();
    for (std::size_t i = 0; i < variables_.size(); i++) gradient[i] = variables_[i].adj();
  }

 private:
  const Function& function_;
  std::vector<Reverse> variables_;
};

template <class Function>
class ForInstances {
 public:
  explicit ForInstances(const Function& function) : function_(function) {}

  void jacobian(const double* x, const double* data, double* out) const {
    constexpr int kInputs = Function::kInputs;
    using Number = Forward<kInputs>;
    Number variables[kInputs];
    for (int i = 0; i < kInputs; i++) variables[i] = Number(kInputs, i, x[i]);
    Number y[Function::kOutputs];
    function_(variables, data, y);
    for (int o = 0; o < Function::kOutputs; o++) {
      for (int i = 0; i < kInputs; i++) out[o * kInputs + i] = y[o].fastAccessDx(i);
    }
  }

 private:
  const Function& function_;
};

template <int N>
struct ForPose {
  using Number = Forward<N>;
  static Number variable(double x, int direction) { return Number(N, direction, x); }
  static double slope(const Number& x, int direction) { return x.fastAccessDx(direction); }
};

template <class Function>
const Make ofMany = makeTaped<Function, ForMany<Function>>;
template <class Function>
const Make ofInstances = make<OfInstances<Function, ForInstances<Function>>>;

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  return serve(Sacado_Version(), {
                                     {"rosenbrock", ofMany<Rosenbrock>},
                                     {"logsumexp", ofMany<LogSumExp>},
                                     {"llsq", ofMany<LeastSquares>},
                                     {"det", ofMany<Determinant>},
                                     {"gmm", ofMany<Mixture>},
                                     {"curvefit", ofInstances<CurveFits>},
                                     {"ba", ofInstances<Observations>},
                                     {"ht", make<OfPose<ForPose>>},
                                 });
}
