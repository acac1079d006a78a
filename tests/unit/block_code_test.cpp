// Encoded blocks: every SIMD target against a reference that is written out number by number, the bounds of the error,
// stochastic rounding, special values.
#include "lib/payload/block_code.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/catch.hpp"
#include "tests/simd_targets.hpp"
#include "tests/unit/reproducible_reference.hpp"

namespace tutti::test {
namespace {

using Numbers = std::vector<float>;
constexpr BlockFormat formats[] = {BlockFormat::int8, BlockFormat::int4, BlockFormat::int2,
                                   BlockFormat::e4m3, BlockFormat::e5m2, BlockFormat::bfloat16};
constexpr float infinity = std::numeric_limits<float>::infinity();

float top_of(BlockFormat format) {
  constexpr float tops[] = {127, 7, 1, 448, 57344, 0};
  return tops[static_cast<std::size_t>(format)];
}

// The number nearest to `value` among those of an 8-bit floating format; of two, the one whose last bit is zero.
float nearest_small(float value, int fraction, int exponent, float top) {
  const float magnitude = std::min(std::fabs(value), top);
  const int bias = (1 << (exponent - 1)) - 1;
  int e = 0;
  std::frexp(magnitude, &e);
  const int unit = std::max(e - 1, 1 - bias) - fraction;
  const float rounded = std::min(std::ldexp(std::nearbyint(std::ldexp(magnitude, -unit)), unit), top);
  return std::copysign(rounded, value);
}

// What a block is after it was encoded to nearest and decoded.
Numbers reference(const Numbers& block, BlockFormat format) {
  Numbers out = block;
  if (format == BlockFormat::bfloat16) {
    for (float& each : out) each = static_cast<float>(number_of(TUTTI_BFLOAT16, bits_of(TUTTI_BFLOAT16, each)));
    return out;
  }
  float largest = 0;
  bool finite = true;
  for (const float each : block) {
    largest = std::max(largest, std::fabs(each));
    finite = finite && std::isfinite(each);
  }
  const float top = top_of(format), scale = largest / top, inverse = top / largest;
  for (float& each : out) {
    if (!finite) {
      each = std::numeric_limits<float>::quiet_NaN();
    } else if (largest < 0x1p-100f) {
      each = 0.0f;
    } else if (format == BlockFormat::e4m3 || format == BlockFormat::e5m2) {
      const bool is_e4m3 = format == BlockFormat::e4m3;
      each = scale * nearest_small(each * inverse, is_e4m3 ? 3 : 2, is_e4m3 ? 4 : 5, top);
    } else {
      each = scale * std::min(std::max(std::nearbyint(each * inverse), -top), top);
    }
  }
  return out;
}

Numbers round_trip(const Numbers& numbers, const BlockCode& code, const Draw& draw = {}) {
  const BlockKernels kernels = block_kernels(TUTTI_FLOAT32);
  const std::size_t blocks = (numbers.size() + code.block - 1) / code.block;
  std::vector<unsigned char> encoded(blocks * code.bytes(), 0xee);
  kernels.encode(encoded.data(), numbers.data(), numbers.size(), code, draw);
  Numbers out(numbers.size());
  kernels.decode(out.data(), encoded.data(), out.size(), code, 1);
  return out;
}

bool same(const Numbers& a, const Numbers& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i]) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return a.size() == b.size();
}

Numbers random_numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Numbers numbers(count);
  for (float& each : numbers) each = std::ldexp(normal(random), static_cast<int>(random() % 12) - 6);
  return numbers;
}

}  // namespace

TEST_CASE("blocks are encoded and decoded as the reference does, on every SIMD target") {
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    for (const BlockFormat format : formats)
      for (const std::uint32_t size : {32u, 64u, 256u, 1024u}) {
        const BlockCode code{format, false, size};
        Numbers numbers = random_numbers(size, size);
        INFO(hwy::TargetName(target) << ", " << format_name(format) << ", blocks of " << size);
        CHECK(same(round_trip(numbers, code), reference(numbers, format)));
        CHECK(same(round_trip(Numbers(size, 3.7f), code), reference(Numbers(size, 3.7f), format)));
        CHECK(same(round_trip(Numbers(size, 0.0f), code), Numbers(size, 0.0f)));
        numbers[size / 3] = infinity;
        CHECK(same(round_trip(numbers, code), reference(numbers, format)));
        numbers[1] = std::numeric_limits<float>::quiet_NaN();
        CHECK(same(round_trip(numbers, code), reference(numbers, format)));
        for (float& each : numbers) each = 1e-40f;  // subnormal numbers
        CHECK(same(round_trip(numbers, code), reference(numbers, format)));
        for (float& each : numbers) each = -std::numeric_limits<float>::max();
        CHECK(same(round_trip(numbers, code), reference(numbers, format)));
      }
  }
}

