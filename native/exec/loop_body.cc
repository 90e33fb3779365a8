#include "exec/loop_body.h"

#include <algorithm>
#include <cstring>

namespace adjoint::exec {
namespace {

/// How often a loop asks whether it should go on.
constexpr double kSecondsBetweenPolls = 50e-6;
constexpr double kMostSteps = 1024;

double secondsOf(const Executable& body) {
  double total = 0;
  for (const StepCost& step : body.costs()) total += step.seconds;
  return total;
}

bool hasLoops(const Plan& plan) {
  return std::ranges::any_of(plan.steps, [](const Step& step) {
    if (const auto* lanes = std::get_if<LaneStep>(&step)) return hasLoops(*lanes->plan);
    return std::holds_alternative<LoopStep>(step);
  });
}

}  // namespace

void copyDoubles(double* to, const double* from, std::int64_t n) {
  if (n == 1) {
    *to = *from;
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(double));
  }
}

Place placeIfAny(const Plan& plan, BufferId id) {
  return id == LoopStep::kNone ? Place() : placeOf(plan, id);
}

LoopBody::LoopBody(const Plan& plan, const LoopStep& step, std::shared_ptr<const Executable> body)
    : step_(&step), body_(std::move(body)), code_(body_->straight()) {
  // Those that the body's code uses where they are need not be copied.
  RowPlaces inPlace;
  if (code_ != nullptr && code_->usesRows()) inPlace = RowPlaces(plan, step);
  const auto add = [&](std::vector<Port>& ports, const LoopStep::Port& port) {
    const bool isRow = &ports == &streams_ || &ports == &results_;
    if (port.buffer != LoopStep::kNone && !(isRow && inPlace.contains(port.inside)))
      ports.push_back({placeIfAny(plan, port.buffer), port.inside, port.elements});
  };
  for (const auto& port : step.constants) add(constants_, port);
  for (const auto& port : step.initial) add(initial_, port);
  for (const auto& port : step.streams) add(port.isUniform ? constants_ : streams_, port);
  for (const auto& port : step.last) add(last_, port);
  for (const auto& port : step.results) add(results_, port);
  isBare_ = code_ != nullptr && !code_->usesRows() && streams_.empty() && results_.empty() &&
            step.index < 0;
  const double seconds = std::max(1e-9, secondsOf(*body_));
  pollEvery_ =
      static_cast<std::int64_t>(std::clamp(kSecondsBetweenPolls / seconds, 1.0, kMostSteps));
  isLong_ = seconds > kSecondsBetweenPolls || hasLoops(body_->plan());
}

void LoopBody::begin(const RunContext& context, double* memory) const {
  for (const Port& port : constants_)
    copyDoubles(memory + port.inside, context.at(port.place.base, port.place.offset),
                port.elements);
}

void LoopBody::readInitial(const RunContext& context, double* row) const {
  for (const Port& port : initial_)
    copyDoubles(row + port.inside, context.at(port.place.base, port.place.offset), port.elements);
}

void LoopBody::writeLast(const RunContext& context, const double* row) const {
  for (const Port& port : last_)
    copyDoubles(context.at(port.place.base, port.place.offset), row + port.inside, port.elements);
}

bool LoopBody::stepWithPorts(const RunContext& context, double* memory, const StepRows& rows,
                             std::int64_t at) const {
  for (const Port& port : streams_)
    copyDoubles(memory + port.inside,
                context.at(port.place.base, port.place.offset) + at * port.elements, port.elements);
  if (step_->index >= 0) memory[step_->index] = static_cast<double>(at);
  if (code_ != nullptr) {
    code_->run(rows, memory, context, at);
  } else if (!runBody(context, memory, rows, at)) {
    return false;
  }
  for (const Port& port : results_)
    copyDoubles(context.at(port.place.base, port.place.offset) + at * port.elements,
                memory + port.inside, port.elements);
  return true;
}

bool LoopBody::runBody(const RunContext& context, double* memory, const StepRows& rows,
                       std::int64_t at) const {
  RunStatus status;
  if (isLong_) {
    RunControl control;
    control.outer = context.control;
    status = body_->runStep(rows, memory, &control);
  } else {
    status = body_->runStep(rows, memory, nullptr);
  }
  if (status.ok) return true;
  noteFailure(status, at);
  *context.status = status;
  return false;
}

void LoopBody::noteFailure(RunStatus& status, std::int64_t at) const {
  const Tape* tape = body_->plan().tape.get();
  if (tape != nullptr && status.node < tape->size()) {
    const Node& node = tape->node(status.node);
    if (status.step < 0) status.restoreIndex(*tape);
    if (status.operation == nullptr) status.operation = loopOrOpName(*tape, node);
    status.origin = node.origin;
  }
  status.node = step_->node;
  status.step = at;
}

}  // namespace adjoint::exec
