// SPDX-License-Identifier: BSD-3-Clause
//
// The element types of Tutti's C++ face: which C++ types may travel, which code of the C interface each is,
// and the few that C++20 does not have: halves, and pairs of a value and where it was found.
//
//   integers of 1, 2, 4 or 8 bytes      TUTTI_INT8 ... TUTTI_UINT64, by size and sign
//   bool, std::byte                     TUTTI_UINT8
//   float, double                       TUTTI_FLOAT32, TUTTI_FLOAT64
//   tutti::float16, tutti::bfloat16     TUTTI_FLOAT16, TUTTI_BFLOAT16 (and C++23's own types of these names)
//   std::complex<float>, <double>       TUTTI_COMPLEX64, TUTTI_COMPLEX128
//   tutti::Located<V>                   the pairs for minloc and maxloc; V: float, double, int32_t, int64_t
#pragma once

#include <bit>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tutti.h"

#if __has_include(<stdfloat>)
#include <stdfloat>
#endif

namespace tutti::inline v0 {

// IEEE binary16. It only stores: computing with it means computing in float, as the library does.
class float16 {
 public:
  float16() = default;
  // Rounds to nearest, ties to even; 65520 and above become infinity.
  explicit constexpr float16(float value) : bits_(rounded(std::bit_cast<std::uint32_t>(value))) {}
  constexpr operator float() const { return widened(bits_); }

  static constexpr float16 from_bits(std::uint16_t bits) {
    float16 half(0.0f);
    half.bits_ = bits;
    return half;
  }
  constexpr std::uint16_t bits() const { return bits_; }

 private:
  static constexpr std::uint16_t rounded(std::uint32_t bits) {
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return narrowed(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));  // a quiet NaN
    if (magnitude >= 0x477ff000u) return narrowed(sign | 0x7c00u);                                // infinity
    if (magnitude < 0x33000000u) return narrowed(sign);                                           // below 2^-25
    if (magnitude < 0x38800000u) {  // below 2^-14: subnormal, a multiple of 2^-24
      const std::uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
      return narrowed(sign | shifted(significand, 126u - (magnitude >> 23)));
    }
    return narrowed(sign | shifted(magnitude - (112u << 23), 13u));  // 112: the difference of the exponents' biases
  }
  static constexpr std::uint32_t shifted(std::uint32_t value, std::uint32_t by) {
    const std::uint32_t odd = (value >> by) & 1u;
    return (value + (1u << (by - 1)) - 1u + odd) >> by;
  }
  static constexpr float widened(std::uint16_t bits) {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0) {
      const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
      return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1fu ? 0xffu : exponent + 112u;
    return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
  }
  static constexpr std::uint16_t narrowed(std::uint32_t bits) { return static_cast<std::uint16_t>(bits); }

  std::uint16_t bits_;
};

// The upper half of a float: its range, 8 bits of precision. It only stores, like float16.
class bfloat16 {
 public:
  bfloat16() = default;
  // Rounds to nearest, ties to even.
  explicit constexpr bfloat16(float value) : bits_(rounded(std::bit_cast<std::uint32_t>(value))) {}
  constexpr operator float() const { return std::bit_cast<float>(std::uint32_t{bits_} << 16); }

  static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 half(0.0f);
    half.bits_ = bits;
    return half;
  }
  constexpr std::uint16_t bits() const { return bits_; }

 private:
  static constexpr std::uint16_t rounded(std::uint32_t bits) {
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    // Rounding could carry a NaN into infinity; it is cut and made quiet instead.
    return static_cast<std::uint16_t>((nan ? bits | 0x400000u : bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }

  std::uint16_t bits_;
};

// A value and where it was found, for tutti::minloc and tutti::maxloc; of equal values the lowest index wins.
template <class V>
requires std::same_as<V, float> || std::same_as<V, double> || std::same_as<V, std::int32_t> ||
    std::same_as<V, std::int64_t>
struct Located {
  using index_type = std::conditional_t<sizeof(V) == 4, std::int32_t, std::int64_t>;
  V value;
  index_type index;
  friend bool operator==(const Located&, const Located&) = default;
};

static_assert(sizeof(bool) == 1 && sizeof(float16) == 2 && sizeof(bfloat16) == 2);
static_assert(sizeof(Located<float>) == 8 && sizeof(Located<double>) == 16);

namespace detail {

template <class T>
struct IsLocated : std::false_type {};
template <class V>
struct IsLocated<Located<V>> : std::true_type {};

template <class T>
inline constexpr bool is_float16 = std::same_as<T, float16>
#ifdef __STDCPP_FLOAT16_T__
                                   || std::same_as<T, std::float16_t>
#endif
    ;
template <class T>
inline constexpr bool is_bfloat16 = std::same_as<T, bfloat16>
#ifdef __STDCPP_BFLOAT16_T__
                                    || std::same_as<T, std::bfloat16_t>
#endif
    ;

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && sizeof(T) <= 8;
template <class T>
concept Real = Integer<T> || std::same_as<T, float> || std::same_as<T, double> || is_float16<T> || is_bfloat16<T>;
template <class T>
concept Complex = std::same_as<T, std::complex<float>> || std::same_as<T, std::complex<double>>;
template <class T>
concept Pair = IsLocated<T>::value;

template <class T>
consteval int integer_code() {
  constexpr int by_size = std::countr_zero(sizeof(T));  // 0, 1, 2, 3 for 1, 2, 4, 8 bytes: the order of the codes
  return (std::is_signed_v<T> ? TUTTI_INT8 : TUTTI_UINT8) + by_size;
}

// The code of the C interface, or -1 for a type that cannot travel.
template <class T>
consteval int type_code() {
  if constexpr (Integer<T>) return integer_code<T>();
  if constexpr (std::same_as<T, bool> || std::same_as<T, std::byte>) return TUTTI_UINT8;
  if constexpr (is_float16<T>) return TUTTI_FLOAT16;
  if constexpr (is_bfloat16<T>) return TUTTI_BFLOAT16;
  if constexpr (std::same_as<T, float>) return TUTTI_FLOAT32;
  if constexpr (std::same_as<T, double>) return TUTTI_FLOAT64;
  if constexpr (std::same_as<T, std::complex<float>>) return TUTTI_COMPLEX64;
  if constexpr (std::same_as<T, std::complex<double>>) return TUTTI_COMPLEX128;
  if constexpr (std::same_as<T, Located<float>>) return TUTTI_FLOAT32_INT32;
  if constexpr (std::same_as<T, Located<double>>) return TUTTI_FLOAT64_INT64;
  if constexpr (std::same_as<T, Located<std::int32_t>>) return TUTTI_INT32_INT32;
  if constexpr (std::same_as<T, Located<std::int64_t>>) return TUTTI_INT64_INT64;
  return -1;
}

}  // namespace detail

// A type whose values can travel: the table at the head of this file.
template <class T>
concept Element = detail::type_code<T>()
>= 0;

// Its code in the C interface.
template <Element T>
inline constexpr tutti_type type_of = static_cast<tutti_type>(detail::type_code<T>());

}  // namespace tutti::inline v0