TEST_CASE("stochastic rounding gives the same bits on every SIMD target, and others for another seed or block") {
  const Numbers numbers = random_numbers(1000, 3);
  for (const BlockFormat format : formats) {
    const BlockCode code{format, true, 64};
    INFO(format_name(format));
    Numbers first;
    for (const std::int64_t target : available_targets()) {
      const ForcedTarget forced(target);
      const Numbers found = round_trip(numbers, code, {5, 7, 1});
      if (first.empty()) first = found;
      CHECK(same(found, first));
    }
    CHECK_FALSE(same(round_trip(numbers, code, {6, 7, 1}), first));
    CHECK_FALSE(same(round_trip(numbers, code, {5, 8, 1}), first));
    CHECK_FALSE(same(round_trip(numbers, code, {5, 7, 2}), first));
  }
}

TEST_CASE("stochastic rounding has no bias, and leaves what is exact alone") {
  constexpr int repeats = 4000;
  for (const BlockFormat format : formats) {
    const BlockCode code{format, true, 32};
    Numbers numbers = random_numbers(32, 9);
    numbers[0] = 1;
    if (format != BlockFormat::bfloat16) {
      for (float& each : numbers) each = std::min(std::max(each, -0.9f), 0.9f);
      numbers[0] = 1;
    }
    std::vector<double> mean(32);
    double widest = 0;
    for (int seed = 0; seed < repeats; ++seed) {
      const Numbers found = round_trip(numbers, code, {static_cast<std::uint64_t>(seed), 0, 1});
      CHECK(found[0] == 1.0f);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        mean[i] += found[i] / static_cast<double>(repeats);
        widest = std::max(widest, std::fabs(static_cast<double>(found[i]) - numbers[i]));
      }
    }
    // Five standard deviations of a mean of numbers that are off by at most `widest`.
    for (std::size_t i = 0; i < mean.size(); ++i) {
      INFO(format_name(format) << ", number " << i << ": " << numbers[i] << ", mean " << mean[i]);
      CHECK(std::fabs(mean[i] - numbers[i]) <= 5 * widest / std::sqrt(double{repeats}) + 1e-6);
    }
  }
}

TEST_CASE("sums of blocks are decoded, added in order in float32 and encoded once, on every SIMD target") {
  for (const std::int64_t target : available_targets()) {
    const ForcedTarget forced(target);
    const BlockKernels kernels = block_kernels(TUTTI_FLOAT32);
    for (const BlockFormat format : formats)
      for (const std::size_t sources : {2, 3, 7}) {
        const BlockCode code{format, false, 64};
        const Operation sum = block_sum(code);
        std::vector<std::vector<unsigned char>> encoded;
        Numbers total(128);
        for (std::size_t s = 0; s < sources; ++s) {
          const Numbers numbers = random_numbers(128, static_cast<unsigned>(s));
          encoded.emplace_back(2 * code.bytes());
          kernels.encode(encoded.back().data(), numbers.data(), numbers.size(), code, {});
          const Numbers rounded = round_trip(numbers, code);
          for (std::size_t i = 0; i < total.size(); ++i) total[i] = s == 0 ? rounded[i] : total[i] + rounded[i];
        }
        std::vector<const void*> list;
        for (const auto& each : encoded) list.push_back(each.data());
        Numbers found(128);
        sum.fold(encoded[1].data(), list.data(), sources, 2, false, sum.context);  // into one of the sources
        kernels.decode(found.data(), encoded[1].data(), found.size(), code, 1);
        INFO(hwy::TargetName(target) << ", " << format_name(format) << ", " << sources << " sources");
        CHECK(same(found, round_trip(total, code)));
      }
  }
}

TEST_CASE("numbers of every type enter and leave blocks") {
  const BlockCode code{BlockFormat::int8, false, 32};
  for (const tutti_type type : {TUTTI_FLOAT16, TUTTI_BFLOAT16, TUTTI_FLOAT32, TUTTI_FLOAT64}) {
    const std::size_t bytes = format_of(type).bytes;
    std::vector<unsigned char> in(5 * bytes), out(5 * bytes), encoded(code.bytes());
    const float numbers[] = {127, -64, 0.25f, 0, -1};
    const float right[] = {127, -64, 0, 0, -1};
    for (std::size_t i = 0; i < 5; ++i) {
      const std::uint64_t bits = bits_of(type, numbers[i]);
      std::memcpy(in.data() + i * bytes, &bits, bytes);
    }
    block_kernels(type).encode(encoded.data(), in.data(), 5, code, {});
    block_kernels(type).decode(out.data(), encoded.data(), 5, code, 1);
    for (std::size_t i = 0; i < 5; ++i) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, out.data() + i * bytes, bytes);
      INFO("type " << type << ", number " << i);
      CHECK(number_of(type, bits) == static_cast<long double>(right[i]));
    }
  }
}

}  // namespace tutti::test
