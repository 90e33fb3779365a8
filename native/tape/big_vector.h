#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "tape/large_pages.h"

namespace adjoint {

/// Takes large arrays from the system, in large pages where it has them, and gives them back at
/// once: a tape of a million nodes is made of many arrays that are filled once, and a page fault
/// for every 4 KiB of them takes a third of the time.
template <class T>
struct BigAllocator {
  using value_type = T;
  BigAllocator() = default;
  template <class U>
  explicit BigAllocator(const BigAllocator<U>&) {}

  T* allocate(std::size_t n) {
#if defined(__linux__)
    if (isBig(n)) {
      void* p =
          mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED) throw std::bad_alloc();
      preferLargePages(p, n * sizeof(T));
      return static_cast<T*>(p);
    }
#endif
    return static_cast<T*>(::operator new(n * sizeof(T)));
  }
  void deallocate(T* p, std::size_t n) {
#if defined(__linux__)
    if (isBig(n)) {
      munmap(p, n * sizeof(T));
      return;
    }
#endif
    ::operator delete(p);
  }
  bool operator==(const BigAllocator&) const = default;

 private:
  static bool isBig(std::size_t n) { return n * sizeof(T) >= kLargeMemory; }
};

template <class T>
using BigVector = std::vector<T, BigAllocator<T>>;

}  // namespace adjoint
