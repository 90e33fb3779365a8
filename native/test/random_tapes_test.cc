// Random tapes against each other, against high precision and against finite differences.
//
//   ADJOINT_RANDOM_TAPES=2000   how many (120 otherwise)
//   ADJOINT_RANDOM_FIRST=5000   from this seed on
//   ADJOINT_RANDOM_SEED=17      only this one
//   ADJOINT_RANDOM_REPORT=1     prints how near the bounds the worst came
//   ADJOINT_WRITE_TAPES=path    writes tapes, inputs and digests of their results
//   ADJOINT_READ_TAPES=path     compares with those of another build with fused multiply-adds
#include "test/support/random_tapes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include "ops/row.h"
#include "test/support/digest.h"
#include "test/support/plan_checker.h"
#include "test/support/print_parser.h"
#include "test/support/reference_evaluator.h"
#include "transform/transform.h"

namespace adjoint::testing {
namespace {

/// Errors in units of the first-order bound; what may be over 1 comes from the second order.
constexpr double kBounds = 2;
constexpr mpfr_prec_t kBits = 200;
constexpr mpfr_prec_t kDifferenceBits = 400;

std::size_t tapeCount() {
  return countFromEnvironment("ADJOINT_RANDOM_TAPES", isInstrumented() ? 12 : 120);
}

/// Bits of Reals while this lives.
class Precision {
 public:
  explicit Precision(mpfr_prec_t bits) : before_(Real::precision) { Real::precision = bits; }
  ~Precision() { Real::precision = before_; }
  Precision(const Precision&) = delete;
  Precision& operator=(const Precision&) = delete;

 private:
  mpfr_prec_t before_;
};

/// Worst error and the share of elements that no bound could be given for.
struct Tally {
  double worst = 0;
  std::size_t checked = 0;
  std::size_t undecided = 0;

  void add(double error, double size) {
    if (!std::isfinite(size)) {
      ++undecided;
      return;
    }
    ++checked;
    worst = std::max(worst, error);
  }
};

class RandomTapes : public ::testing::Test {
 protected:
  template <class Check>
  void forEachTape(Check check) {
    if (const std::size_t seed = countFromEnvironment("ADJOINT_RANDOM_SEED", 0))
      return runOne(seed, check);
    const std::size_t first = countFromEnvironment("ADJOINT_RANDOM_FIRST", 1);
    for (std::size_t seed = first; seed < first + tapeCount(); ++seed) {
      runOne(seed, check);
      if (HasFailure() && ++failed_ >= 5) return;
    }
  }
  void report(const char* what, const Tally& tally) const {
    if (std::getenv("ADJOINT_RANDOM_REPORT")) {
      std::printf("%-40s worst %.3f of the bound, %zu checked, %zu undecided\n", what, tally.worst,
                  tally.checked, tally.undecided);
    }
    // Of few, all may be undecided.
    EXPECT_LE(tally.undecided, (tally.checked + tally.undecided) / 8 + 20) << what;
  }

