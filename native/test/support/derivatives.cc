#include "test/support/derivatives.h"

#include <cmath>
#include <numeric>

#include "transform/transform.h"

namespace adjoint::testing {

namespace {

using Positions = std::vector<std::size_t>;

Positions range(std::size_t first, std::size_t count) {
  Positions positions(count);
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

/// One number after another, cut up as the tape's inputs from position `first` on want them.
void appendSplit(Arrays& arrays, const Tape& t, std::size_t first, const Values& numbers) {
  std::size_t next = 0;
  for (std::size_t i = first; next < numbers.size(); ++i) {
    const auto count = static_cast<std::size_t>(t.count(t.inputs()[i].node));
    arrays.emplace_back(numbers.begin() + static_cast<std::ptrdiff_t>(next),
                        numbers.begin() + static_cast<std::ptrdiff_t>(next + count));
    next += count;
  }
}

Values join(const Arrays& arrays) {
  Values all;
  for (const Values& values : arrays) all.insert(all.end(), values.begin(), values.end());
  return all;
}

Values unit(std::size_t n, std::size_t i) {
  Values e(n, 0.0);
  e[i] = 1;
  return e;
}

Values transposed(const Values& square) {
  const auto n =
      static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(square.size()))));
  Values result;
  for (std::size_t i = 0; i < square.size(); ++i) result.push_back(square[i % n * n + i / n]);
  return result;
}

std::size_t elementsOf(const Tape& t, const std::vector<Port>& ports) {
  std::size_t n = 0;
  for (const Port& port : ports) n += static_cast<std::size_t>(t.count(port.node));
  return n;
}

/// Derivative tapes: the inputs of the function come first, and `results` says which outputs hold
/// the derivatives.
TapePtr tangentOf(const TapePtr& t) {
  const std::size_t outputs = t->outputs().size();
  return selectOutputs(jvp(t, allInputs(*t)), range(outputs, outputs));
}
TapePtr cotangentOf(const TapePtr& t) {
  return selectOutputs(vjp(t, allInputs(*t)), range(t->outputs().size(), t->inputs().size()));
}
TapePtr gradientOf(const TapePtr& t) {
  return selectOutputs(valueAndGrad(t, allInputs(*t)), range(1, t->inputs().size()));
}
TapePtr jacobianOf(const TapePtr& t, JacobianMode mode) {
  return jacobian(t, allInputs(*t), mode).tape;
}

/// Runs the tape for every combination of a point and a list of unit seeds, one lane each when
/// `batched`, else one after another; `seeds[k]` is how many numbers the k-th group of seeds has.
/// Gives, for each point, the joined outputs of all combinations in row-major order.
class SeededRuns {
 public:
  SeededRuns(TapePtr t, std::size_t n, std::vector<std::size_t> seeds)
      : tape_(std::move(t)), n_(n), seeds_(std::move(seeds)) {}

  Arrays oneByOne(const Arrays& points) const {
    Evaluator evaluator(tape_);
    Arrays results;
    for (const Values& point : points) {
      Values all;
      forEachSeed([&](const Values& seed) {
        Values numbers = point;
        numbers.insert(numbers.end(), seed.begin(), seed.end());
        Arrays inputs;
        appendSplit(inputs, *tape_, 0, numbers);
        const Values row = join(evaluator(inputs));
        all.insert(all.end(), row.begin(), row.end());
      });
      results.push_back(all);
    }
    return results;
  }

