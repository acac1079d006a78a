// Floating numbers to fixed-point words and back; see fixed_point.hpp.
//
// The loops are integer arithmetic without branches on lanes of one width, which compilers turn into the vectors of
// each target; integers give the same bits whatever the width. Only the last pass has floating arithmetic: one
// conversion, one division and products with powers of two, each correctly rounded everywhere.
#include "lib/payload/fixed_point.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/fixed_point.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

// A binary interchange format: sign, exponent, fraction, from the top.
template <class BitsType, class CodeType, int kFraction>
struct Format {
  using Bits = BitsType;  // as stored
  using Code = CodeType;  // holds a biased exponent
  static constexpr int kFractionBits = kFraction;
  static constexpr int kExponentBits = static_cast<int>(sizeof(Bits)) * 8 - 1 - kFraction;
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr int kSpecial = (1 << kExponentBits) - 1;  // the exponent of NaN and infinity
};
using Binary16 = Format<std::uint16_t, std::uint8_t, 10>;
using Brain16 = Format<std::uint16_t, std::uint8_t, 7>;
using Binary32 = Format<std::uint32_t, std::uint8_t, 23>;
using Binary64 = Format<std::uint64_t, std::uint16_t, 52>;

// Where a word's counts of NaN, +infinity and -infinity lie when the element's code says that there are some.
template <class Word>
inline constexpr int kFlagBits = sizeof(Word) == 8 ? 21 : 10;
// A sum of words stays within 2^kWordBits.
template <class Word>
inline constexpr int kWordBits = static_cast<int>(sizeof(Word)) * 8 - 2;

// The caller's vectors need not be aligned.
template <class Bits>
HWY_INLINE Bits load(const void* vector, std::size_t i) {
  Bits bits;
  std::memcpy(&bits, static_cast<const std::byte*>(vector) + i * sizeof bits, sizeof bits);
  return bits;
}
template <class Bits>
HWY_INLINE void store(Bits bits, void* vector, std::size_t i) {
  std::memcpy(static_cast<std::byte*>(vector) + i * sizeof bits, &bits, sizeof bits);
}

template <class F>
HWY_INLINE int code_of(typename F::Bits bits) {
  return static_cast<int>(bits >> F::kFractionBits) & F::kSpecial;
}

template <class F>
void raise(void* codes_to, const void* HWY_RESTRICT in, std::size_t count, bool first) {
  using Bits = typename F::Bits;
  auto* HWY_RESTRICT codes = static_cast<typename F::Code*>(codes_to);
  if (first) {
    for (std::size_t i = 0; i < count; ++i) codes[i] = static_cast<typename F::Code>(code_of<F>(load<Bits>(in, i)));
  } else {
    for (std::size_t i = 0; i < count; ++i)
      codes[i] = std::max(codes[i], static_cast<typename F::Code>(code_of<F>(load<Bits>(in, i))));
  }
}

// A significand of kFractionBits + 1 bits, moved to the word's unit: up, or down and rounded to nearest, ties to even.
template <class F, class Word>
HWY_INLINE Word word_of(typename F::Bits bits, typename F::Code code, int headroom) {
  using Wide = std::make_unsigned_t<Word>;
  constexpr int kMostDown = static_cast<int>(sizeof(Word)) * 8 - 1;
  const int biased = code_of<F>(bits);
  const Wide fraction = static_cast<Wide>(bits & ((typename F::Bits{1} << F::kFractionBits) - 1));
  const Wide significand = fraction | (static_cast<Wide>(biased != 0) << F::kFractionBits);
  const int distance = std::max<int>(code, 1) - std::max(biased, 1);
  const int up = kWordBits<Word> - 1 - F::kFractionBits - headroom - distance;
  const int left = std::max(up, 0);
  const int right = std::min(std::max(-up, 0), kMostDown);
  const Wide odd = (significand >> right) & 1;
  const Wide half = (Wide{1} << right) >> 1;
  const Wide rounding = right > 0 ? half - 1 + odd : 0;
  const Wide magnitude = ((significand + rounding) >> right) << left;
  const bool negative = (bits >> (sizeof(bits) * 8 - 1)) != 0;
  const Wide number = negative ? Wide{0} - magnitude : magnitude;
  const Wide infinity = negative ? Wide{1} << (2 * kFlagBits<Word>) : Wide{1} << kFlagBits<Word>;
  const Wide flag = biased != F::kSpecial ? Wide{0} : fraction != 0 ? Wide{1} : infinity;
  return static_cast<Word>(code == F::kSpecial ? flag : number);
}

template <class F, class Word>
void deposit(void* words_to, const void* codes_from, const void* HWY_RESTRICT in, std::size_t count, int headroom,
             bool first) {
  using Bits = typename F::Bits;
  using Wide = std::make_unsigned_t<Word>;
  auto* HWY_RESTRICT words = static_cast<Wide*>(words_to);
  const auto* HWY_RESTRICT codes = static_cast<const typename F::Code*>(codes_from);
  if (first) {
    for (std::size_t i = 0; i < count; ++i)
      words[i] = static_cast<Wide>(word_of<F, Word>(load<Bits>(in, i), codes[i], headroom));
  } else {
    for (std::size_t i = 0; i < count; ++i)
      words[i] =
          static_cast<Wide>(words[i] + static_cast<Wide>(word_of<F, Word>(load<Bits>(in, i), codes[i], headroom)));
  }
}