 private:
  template <class Check>
  void runOne(std::size_t seed, Check check) {
    const RandomTape random = randomTape(seed);
    SCOPED_TRACE("seed " + std::to_string(seed));
    check(random, seed);
  }
  int failed_ = 0;
};

Arrays randomLike(const Tape& t, const std::vector<Port>& ports, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  Arrays arrays;
  for (const Port& port : ports) {
    arrays.emplace_back();
    // Some seeds are zero: their masks are then at work.
    for (std::int64_t i = t.count(port.node); i > 0; --i)
      arrays.back().push_back(random() % 6 == 0 ? 0.0 : uniform(random));
  }
  return arrays;
}

Arrays joined(const Arrays& a, const Arrays& b) {
  Arrays all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

/// Compares a run with the same tape in high precision.
void compare(const TapePtr& t, const Arrays& inputs, const Arrays& got, Tally& tally,
             const char* what) {
  const std::vector<Numbers> want = evaluateExactly(*t, inputs);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t o = 0; o < want.size(); ++o) {
    ASSERT_EQ(got[o].size(), want[o].size());
    for (std::size_t i = 0; i < want[o].size(); ++i) {
      const double error = errorInBounds(got[o][i], want[o][i]);
      tally.add(error, want[o][i].size);
      if (!std::isfinite(want[o][i].size)) continue;
      ASSERT_LE(error, kBounds) << what << ", output " << t->outputs()[o].name << "[" << i
                                << "]: " << got[o][i] << " instead of "
                                << want[o][i].value.toDouble() << ", size " << want[o][i].size;
    }
  }
}

std::vector<std::size_t> positions(std::size_t first, std::size_t count) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(first + i);
  return result;
}
TapePtr tangentOf(const TapePtr& t) {
  return selectOutputs(jvp(t, allInputs(*t)), positions(t->outputs().size(), t->outputs().size()));
}
TapePtr cotangentOf(const TapePtr& t) {
  return selectOutputs(vjp(t, allInputs(*t)), positions(t->outputs().size(), t->inputs().size()));
}
TapePtr scalarOf(const TapePtr& t) { return selectOutputs(t, positions(0, 1)); }
TapePtr gradientOf(const TapePtr& t) {
  const TapePtr s = scalarOf(t);
  return selectOutputs(valueAndGrad(s, allInputs(*s)), positions(1, s->inputs().size()));
}

TEST_F(RandomTapes, EveryOperationIsDrawn) {
  std::map<std::string, int> used;
  for (std::size_t seed = 1; seed <= 400; ++seed) randomTape(seed, {}, &used);
  for (const Row& row : allRows()) {
    if (row.family == Family::Leaf && row.op != Op::Iota) continue;
    const bool isInner = row.internal && row.family != Family::Bilinear && row.op != Op::Place &&
                         row.op != Op::ScatterSum && row.op != Op::Custom && row.op != Op::Item;
    if (isInner || row.op == Op::Where) continue;
    EXPECT_GE(used[row.name], 2) << row.name;
  }
  EXPECT_GE(used["where"], 20);
}

TEST_F(RandomTapes, SlowValuesAndDerivativesAgainstHighPrecision) {
  const Precision precision(kBits);
  Tally values, tangents, cotangents, gradients;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    const TapePtr& t = random.tape;
    compare(t, random.inputs, evaluate(t, random.inputs), values, "value");
    const TapePtr forward = tangentOf(t);
    const Arrays dx = joined(random.inputs, randomLike(*t, t->inputs(), seed));
    compare(forward, dx, evaluate(forward, dx), tangents, "jvp");
    const TapePtr reverse = cotangentOf(t);
    const Arrays yBar = joined(random.inputs, randomLike(*t, t->outputs(), seed + 1));
    compare(reverse, yBar, evaluate(reverse, yBar), cotangents, "vjp");
    const TapePtr gradient = gradientOf(t);
    compare(gradient, random.inputs, evaluate(gradient, random.inputs), gradients, "gradient");
  });
  report("values", values);
  report("jvp", tangents);
  report("vjp", cotangents);
  report("gradients", gradients);
}

/// <yBar, J dx> = <J^T yBar, dx>, the products taken in high precision.
TEST_F(RandomTapes, SlowForwardIsTheTransposeOfReverse) {
  const Precision precision(kBits);
  Tally tally;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    const TapePtr& t = random.tape;
    const Arrays dx = randomLike(*t, t->inputs(), seed);
    const Arrays yBar = randomLike(*t, t->outputs(), seed + 1);
    const TapePtr forward = tangentOf(t);
    const TapePtr reverse = cotangentOf(t);
    const Arrays dy = evaluate(forward, joined(random.inputs, dx));
    const Arrays xBar = evaluate(reverse, joined(random.inputs, yBar));
    const std::vector<Numbers> dySizes = evaluateExactly(*forward, joined(random.inputs, dx));
    const std::vector<Numbers> xBarSizes = evaluateExactly(*reverse, joined(random.inputs, yBar));
    Real difference = 0.0;
    double size = 0;
    double terms = 0;
    const auto addProducts = [&](const Arrays& weights, const Arrays& results,
                                 const std::vector<Numbers>& sizes, double sign) {
      for (std::size_t o = 0; o < results.size(); ++o) {
        for (std::size_t i = 0; i < results[o].size(); ++i) {
          if (weights[o][i] == 0) continue;
          difference = difference + Real(sign * weights[o][i]) * Real(results[o][i]);
          size += std::abs(weights[o][i]) * sizes[o][i].size;
          terms = std::max(terms, std::abs(weights[o][i] * results[o][i]));
        }
      }
    };
    addProducts(yBar, dy, dySizes, 1);
    addProducts(dx, xBar, xBarSizes, -1);
    const double error = abs(difference).toDouble();
    tally.add(error / (0x1p-53 * size + 1e-300), size);
    if (!std::isfinite(size)) return;
    // To 1e-12 of the terms on the way, and as the rounding errors of this tape foresee.
    EXPECT_LE(error, 1e-12 * std::max(size, terms)) << "of " << size;
    EXPECT_LE(error, kBounds * 0x1p-53 * size + 1e-300);
  });
  report("transposes", tally);
}

