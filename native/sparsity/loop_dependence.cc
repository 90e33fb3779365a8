#include "sparsity/loop_dependence.h"

#include <algorithm>

#include "sparsity/components.h"
#include "sparsity/dependence_walk.h"
#include "sparsity/detection.h"
#include "transform/loops.h"

namespace adjoint {

namespace {

/// Nonzeros of a step's pattern; where there are more each output is taken to depend on all.
constexpr std::int64_t kMostNonzeros = std::int64_t{1} << 24;
/// What looking at a node takes, in numbers of sets.
constexpr std::int64_t kNodeCost = 16;

}  // namespace

LoopDependence::~LoopDependence() = default;

LoopDependence::LoopDependence(const Tape& t, NodeId loop, std::span<const Dependence> operands,
                               IndexSets& sets, Interactions* interactions, std::int64_t& budget)
    : attributes_(LoopAttributes::read(t, t.node(loop))),
      step_(t.rule(attributes_.rule).primal),
      sets_(sets),
      dependences_(sets),
      interactions_(interactions),
      budget_(budget) {
  std::vector<bool> isActive;
  for (const Dependence& operand : operands) {
    isEmpty_.push_back(operand.isEmpty());
    isActive.push_back(!operand.isEmpty());
  }
  active_ = loopActivity(t, t.node(loop), isActive).inputs;
  const std::size_t firstCarry = attributes_.constants;
  const std::size_t firstStream = firstCarry + attributes_.carries;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    if (i == firstCarry) firstCarry_ = columns_;
    if (i == firstStream) firstStream_ = columns_;
    if (!active_[i]) continue;
    auto& kind = i < firstCarry ? constants_ : i < firstStream ? carries_ : streams_;
    const std::int64_t count = step_->count(step_->inputs()[i].node);
    kind.push_back({i, columns_, count});
    columns_ += count;
  }
  if (active_.size() <= firstCarry) firstCarry_ = columns_;
  if (active_.size() <= firstStream) firstStream_ = columns_;
  std::int64_t row = 0;
  for (const Port& port : step_->outputs()) {
    outputs_.push_back({row, step_->count(port.node)});
    row += outputs_.back().count;
  }
  for (const Input& carry : carries_) {
    const Output& next = outputs_[carry.position - attributes_.constants];
    for (std::int64_t i = 0; i < carry.count; ++i) carryRow_.push_back(next.firstRow + i);
  }
  findPattern();
}

void LoopDependence::findPattern() {
  std::vector<std::size_t> wrt;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    if (active_[i]) wrt.push_back(i);
  }
  try {
    pattern_ = detectPattern(step_, wrt, {.maxNonzeros = kMostNonzeros}).pattern;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::Limit) throw;
    isKnown_ = false;
  }
  if (interactions_ == nullptr) return;
  expanded_ = expandDerivatives(step_, wrt, true, nullptr, LoopEffort().nodes);
  for (NodeId id = 0; id < expanded_.tape->size(); ++id)
    walkCost_ += kNodeCost + expanded_.tape->count(id);
  walk_ = std::make_unique<DependenceWalk>(expanded_, sets_, nullptr, interactions_, budget_);
}

bool LoopDependence::fits(std::span<const Dependence> operands) const {
  return std::ranges::equal(operands, isEmpty_, {},
                            [](const Dependence& d) { return d.isEmpty(); });
}

LoopDependence::Sets LoopDependence::setsOf(const Dependence& from, std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  Dependence one = from;
  dependences_.settle(one, n);
  if (one.layers.empty()) return Sets(n, one.common);
  return *one.layers[0];
}

std::vector<Dependence> LoopDependence::items(std::span<const Dependence> operands,
                                              std::optional<std::int64_t> steps, NodeId maker) {
  steps_ = steps;
  maker_ = maker;
  operands_ = operands;
  if (attributes_.trips == LoopTrips::Fixed) steps_ = attributes_.length;
  start();
  if (!isKnown_ || !runSteps()) runClosed();
  std::vector<Dependence> items(outputs_.size() + 1);  // and the number of steps
  for (const Input& carry : carries_) {
    const auto first = last_.begin() + (carry.first - firstCarry_);
    items[carry.position - attributes_.constants] =
        Dependences::of(Sets(first, first + carry.count));
  }
  for (std::size_t k = 0; k < results_.size(); ++k)
    items[attributes_.carries + k] = Dependences::of(std::move(results_[k]));
  operands_ = {};
  return items;
}

void LoopDependence::start() {
  now_.clear();
  streamSets_.clear();
  for (const Input& constant : constants_) {
    const Sets sets = setsOf(operands_[constant.position], constant.count);
    now_.insert(now_.end(), sets.begin(), sets.end());
  }
  for (const Input& carry : carries_) {
    const Sets sets = setsOf(operands_[carry.position], carry.count);
    now_.insert(now_.end(), sets.begin(), sets.end());
  }
  first_.assign(now_.begin() + firstCarry_, now_.end());
  now_.resize(static_cast<std::size_t>(columns_), kEmptySet);
  for (const Input& stream : streams_)
    streamSets_.push_back(setsOf(operands_[stream.position], stream.count * attributes_.length));
  last_ = first_;
  results_.clear();
  for (std::size_t k = attributes_.carries; k < outputs_.size(); ++k)
    results_.emplace_back(static_cast<std::size_t>(outputs_[k].count * attributes_.length),
                          kEmptySet);
}

/// Whether the row has other sets than the one before.
bool LoopDependence::moveStreams(std::int64_t row) {
  bool isOther = false;
  for (std::size_t k = 0; k < streams_.size(); ++k) {
    const Input& stream = streams_[k];
    const auto from = streamSets_[k].begin() + row * stream.count;
    const auto to = now_.begin() + stream.first;
    if (std::equal(from, from + stream.count, to)) continue;
    isOther = true;
    std::copy_n(from, stream.count, to);
  }
  return isOther;
}

