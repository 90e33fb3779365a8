#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace adjoint {

/// From so many bytes on, looking up small pages takes longer than large ones take to be had.
constexpr std::size_t kLargeMemory = std::size_t{4} << 20;

/// Lets the system use large pages for this memory, if it is as large, where it has them; for some
/// that has not been written to yet.
inline void preferLargePages([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes,
                             [[maybe_unused]] std::size_t large = kLargeMemory) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kPage = 4096;
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const auto end = (reinterpret_cast<std::uintptr_t>(begin) + bytes) / kPage * kPage;
  if (bytes >= large && first < end)
    madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

}  // namespace adjoint
