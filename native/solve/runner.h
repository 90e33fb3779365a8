#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/executor.h"
#include "tape/tape.h"

namespace adjoint {

/// Throws ERR_MEMORY when so many bytes can not be had.
using CheckMemory = void (*)(std::uint64_t bytes);

/// A compiled tape with memory to run it in, on one thread.
class Runner {
 public:
  /// `check`, which may be null, is asked before memory is taken.
  explicit Runner(const TapePtr& tape, CheckMemory check = nullptr);

  const Plan& plan() const { return executable_->plan(); }

  void setInput(std::size_t index, const double* values);
  std::int64_t inputElements(std::size_t index) const;
  const double* output(std::size_t index);
  std::int64_t outputElements(std::size_t index) const;
  RunStatus run(RunControl* control);

 private:
  std::shared_ptr<const Executable> executable_;
  std::vector<double> io_, workspace_;
};

}  // namespace adjoint
