// Ceres Jet: forward mode with a fixed number of directions, which is for functions of few
// variables.
#include <ceres/jet.h>
#include <ceres/version.h>

#include "functions/pose.h"
#include "functions/tool.h"

namespace bench {

template <class T, int N>
struct Plain<ceres::Jet<T, N>> {
  static double of(const ceres::Jet<T, N>& x) { return x.a; }
};

namespace {

template <class Function>
class ForInstances {
 public:
  explicit ForInstances(const Function& function) : function_(function) {}

  void jacobian(const double* x, const double* data, double* out) const {
    constexpr int kInputs = Function::kInputs;
    using Jet = ceres::Jet<double, kInputs>;
    Jet variables[kInputs];
    for (int i = 0; i < kInputs; i++) variables[i] = Jet(x[i], i);
    Jet y[Function::kOutputs];
    function_(variables, data, y);
    for (int o = 0; o < Function::kOutputs; o++) {
      for (int i = 0; i < kInputs; i++) out[o * kInputs + i] = y[o].v[i];
    }
  }

 private:
  const Function& function_;
};

template <class Function, int N>
class ForMany {
 public:
  explicit ForMany(const Function& function) : function_(function) {}

  void gradient(const double* x, double* value, double* gradient) const {
    using Jet = ceres::Jet<double, N>;
    Jet variables[N];
    for (int i = 0; i < N; i++) variables[i] = Jet(x[i], i);
    const Jet y = function_(variables);
    *value = y.a;
    for (int i = 0; i < N; i++) gradient[i] = y.v[i];
  }

 private:
  const Function& function_;
};

template <int N>
struct ForPose {
  using Number = ceres::Jet<double, N>;
  static Number variable(double x, int direction) { return Number(x, direction); }
  static double slope(const Number& x, int direction) { return x.v[direction]; }
};

template <class Function, int... N>
std::unique_ptr<Problem> makeForSize(Sizes sizes, Numbers inputs) {
  std::unique_ptr<Problem> made;
  ((static_cast<int>(inputs.size()) == N
        ? void(made = make<OfMany<Function, ForMany<Function, N>>>(sizes, inputs))
        : void()),
   ...);
  return made;
}

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  return serve("Ceres " CERES_VERSION_STRING,
               {
                   {"rosenbrock", makeForSize<Rosenbrock, 2, 10>},
                   {"det", makeForSize<Determinant, 64>},
                   {"curvefit", make<OfInstances<CurveFits, ForInstances<CurveFits>>>},
                   {"ba", make<OfInstances<Observations, ForInstances<Observations>>>},
                   {"ht", make<OfPose<ForPose>>},
               });
}
