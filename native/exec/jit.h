#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exec/code.h"
#include "exec/target.h"

namespace adjoint::exec {

/// Machine code of a plan, in pages that may be executed and not written.
class JitModule {
 public:
  JitModule(void* pages, std::size_t bytes, std::vector<std::size_t> entries);
  ~JitModule();
  JitModule(const JitModule&) = delete;
  JitModule& operator=(const JitModule&) = delete;

  CodeFunction function(std::size_t i) const {
    return reinterpret_cast<CodeFunction>(static_cast<char*>(pages_) + entries_[i]);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void* pages_;
  std::size_t bytes_;
  std::vector<std::size_t> entries_;  ///< offsets
};

/// Collects the code of a plan. Equal plans share one module, which goes with the last of them.
class JitBuilder {
 public:
  /// Why there can be no code: no code generator for this processor, a system that lets no pages be
  /// made executable, or the environment variable ADJOINT_JIT, which is "off". Null where there
  /// can.
  static const char* obstacle();
  static bool isAvailable() { return obstacle() == nullptr; }

  explicit JitBuilder(InstructionSet set = chosenInstructionSet()) : set_(set) {}

  InstructionSet instructionSet() const { return set_; }
  /// Number of the code's function in the module.
  std::uint32_t add(Code code);
  bool isEmpty() const { return codes_.empty(); }
  /// What has been added so far.
  std::vector<Code>& codes() { return codes_; }
  /// Null where code cannot be generated or made executable.
  std::shared_ptr<const JitModule> finish();

 private:
  const InstructionSet set_;
  std::vector<Code> codes_;
};

}  // namespace adjoint::exec
