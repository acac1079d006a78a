// The scalar reference of the dense kernels; see the header.
#include "tests/unit/payload_reference.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace tutti::test {
namespace {

// A half type: its bits, and which.
template <tutti_type kType>
struct Half {
  std::uint16_t bits;
};
using Float16 = Half<TUTTI_FLOAT16>;
using Bfloat16 = Half<TUTTI_BFLOAT16>;

template <class Value, class Index>
struct Pair {
  Value value;
  Index index;
};

// Calls function with a value of the C++ type that stands for `type`.
template <class Function>
void with_type(tutti_type type, Function function) {
  switch (type) {
    case TUTTI_INT8:
      return function(std::int8_t{});
    case TUTTI_INT16:
      return function(std::int16_t{});
    case TUTTI_INT32:
      return function(std::int32_t{});
    case TUTTI_INT64:
      return function(std::int64_t{});
    case TUTTI_UINT8:
      return function(std::uint8_t{});
    case TUTTI_UINT16:
      return function(std::uint16_t{});
    case TUTTI_UINT32:
      return function(std::uint32_t{});
    case TUTTI_UINT64:
      return function(std::uint64_t{});
    case TUTTI_FLOAT16:
      return function(Float16{});
    case TUTTI_BFLOAT16:
      return function(Bfloat16{});
    case TUTTI_FLOAT32:
      return function(float{});
    case TUTTI_FLOAT64:
      return function(double{});
    case TUTTI_COMPLEX64:
      return function(std::complex<float>{});
    case TUTTI_COMPLEX128:
      return function(std::complex<double>{});
    case TUTTI_FLOAT32_INT32:
      return function(Pair<float, std::int32_t>{});
    case TUTTI_FLOAT64_INT64:
      return function(Pair<double, std::int64_t>{});
    case TUTTI_INT32_INT32:
      return function(Pair<std::int32_t, std::int32_t>{});
    case TUTTI_INT64_INT64:
      return function(Pair<std::int64_t, std::int64_t>{});
    default:
      break;
  }
  throw std::logic_error("no such type");
}

template <class T>
T element(const Bytes& bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <class T>
void set_element(Bytes& bytes, std::size_t i, const T& value) {
  std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
}

template <class T>
T canonical(T value) {
  if (!std::isnan(value)) return value;
  if constexpr (sizeof(T) == 4) {
    return std::bit_cast<float>(std::uint32_t{0x7fc00000});
  } else {
    return std::bit_cast<double>(std::uint64_t{0x7ff8000000000000});
  }
}

// ---- one combine, by kind of type --------------------------------------------------------------------

template <std::integral T>
T combine(tutti_op op, T a, T b) {
  using Wide = __int128;
  switch (op) {
    case TUTTI_SUM:
    case TUTTI_AVG:
      return static_cast<T>(Wide{a} + Wide{b});
    case TUTTI_PROD:
      return static_cast<T>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
    case TUTTI_MIN:
      return a < b ? a : b;
    case TUTTI_MAX:
      return a < b ? b : a;
    case TUTTI_LAND:
      return static_cast<T>(a && b);
    case TUTTI_LOR:
      return static_cast<T>(a || b);
    case TUTTI_LXOR:
      return static_cast<T>(!a != !b);
    case TUTTI_BAND:
      return static_cast<T>(a & b);
    case TUTTI_BOR:
      return static_cast<T>(a | b);
    case TUTTI_BXOR:
      return static_cast<T>(a ^ b);
    default:
      throw std::logic_error("no such operation for integers");
  }
}

template <std::floating_point T>
T combine(tutti_op op, T a, T b) {
  const bool nan = std::isnan(a) || std::isnan(b);
  switch (op) {
    case TUTTI_SUM:
    case TUTTI_AVG:
      return canonical(a + b);
    case TUTTI_PROD:
      return canonical(a * b);
    case TUTTI_MIN:
      if (nan) return canonical(std::numeric_limits<T>::quiet_NaN());
      if (a == 0 && b == 0) return std::signbit(a) ? a : b;
      return a < b ? a : b;
    case TUTTI_MAX:
      if (nan) return canonical(std::numeric_limits<T>::quiet_NaN());
      if (a == 0 && b == 0) return std::signbit(a) ? b : a;
      return a < b ? b : a;
    default:
      throw std::logic_error("no such operation for floating numbers");
  }
}

template <class T>
std::complex<T> combine(tutti_op op, std::complex<T> a, std::complex<T> b) {
  if (op != TUTTI_PROD) return {combine(op, a.real(), b.real()), combine(op, a.imag(), b.imag())};
  // Each product and each sum is rounded by itself; volatile keeps a compiler from fusing them.
  const volatile T rr = a.real() * b.real(), ii = a.imag() * b.imag();
  const volatile T ri = a.real() * b.imag(), ir = a.imag() * b.real();
  return {canonical(static_cast<T>(rr - ii)), canonical(static_cast<T>(ri + ir))};
}

template <class Value, class Index>
Pair<Value, Index> combine(tutti_op op, Pair<Value, Index> a, Pair<Value, Index> b) {
  constexpr bool kFloating = std::is_floating_point_v<Value>;
  const auto is_nan = [](Value value) { return value != value; };
  const bool lowest = op == TUTTI_MINLOC;
  bool keep_a;
  if (is_nan(a.value) || is_nan(b.value)) {
    keep_a = is_nan(a.value) && (!is_nan(b.value) || a.index <= b.index);
  } else if (a.value != b.value) {
    keep_a = lowest == (a.value < b.value);
  } else if (a.index != b.index) {
    keep_a = a.index < b.index;
  } else {  // the same, but for the sign of zero
    keep_a = !kFloating || lowest == std::signbit(static_cast<double>(a.value));
  }
  Pair<Value, Index> kept = keep_a ? a : b;
  if constexpr (kFloating) kept.value = canonical(kept.value);
  return kept;
}

// ---- folds and divisions -----------------------------------------------------------------------------

template <class T>
T fold(tutti_op op, const std::vector<Bytes>& sources, std::size_t i, T) {
  T result = element<T>(sources[0], i);
  for (std::size_t s = 1; s < sources.size(); ++s) result = combine(op, result, element<T>(sources[s], i));
  return result;
}

template <tutti_type kType>
Half<kType> fold(tutti_op op, const std::vector<Bytes>& sources, std::size_t i, Half<kType>) {
  const auto at = [&](std::size_t s) {
    return static_cast<float>(half_to_double(kType, element<Half<kType>>(sources[s], i).bits));
  };
  float result = at(0);
  for (std::size_t s = 1; s < sources.size(); ++s) result = combine(op, result, at(s));
  return {double_to_half(kType, static_cast<double>(result))};
}

template <std::integral T>
T divide(T value, std::uint64_t divisor) {
  return static_cast<T>(__int128{value} / __int128{divisor});
}
template <std::floating_point T>
T divide(T value, std::uint64_t divisor) {
  return canonical(value / static_cast<T>(divisor));
}
template <class T>
std::complex<T> divide(std::complex<T> value, std::uint64_t divisor) {
  return {divide(value.real(), divisor), divide(value.imag(), divisor)};
}
template <tutti_type kType>
Half<kType> divide(Half<kType> value, std::uint64_t divisor) {
  const auto wide = static_cast<float>(half_to_double(kType, value.bits));
  return {double_to_half(kType, static_cast<double>(divide(wide, divisor)))};
}
template <class Value, class Index>
Pair<Value, Index> divide(Pair<Value, Index>, std::uint64_t) {
  throw std::logic_error("pairs have no average");
}

// ---- random elements -----------------------------------------------------------------------------------

template <class T>
T pick(const std::vector<T>& from, std::mt19937_64& random) {
  return from[random() % from.size()];
}

template <std::integral T>
T random_element(std::mt19937_64& random, T) {
  using Limits = std::numeric_limits<T>;
  static const std::vector<T> special = {
      T{0}, T{1}, T{2}, Limits::max(), Limits::min(), static_cast<T>(-1), T{127}, static_cast<T>(Limits::max() / 2 + 1),
      T{16}};
  return random() % 2 == 0 ? pick(special, random) : static_cast<T>(random());
}

// Bits by their layout: all exponents of interest with some mantissas, of both signs.
template <class Bits>
Bits random_float_bits(std::mt19937_64& random, int mantissa_bits) {
  const int exponent_bits = static_cast<int>(sizeof(Bits)) * 8 - 1 - mantissa_bits;
  const auto largest = static_cast<Bits>((Bits{1} << exponent_bits) - 1);
  const auto bias = static_cast<Bits>(largest / 2);
  const auto full = static_cast<Bits>((Bits{1} << mantissa_bits) - 1);
  static const std::vector<Bits> no_exponents;
  const std::vector<Bits> exponents = {
      0, 0, 1, bias, static_cast<Bits>(bias + 1), static_cast<Bits>(bias - 1), static_cast<Bits>(largest - 1), largest};
  const std::vector<Bits> mantissas = {0, 0, 1, full, static_cast<Bits>(Bits{1} << (mantissa_bits - 1))};
  const auto sign = static_cast<Bits>(static_cast<Bits>(random() % 2) << (sizeof(Bits) * 8 - 1));
  Bits exponent, mantissa;
  if (random() % 2 == 0) {
    exponent = pick(exponents, random);
    mantissa = pick(mantissas, random);
  } else {
    // Near one another, so that sums round and cancel.
    exponent = static_cast<Bits>(bias - 6 + random() % 12);
    mantissa = static_cast<Bits>(random()) & full;
  }
  return static_cast<Bits>(sign | static_cast<Bits>(exponent << mantissa_bits) | mantissa);
}

float random_element(std::mt19937_64& random, float) {
  return std::bit_cast<float>(random_float_bits<std::uint32_t>(random, 23));
}
double random_element(std::mt19937_64& random, double) {
  return std::bit_cast<double>(random_float_bits<std::uint64_t>(random, 52));
}
Float16 random_element(std::mt19937_64& random, Float16) { return {random_float_bits<std::uint16_t>(random, 10)}; }
Bfloat16 random_element(std::mt19937_64& random, Bfloat16) { return {random_float_bits<std::uint16_t>(random, 7)}; }
template <class T>
std::complex<T> random_element(std::mt19937_64& random, std::complex<T>) {
  const T real = random_element(random, T{});
  return {real, random_element(random, T{})};
}
// Few values and few indices, so that ties of both are common.
template <class Value, class Index>
Pair<Value, Index> random_element(std::mt19937_64& random, Pair<Value, Index>) {
  const Value value = random() % 3 == 0 ? static_cast<Value>(random() % 3) : random_element(random, Value{});
  return {value, random() % 2 == 0 ? static_cast<Index>(random() % 4) : random_element(random, Index{})};
}

}  // namespace

// ---- half types ------------------------------------------------------------------------------------------

namespace {
struct HalfLayout {
  int mantissa_bits;
  int bias;
};
HalfLayout layout_of(tutti_type type) { return type == TUTTI_FLOAT16 ? HalfLayout{10, 15} : HalfLayout{7, 127}; }
}  // namespace

double half_to_double(tutti_type type, std::uint16_t bits) {
  const auto [mantissa_bits, bias] = layout_of(type);
  const int exponent = (bits & 0x7fff) >> mantissa_bits;
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  double magnitude;
  if (exponent == 2 * bias + 1) {
    magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
  } else {
    magnitude = std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
  }
  return std::copysign(magnitude, (bits & 0x8000) != 0 ? -1.0 : 1.0);
}

std::uint16_t double_to_half(tutti_type type, double value) {
  const auto [mantissa_bits, bias] = layout_of(type);
  const int infinity = (2 * bias + 1) << mantissa_bits;
  if (std::isnan(value)) return static_cast<std::uint16_t>(infinity | (1 << (mantissa_bits - 1)));
  const int sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return static_cast<std::uint16_t>(sign | infinity);
  // In units of the last place; nearbyint rounds ties to even. A carry into the next exponent fits by itself.
  const int exponent = magnitude == 0 ? 1 - bias : std::max(std::ilogb(magnitude), 1 - bias);
  const auto units = static_cast<std::int64_t>(std::nearbyint(std::ldexp(magnitude, mantissa_bits - exponent)));
  const std::int64_t bits = units + (std::int64_t{exponent + bias - 1} << mantissa_bits);
  return static_cast<std::uint16_t>(sign | static_cast<int>(std::min<std::int64_t>(bits, infinity)));
}

// ---- the face ------------------------------------------------------------------------------------------

const std::vector<tutti_type>& all_types() {
  static const std::vector<tutti_type> types = [] {
    std::vector<tutti_type> all;
    for (int i = TUTTI_INT8; i <= TUTTI_INT64_INT64; ++i) all.push_back(static_cast<tutti_type>(i));
    return all;
  }();
  return types;
}

const std::vector<tutti_op>& all_operations() {
  static const std::vector<tutti_op> operations = [] {
    std::vector<tutti_op> all;
    for (int i = TUTTI_SUM; i <= TUTTI_BXOR; ++i) all.push_back(static_cast<tutti_op>(i));
    return all;
  }();
  return operations;
}

bool has_operation(tutti_type type, tutti_op op) {
  const bool pair = type >= TUTTI_FLOAT32_INT32;
  const bool complex = type == TUTTI_COMPLEX64 || type == TUTTI_COMPLEX128;
  const bool integer = type <= TUTTI_UINT64;
  switch (op) {
    case TUTTI_SUM:
    case TUTTI_AVG:
    case TUTTI_PROD:
      return !pair;
    case TUTTI_MIN:
    case TUTTI_MAX:
      return !pair && !complex;
    case TUTTI_MINLOC:
    case TUTTI_MAXLOC:
      return pair;
    default:
      return integer;
  }
}

Bytes reference_fold(tutti_type type, tutti_op op, const std::vector<Bytes>& sources) {
  Bytes result(sources[0].size());
  with_type(type, [&]<class T>(T) {
    for (std::size_t i = 0; i < result.size() / sizeof(T); ++i) set_element(result, i, fold(op, sources, i, T{}));
  });
  return result;
}

Bytes reference_divide(tutti_type type, const Bytes& data, std::uint64_t divisor) {
  Bytes result(data.size());
  with_type(type, [&]<class T>(T) {
    for (std::size_t i = 0; i < data.size() / sizeof(T); ++i) {
      set_element(result, i, divide(element<T>(data, i), divisor));
    }
  });
  return result;
}

Bytes random_elements(tutti_type type, std::size_t count, std::mt19937_64& random) {
  Bytes result;
  with_type(type, [&]<class T>(T) {
    result.resize(count * sizeof(T));
    for (std::size_t i = 0; i < count; ++i) set_element(result, i, random_element(random, T{}));
  });
  return result;
}

}  // namespace tutti::test
