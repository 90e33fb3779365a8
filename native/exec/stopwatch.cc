#include "exec/stopwatch.h"

#include <algorithm>
#include <chrono>

namespace adjoint::exec {
namespace {

/// Seconds for all rounds, how many there are at least and at most, and how long the clock must see
/// something to tell how long it is.
constexpr double kAll = 0.1;
constexpr std::size_t kLeast = 3, kMost = 2000;
constexpr double kVisible = 10e-6;

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

double Stopwatch::now() {
  using Seconds = std::chrono::duration<double>;
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Stopwatch::Stopwatch(std::size_t steps) : rounds_(steps + 1) {
  std::vector<double> ticks;
  began_ = last_ = now();
  for (int i = 0; i < 100; ++i) {
    const double time = now();
    ticks.push_back(time - last_);
    last_ = time;
  }
  tick_ = median(ticks);
}

void Stopwatch::begin() {
  step_ = 0;
  last_ = now();
}

void Stopwatch::stepDone() {
  const double time = now();
  rounds_[step_++].push_back(std::max(0.0, time - last_ - tick_));
  last_ = now();
}

void Stopwatch::addRuns(double seconds) {
  if (seconds < kVisible) {
    runs_ *= 2;
  } else {
    rounds_.back().push_back(seconds / runs_);
  }
}

bool Stopwatch::goesOn() {
  const std::size_t rounds = rounds_.back().size();
  return rounds < kLeast || (rounds < kMost && now() - began_ < kAll);
}

std::vector<double> Stopwatch::medians() {
  std::vector<double> result;
  for (std::vector<double>& rounds : rounds_) result.push_back(median(rounds));
  // A plan of one step is that step: the clock tells many runs better than one.
  if (result.size() == 2) result[0] = result[1];
  return result;
}

}  // namespace adjoint::exec
