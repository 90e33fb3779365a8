#include "exec/jit.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "tape/large_pages.h"

namespace adjoint::exec {
namespace {

struct Pages {
  void* begin = nullptr;  ///< null where the system refuses them
  std::size_t bytes = 0;
};

std::size_t roundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

/// Memory to write to. Code of that size is run through once, so the processor looks up each of its
/// small pages anew in every run; large ones are the system's to give.
Pages mapPages(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{1} << 21;
  const bool isLarge = bytes > kLargePage / 2;
  bytes = roundUp(bytes, isLarge ? kLargePage : static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  const std::size_t slack = isLarge ? kLargePage : 0;
  void* mapped =
      mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return {};
  if (!isLarge) return {mapped, bytes};
  char* const first = static_cast<char*>(mapped);
  const std::size_t before = (kLargePage - reinterpret_cast<std::uintptr_t>(first)) % kLargePage;
  if (before > 0) munmap(first, before);
  if (before < slack) munmap(first + before + bytes, slack - before);
  preferLargePages(first + before, bytes, kLargePage);
  return {first + before, bytes};
}

/// Pages with this code, written before they become executable.
Pages makeExecutable(const std::string& code) {
  const Pages pages = mapPages(code.size());
  if (pages.begin == nullptr) return {};
  std::memcpy(pages.begin, code.data(), code.size());
  if (mprotect(pages.begin, pages.bytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(pages.begin, pages.bytes);
    return {};
  }
  // Where caches of instructions do not follow memory, as those of ARM.
  char* const begin = static_cast<char*>(pages.begin);
  __builtin___clear_cache(begin, begin + code.size());
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
    const Pages pages = makeExecutable(std::string(1, '\0'));
    if (pages.begin == nullptr) return "the system lets no memory be made executable";
    munmap(pages.begin, pages.bytes);
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
  const Pages pages = makeExecutable(code);
  if (pages.begin == nullptr) return nullptr;
  auto module = std::make_shared<const JitModule>(pages.begin, pages.bytes, std::move(entries));
  const std::lock_guard lock(cache().mutex);
  cache().sweep();
  cache().modules[std::move(key)] = module;
  return module;
}

}  // namespace adjoint::exec
