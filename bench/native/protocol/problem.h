// A benchmark problem as one peer computes it, and the table of those a peer has.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

using Numbers = std::span<const double>;
using Sizes = std::span<const long>;

/**
 * A run reads the inputs where they are and computes everything anew. Memory is got when the
 * problem is made, as everywhere else in these benchmarks.
 */
class Problem {
 public:
  virtual ~Problem() = default;
  virtual void primal() = 0;
  virtual void derivative() = 0;
  /** What primal() computed, and derivative() where the value comes with the derivative. */
  virtual Numbers value() const = 0;
  /** What derivative() computed. */
  virtual Numbers gradient() const = 0;
};

/** One whose function alone nobody times. */
class DerivativeOnly : public Problem {
 public:
  explicit DerivativeOnly(std::size_t count = 0) : values_(count) {}

  void primal() final { throw std::runtime_error("no primal"); }
  Numbers value() const final { return {}; }
  Numbers gradient() const final { return values_; }

 protected:
  std::vector<double> values_;
};

/** Gets the sizes and the inputs, which outlive the problem; throws when they do not fit each
 * other. */
using Make = std::function<std::unique_ptr<Problem>(Sizes, Numbers)>;
using Problems = std::map<std::string, Make>;

/** Throws unless there are so many sizes, and as many numbers as they ask for. */
void expect(bool fits, const char* what);

/** Answers requests on standard input until it ends; see serve.cc. `version` says who computes. */
int serve(const std::string& version, const Problems& problems);

}  // namespace bench
