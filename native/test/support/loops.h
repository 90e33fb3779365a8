#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ops/expr.h"
#include "ops/loop.h"
#include "test/support/evaluator.h"

namespace adjoint::testing {

/// A tape whose loops are run here, step by step; what lies between them is made into plans.
class SteppingEvaluator {
 public:
  explicit SteppingEvaluator(const TapePtr& tape);
  ~SteppingEvaluator();
  /// False where a loop or what lies around it fails.
  bool tryRun(const Arrays& inputs, Arrays& outputs);

 private:
  struct Loop;
  /// What can be computed when the loops of all levels before have run: the operands of the loops
  /// of its own.
  struct Level {
    std::unique_ptr<Evaluator> evaluator;
    std::vector<Loop> loops;
  };
  static bool runLoop(Loop& loop, const Values* operands, Arrays& items);

  std::vector<Level> levels_;
};

/// The outputs of a tape with loops; a run that fails is a failed test.
Arrays run(const TapePtr& tape, const Arrays& inputs);

/// Values as they are on a step's builder: constants, carries, rows of streams and the index.
using StepInputs = std::vector<Expr>;
/// What a step gives: next carries, then rows of results.
using StepOutputs = std::vector<Expr>;

/// A loop of that many steps.
LoopAttributes loopOf(std::int64_t length, std::size_t constants, std::size_t carries = 0,
                      std::size_t streams = 0);

/// Writes a loop on a builder: operands are constants, first carries and streams, and the number of
/// steps where it is counted. `attributes` says how many each. Gives its items. Files
/// of its checkpoints go to `directory`.
std::vector<Expr> loop(LoopAttributes attributes, const std::vector<Expr>& operands,
                       const std::function<StepOutputs(const StepInputs&)>& step,
                       const std::string& directory = {});

/// A tape with its loops of fixed length written out as often as they run.
TapePtr unrolled(const TapePtr& tape);

/// The largest error of outputs, in units of what roundings on the way can make of them; infinite
/// where those of the tape are of other sizes, or undecided.
double largestError(const Arrays& got, const Tape& tape, const Arrays& inputs);

}  // namespace adjoint::testing
