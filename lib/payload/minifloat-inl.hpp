// Floating formats of 16 bits and less, from float32 and back, for one SIMD target. Without branches, so that compilers
// make vectors of the loops that use it; integers round, so the bits are the same everywhere.
#include "lib/payload/simd_targets.hpp"

#if defined(TUTTI_LIB_PAYLOAD_MINIFLOAT_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_LIB_PAYLOAD_MINIFLOAT_INL
#undef TUTTI_LIB_PAYLOAD_MINIFLOAT_INL
#else
#define TUTTI_LIB_PAYLOAD_MINIFLOAT_INL
#endif

#include <algorithm>
#include <bit>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

// kSaturates: there is no infinity and no NaN, and what is too large becomes the largest number, kLargest.
template <int kFraction, int kExponent, bool kSaturates, std::uint32_t kLargest = 0>
struct Minifloat {
  static constexpr int kBias = (1 << (kExponent - 1)) - 1;
  static constexpr int kDropped = 23 - kFraction;
  static constexpr std::uint32_t kInfinity = ((1u << kExponent) - 1) << kFraction;
  static constexpr std::uint32_t kNan = kInfinity | 1u << (kFraction - 1);
  static constexpr bool kWideRange = kBias == 127;      // float32's own exponents, subnormal numbers too
  static constexpr int kUnits = kBias - 1 + kFraction;  // subnormal numbers are multiples of 2^-kUnits

  static HWY_INLINE float power(int exponent) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
  }

  // To nearest, ties to even; or up with the probability of what is dropped, by 32 random bits.
  template <bool kStochastic>
  static HWY_INLINE std::uint32_t from_float(float value, std::uint32_t random) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t nearest = (1u << (kDropped - 1)) - 1 + (magnitude >> kDropped & 1);
    const std::uint32_t rounding = kStochastic ? random >> (32 - kDropped) : nearest;
    // A carry out of the fraction raises the exponent, as it must.
    std::uint32_t code = ((magnitude + rounding) >> kDropped) - (static_cast<std::uint32_t>(127 - kBias) << kFraction);
    if constexpr (!kWideRange) {
      const float units = std::bit_cast<float>(magnitude) * power(kUnits);
      constexpr float kAligned = 0x1p23f;  // adding it lines the units up, and the adder rounds
      const std::uint32_t rounded =
          std::bit_cast<std::uint32_t>(units + kAligned) - std::bit_cast<std::uint32_t>(kAligned);
      const auto up = static_cast<float>(random >> 16) * 0x1p-16f;
      const float low = std::min(units, static_cast<float>(1 << kFraction)) + up;
      const std::uint32_t drawn = static_cast<std::uint32_t>(static_cast<std::int32_t>(low));
      const bool is_normal = magnitude >= static_cast<std::uint32_t>(127 - kBias + 1) << 23;
      code = is_normal ? code : kStochastic ? drawn : rounded;
    }
    code = std::min(code, kSaturates ? kLargest : kInfinity);
    if constexpr (!kSaturates) code = magnitude > 0x7f800000u ? kNan : code;
    const bool has_sign = kSaturates || magnitude <= 0x7f800000u;
    return code | (has_sign ? bits >> 31 << (kFraction + kExponent) : 0);
  }

  static HWY_INLINE float to_float(std::uint32_t code) {
    const std::uint32_t magnitude = code & ((1u << (kFraction + kExponent)) - 1);
    const std::uint32_t sign = code >> (kFraction + kExponent) << 31;
    std::uint32_t bits = (magnitude << kDropped) + (static_cast<std::uint32_t>(127 - kBias) << 23);
    if constexpr (!kWideRange) {
      const float small = static_cast<float>(static_cast<std::int32_t>(magnitude)) * power(-kUnits);
      bits = magnitude < (1u << kFraction) ? std::bit_cast<std::uint32_t>(small) : bits;
      if constexpr (!kSaturates)
        bits = magnitude >= kInfinity ? 0x7f800000u | (magnitude & ((1u << kFraction) - 1)) << kDropped : bits;
    }
    return std::bit_cast<float>(bits | sign);
  }
};

using Half = Minifloat<10, 5, false>;
using Brain = Minifloat<7, 8, false>;
using E4m3 = Minifloat<3, 4, true, 0x7e>;  // to 448
using E5m2 = Minifloat<2, 5, true, 0x7b>;  // to 57344

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#endif  // toggle
