// From a tool and a function to a problem. A tool is made for a function, which is its time to
// record a tape if it keeps one, and then asked for derivatives.
#pragma once

#include <memory>

#include "functions/instances.h"
#include "functions/many.h"

namespace bench {

/** A function of many variables. Tool: gradient(x, value, gradient). */
template <class Function, class Tool>
class OfMany final : public Problem {
 public:
  OfMany(Sizes sizes, Numbers inputs)
      : function_(sizes, inputs), tool_(function_), gradient_(function_.variables.size()) {}

  void primal() override { value_ = function_(function_.variables.data()); }
  void derivative() override {
    tool_.gradient(function_.variables.data(), &value_, gradient_.data());
  }

  Numbers value() const override { return {&value_, 1}; }
  Numbers gradient() const override { return gradient_; }

 private:
  Function function_;
  Tool tool_;
  double value_ = 0;
  std::vector<double> gradient_;
};

/** Instances of a small function. Tool: jacobian(x, data, jacobian), row by row. */
template <class Function, class Tool>
class OfInstances final : public Problem {
 public:
  OfInstances(Sizes sizes, Numbers inputs)
      : function_(sizes, inputs),
        tool_(function_),
        values_(function_.count * Function::kOutputs),
        jacobian_(function_.count * Function::kResults) {}

  void primal() override {
    double x[Function::kInputs];
    double data[Function::kData];
    for (long i = 0; i < function_.count; i++) {
      function_.gather(i, x, data);
      function_(x, data, values_.data() + i * Function::kOutputs);
    }
  }

  void derivative() override {
    double x[Function::kInputs];
    double data[Function::kData];
    for (long i = 0; i < function_.count; i++) {
      function_.gather(i, x, data);
      double* results = jacobian_.data() + i * Function::kResults;
      tool_.jacobian(x, data, results);
      function_.finish(x, results);
    }
  }

  Numbers value() const override { return values_; }
  Numbers gradient() const override { return jacobian_; }

 private:
  Function function_;
  Tool tool_;
  std::vector<double> values_;
  std::vector<double> jacobian_;
};

/** Makes problems of either kind. */
template <class P>
std::unique_ptr<Problem> make(Sizes sizes, Numbers inputs) {
  return std::make_unique<P>(sizes, inputs);
}

/** A function of many variables for a tool that records every operation, unless that would take
 * gigabytes. */
template <class Function, class Tool>
std::unique_ptr<Problem> makeTaped(Sizes sizes, Numbers inputs) {
  constexpr long kMostOperations = 50'000'000;
  if (Function(sizes, inputs).operations() > kMostOperations) return nullptr;
  return make<OfMany<Function, Tool>>(sizes, inputs);
}

}  // namespace bench
