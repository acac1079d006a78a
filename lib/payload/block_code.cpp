// Blocks of numbers to few bits and back; see block_code.hpp.
//
// Each pass is a loop without branches over a block that lies in the nearest cache, which compilers turn into the
// vectors of each target. Floating arithmetic is single products, sums and conversions, the same bits everywhere.
#include "lib/payload/block_code.hpp"

#include <cstring>
#include <limits>

#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/block_code.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/minifloat-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

using Byte = std::uint8_t;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A hash of 32 bits whose every bit depends on all of its argument's.
HWY_INLINE std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

std::uint32_t key_of(std::uint64_t seed, std::uint64_t block) {
  const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  return mixed(mixed(mixed(low(seed) ^ 0x9e3779b9u) + low(seed >> 32)) + mixed(low(block) + mixed(low(block >> 32))));
}

HWY_INLINE std::uint32_t random_at(std::uint32_t key, std::uint32_t i) { return mixed(key + i * 0x9e3779b9u); }

// ---- codes: one number to one code, in terms of the block's scale ---------------------------------------

// Signed integers, stored with an offset.
template <int kBits>
struct Integer {
  static constexpr std::int32_t kLargest = (1 << (kBits - 1)) - 1;
  static constexpr std::int32_t kOffset = 1 << (kBits - 1);
  static constexpr float kTop = static_cast<float>(kLargest);
  static constexpr std::uint32_t kZero = kOffset;

  template <bool kStochastic>
  static HWY_INLINE std::uint32_t code(float value, std::uint32_t random) {
    std::int32_t whole;
    if constexpr (kStochastic) {
      const float sum = value + static_cast<float>(static_cast<std::int32_t>(random >> 16)) * 0x1p-16f;
      whole = static_cast<std::int32_t>(sum);
      whole -= static_cast<float>(whole) > sum ? 1 : 0;
    } else {
      constexpr float kAligned = 0x1.8p23f;  // lines the units up: the adder rounds to nearest, ties to even
      whole = static_cast<std::int32_t>((value + kAligned) - kAligned);
    }
    return static_cast<std::uint32_t>(std::min(std::max(whole, -kLargest), kLargest) + kOffset);
  }
  static HWY_INLINE float number(std::uint32_t code) {
    return static_cast<float>(static_cast<std::int32_t>(code) - kOffset);
  }
};

template <class Format, int kTopNumber>
struct Floating {
  static constexpr float kTop = static_cast<float>(kTopNumber);
  static constexpr std::uint32_t kZero = 0;
  template <bool kStochastic>
  static HWY_INLINE std::uint32_t code(float value, std::uint32_t random) {
    return Format::template from_float<kStochastic>(value, random);
  }
  static HWY_INLINE float number(std::uint32_t code) { return Format::to_float(code); }
};

// ---- packing: the n-th part of a block lies in the n-th bits of the bytes --------------------------------

template <int kBits>
HWY_INLINE void pack(Byte* HWY_RESTRICT out, const Byte* HWY_RESTRICT codes, std::uint32_t block) {
  constexpr std::uint32_t kParts = 8 / kBits;
  const std::uint32_t bytes = block / kParts;
  for (std::uint32_t i = 0; i < bytes; ++i) {
    std::uint32_t all = codes[i];
    for (std::uint32_t part = 1; part < kParts; ++part)
      all |= static_cast<std::uint32_t>(codes[i + part * bytes]) << (part * kBits);
    out[i] = static_cast<Byte>(all);
  }
}

// ---- blocks --------------------------------------------------------------------------------------------

template <class Code, int kBits, bool kStochastic>
HWY_INLINE void encode_scaled(Byte* out, const float* HWY_RESTRICT numbers, std::uint32_t block, std::uint32_t key) {
  // As integers, magnitudes are in the order of the numbers, with infinity and NaN above them all.
  std::uint32_t largest_bits = 0;
  for (std::uint32_t i = 0; i < block; ++i)
    largest_bits = std::max(largest_bits, std::bit_cast<std::uint32_t>(numbers[i]) & 0x7fffffffu);
  const float largest = std::bit_cast<float>(largest_bits);
  const bool is_finite = largest_bits < 0x7f800000u;
  constexpr float kSmallest = 0x1p-100f;  // below, the inverse of the scale would leave float32
  const bool is_zero = is_finite && largest < kSmallest;
  const float scale = !is_finite ? kNan : is_zero ? 0.0f : largest / Code::kTop;
  const float inverse = is_finite && !is_zero ? Code::kTop / largest : 0.0f;
  std::memcpy(out, &scale, sizeof scale);
  Byte* const body = out + (kStochastic ? 8 : 4);
  alignas(64) Byte codes[most_block];
  if (is_finite) {
    for (std::uint32_t i = 0; i < block; ++i) {
      const std::uint32_t random = kStochastic ? random_at(key, i) : 0;
      codes[i] = static_cast<Byte>(Code::template code<kStochastic>(numbers[i] * inverse, random));
    }
  } else {
    std::memset(codes, static_cast<int>(Code::kZero), block);
  }
  pack<kBits>(body, codes, block);
}

