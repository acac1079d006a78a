// See reproducible_reference.hpp.
#include "tests/unit/reproducible_reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tutti::test {

FloatFormat format_of(tutti_type type) {
  switch (type) {
    case TUTTI_FLOAT16:
      return {2, 10, 5};
    case TUTTI_BFLOAT16:
      return {2, 7, 8};
    case TUTTI_FLOAT32:
      return {4, 23, 8};
    default:
      return {8, 52, 11};
  }
}

long double number_of(tutti_type type, std::uint64_t bits) {
  const FloatFormat f = format_of(type);
  const std::uint64_t special = (std::uint64_t{1} << f.exponent_bits) - 1;
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << f.fraction_bits) - 1);
  const std::uint64_t exponent = bits >> f.fraction_bits & special;
  const long double sign = bits >> (f.bytes * 8 - 1) ? -1 : 1;
  const int bias = static_cast<int>(special >> 1);
  if (exponent == special)
    return fraction ? std::numeric_limits<long double>::quiet_NaN()
                    : sign * std::numeric_limits<long double>::infinity();
  if (exponent == 0) return sign * std::ldexp(static_cast<long double>(fraction), 1 - bias - f.fraction_bits);
  const auto significand = static_cast<long double>(fraction | std::uint64_t{1} << f.fraction_bits);
  return sign * std::ldexp(significand, static_cast<int>(exponent) - bias - f.fraction_bits);
}

std::uint64_t bits_of(tutti_type type, long double number) {
  const FloatFormat f = format_of(type);
  const std::uint64_t special = (std::uint64_t{1} << f.exponent_bits) - 1;
  const int bias = static_cast<int>(special >> 1);
  if (std::isnan(number)) return canonical_nan(type);
  const std::uint64_t sign = std::signbit(number) ? std::uint64_t{1} << (f.bytes * 8 - 1) : 0;
  const long double magnitude = std::fabs(number);
  if (magnitude == 0) return sign;
  if (std::isinf(magnitude)) return sign | special << f.fraction_bits;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int lowest = 1 - bias - f.fraction_bits;
  const int unit = std::max(exponent - 1 - f.fraction_bits, lowest);
  const auto units = static_cast<std::uint64_t>(std::rint(std::ldexp(magnitude, -unit)));
  // A carry out of the fraction raises the exponent by itself.
  const std::uint64_t bits = (static_cast<std::uint64_t>(unit - lowest) << f.fraction_bits) + units;
  return sign | std::min(bits, special << f.fraction_bits);
}

std::uint64_t canonical_nan(tutti_type type) {
  const FloatFormat f = format_of(type);
  return ((std::uint64_t{1} << f.exponent_bits) - 1) << f.fraction_bits | std::uint64_t{1} << (f.fraction_bits - 1);
}

std::uint64_t reference_sum(tutti_type type, const std::vector<std::uint64_t>& summands, bool average) {
  const FloatFormat f = format_of(type);
  const int least = 3 - (1 << (f.exponent_bits - 1));  // of frexp, for the smallest normal number
  int exponent = least;
  bool nan = false, plus = false, minus = false;
  for (const std::uint64_t bits : summands) {
    const long double number = number_of(type, bits);
    nan |= std::isnan(number);
    plus |= std::isinf(number) && number > 0;
    minus |= std::isinf(number) && number < 0;
    int own = least;
    if (std::isfinite(number) && number != 0) std::frexp(number, &own);
    exponent = std::max(exponent, own);
  }
  if (nan || (plus && minus)) return canonical_nan(type);
  if (plus || minus) return bits_of(type, (plus ? 1 : -1) * std::numeric_limits<long double>::infinity());
  int headroom = 0;
  while (summands.size() > std::uint64_t{1} << headroom) ++headroom;
  const int width = type != TUTTI_FLOAT64 && summands.size() <= 256 ? 30 : 62;
  const int unit = exponent + headroom - width;
  std::int64_t sum = 0;
  for (const std::uint64_t bits : summands)
    sum += static_cast<std::int64_t>(std::rint(std::ldexp(number_of(type, bits), -unit)));
  const double quotient = static_cast<double>(sum) / (average ? static_cast<double>(summands.size()) : 1.0);
  return bits_of(type, std::ldexp(static_cast<long double>(quotient), unit));
}

}  // namespace tutti::test
