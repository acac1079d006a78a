// Reproducible sums of one process: every SIMD target against the reference to the last bit, the bound of the error,
// special values, bad input.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "tests/catch.hpp"
#include "tests/simd_targets.hpp"
#include "tests/unit/reproducible_reference.hpp"

namespace tutti::test {
namespace {

constexpr tutti_type types[] = {TUTTI_FLOAT16, TUTTI_BFLOAT16, TUTTI_FLOAT32, TUTTI_FLOAT64};
using Bits = std::vector<std::uint64_t>;

// A vector of elements given as bits, at an address that is not aligned to them.
class Vector {
 public:
  Vector(tutti_type type, const Bits& elements) : bytes_(format_of(type).bytes), store_(elements.size() * bytes_ + 1) {
    for (std::size_t i = 0; i < elements.size(); ++i) std::memcpy(at(i), &elements[i], bytes_);
  }
  unsigned char* data() { return store_.data() + 1; }
  std::uint64_t operator[](std::size_t i) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, at(i), bytes_);
    return bits;
  }

 private:
  unsigned char* at(std::size_t i) { return data() + i * bytes_; }
  std::size_t bytes_;
  std::vector<unsigned char> store_;
};

// The library's sum of vectors[v][i] over v, for each i.
Bits sum(tutti_type type, const std::vector<Bits>& vectors, tutti_op op = TUTTI_SUM) {
  std::vector<Vector> stored;
  std::vector<const void*> inputs;
  for (const Bits& vector : vectors) stored.emplace_back(type, vector);
  for (Vector& vector : stored) inputs.push_back(vector.data());
  const std::size_t count = vectors.front().size();
  Vector out(type, Bits(count));
  REQUIRE(tutti_reproducible_sum(inputs.data(), inputs.size(), out.data(), count, type, op) == TUTTI_OK);
  Bits result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = out[i];
  return result;
}

std::uint64_t sum_of(tutti_type type, const Bits& summands, tutti_op op = TUTTI_SUM) {
  std::vector<Bits> vectors;
  for (const std::uint64_t bits : summands) vectors.push_back({bits});
  return sum(type, vectors, op).front();
}

// Any finite numbers at all (0), numbers that lie close together (1), any bits with NaN and infinity among them (2).
Bits random_vector(tutti_type type, std::size_t count, int kind, std::mt19937_64& random) {
  Bits bits(count);
  const FloatFormat f = format_of(type);
  const std::uint64_t mask = f.bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (f.bytes * 8)) - 1;
  const std::uint64_t special = ((std::uint64_t{1} << f.exponent_bits) - 1) << f.fraction_bits;
  std::normal_distribution<double> normal;
  for (std::uint64_t& each : bits) {
    each = kind == 1 ? bits_of(type, normal(random)) : random() & mask;
    if (kind == 0 && (each & special) == special) each &= ~(std::uint64_t{1} << f.fraction_bits);
    if (kind == 2 && random() % 8 == 0) each = special | (random() & 1) << (f.bytes * 8 - 1);
  }
  return bits;
}

// Neumaier's compensated sum in long double: far more exact than what is compared with it.
class Exact {
 public:
  void add(long double next) {
    const long double total = sum_ + next;
    lost_ += std::fabs(sum_) >= std::fabs(next) ? (sum_ - total) + next : (next - total) + sum_;
    sum_ = total;
    largest_ = std::max(largest_, std::fabs(next));
  }
  long double sum() const { return sum_ + lost_; }
  long double largest() const { return largest_; }

 private:
  long double sum_ = 0, lost_ = 0, largest_ = 0;
};

}  // namespace

