#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ops/op.h"

namespace adjoint::exec {

/// What a slot of a block program is to generated code.
enum class SlotKind : std::uint8_t {
  Register,  ///< lanes in the register file, at a fixed distance from slot 0
  Memory,    ///< lanes somewhere in memory
  Lanes,     ///< one number, in eight lanes
  Number,    ///< one number, once in memory
};

/// Operations in a row over the lanes of a block, without data movement between them.
struct Segment {
  struct Operation {
    Op op = Op::Add;
    std::int32_t attr = 0;
    std::uint32_t d = 0, a = 0, b = 0, c = 0;  ///< slots
    bool isStored = true;                      ///< d is read from memory later
  };
  struct Slot {
    std::uint32_t index = 0;
    SlotKind kind = SlotKind::Memory;
  };
  std::vector<Operation> operations;
  std::vector<Slot> slots;  ///< those the operations name
  std::int64_t padded = 0;  ///< doubles from one register to the next
};

/// A segment as machine code: computes whole vectors until n lanes are done.
using SegmentFunction = void (*)(double* const* slots, std::int64_t n);

/// Machine code of a plan's segments, in pages that may be executed and not written.
class JitModule {
 public:
  JitModule(void* pages, std::size_t bytes, std::vector<std::size_t> entries);
  ~JitModule();
  JitModule(const JitModule&) = delete;
  JitModule& operator=(const JitModule&) = delete;

  SegmentFunction function(std::size_t i) const {
    return reinterpret_cast<SegmentFunction>(static_cast<char*>(pages_) + entries_[i]);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void* pages_;
  std::size_t bytes_;
  std::vector<std::size_t> entries_;  ///< offsets
};

/// Collects the segments of a plan. Equal plans share one module, which goes with the last of them.
class JitBuilder {
 public:
  /// Whether this build has a code generator, the machine lets pages be made executable, and the
  /// environment variable ADJOINT_JIT is not "off".
  static bool isAvailable();
  /// The most operations of one segment: register allocation takes more than linear time.
  static constexpr std::size_t kMaxOperations = 1000;

  /// Number of the segment's function in the module.
  std::uint32_t add(Segment segment);
  bool isEmpty() const { return segments_.empty(); }
  /// Null where code cannot be generated or made executable.
  std::shared_ptr<const JitModule> finish();

 private:
  std::vector<Segment> segments_;
};

/// Position-independent machine code of a segment; empty when it cannot be generated.
std::string generateCode(const Segment& segment);
/// Whether segments may have this operation, which is: whether the generator knows it. The others
/// are called, a block at a time, which costs less than saving a loop's registers around every
/// call.
bool canGenerate(Op op);
/// Whether the build has a code generator for the processor it is built for.
bool canGenerateCode();

}  // namespace adjoint::exec
