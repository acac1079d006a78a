// Numbers of ranks cut into factors, for algorithms that work in groups.
#pragma once

#include <algorithm>
#include <vector>

#include "algorithms/excess.hpp"

namespace tutti {

// Large factors of at most `most` whose product is `size`. Empty where that needs a larger one, and for 1.
inline std::vector<std::int64_t> factors_of(std::int64_t size, std::int64_t most) {
  std::vector<std::int64_t> list;
  while (size > 1) {
    std::int64_t factor = std::min(most, size);
    while (size % factor != 0) --factor;
    if (factor == 1) return {};
    list.push_back(factor);
    size /= factor;
  }
  return list;
}

// Nobody is a guest where all can be cut; else few are: places are a small number times a power of two.
inline Excess excess_with_factors(std::int64_t size, std::int64_t most) {
  if (size == 1 || !factors_of(size, most).empty()) return Excess(size, size);
  constexpr std::int64_t small = 64;
  std::int64_t places = power_of_two_below(size);
  for (std::int64_t times = 3; times <= std::min(small, size); ++times)
    if (!factors_of(times, most).empty()) places = std::max(places, times * power_of_two_below(size / times));
  return Excess(size, places);
}

}  // namespace tutti