TEST_CASE("reproducible sums are those of the reference to the last bit, on every SIMD target") {
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    std::mt19937_64 random(4);
    for (const tutti_type type : types)
      for (const std::size_t vectors : {1, 2, 3, 16, 257})
        for (int kind = 0; kind < 3; ++kind)
          for (const tutti_op op : {TUTTI_SUM, TUTTI_AVG}) {
            const std::size_t count = vectors > 16 ? 37 : 101;
            std::vector<Bits> summands;
            for (std::size_t v = 0; v < vectors; ++v) summands.push_back(random_vector(type, count, kind, random));
            const Bits found = sum(type, summands, op);
            for (std::size_t i = 0; i < count; ++i) {
              Bits column;
              for (const Bits& vector : summands) column.push_back(vector[i]);
              INFO(hwy::TargetName(target) << ", type " << type << ", " << vectors << " vectors, kind " << kind
                                           << ", op " << op << ", element " << i);
              REQUIRE(found[i] == reference_sum(type, column, op == TUTTI_AVG));
            }
          }
  }
}

TEST_CASE("reproducible sums do not depend on the order of the vectors") {
  std::mt19937_64 random(5);
  for (const tutti_type type : types) {
    std::vector<Bits> vectors;
    for (int v = 0; v < 16; ++v) vectors.push_back(random_vector(type, 3000, v % 2, random));
    const Bits first = sum(type, vectors);
    for (int repeat = 0; repeat < 3; ++repeat) {
      std::shuffle(vectors.begin(), vectors.end(), random);
      CHECK(sum(type, vectors) == first);
    }
  }
}

TEST_CASE("the error of float64 sums stays within its bound and below that of a plain sum") {
  std::mt19937_64 random(6);
  std::cauchy_distribution<double> heavy;
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  constexpr std::size_t count = 500;
  for (const int distribution : {0, 1, 2})
    for (const std::size_t vectors : {2, 4, 16, 64, 256}) {
      std::vector<std::vector<double>> numbers(vectors, std::vector<double>(count));
      std::vector<Bits> bits(vectors, Bits(count));
      for (std::size_t v = 0; v < vectors; ++v)
        for (std::size_t i = 0; i < count; ++i) {
          numbers[v][i] = distribution == 0 ? uniform(random) : distribution == 1 ? normal(random) : heavy(random);
          bits[v][i] = bits_of(TUTTI_FLOAT64, numbers[v][i]);
        }
      const Bits found = sum(TUTTI_FLOAT64, bits);
      int headroom = 0;
      while (vectors > std::size_t{1} << headroom) ++headroom;
      long double ours = 0, plain = 0;
      for (std::size_t i = 0; i < count; ++i) {
        Exact exact;
        double naive = 0;
        for (const auto& vector : numbers) {
          exact.add(vector[i]);
          naive += vector[i];
        }
        const long double error = std::fabs(number_of(TUTTI_FLOAT64, found[i]) - exact.sum());
        // docs/reproducible.md: half a unit for each summand, and the rounding of the result.
        const long double bound = static_cast<long double>(vectors) * std::ldexp(exact.largest(), headroom - 62) +
                                  std::ldexp(std::fabs(exact.sum()), -53) * 1.001L;
        INFO(vectors << " vectors, distribution " << distribution << ", element " << i);
        REQUIRE(error <= bound);
        ours += error * error;
        plain += (naive - exact.sum()) * (naive - exact.sum());
      }
      INFO(vectors << " vectors, distribution " << distribution);
      // A few huge summands among many take the headroom's bits from all others: docs/reproducible.md, "Error".
      if (distribution < 2 || vectors <= 64) CHECK(ours <= plain * 1.0001L);
    }
}

TEST_CASE("float32 and half sums of up to 256 vectors are closer than plain ones") {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  for (const tutti_type type : {TUTTI_FLOAT16, TUTTI_BFLOAT16, TUTTI_FLOAT32})
    for (const std::size_t vectors : {2, 4, 16, 64, 256}) {
      constexpr std::size_t count = 500;
      std::vector<Bits> bits(vectors, Bits(count));
      for (Bits& vector : bits)
        for (std::uint64_t& each : vector) each = bits_of(type, normal(random));
      const Bits found = sum(type, bits);
      long double ours = 0, plain = 0;
      for (std::size_t i = 0; i < count; ++i) {
        long double exact = 0;
        std::uint64_t naive = 0;
        for (const Bits& vector : bits) {
          exact += number_of(type, vector[i]);
          naive = bits_of(type, number_of(type, naive) + number_of(type, vector[i]));
        }
        ours += std::pow(number_of(type, found[i]) - exact, 2);
        plain += std::pow(number_of(type, naive) - exact, 2);
      }
      INFO("type " << type << ", " << vectors << " vectors");
      CHECK(ours <= plain * 1.0001L);
    }
}

