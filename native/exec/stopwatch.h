#pragma once

#include <cstddef>
#include <vector>

namespace adjoint::exec {

/// Times the steps of a plan, one after the other, and whole runs in between, round by round.
class Stopwatch {
 public:
  explicit Stopwatch(std::size_t steps);

  /// A round of steps begins.
  void begin();
  void stepDone();
  /// As many whole runs as the clock can tell from none. False when one failed.
  template <class Run>
  bool timeRuns(Run run) {
    const double from = now();
    for (int i = 0; i < runs_; ++i) {
      if (!run()) return false;
    }
    addRuns(now() - from);
    return true;
  }
  /// Whether another round is worth its time.
  bool goesOn();

  /// Of every step, and at last of a run.
  std::vector<double> medians();

 private:
  static double now();
  void addRuns(double seconds);

  std::vector<std::vector<double>> rounds_;  ///< by step; the last is that of runs
  std::size_t step_ = 0;
  double began_ = 0, last_ = 0;
  double tick_ = 0;  ///< what looking at the clock takes
  int runs_ = 1;
};

}  // namespace adjoint::exec