  /// Lanes are points; the seeds are shared by the lanes or, with `batchedSeeds`, repeated in them.
  Arrays inLanes(const Arrays& points, bool batchedSeeds) const {
    const auto lanes = static_cast<std::int64_t>(points.size());
    std::size_t own = 0;
    std::vector<bool> batched;
    for (std::size_t covered = 0; covered < n_; ++own) {
      covered += static_cast<std::size_t>(tape_->count(tape_->inputs()[own].node));
    }
    for (std::size_t i = 0; i < tape_->inputs().size(); ++i) {
      batched.push_back(i < own || batchedSeeds);
    }
    const TapePtr lanesTape = vmap(tape_, lanes, batched);
    Evaluator evaluator(lanesTape);
    Arrays results(points.size());
    forEachSeed([&](const Values& seed) {
      Arrays inputs(tape_->inputs().size());
      for (const Values& point : points) {
        Values numbers = point;
        numbers.insert(numbers.end(), seed.begin(), seed.end());
        Arrays single;
        appendSplit(single, *tape_, 0, numbers);
        for (std::size_t i = 0; i < single.size(); ++i) {
          if (!batched[i]) inputs[i].clear();
          inputs[i].insert(inputs[i].end(), single[i].begin(), single[i].end());
        }
      }
      for (const Values& output : evaluator(inputs)) {
        const std::size_t each = output.size() / points.size();
        for (std::size_t p = 0; p < points.size(); ++p) {
          const auto first = output.begin() + static_cast<std::ptrdiff_t>(p * each);
          results[p].insert(results[p].end(), first, first + static_cast<std::ptrdiff_t>(each));
        }
      }
    });
    return results;
  }

 private:
  template <class Visit>
  void forEachSeed(Visit visit) const {
    std::size_t combinations = 1;
    for (const std::size_t count : seeds_) combinations *= count;
    for (std::size_t c = 0; c < combinations; ++c) {
      Values seed;
      std::size_t rest = c;
      std::size_t block = combinations;
      for (const std::size_t count : seeds_) {
        block /= count;
        const Values e = unit(count, rest / block);
        rest %= block;
        seed.insert(seed.end(), e.begin(), e.end());
      }
      visit(seed);
    }
  }

  TapePtr tape_;
  std::size_t n_;
  std::vector<std::size_t> seeds_;
};

/// The same tape run point by point, and as lanes with seeds shared and repeated.
void addModes(std::vector<Mode>& modes, const std::string& name,
              std::function<TapePtr(const TapePtr&)> derive, std::size_t seedGroups) {
  const auto runs = [derive, seedGroups](const TapePtr& t) {
    const std::size_t n = elementsOf(*t, t->inputs());
    const TapePtr derivative = derive(t);
    // What is not a point is a group of n unit seeds, or one seed of 1 for the scalar output.
    const std::size_t extra = elementsOf(*derivative, derivative->inputs()) - n;
    std::vector<std::size_t> groups(seedGroups, n);
    if (extra == 1 && seedGroups == 1) groups = {1};
    return SeededRuns(derivative, n, groups);
  };
  modes.push_back(
      {name, [runs](const TapePtr& t, const Arrays& points) { return runs(t).oneByOne(points); }});
  modes.push_back({name + ", batched", [runs](const TapePtr& t, const Arrays& points) {
                     return runs(t).inLanes(points, true);
                   }});
  if (seedGroups > 0) {
    modes.push_back(
        {name + ", batched with shared seeds", [runs](const TapePtr& t, const Arrays& points) {
           return runs(t).inLanes(points, false);
         }});
  }
}

/// The tangent of a tangent: seeds of both orders.
TapePtr tangentOfTangent(const TapePtr& t) {
  const TapePtr first = tangentOf(t);
  const std::size_t n = t->inputs().size();
  const TapePtr second = jvp(first, range(0, n));
  return selectOutputs(second, range(1, 1));
}
TapePtr cotangentOfTangent(const TapePtr& t) {
  const TapePtr first = tangentOf(t);
  const std::size_t n = t->inputs().size();
  const TapePtr second = vjp(first, range(0, n));
  // The seed of the scalar tangent is 1.
  Builder builder;
  std::vector<NodeId> arguments;
  for (std::size_t i = 0; i + 1 < second->inputs().size(); ++i) {
    const Port& port = second->inputs()[i];
    arguments.push_back(builder.input(port.name, second->shape(port.node)));
  }
  arguments.push_back(builder.constant(1));
  const std::vector<NodeId> results = inlineTape(builder, *second, arguments);
  std::vector<Port> ports;
  for (std::size_t i = 1; i < results.size(); ++i)
    ports.push_back({second->outputs()[i].name, results[i]});
  return builder.finish(std::move(ports));
}

}  // namespace

