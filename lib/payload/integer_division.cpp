// The division that ends an average of integers: truncates towards zero.
#include <bit>
#include <cstring>
#include <type_traits>

#include "lib/payload/kernels.hpp"

namespace tutti {
namespace {

template <class Integer, class Function>
void for_each(void* data, std::size_t count, Function function) {
  auto* bytes = static_cast<unsigned char*>(data);
  for (std::size_t i = 0; i < count; ++i, bytes += sizeof(Integer)) {
    Integer value;  // copied, because no alignment is assumed
    std::memcpy(&value, bytes, sizeof value);
    value = function(value);
    std::memcpy(bytes, &value, sizeof value);
  }
}

// Up to 32 bits a float64 quotient is never rounded up to the next integer: it would have to lie nearer to it than
// 2^-32 of itself, and float64 keeps 53 bits. Compilers make vectors of this; of an integer division they cannot.
template <class Integer>
void divide_narrow(void* data, std::size_t count, std::uint64_t divisor) {
  const auto by = static_cast<double>(divisor);
  for_each<Integer>(data, count, [by](Integer value) { return static_cast<Integer>(static_cast<double>(value) / by); });
}

// On the magnitude, so that the least number and divisors beyond the signed range need no case of their own. Ranks
// are often a power of two, for which a shift will do.
template <class Integer>
void divide_wide(void* data, std::size_t count, std::uint64_t divisor) {
  const auto divide_each = [&](auto divide) {
    for_each<Integer>(data, count, [divide](Integer value) {
      const auto bits = static_cast<std::uint64_t>(value);
      const bool negative = std::is_signed_v<Integer> && bits >> 63 != 0;
      const std::uint64_t quotient = divide(negative ? 0 - bits : bits);
      return static_cast<Integer>(negative ? 0 - quotient : quotient);
    });
  };
  if (std::has_single_bit(divisor)) {
    divide_each([shift = std::countr_zero(divisor)](std::uint64_t magnitude) { return magnitude >> shift; });
  } else {
    divide_each([divisor](std::uint64_t magnitude) { return magnitude / divisor; });
  }
}

}  // namespace

DivideKernel integer_division(tutti_type type) {
  switch (type) {
    case TUTTI_INT8:
      return &divide_narrow<std::int8_t>;
    case TUTTI_INT16:
      return &divide_narrow<std::int16_t>;
    case TUTTI_INT32:
      return &divide_narrow<std::int32_t>;
    case TUTTI_INT64:
      return &divide_wide<std::int64_t>;
    case TUTTI_UINT8:
      return &divide_narrow<std::uint8_t>;
    case TUTTI_UINT16:
      return &divide_narrow<std::uint16_t>;
    case TUTTI_UINT32:
      return &divide_narrow<std::uint32_t>;
    case TUTTI_UINT64:
      return &divide_wide<std::uint64_t>;
    default:
      return nullptr;
  }
}

}  // namespace tutti
