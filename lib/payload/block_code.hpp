// Blocks of numbers in few bits, and the sums of such blocks in float32; docs/quantised.md has the formats and their
// errors. An encoded block is one wide element: a scale (but for bfloat16), a key (where rounding is
// stochastic), and the codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/payload/payload.hpp"

namespace tutti {

enum class BlockFormat : std::uint8_t { int8, int4, int2, e4m3, e5m2, bfloat16 };
std::string_view format_name(BlockFormat format);
std::uint32_t format_bits(BlockFormat format);  // of one code

inline constexpr std::uint32_t least_block = 32, most_block = 1024;  // numbers; powers of two

// The same on all ranks; the kernels get it as their context.
struct BlockCode {
  BlockFormat format = BlockFormat::int8;
  bool stochastic = false;
  std::uint32_t block = 256;  // numbers
  bool has_scale() const { return format != BlockFormat::bfloat16; }
  std::uint32_t header_bytes() const { return (has_scale() ? 4 : 0) + (stochastic ? 4 : 0); }
  std::uint32_t bytes() const { return header_bytes() + block * format_bits(format) / 8; }
  bool operator==(const BlockCode&) const = default;
};

// Random numbers are counted, not drawn in turn: each number of each block has its own, from the block's key, which
// travels with the block, and a stream: who rounds.
struct Draw {
  std::uint64_t seed = 0;
  std::uint64_t first_block = 0;
  std::uint32_t stream = 0;
};
inline constexpr std::uint32_t stream_of_sums = 0;  // ranks have those from 1 on

struct BlockKernels {
  // `count` numbers into consecutive blocks; the last is filled up with zeros.
  void (*encode)(void* out, const void* in, std::uint64_t count, const BlockCode& code, const Draw& draw) = nullptr;
  // The numbers that the codes stand for, divided by `divisor`.
  void (*decode)(void* out, const void* in, std::uint64_t count, const BlockCode& code, float divisor) = nullptr;
};

// For float16, bfloat16, float32 and float64; empty for other types.
BlockKernels block_kernels(tutti_type type);
// Sums of encoded blocks: decoded, added in float32 in the order of the sources, encoded once. `code` must outlive it.
Operation block_sum(const BlockCode& code);

}  // namespace tutti