SetId LoopDependence::ofRow(std::int64_t row) {
  ids_.clear();
  for (const std::int32_t column : columnsOf(row)) {
    const SetId id = now_[static_cast<std::size_t>(column)];
    ids_.push_back(id);
    budget_ -= sets_.isSingle(id) ? 1 : 1 + sets_.at(id).count;
  }
  return sets_.unite(ids_);
}

LoopDependence::Sets LoopDependence::nextCarries() {
  Sets next;
  next.reserve(carryRow_.size());
  for (const std::int64_t row : carryRow_) next.push_back(ofRow(row));
  return next;
}

void LoopDependence::putResults(std::int64_t row) {
  for (std::size_t k = 0; k < results_.size(); ++k) {
    const Output& output = outputs_[attributes_.carries + k];
    for (std::int64_t i = 0; i < output.count; ++i)
      results_[k][static_cast<std::size_t>(row * output.count + i)] = ofRow(output.firstRow + i);
  }
}

void LoopDependence::uniteInto(Sets& own, const Sets& other) {
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = sets_.unite(own[i], other[i]);
}

/// Step after step; false where that takes too long.
bool LoopDependence::runSteps() {
  const std::int64_t steps = steps_.value_or(attributes_.length);
  const auto carries = [&] { return now_.begin() + firstCarry_; };
  bool isSettled = false;
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t row = attributes_.reverse ? steps - 1 - i : i;
    const bool isOther = moveStreams(row);
    if (isSettled && !isOther) {
      if (streams_.empty() && results_.empty()) break;
      const std::int64_t before = attributes_.reverse ? row + 1 : row - 1;
      for (std::size_t k = 0; k < results_.size(); ++k) {
        const std::int64_t count = outputs_[attributes_.carries + k].count;
        std::copy_n(results_[k].begin() + before * count, count, results_[k].begin() + row * count);
      }
      continue;
    }
    if (walk_) {
      budget_ -= walkCost_;
      addInteractions();
    }
    putResults(row);
    Sets next = nextCarries();
    if (budget_ < 0) return false;
    if (!steps_) {
      // Any row can be the first one backwards, and forwards any step the last one.
      if (attributes_.reverse) {
        uniteInto(next, first_);
        last_ = next;
      } else {
        uniteInto(last_, next);
      }
    }
    isSettled = std::equal(next.begin(), next.end(), carries());
    std::ranges::copy(next, carries());
  }
  if (steps_) last_.assign(carries(), carries() + static_cast<std::ptrdiff_t>(first_.size()));
  return true;
}

/// The same sets in all steps.
void LoopDependence::runClosed() {
  std::ranges::copy(first_, now_.begin() + firstCarry_);
  for (std::size_t k = 0; k < streams_.size(); ++k) {
    const Input& stream = streams_[k];
    for (std::int64_t i = 0; i < stream.count; ++i) {
      ids_.clear();
      for (std::int64_t row = 0; row < attributes_.length; ++row)
        ids_.push_back(streamSets_[k][static_cast<std::size_t>(row * stream.count + i)]);
      now_[static_cast<std::size_t>(stream.first + i)] = sets_.unite(ids_);
    }
  }
  ids_.assign(now_.begin(), now_.end());
  const SetId everything = isKnown_ ? kEmptySet : sets_.unite(ids_);
  if (isKnown_) {
    closeCarries();
  } else {
    std::fill(now_.begin() + firstCarry_, now_.begin() + firstStream_, everything);
  }
  last_.assign(now_.begin() + firstCarry_, now_.begin() + firstStream_);
  if (walk_) addInteractions();
  for (std::size_t k = 0; k < results_.size(); ++k) {
    const Output& output = outputs_[attributes_.carries + k];
    for (std::int64_t i = 0; i < output.count; ++i) {
      const SetId id = isKnown_ ? ofRow(output.firstRow + i) : everything;
      for (std::int64_t row = 0; row < attributes_.length; ++row)
        results_[k][static_cast<std::size_t>(row * output.count + i)] = id;
    }
  }
}

/// A carry's element has what it began with, and what the elements have that its next value is made
/// of.
void LoopDependence::closeCarries() {
  const auto madeOf = [&](std::int32_t column) {
    return isCarry(column) ? columnsOf(carryRow_[static_cast<std::size_t>(column - firstCarry_)])
                           : std::span<const std::int32_t>();
  };
  visitComponents(static_cast<std::int32_t>(columns_), madeOf,
                  [&](std::span<const std::int32_t> component) {
                    ids_.clear();
                    for (const std::int32_t column : component) {
                      ids_.push_back(now_[static_cast<std::size_t>(column)]);
                      for (const std::int32_t from : madeOf(column))
                        ids_.push_back(now_[static_cast<std::size_t>(from)]);
                    }
                    const SetId all = sets_.unite(ids_);
                    for (const std::int32_t column : component)
                      now_[static_cast<std::size_t>(column)] = all;
                  });
}

/// Those of a step from `now_`.
void LoopDependence::addInteractions() {
  std::vector<Dependence> inputs(step_->inputs().size());
  for (const Input& constant : constants_) inputs[constant.position] = operands_[constant.position];
  for (const auto* kind : {&carries_, &streams_}) {
    for (const Input& input : *kind) {
      const auto first = now_.begin() + input.first;
      inputs[input.position] = Dependences::of(Sets(first, first + input.count));
    }
  }
  walk_->runWithin(maker_, inputs);
}

}  // namespace adjoint