template <class Code, int kBits>
HWY_INLINE void decode_scaled(float* HWY_RESTRICT numbers, const Byte* HWY_RESTRICT in, std::uint32_t header,
                              std::uint32_t block) {
  float scale;
  std::memcpy(&scale, in, sizeof scale);
  const Byte* HWY_RESTRICT body = in + header;
  constexpr std::uint32_t kParts = 8 / kBits;
  const std::uint32_t bytes = block / kParts;
  for (std::uint32_t part = 0; part < kParts; ++part) {
    float* HWY_RESTRICT to = numbers + part * bytes;
    for (std::uint32_t i = 0; i < bytes; ++i)
      to[i] = scale * Code::number(static_cast<std::uint32_t>(body[i]) >> (part * kBits) & ((1u << kBits) - 1));
  }
}

template <bool kStochastic>
HWY_INLINE void encode_brain(Byte* out, const float* HWY_RESTRICT numbers, std::uint32_t block, std::uint32_t key) {
  Byte* HWY_RESTRICT body = out + (kStochastic ? 4 : 0);
  for (std::uint32_t i = 0; i < block; ++i) {
    const auto code =
        static_cast<std::uint16_t>(Brain::from_float<kStochastic>(numbers[i], kStochastic ? random_at(key, i) : 0));
    std::memcpy(body + 2 * i, &code, sizeof code);
  }
}

HWY_INLINE void decode_brain(float* HWY_RESTRICT numbers, const Byte* HWY_RESTRICT body, std::uint32_t block) {
  for (std::uint32_t i = 0; i < block; ++i) {
    std::uint16_t code;
    std::memcpy(&code, body + 2 * i, sizeof code);
    numbers[i] = Brain::to_float(code);
  }
}

template <bool kStochastic>
void encode_block_rounded(Byte* out, const float* numbers, const BlockCode& code, std::uint32_t key) {
  switch (code.format) {
    case BlockFormat::int8:
      return encode_scaled<Integer<8>, 8, kStochastic>(out, numbers, code.block, key);
    case BlockFormat::int4:
      return encode_scaled<Integer<4>, 4, kStochastic>(out, numbers, code.block, key);
    case BlockFormat::int2:
      return encode_scaled<Integer<2>, 2, kStochastic>(out, numbers, code.block, key);
    case BlockFormat::e4m3:
      return encode_scaled<Floating<E4m3, 448>, 8, kStochastic>(out, numbers, code.block, key);
    case BlockFormat::e5m2:
      return encode_scaled<Floating<E5m2, 57344>, 8, kStochastic>(out, numbers, code.block, key);
    case BlockFormat::bfloat16:
      return encode_brain<kStochastic>(out, numbers, code.block, key);
  }
}

// The key is the block's; who rounds makes another of it.
void encode_block(Byte* out, const float* numbers, const BlockCode& code, std::uint32_t key, std::uint32_t stream) {
  if (!code.stochastic) return encode_block_rounded<false>(out, numbers, code, 0);
  std::memcpy(out + code.header_bytes() - sizeof key, &key, sizeof key);
  encode_block_rounded<true>(out, numbers, code, mixed(key ^ mixed(stream)));
}

void decode_block(float* numbers, const Byte* in, const BlockCode& code) {
  const std::uint32_t header = code.header_bytes();
  switch (code.format) {
    case BlockFormat::int8:
      return decode_scaled<Integer<8>, 8>(numbers, in, header, code.block);
    case BlockFormat::int4:
      return decode_scaled<Integer<4>, 4>(numbers, in, header, code.block);
    case BlockFormat::int2:
      return decode_scaled<Integer<2>, 2>(numbers, in, header, code.block);
    case BlockFormat::e4m3:
      return decode_scaled<Floating<E4m3, 448>, 8>(numbers, in, header, code.block);
    case BlockFormat::e5m2:
      return decode_scaled<Floating<E5m2, 57344>, 8>(numbers, in, header, code.block);
    case BlockFormat::bfloat16:
      return decode_brain(numbers, in + header, code.block);
  }
}

// ---- the caller's numbers --------------------------------------------------------------------------------

template <class Number>
struct Native {
  using Stored = Number;
  static HWY_INLINE float widen(Number number) { return static_cast<float>(number); }
  static HWY_INLINE Number narrow(float number) {
    // Every NaN is the canonical one.
    return static_cast<Number>(number != number ? kNan : number);
  }
};
template <class Format>
struct Short {
  using Stored = std::uint16_t;
  static HWY_INLINE float widen(std::uint16_t bits) { return Format::to_float(bits); }
  static HWY_INLINE std::uint16_t narrow(float number) {
    return static_cast<std::uint16_t>(Format::template from_float<false>(number, 0));
  }
};