HWY_INLINE double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

// To nearest, ties to even, in one step from float64; what is too large becomes infinity.
template <class F>
HWY_INLINE typename F::Bits narrowed(double value) {
  if constexpr (sizeof(typename F::Bits) == 8) {
    return std::bit_cast<std::uint64_t>(value);
  } else if constexpr (sizeof(typename F::Bits) == 4) {
    return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  } else {
    constexpr int kDropped = 52 - F::kFractionBits;
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    const std::uint64_t magnitude = bits & ~(std::uint64_t{1} << 63);
    const std::uint64_t odd = (magnitude >> kDropped) & 1;
    // A carry out of the fraction raises the exponent, as it must.
    const std::uint64_t kept = (magnitude + (std::uint64_t{1} << (kDropped - 1)) - 1 + odd) >> kDropped;
    const std::uint64_t normal = kept - (static_cast<std::uint64_t>(1023 - F::kBias) << F::kFractionBits);
    // Below the smallest normal number: adding 2^52 units of the last place lines the fraction up, and the adder
    // rounds.
    constexpr double kUnits = 0x1p52;
    const double units = std::bit_cast<double>(magnitude) * power_of_two(F::kBias - 1 + F::kFractionBits);
    const std::uint64_t subnormal = std::bit_cast<std::uint64_t>(units + kUnits) - std::bit_cast<std::uint64_t>(kUnits);
    const bool is_normal = magnitude >= static_cast<std::uint64_t>(1023 - F::kBias + 1) << 52;
    constexpr std::uint64_t kInfinity = static_cast<std::uint64_t>(F::kSpecial) << F::kFractionBits;
    const std::uint64_t finite = std::min(is_normal ? normal : subnormal, kInfinity);
    return static_cast<typename F::Bits>(finite | (bits >> 63) << (sizeof(typename F::Bits) * 8 - 1));
  }
}

// The result where there was a NaN or an infinity: infinities of both signs give NaN.
template <class F, class Word>
HWY_INLINE typename F::Bits special_of(Word sum) {
  using Bits = typename F::Bits;
  using Wide = std::make_unsigned_t<Word>;
  constexpr Wide kMask = (Wide{1} << kFlagBits<Word>)-1;
  const Wide flags = static_cast<Wide>(sum);
  const bool nan = (flags & kMask) != 0;
  const bool plus = ((flags >> kFlagBits<Word>)&kMask) != 0;
  const bool minus = (flags >> (2 * kFlagBits<Word>)) != 0;
  constexpr Bits kInfinity = static_cast<Bits>(Bits{F::kSpecial} << F::kFractionBits);
  constexpr Bits kNan = static_cast<Bits>(kInfinity | Bits{1} << (F::kFractionBits - 1));
  constexpr Bits kMinus = static_cast<Bits>(kInfinity | Bits{1} << (sizeof(Bits) * 8 - 1));
  return nan || (plus && minus) ? kNan : plus ? kInfinity : kMinus;
}

template <class F, class Word>
void finish(void* HWY_RESTRICT out, const void* words_from, const void* codes_from, std::size_t count, int headroom,
            std::uint64_t divisor) {
  const auto* HWY_RESTRICT words = static_cast<const Word*>(words_from);
  const auto* HWY_RESTRICT codes = static_cast<const typename F::Code*>(codes_from);
  const auto parts = static_cast<double>(divisor);
  constexpr int kLeastPower = -1000;  // a word times this is no subnormal number, whatever the word
  for (std::size_t i = 0; i < count; ++i) {
    const int unit = std::max<int>(codes[i], 1) - F::kBias + 1 + headroom - kWordBits<Word>;
    const int first = std::max(unit, kLeastPower);
    const double number = static_cast<double>(words[i]) / parts * power_of_two(first) * power_of_two(unit - first);
    const typename F::Bits finite = narrowed<F>(number);
    store<typename F::Bits>(codes[i] == F::kSpecial ? special_of<F, Word>(words[i]) : finite, out, i);
  }
}

template <class F, class Word>
FixedPointKernels kernels_of() {
  return {sizeof(typename F::Code), sizeof(Word), &raise<F>, &deposit<F, Word>, &finish<F, Word>};
}

template <class F>
FixedPointKernels kernels_of_format(bool short_words) {
  return short_words ? kernels_of<F, std::int32_t>() : kernels_of<F, std::int64_t>();
}

FixedPointKernels fixed_point_kernels(tutti_type type, bool short_words) {
  switch (type) {
    case TUTTI_FLOAT16:
      return kernels_of_format<Binary16>(short_words);
    case TUTTI_BFLOAT16:
      return kernels_of_format<Brain16>(short_words);
    case TUTTI_FLOAT32:
      return kernels_of_format<Binary32>(short_words);
    case TUTTI_FLOAT64:
      return kernels_of<Binary64, std::int64_t>();
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(fixed_point_kernels);
FixedPointKernels fixed_point(tutti_type type, bool short_words) {
  return HWY_DYNAMIC_DISPATCH(fixed_point_kernels)(type, short_words);
}

}  // namespace tutti
#endif