/// Central differences at 400 bits with a step of 1e-20: their own error, about 1e-40, is far below
/// doubles.
TEST_F(RandomTapes, SlowFiniteDifferences) {
  const Precision precision(kDifferenceBits);
  Tally tally;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    const TapePtr& t = random.tape;
    const Arrays dx = randomLike(*t, t->inputs(), seed);
    const Real step = 1.0 / power(Real(10.0), 20);
    const auto shifted = [&](double sign) {
      std::vector<Numbers> inputs = exact(random.inputs);
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        for (std::size_t i = 0; i < inputs[k].size(); ++i) {
          inputs[k][i].value = inputs[k][i].value + Real(sign * dx[k][i]) * step;
        }
      }
      ReferenceEvaluator evaluator(*t, std::move(inputs));
      evaluator.evaluate();
      return evaluator.outputs();
    };
    const std::vector<Numbers> above = shifted(1);
    const std::vector<Numbers> below = shifted(-1);
    const TapePtr forward = tangentOf(t);
    const std::vector<Numbers> sizes = evaluateExactly(*forward, joined(random.inputs, dx));
    const Arrays dy = evaluate(forward, joined(random.inputs, dx));
    for (std::size_t o = 0; o < dy.size(); ++o) {
      for (std::size_t i = 0; i < dy[o].size(); ++i) {
        Number slope{(above[o][i].value - below[o][i].value) / (step + step), sizes[o][i].size};
        slope.size += 1e-22;  // 1e-38
        const double error = errorInBounds(dy[o][i], slope);
        tally.add(error, slope.size);
        if (!std::isfinite(slope.size)) continue;
        ASSERT_LE(error, kBounds) << t->outputs()[o].name << "[" << i << "]: " << dy[o][i]
                                  << " instead of " << slope.value.toDouble() << ", size "
                                  << slope.size;
      }
    }
  });
  report("finite differences", tally);
}

/// Four ways to H v and the whole Hessian, all within the bounds of their own tapes.
TEST_F(RandomTapes, SlowSecondOrder) {
  const Precision precision(120);
  Tally products, symmetry;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    const TapePtr s = scalarOf(random.tape);
    if (s->size() > 120 && seed % 4 != 0) return;
    const TapePtr gradient = gradientOf(s);
    const std::size_t n = s->inputs().size();
    const Arrays v = randomLike(*s, s->inputs(), seed + 2);
    const Arrays point = joined(random.inputs, v);
    const TapePtr ways[] = {tangentOf(gradient), cotangentOf(gradient)};
    std::vector<Arrays> hv;
    std::vector<std::vector<Numbers>> sizes;
    for (const TapePtr& way : ways) {
      hv.push_back(evaluate(way, point));
      compare(way, point, hv.back(), products, "Hessian times vector");
      sizes.push_back(evaluateExactly(*way, point));
    }
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < hv[0][k].size(); ++i) {
        const double size = sizes[0][k][i].size + sizes[1][k][i].size;
        if (!std::isfinite(size)) continue;
        EXPECT_LE(std::abs(hv[0][k][i] - hv[1][k][i]), kBounds * 0x1p-53 * size + 1e-300)
            << "input " << k << "[" << i << "]";
      }
    }
    // Forward over forward, w^T H v.
    const Arrays w = randomLike(*s, s->inputs(), seed + 3);
    const TapePtr first = tangentOf(s);
    const TapePtr second = selectOutputs(jvp(first, positions(0, n)), positions(1, 1));
    const Arrays both = joined(point, w);
    const Numbers exactly = evaluateExactly(*second, both)[0];
    Real expected = 0.0;
    double size = exactly[0].size;
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = 0; i < w[k].size(); ++i) {
        if (w[k][i] == 0) continue;
        expected = expected + Real(w[k][i]) * Real(hv[0][k][i]);
        size += std::abs(w[k][i]) * sizes[0][k][i].size;
      }
    }
    const double got = evaluate(second, both)[0][0];
    if (std::isfinite(size)) {
      EXPECT_LE(abs(Real(got) - expected).toDouble(), kBounds * 0x1p-53 * size + 1e-300);
    }
    // The whole Hessian.
    std::int64_t elements = 0;
    for (const Port& port : s->inputs()) elements += s->count(port.node);
    if (elements > 10 || s->size() > 60) return;
    const TapePtr hessian = jacobian(gradient, allInputs(*gradient),
                                     seed % 2 ? JacobianMode::Forward : JacobianMode::Reverse)
                                .tape;
    const Arrays h = evaluate(hessian, random.inputs);
    const std::vector<Numbers> bounds = evaluateExactly(*hessian, random.inputs);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        const std::size_t rows = random.inputs[a].size();
        const std::size_t columns = random.inputs[b].size();
        for (std::size_t i = 0; i < rows * columns; ++i) {
          const std::size_t j = i % columns * rows + i / columns;
          const double bound = bounds[a * n + b][i].size + bounds[b * n + a][j].size;
          const double error = std::abs(h[a * n + b][i] - h[b * n + a][j]);
          symmetry.add(error / (0x1p-53 * bound + 1e-300), bound);
          if (!std::isfinite(bound)) continue;
          EXPECT_LE(error, kBounds * 0x1p-53 * bound + 1e-300) << a << "," << b << "[" << i << "]";
        }
      }
    }
  });
  report("Hessian times vector", products);
  report("symmetry", symmetry);
}