template <class Type>
void encode(void* out, const void* in, std::uint64_t count, const BlockCode& code, const Draw& draw) {
  using Stored = typename Type::Stored;
  alignas(64) float numbers[most_block];
  auto* to = static_cast<Byte*>(out);
  const auto* HWY_RESTRICT from = static_cast<const Byte*>(in);
  for (std::uint64_t at = 0, block = draw.first_block; at < count; at += code.block, ++block, to += code.bytes()) {
    const auto here = static_cast<std::uint32_t>(std::min<std::uint64_t>(code.block, count - at));
    for (std::uint32_t i = 0; i < here; ++i) {
      Stored stored;
      std::memcpy(&stored, from + (at + i) * sizeof stored, sizeof stored);
      numbers[i] = Type::widen(stored);
    }
    for (std::uint32_t i = here; i < code.block; ++i) numbers[i] = 0;
    encode_block(to, numbers, code, key_of(draw.seed, block), draw.stream);
  }
}

template <class Type>
void decode(void* out, const void* in, std::uint64_t count, const BlockCode& code, float divisor) {
  using Stored = typename Type::Stored;
  alignas(64) float numbers[most_block];
  auto* HWY_RESTRICT to = static_cast<Byte*>(out);
  const auto* from = static_cast<const Byte*>(in);
  for (std::uint64_t at = 0; at < count; at += code.block, from += code.bytes()) {
    const auto here = static_cast<std::uint32_t>(std::min<std::uint64_t>(code.block, count - at));
    decode_block(numbers, from, code);
    for (std::uint32_t i = 0; i < here; ++i) {
      const Stored stored = Type::narrow(numbers[i] / divisor);
      std::memcpy(to + (at + i) * sizeof stored, &stored, sizeof stored);
    }
  }
}

BlockKernels kernels_for(tutti_type type) {
  switch (type) {
    case TUTTI_FLOAT16:
      return {&encode<Short<Half>>, &decode<Short<Half>>};
    case TUTTI_BFLOAT16:
      return {&encode<Short<Brain>>, &decode<Short<Brain>>};
    case TUTTI_FLOAT32:
      return {&encode<Native<float>>, &decode<Native<float>>};
    case TUTTI_FLOAT64:
      return {&encode<Native<double>>, &decode<Native<double>>};
    default:
      return {};
  }
}

// ---- sums of blocks ----------------------------------------------------------------------------------------

// `out` may be one of the sources: a block is read from all of them before it is written.
void fold(void* out, const void* const* sources, std::size_t source_count, std::size_t count, bool,
          const void* context) {
  const auto& code = *static_cast<const BlockCode*>(context);
  const std::size_t bytes = code.bytes();
  if (source_count < 2) {
    if (source_count == 1 && out != sources[0]) copy_bytes(out, sources[0], count * bytes, false);
    return;
  }
  alignas(64) float sum[most_block], next[most_block];
  for (std::size_t block = 0; block < count; ++block) {
    const auto block_of = [&](std::size_t s) { return static_cast<const Byte*>(sources[s]) + block * bytes; };
    decode_block(sum, block_of(0), code);
    for (std::size_t s = 1; s < source_count; ++s) {
      decode_block(next, block_of(s), code);
      for (std::uint32_t i = 0; i < code.block; ++i) sum[i] += next[i];
    }
    std::uint32_t key = 0;
    if (code.stochastic) std::memcpy(&key, block_of(0) + code.header_bytes() - sizeof key, sizeof key);
    encode_block(static_cast<Byte*>(out) + block * bytes, sum, code, key, stream_of_sums);
  }
}

void combine(void* out, const void* left, const void* right, std::size_t count, bool, const void* context) {
  const void* const sources[] = {left, right};
  fold(out, sources, 2, count, false, context);
}

void combine_twice(void* out, void* copy, const void* left, const void* right, std::size_t count, bool,
                   const void* context) {
  combine(out, left, right, count, false, context);
  std::memcpy(copy, out, count * static_cast<const BlockCode*>(context)->bytes());
}

Operation sum_kernels() {
  Operation sum;
  sum.combine = &combine;
  sum.combine_twice = &combine_twice;
  sum.fold = &fold;
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

std::string_view format_name(BlockFormat format) {
  constexpr std::string_view names[] = {"int8", "int4", "int2", "e4m3", "e5m2", "bfloat16"};
  return names[static_cast<std::size_t>(format)];
}

std::uint32_t format_bits(BlockFormat format) {
  constexpr std::uint32_t bits[] = {8, 4, 2, 8, 8, 16};
  return bits[static_cast<std::size_t>(format)];
}

HWY_EXPORT(kernels_for);
HWY_EXPORT(sum_kernels);
BlockKernels block_kernels(tutti_type type) { return HWY_DYNAMIC_DISPATCH(kernels_for)(type); }

Operation block_sum(const BlockCode& code) {
  Operation sum = HWY_DYNAMIC_DISPATCH(sum_kernels)();
  sum.context = &code;
  return sum;
}

}  // namespace tutti
#endif
