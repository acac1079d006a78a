// The local passes of reproducible sums: floating numbers to fixed-point words, whose integer sum has no rounding and
// so no order, and back. docs/reproducible.md has the format, the proof of its error and its special values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/payload/payload.hpp"

namespace tutti {

// The kernels for one type. A code is an element's biased exponent, all ones for NaN and infinity; a word is a summand
// in units of the last place that the largest code of its element and the headroom leave.
struct FixedPointKernels {
  std::uint32_t code_bytes = 0;
  std::uint32_t word_bytes = 0;
  // codes[i] = the code of in[i], or the larger of that and what is there.
  void (*raise)(void* codes, const void* in, std::size_t count, bool first) = nullptr;
  // words[i] = the word of in[i], or that plus what is there. 2^headroom is at least the number of summands.
  void (*deposit)(void* words, const void* codes, const void* in, std::size_t count, int headroom,
                  bool first) = nullptr;
  // out[i] = the sum words[i], divided by `divisor`, rounded to nearest.
  void (*finish)(void* out, const void* words, const void* codes, std::size_t count, int headroom,
                 std::uint64_t divisor) = nullptr;
};

// More would leave too few bits for a summand; see the flags of infinities too.
inline constexpr std::uint64_t most_summands = std::uint64_t{1} << 20;
// Up to here the words of types other than float64 have 32 bits.
inline constexpr std::uint64_t most_short_summands = 256;

// float16, bfloat16, float32, float64; empty kernels for other types.
FixedPointKernels fixed_point(tutti_type type, bool short_words);

}  // namespace tutti
