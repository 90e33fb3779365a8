#include "exec/jit.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

namespace adjoint::exec {
namespace {

std::size_t roundToPages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

/// Pages with this code, written before they become executable; null where that is refused.
void* makeExecutable(const std::string& code) {
  const std::size_t bytes = roundToPages(code.size());
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  std::memcpy(pages, code.data(), code.size());
  if (mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(pages, bytes);
    return nullptr;
  }
  return pages;
}

/// All that decides a segment's code, as text.
void appendKey(const Segment& segment, std::string& key) {
  const auto append = [&](auto value) {
    key.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  append(segment.operations.size());
  append(segment.slots.size());
  append(segment.padded);
  for (const Segment::Operation& o : segment.operations) {
    append(o.op);
    append(o.attr);
    append(o.d);
    append(o.a);
    append(o.b);
    append(o.c);
    append(o.isStored);
  }
  for (const Segment::Slot& slot : segment.slots) {
    append(slot.index);
    append(slot.kind);
  }
}

struct Cache {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<const JitModule>> modules;
  std::size_t sweepAt = 64;

  /// Entries of modules that are gone go when the table has doubled.
  void sweep() {
    if (modules.size() < sweepAt) return;
    std::erase_if(modules, [](const auto& entry) { return entry.second.expired(); });
    sweepAt = std::max<std::size_t>(64, 2 * modules.size());
  }
};

/// Never destroyed: pool threads may outlive static objects.
Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

}  // namespace

JitModule::JitModule(void* pages, std::size_t bytes, std::vector<std::size_t> entries)
    : pages_(pages), bytes_(bytes), entries_(std::move(entries)) {}

JitModule::~JitModule() { munmap(pages_, bytes_); }

bool canGenerate(Op op) {
  enum : std::uint8_t { kUnknown, kYes, kNo };
  static std::array<std::atomic<std::uint8_t>, 512> known{};
  std::atomic<std::uint8_t>& entry = known.at(static_cast<std::size_t>(op));
  if (entry.load(std::memory_order_relaxed) == kUnknown) {
    Segment segment;
    segment.operations = {{op, 0, 3, 0, 1, 2, true}};
    for (std::uint32_t slot = 0; slot < 4; ++slot)
      segment.slots.push_back({slot, SlotKind::Memory});
    entry.store(generateCode(segment).empty() ? kNo : kYes, std::memory_order_relaxed);
  }
  return entry.load(std::memory_order_relaxed) == kYes;
}

bool JitBuilder::isAvailable() {
  static const bool isPossible = [] {
    if (!canGenerateCode()) return false;
    void* pages = makeExecutable(std::string(1, '\0'));
    if (pages == nullptr) return false;
    munmap(pages, roundToPages(1));
    return true;
  }();
  const char* setting = std::getenv("ADJOINT_JIT");
  return isPossible && (setting == nullptr || std::strcmp(setting, "off") != 0);
}

std::uint32_t JitBuilder::add(Segment segment) {
  segments_.push_back(std::move(segment));
  return static_cast<std::uint32_t>(segments_.size() - 1);
}

std::shared_ptr<const JitModule> JitBuilder::finish() {
  std::string key;
  for (const Segment& segment : segments_) appendKey(segment, key);
  {
    const std::lock_guard lock(cache().mutex);
    const auto found = cache().modules.find(key);
    if (found != cache().modules.end()) {
      if (auto module = found->second.lock()) return module;
    }
  }
  std::string code;
  std::vector<std::size_t> entries;
  for (const Segment& segment : segments_) {
    const std::string one = generateCode(segment);
    if (one.empty()) return nullptr;
    code.resize((code.size() + 63) / 64 * 64, '\xcc');
    entries.push_back(code.size());
    code += one;
  }
  void* pages = makeExecutable(code);
  if (pages == nullptr) return nullptr;
  auto module =
      std::make_shared<const JitModule>(pages, roundToPages(code.size()), std::move(entries));
  const std::lock_guard lock(cache().mutex);
  cache().sweep();
  cache().modules[std::move(key)] = module;
  return module;
}

}  // namespace adjoint::exec