/// A batch computes, lane by lane, the bits of single evaluations.
TEST_F(RandomTapes, VmapIsALoopToTheBit) {
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    // A few, or enough for blocks of lanes with one that is not full.
    const std::int64_t laneCount = seed % 3 == 0 ? 37 : 5;
    std::mt19937_64 draw(seed);
    const TapePtr& t = random.tape;
    for (const TapePtr& each : {t, tangentOf(t), cotangentOf(t), gradientOf(t)}) {
      std::vector<bool> batched;
      std::vector<Arrays> lanes(laneCount);
      Arrays inputs;
      for (std::size_t k = 0; k < each->inputs().size(); ++k) {
        batched.push_back(k == 0 || draw() % 4 != 0);
        const Values base = k < random.inputs.size()
                                ? random.inputs[k]
                                : randomLike(*each, {each->inputs()[k]}, seed + k)[0];
        inputs.emplace_back();
        for (std::int64_t lane = 0; lane < laneCount; ++lane) {
          Values own = base;
          if (batched[k]) {
            for (double& x : own)
              x += 0.01 * static_cast<double>(lane) * (draw() % 7 == 0 ? 20 : 1);
          }
          lanes[static_cast<std::size_t>(lane)].push_back(own);
          if (batched[k] || lane == 0) inputs[k].insert(inputs[k].end(), own.begin(), own.end());
        }
      }
      Evaluator single(each);
      Evaluator batch(vmap(each, laneCount, batched));
      EXPECT_EQ(checkMemory(batch.plan()), "");
      Arrays got;
      const bool ran = batch.tryRun(inputs, got).ok;
      Arrays want(each->outputs().size());
      bool allRan = true;
      for (const Arrays& lane : lanes) {
        Arrays one;
        // A moved point may leave a domain, and an index computed from it its axis.
        allRan = allRan && single.tryRun(lane, one).ok;
        if (!allRan) break;
        for (std::size_t o = 0; o < want.size(); ++o) {
          want[o].insert(want[o].end(), one[o].begin(), one[o].end());
        }
      }
      ASSERT_EQ(ran, allRan);
      if (!ran) continue;
      for (std::size_t o = 0; o < want.size(); ++o) {
        ASSERT_EQ(got[o].size(), want[o].size());
        for (std::size_t i = 0; i < want[o].size(); ++i) {
          ASSERT_TRUE(identical(got[o][i], want[o][i]))
              << each->outputs()[o].name << "[" << i << "]: " << got[o][i] << " instead of "
              << want[o][i];
        }
      }
    }
  });
}

