#include "exec/jit.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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
  // Where caches of instructions do not follow memory, as those of ARM.
  __builtin___clear_cache(static_cast<char*>(pages), static_cast<char*>(pages) + code.size());
  return pages;
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

const char* JitBuilder::obstacle() {
  if (instructionSets().empty()) return "this build has no code generator for this processor";
  static const char* const never = []() -> const char* {
    void* pages = makeExecutable(std::string(1, '\0'));
    if (pages == nullptr) return "the system lets no memory be made executable";
    munmap(pages, roundToPages(1));
    return nullptr;
  }();
  if (never != nullptr) return never;
  return chosenInstructionSet() == InstructionSet::None ? "ADJOINT_JIT is off" : nullptr;
}

std::uint32_t JitBuilder::add(Code code) {
  codes_.push_back(std::move(code));
  return static_cast<std::uint32_t>(codes_.size() - 1);
}

std::shared_ptr<const JitModule> JitBuilder::finish() {
  std::string key = nameOf(set_);
  for (const Code& code : codes_) key += code.key();
  {
    const std::lock_guard lock(cache().mutex);
    const auto found = cache().modules.find(key);
    if (found != cache().modules.end()) {
      if (auto module = found->second.lock()) return module;
    }
  }
  std::string code;
  std::vector<std::size_t> entries;
  for (const Code& one : codes_) {
    const std::string bytes = generateCode(one, set_);
    if (bytes.empty()) return nullptr;
    code.resize((code.size() + 63) / 64 * 64, '\xcc');
    entries.push_back(code.size());
    code += bytes;
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
