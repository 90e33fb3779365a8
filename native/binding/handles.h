#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "binding/environment.h"
#include "exec/executor.h"
#include "tape/builder.h"

namespace adjoint::binding {

class BuilderHandle final : public Handle {
 public:
  explicit BuilderHandle(Environment& environment)
      : Handle(Kind::Builder, environment), builder(std::make_unique<Builder>()) {}
  void release() override { builder.reset(); }

  /// Tells V8 about growth, by nodes and by `bytes` of data, seldom enough to cost nothing.
  void grown(std::size_t bytes = 0) {
    unreported_ += bytes;
    if (builder->size() >= nextReport_ || unreported_ >= kReportBytes) [[unlikely]]
      reportGrowth();
  }

  /// Throws ERR_ARGUMENT unless these are values of this builder. The node of a custom function or
  /// a loop is none: its results are.
  void checkNodes(std::span<const NodeId> nodes) const;

  /// nullptr once finished or disposed.
  std::unique_ptr<Builder> builder;
  /// Whether there are nodes that are no values.
  bool hasFunctions = false;

 private:
  static constexpr std::size_t kReportBytes = 1u << 20;
  void reportGrowth();

  std::size_t nextReport_ = 1024;
  std::size_t unreported_ = 0;
};

class TapeHandle final : public Handle {
 public:
  TapeHandle(Environment& environment, TapePtr tape)
      : Handle(Kind::Tape, environment), tape(std::move(tape)) {}
  void release() override { tape.reset(); }

  TapePtr tape;
};

/// A compiled tape as threads share it.
struct SharedPlan {
  std::shared_ptr<const Executable> executable;
  double flops = 0;
  mutable std::uint64_t token = 0;  ///< guarded by the registry of shared plans

  const Plan& plan() const { return executable->plan(); }
};

class PlanHandle final : public Handle {
 public:
  PlanHandle(Environment& environment, std::shared_ptr<const SharedPlan> plan)
      : Handle(Kind::Plan, environment), plan(std::move(plan)) {}
  void release() override { plan.reset(); }

  std::shared_ptr<const SharedPlan> plan;
};

/// What `new Builder()` makes.
std::unique_ptr<Handle> newBuilder(Environment& environment);

// Receivers and arguments that are not disposed of; ERR_STATE otherwise.
Builder& builderOf(const Call& call);
BuilderHandle& builderHandleOf(const Call& call);
TapePtr tapeOf(const Call& call);
/// Positions of inputs; throws ERR_ARGUMENT for others, and for one that is given twice.
std::vector<std::size_t> readWrt(const Tape& tape, const std::vector<std::int64_t>& given);
TapePtr tapeOf(const Call& call, napi_value argument, const char* what);
std::shared_ptr<const SharedPlan> planOf(const Call& call);

napi_value wrapTape(Environment& environment, TapePtr tape);
/// The builder's methods `loop` and `ode`.
napi_value loop(Call& call);
napi_value ode(Call& call);
/// The tape's method `plan`.
napi_value compileTape(Call& call);
napi_value wrapPlan(Environment& environment, std::shared_ptr<const SharedPlan> plan);

// Each file defines its class; those that JavaScript constructs or calls also on the exports.
void defineBuilder(Environment& environment, napi_value exports);
void defineTape(Environment& environment, napi_value exports);
void definePlan(Environment& environment, napi_value exports);
void defineSession(Environment& environment, napi_value exports);

/// A further file of entries registers a function that adds them to the exports, by a static
/// object:
///   const Door door(&defineSolvers);
/// so that adding one touches no other file.
class Door {
 public:
  using Define = void (*)(Environment& environment, napi_value exports);
  explicit Door(Define define);
  static void openAll(Environment& environment, napi_value exports);

 private:
  Define define_;
  Door* next_;
};

}  // namespace adjoint::binding