std::string withoutChecks(const std::string& print) {
  std::istringstream lines(print);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("check %")) result += line + "\n";
  }
  return result;
}

/// A tape read back from its print computes the same bits and prints the same.
TEST_F(RandomTapes, PrintIsComplete) {
  std::map<std::string, Arrays> seen;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    const TapePtr& t = random.tape;
    for (const TapePtr& each : {t, cotangentOf(t)}) {
      const Arrays inputs =
          each == t ? random.inputs : joined(random.inputs, randomLike(*t, t->outputs(), seed));
      const std::string print = each->toString();
      const TapePtr read = parsePrint(print);
      EXPECT_EQ(read->toString(), print);
      const Arrays results = evaluate(each, inputs);
      EXPECT_TRUE(identical(evaluate(read, inputs), results));
      // Copies and second derivations print alike; a copy of what was traced adds the checks.
      const std::vector<std::size_t> all = positions(0, each->outputs().size());
      const TapePtr copy = selectOutputs(each, all);
      const std::string copied = copy->toString();
      EXPECT_EQ(withoutChecks(copied), withoutChecks(print));
      EXPECT_EQ(selectOutputs(copy, all)->toString(), copied);
      if (each != t) {
        EXPECT_EQ(cotangentOf(t)->toString(), print);
      }
    }
  });
}

TEST_F(RandomTapes, RepeatedRunsGiveTheSameBits) {
  const std::size_t repetitions = isInstrumented() ? 10 : 1000;
  forEachTape([&](const RandomTape& random, std::size_t seed) {
    if (tapeCount() < 1000 && seed % 8 != 0) return;
    const TapePtr gradient = gradientOf(random.tape);
    Evaluator evaluator(gradient);
    const Arrays first = evaluator(random.inputs);
    for (std::size_t i = 1; i < repetitions; ++i)
      ASSERT_TRUE(identical(evaluator(random.inputs), first));
    EXPECT_TRUE(identical(evaluate(gradient, random.inputs), first));
  });
}

std::string digestOf(const TapePtr& t, const Arrays& inputs) {
  Digest digest;
  for (const Values& values : evaluate(t, inputs)) {
    for (const double x : values) digest.add(x);
  }
  return digest.text();
}

/// All that computes a tape gives the same bits in another build. Which tape a seed makes depends
/// on the compiler, which may evaluate arguments in any order, so the tape comes from there.
TEST_F(RandomTapes, SameBitsAsAnotherBuild) {
  if (const char* path = std::getenv("ADJOINT_WRITE_TAPES")) {
    std::ofstream file(path);
    file << std::hexfloat;
    forEachTape([&](const RandomTape& random, std::size_t) {
      for (const TapePtr& t : {random.tape, gradientOf(random.tape)}) {
        file << t->toString() << "end\n";
        for (const Values& values : random.inputs) {
          for (const double x : values) file << x << ' ';
        }
        file << digestOf(t, random.inputs) << '\n';
      }
    });
    EXPECT_TRUE(file.good());
  }
  const char* path = std::getenv("ADJOINT_READ_TAPES");
  if (path == nullptr) return;
  std::ifstream file(path);
  std::size_t tapes = 0;
  for (std::string line; std::getline(file, line); ++tapes) {
    std::string print;
    for (; line != "end"; std::getline(file, line)) print += line + "\n";
    const TapePtr t = parsePrint(print);
    Arrays inputs;
    for (const Port& port : t->inputs()) {
      inputs.emplace_back();
      for (std::int64_t i = t->count(port.node); i > 0; --i) {
        std::string number;
        file >> number;
        inputs.back().push_back(std::strtod(number.c_str(), nullptr));
      }
    }
    std::string digest;
    file >> digest;
    std::getline(file, line);
    EXPECT_EQ(digestOf(t, inputs), digest) << print;
  }
  EXPECT_GT(tapes, 0u);
}

TEST_F(RandomTapes, MemoryIsSound) {
  forEachTape([&](const RandomTape& random, std::size_t) {
    const TapePtr& t = random.tape;
    for (const TapePtr& each : {t, tangentOf(t), cotangentOf(t), tangentOf(gradientOf(t))}) {
      EXPECT_EQ(checkMemory(*makePlan(each)), "") << each->toString();
    }
  });
}

}  // namespace
}  // namespace adjoint::testing