Expr ScalarFunction::Arguments::operator[](std::int64_t i) const {
  return vector_ ? apply(Op::At, {vector_}, {i}) : scalars_[static_cast<std::size_t>(i)];
}

Expr ScalarFunction::Arguments::all() const {
  if (vector_) return vector_;
  std::vector<NodeId> ids;
  for (const Expr& x : scalars_) ids.push_back(x.id);
  const std::int64_t axis = 0;
  return {scalars_[0].builder, apply(*scalars_[0].builder, Op::Stack, ids, {&axis, 1})};
}

TapePtr trace(const ScalarFunction& f, Form form) {
  Builder builder;
  Expr y;
  if (form == Form::Vector) {
    y = f.formula(ScalarFunction::Arguments(
        {&builder, builder.input("x", {static_cast<std::int64_t>(f.n)})}));
  } else {
    std::vector<Expr> scalars;
    for (std::size_t i = 0; i < f.n; ++i) {
      scalars.push_back({&builder, builder.input("x" + std::to_string(i), {})});
    }
    y = f.formula(ScalarFunction::Arguments(std::move(scalars)));
  }
  return builder.finish({{"y", y.id}});
}

std::vector<Mode> firstOrderModes() {
  std::vector<Mode> modes;
  addModes(modes, "forward", tangentOf, 1);
  addModes(modes, "reverse", cotangentOf, 1);
  addModes(modes, "value and gradient", gradientOf, 0);
  addModes(
      modes, "Jacobian forward",
      [](const TapePtr& t) { return jacobianOf(t, JacobianMode::Forward); }, 0);
  addModes(
      modes, "Jacobian reverse",
      [](const TapePtr& t) { return jacobianOf(t, JacobianMode::Reverse); }, 0);
  return modes;
}

std::vector<Mode> secondOrderModes() {
  std::vector<Mode> modes;
  // Its seeds run over the second variable, so it comes out transposed.
  addModes(
      modes, "forward over reverse", [](const TapePtr& t) { return tangentOf(gradientOf(t)); }, 1);
  for (Mode& mode : modes) {
    mode.derive = [derive = mode.derive](const TapePtr& t, const Arrays& points) {
      Arrays results = derive(t, points);
      for (Values& hessian : results) hessian = transposed(hessian);
      return results;
    };
  }
  addModes(
      modes, "reverse over reverse", [](const TapePtr& t) { return cotangentOf(gradientOf(t)); },
      1);
  addModes(modes, "forward over forward", tangentOfTangent, 2);
  addModes(modes, "reverse over forward", cotangentOfTangent, 1);
  const auto hessian = [](JacobianMode mode) {
    return [mode](const TapePtr& t) { return jacobianOf(gradientOf(t), mode); };
  };
  addModes(modes, "Jacobian forward of gradient", hessian(JacobianMode::Forward), 0);
  addModes(modes, "Jacobian reverse of gradient", hessian(JacobianMode::Reverse), 0);
  return modes;
}

std::vector<Mode> thirdOrderModes() {
  std::vector<Mode> modes;
  const auto third = [](JacobianMode outer, JacobianMode inner) {
    return [outer, inner](const TapePtr& t) {
      return jacobianOf(jacobianOf(gradientOf(t), inner), outer);
    };
  };
  addModes(modes, "forward over forward over reverse",
           third(JacobianMode::Forward, JacobianMode::Forward), 0);
  addModes(modes, "reverse over forward over reverse",
           third(JacobianMode::Reverse, JacobianMode::Forward), 0);
  addModes(modes, "reverse over reverse over reverse",
           third(JacobianMode::Reverse, JacobianMode::Reverse), 0);
  return modes;
}

}  // namespace adjoint::testing
