// Integer logarithms, which every tree and every doubling needs.
#pragma once

#include <bit>
#include <cstdint>

namespace tutti {

// The least r with base^r >= size: the rounds in which one can reach all when `base` times as many know after each.
inline std::int64_t ceil_log(std::int64_t size, std::int64_t base) {
  std::int64_t rounds = 0;
  for (std::int64_t reached = 1; reached < size; reached *= base) ++rounds;
  return rounds;
}

inline std::int64_t ceil_log2(std::int64_t size) { return ceil_log(size, 2); }

// The largest power of two that is not above `size`.
inline std::int64_t power_of_two_below(std::int64_t size) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(size)));
}

}  // namespace tutti
