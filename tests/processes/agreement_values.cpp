// The vectors of a case, its exact result, and the bound of its error; see agreement_values.hpp.
#include "tests/processes/agreement_values.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <random>
#include <stdexcept>

namespace tutti::testing {

using test::Bytes;

namespace {

template <class T>
void put(unsigned char* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// An element of a floating type, or of a pair, from two numbers.
void store(tutti_type type, unsigned char* to, double first, double second) {
  switch (type) {
    case TUTTI_FLOAT16:
    case TUTTI_BFLOAT16:
      return put(to, test::double_to_half(type, first));
    case TUTTI_FLOAT32:
      return put(to, static_cast<float>(first));
    case TUTTI_FLOAT64:
      return put(to, first);
    case TUTTI_COMPLEX64:
      put(to, static_cast<float>(first));
      return put(to + 4, static_cast<float>(second));
    case TUTTI_COMPLEX128:
      put(to, first);
      return put(to + 8, second);
    case TUTTI_FLOAT32_INT32:
      put(to, static_cast<float>(first));
      return put(to + 4, static_cast<std::int32_t>(second));
    case TUTTI_FLOAT64_INT64:
      put(to, first);
      return put(to + 8, static_cast<std::int64_t>(second));
    case TUTTI_INT32_INT32:
      put(to, static_cast<std::int32_t>(first));
      return put(to + 4, static_cast<std::int32_t>(second));
    case TUTTI_INT64_INT64:
      put(to, static_cast<std::int64_t>(first));
      return put(to + 8, static_cast<std::int64_t>(second));
    default:
      throw std::logic_error("not a type of two numbers");
  }
}

template <class T>
T get(const unsigned char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

struct Number {
  long double real = 0, imaginary = 0;
};

Number load(tutti_type type, const unsigned char* from) {
  switch (type) {
    case TUTTI_FLOAT16:
    case TUTTI_BFLOAT16:
      return {test::half_to_double(type, get<std::uint16_t>(from)), 0};
    case TUTTI_FLOAT32:
      return {get<float>(from), 0};
    case TUTTI_FLOAT64:
      return {get<double>(from), 0};
    case TUTTI_COMPLEX64:
      return {get<float>(from), get<float>(from + 4)};
    case TUTTI_COMPLEX128:
      return {get<double>(from), get<double>(from + 8)};
    default:
      throw std::logic_error("not a floating type");
  }
}

bool is_complex(tutti_type type) { return type == TUTTI_COMPLEX64 || type == TUTTI_COMPLEX128; }

// An element whose combinations of 9 are exact whatever their order, in any type.
void store_exact(const Case& c, unsigned char* to, std::mt19937_64& random) {
  const auto small = [&](std::int64_t most) {
    return static_cast<double>(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * most + 1)) - most);
  };
  const bool bits = c.type <= TUTTI_UINT64 || c.combine != Combine::built_in || !combines(c.algorithm->kind);
  if (bits) {
    for (std::size_t i = 0; i < type_size(c.type); ++i) to[i] = static_cast<unsigned char>(random());
    // Odd factors keep the order of composed maps visible.
    if (c.combine == Combine::rank_order) to[0] |= 1;
  } else if (c.op == TUTTI_PROD) {
    const bool negative = random() % 2, turned = random() % 2;
    // Powers of 2 + i times powers of i: no product of them has a part that is 0, whose sign would tell the order.
    const double real = is_complex(c.type) ? (turned ? -1 : 2) : (turned ? 1 : 2), imaginary = turned ? 2 : 1;
    store(c.type, to, negative ? -real : real, negative ? -imaginary : imaginary);
  } else if (c.type >= TUTTI_FLOAT32_INT32) {
    const double value = small(3);
    store(c.type, to, value, static_cast<double>(random() % 20));
  } else {
    const double real = small(8);
    store(c.type, to, real, small(8));
  }
}

// Between 1/2 and 2 for products, so that nothing leaves the range of a half type; else between -1 and 1.
void store_random(const Case& c, unsigned char* to, std::mt19937_64& random) {
  const auto unit = [&] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  if (c.op == TUTTI_PROD) {
    const double magnitude = 0.5 + 1.5 * unit(), angle = 6.28 * unit();
    const bool complex = is_complex(c.type);
    store(c.type, to, complex ? magnitude * std::cos(angle) : magnitude, magnitude * std::sin(angle));
  } else {
    const double real = 2 * unit() - 1;
    store(c.type, to, real, 2 * unit() - 1);
  }
}

std::uint64_t seed_of(const Case& c, int rank) {
  return c.count * 1000003u + static_cast<std::uint64_t>(c.type) * 10007u + static_cast<std::uint64_t>(c.op) * 101u +
         static_cast<std::uint64_t>(rank);
}

// Half the distance of 1 to the next number.
long double unit_roundoff(tutti_type type) {
  if (type == TUTTI_FLOAT16) return 0x1p-11L;
  if (type == TUTTI_BFLOAT16) return 0x1p-8L;
  return type == TUTTI_FLOAT32 || type == TUTTI_COMPLEX64 ? 0x1p-24L : 0x1p-53L;
}

// The exact result of rounded summands, and how far any order of combining them may end from it (Higham, Accuracy and
// Stability of Numerical Algorithms, 2002, 3.1 and 4.2; a complex product has four roundings in two steps).
struct Bounded {
  Number value;
  long double error = 0;
};

Bounded bounded(const Case& c, const std::vector<Bytes>& patterns, std::size_t at) {
  Number value{c.op == TUTTI_PROD ? 1.0L : 0.0L, 0};
  long double magnitude = c.op == TUTTI_PROD ? 1 : 0;
  for (const Bytes& pattern : patterns) {
    const Number x = load(c.type, pattern.data() + at);
    const long double size = std::hypot(x.real, x.imaginary);
    if (c.op == TUTTI_PROD) {
      value = {value.real * x.real - value.imaginary * x.imaginary,
               value.real * x.imaginary + value.imaginary * x.real};
      magnitude *= size;
    } else {
      value = {value.real + x.real, value.imaginary + x.imaginary};
      magnitude += size;
    }
  }
  const long double u = unit_roundoff(c.type), steps = static_cast<long double>(c.size - 1);
  constexpr long double slack = 1.1L;  // for (1 + u)^n against 1 + n u
  long double error = steps * u * magnitude * slack * (c.op == TUTTI_PROD && is_complex(c.type) ? 4 : 1);
  if (c.op == TUTTI_AVG) {
    value = {value.real / c.size, value.imaginary / c.size};
    error = error / c.size + 2 * u * magnitude / c.size;
  }
  if (c.type == TUTTI_FLOAT16) error += steps * 0x1p-25L;  // subnormal results
  return {value, error};
}

// Where else the same element stands: how a block that went astray is found.
std::string origin(const unsigned char* found, std::size_t element, std::size_t where, const Bytes& pattern) {
  const std::size_t period = pattern.size() / element;
  for (std::size_t i = 0; i < period; ++i)
    if (std::memcmp(found, pattern.data() + i * element, element) == 0)
      return fmt::format("; it is the one of {} elements further on, or that and a multiple of {}",
                         (i + period - where % period) % period, period);
  return "";
}

}  // namespace

std::vector<Bytes> patterns_of(const Case& c, const Shape& shape) {
  std::vector<Bytes> patterns;
  for (int rank = 0; rank < c.size; ++rank) {
    std::mt19937_64 random(seed_of(c, rank));
    Bytes pattern(shape.period * shape.element);
    for (std::size_t i = 0; i < shape.period; ++i) {
      unsigned char* to = pattern.data() + i * shape.element;
      c.values == Values::exact ? store_exact(c, to, random) : store_random(c, to, random);
    }
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

Bytes combined(const Case& c, const std::vector<Bytes>& patterns) {
  if (c.combine == Combine::built_in) {
    const Bytes sum = test::reference_fold(c.type, c.op, patterns);
    return c.op == TUTTI_AVG ? test::reference_divide(c.type, sum, static_cast<std::uint64_t>(c.size)) : sum;
  }
  const auto function = c.combine == Combine::any_order ? combine_any_order : combine_rank_order;
  Bytes result = patterns.back();
  for (std::size_t rank = patterns.size() - 1; rank-- > 0;)
    function(patterns[rank].data(), result.data(), result.size() / type_size(c.type), c.type, nullptr);
  return result;
}

void compare_bounded(const Case& c, const unsigned char* found, std::size_t elements,
                     const std::vector<Bytes>& patterns, std::size_t first, const Shape& shape) {
  std::vector<Bounded> right;
  for (std::size_t i = 0; i < shape.period; ++i) right.push_back(bounded(c, patterns, i * shape.element));
  for (std::size_t i = 0; i < elements; ++i) {
    const Bounded& expected = right[(first + i) % shape.period];
    const Number x = load(c.type, found + i * shape.element);
    const bool near = std::fabs(x.real - expected.value.real) <= expected.error &&
                      std::fabs(x.imaginary - expected.value.imaginary) <= expected.error;
    if (near) continue;
    throw std::runtime_error(
        fmt::format("element {} is ({}, {}), right is ({}, {}) within {}", i, static_cast<double>(x.real),
                    static_cast<double>(x.imaginary), static_cast<double>(expected.value.real),
                    static_cast<double>(expected.value.imaginary), static_cast<double>(expected.error)));
  }
}

void repeat(unsigned char* to, std::size_t bytes, const Bytes& pattern, std::size_t first) {
  for (std::size_t at = first % std::max<std::size_t>(pattern.size(), 1); bytes > 0;) {
    const std::size_t part = std::min(bytes, pattern.size() - at);
    std::memcpy(to, pattern.data() + at, part);
    to += part;
    bytes -= part;
    at = 0;
  }
}

void compare(const unsigned char* found, std::size_t bytes, const Bytes& pattern, std::size_t first,
             std::size_t element, const std::string& what) {
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t at = (first + done) % pattern.size();
    const std::size_t part = std::min(bytes - done, pattern.size() - at);
    if (std::memcmp(found + done, pattern.data() + at, part) != 0) {
      std::size_t i = 0;
      while (found[done + i] == pattern[at + i]) ++i;
      const std::size_t wrong = (done + i) / element;
      std::string bits, right;
      for (std::size_t k = 0; k < element; ++k) {
        bits += fmt::format(" {:02x}", found[wrong * element + k]);
        right += fmt::format(" {:02x}", pattern[(first + wrong * element) % pattern.size() + k]);
      }
      throw std::runtime_error(fmt::format("{}: element {} has the bytes{}, right is{}{}", what, wrong, bits, right,
                                           origin(found + wrong * element, element, first / element + wrong, pattern)));
    }
    done += part;
  }
}

void combine_any_order(const void* left, void* inout, std::size_t count, tutti_type type, void*) {
  const auto* from = static_cast<const unsigned char*>(left);
  auto* to = static_cast<unsigned char*>(inout);
  for (std::size_t i = 0; i < count * type_size(type); ++i) to[i] ^= from[i];
}

// An element is a map x -> a x + b modulo a power of two, a in its first half, b in its second: maps are composed,
// which is associative and does not commute.
void combine_rank_order(const void* left, void* inout, std::size_t count, tutti_type type, void*) {
  const std::size_t bytes = type_size(type), bits = bytes * 4;
  const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  const auto* from = static_cast<const unsigned char*>(left);
  auto* to = static_cast<unsigned char*>(inout);
  const auto half = [&](const unsigned char* element, bool second) {
    if (bytes == 1) return std::uint64_t{second ? element[0] >> 4u : element[0] & 15u};
    std::uint64_t value = 0;
    std::memcpy(&value, element + (second ? bytes / 2 : 0), bytes / 2);
    return value;
  };
  for (std::size_t i = 0; i < count; ++i, from += bytes, to += bytes) {
    const std::uint64_t a = half(from, false) * half(to, false) & mask;
    const std::uint64_t b = (half(from, false) * half(to, true) + half(from, true)) & mask;
    if (bytes == 1) {
      to[0] = static_cast<unsigned char>(a | b << 4);
    } else {
      std::memcpy(to, &a, bytes / 2);
      std::memcpy(to + bytes / 2, &b, bytes / 2);
    }
  }
}

}  // namespace tutti::testing
