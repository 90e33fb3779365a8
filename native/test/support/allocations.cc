#include "test/support/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> count{0};
thread_local long own = 0;

void* allocate(std::size_t n, std::size_t alignment = alignof(std::max_align_t)) noexcept {
  count.fetch_add(1, std::memory_order_relaxed);
  ++own;
  return std::aligned_alloc(alignment, (n + alignment) / alignment * alignment);
}
void* allocateOrThrow(std::size_t n, std::size_t alignment = alignof(std::max_align_t)) {
  if (void* p = allocate(n, alignment)) return p;
  throw std::bad_alloc();
}

}  // namespace

// Those of arrays come here too. Not inlined, or the compiler sees memory of aligned_alloc that is
// given to delete.
[[gnu::noinline]] void* operator new(std::size_t n) { return allocateOrThrow(n); }
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t alignment) {
  return allocateOrThrow(n, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return allocate(n);
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  return allocate(n, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace adjoint::testing {

long allocations() { return count.load(std::memory_order_relaxed); }
long ownAllocations() { return own; }

}  // namespace adjoint::testing
