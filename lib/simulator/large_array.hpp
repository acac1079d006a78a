// Arrays of hundreds of megabytes that are read in no order: in pages of 2 MiB, where the system has them, so that an
// access misses the caches but not the page tables too.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace tutti::simulation {

template <class T>
struct LargePages {
  using value_type = T;
  static constexpr std::size_t page_bytes = std::size_t{2} << 20;

  LargePages() = default;
  template <class Other>
  LargePages(const LargePages<Other>&) {}

  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < page_bytes) return static_cast<T*>(::operator new(bytes));
    const std::size_t whole = (bytes + page_bytes - 1) / page_bytes * page_bytes;
    void* const memory = std::aligned_alloc(page_bytes, whole);
    if (memory == nullptr) throw std::bad_alloc();
    madvise(memory, whole, MADV_HUGEPAGE);  // advice: where it cannot be followed, nothing is lost but time
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) {
    if (count * sizeof(T) < page_bytes)
      ::operator delete(memory);
    else
      std::free(memory);
  }
  bool operator==(const LargePages&) const = default;
};

template <class T>
using LargeArray = std::vector<T, LargePages<T>>;

}  // namespace tutti::simulation
