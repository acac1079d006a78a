// Reproducible sums, said once more as docs/reproducible.md says them, an element at a time in long double: the
// kernels are held to this to the last bit.
#pragma once

#include <cstdint>
#include <vector>

#include "tutti/tutti.h"

namespace tutti::test {

// How a type looks in bits.
struct FloatFormat {
  std::size_t bytes;
  int fraction_bits;
  int exponent_bits;
};
FloatFormat format_of(tutti_type type);

// The number that some bits stand for, and the nearest bits to a number (ties to even).
long double number_of(tutti_type type, std::uint64_t bits);
std::uint64_t bits_of(tutti_type type, long double number);
std::uint64_t canonical_nan(tutti_type type);

// The sum, or the average, of some elements given as bits.
std::uint64_t reference_sum(tutti_type type, const std::vector<std::uint64_t>& summands, bool average);

}  // namespace tutti::test