TEST_CASE("special values of reproducible sums are what the guide says") {
  for (const tutti_type type : types) {
    const FloatFormat f = format_of(type);
    const std::uint64_t sign = std::uint64_t{1} << (f.bytes * 8 - 1);
    const std::uint64_t infinity = ((std::uint64_t{1} << f.exponent_bits) - 1) << f.fraction_bits;
    const std::uint64_t nan = canonical_nan(type), largest = infinity - 1, smallest = 1;
    const std::uint64_t one = bits_of(type, 1), minus_one = one | sign;
    INFO("type " << type);
    CHECK(sum_of(type, {sign}) == 0);  // a sum that is zero is +0
    CHECK(sum_of(type, {sign, sign}) == 0);
    CHECK(sum_of(type, {one, minus_one}) == 0);
    CHECK(sum_of(type, {one}) == one);
    CHECK(sum_of(type, {smallest}) == smallest);
    CHECK(sum_of(type, {smallest, smallest, smallest | sign}) == smallest);
    CHECK(sum_of(type, {nan | 1 | sign, one}) == nan);
    CHECK(sum_of(type, {infinity, one}) == infinity);
    CHECK(sum_of(type, {infinity | sign, largest}) == (infinity | sign));
    CHECK(sum_of(type, {infinity, infinity | sign}) == nan);
    CHECK(sum_of(type, {largest, largest}) == infinity);
    CHECK(sum_of(type, {largest, largest, largest | sign}) == largest);  // no overflow on the way
    CHECK(sum_of(type, {largest, largest}, TUTTI_AVG) == largest);
    CHECK(sum_of(type, {largest, one, largest | sign}) == sum_of(type, {largest, largest | sign, one}));
    Bits many(300, infinity);  // counts of infinities do not run into one another
    many[7] = one;
    CHECK(sum_of(type, many) == infinity);
    many.resize(256);
    CHECK(sum_of(type, many) == infinity);
  }
}

TEST_CASE("reproducible sums refuse what they cannot mean") {
  double number[4] = {1, 2, 3, 4};
  const void* inputs[] = {number, number};
  const auto message = [] { return std::string(tutti_error_message(nullptr)); };
  CHECK(tutti_reproducible_sum(inputs, 2, number, 4, TUTTI_INT32, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(message().find("int32") != std::string::npos);
  CHECK(tutti_reproducible_sum(inputs, 2, number, 4, TUTTI_FLOAT64, TUTTI_MAX) == TUTTI_ERROR_ARGUMENT);
  CHECK(message().find("sum and avg") != std::string::npos);
  CHECK(tutti_reproducible_sum(inputs, 0, number, 4, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(tutti_reproducible_sum(nullptr, 2, number, 4, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(tutti_reproducible_sum(inputs, 2, nullptr, 4, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(tutti_reproducible_sum(inputs, 2, number + 1, 3, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(message().find("overlap") != std::string::npos);
  const std::vector<const void*> many((std::size_t{1} << 20) + 1, number);
  CHECK(tutti_reproducible_sum(many.data(), many.size(), number, 4, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_ERROR_ARGUMENT);
  CHECK(message().find("1048576") != std::string::npos);
  CHECK(tutti_reproducible_sum(inputs, 2, number, 0, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_OK);
  CHECK(tutti_reproducible_sum(inputs, 2, number, 4, TUTTI_FLOAT64, TUTTI_SUM) == TUTTI_OK);  // in place
  CHECK(number[3] == 8);
}

}  // namespace tutti::test
