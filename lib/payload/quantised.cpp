// Quantised vectors as one stage of encoded blocks, and what a caller may ask for. See docs/quantised.md.
#include "lib/payload/quantised.hpp"

#include <algorithm>
#include <bit>

#include "lib/error.hpp"

namespace tutti {
namespace {

class Quantised final : public Encoding {
 public:
  Quantised(const PayloadSetting& setting, tutti_type type, tutti_op op, int rank)
      : code_(setting.code),
        element_bytes_(type_size(type)),
        stream_(static_cast<std::uint32_t>(rank) + 1),
        divisor_(op == TUTTI_AVG ? static_cast<float>(setting.summands) : 1.0f),
        kernels_(block_kernels(type)),
        stage_{"blocks", code_.bytes(), block_sum(code_), false} {}

  std::span<const Stage> stages() const override { return {&stage_, 1}; }
  std::uint64_t block() const override { return code_.block; }

  void encode(std::size_t, const Slice& slice) const override {
    const auto* in = static_cast<const std::byte*>(slice.inputs.front()) + slice.at * element_bytes_;
    kernels_.encode(blocks_at(slice), in, slice.count, code_, {slice.seed, slice.first / code_.block, stream_});
  }
  void decode(const Slice& slice) const override {
    auto* out = static_cast<std::byte*>(slice.output) + slice.at * element_bytes_;
    kernels_.decode(out, blocks_at(slice), slice.count, code_, divisor_);
  }

 private:
  std::byte* blocks_at(const Slice& slice) const { return slice.wide[0] + slice.wide_at * code_.bytes(); }

  BlockCode code_;
  std::uint64_t element_bytes_;
  std::uint32_t stream_;
  float divisor_;
  BlockKernels kernels_;
  Stage stage_;
};

}  // namespace

std::unique_ptr<const Encoding> make_quantised(const PayloadSetting& setting, tutti_type type, tutti_op op, int rank) {
  if (op != TUTTI_SUM && op != TUTTI_AVG)
    throw error(TUTTI_ERROR_ARGUMENT, "a quantised {} does not exist: it is for sum and avg", op_name(op));
  if (block_kernels(type).encode == nullptr)
    throw error(TUTTI_ERROR_ARGUMENT, "{} cannot be quantised: right would be float16, bfloat16, float32 or float64",
                type_name(type));
  return std::make_unique<Quantised>(setting, type, op, rank);
}

PayloadSetting quantised_setting(tutti_wire wire, const tutti_quantisation& how) {
  PayloadSetting setting;
  if (wire == TUTTI_WIRE_DENSE) return setting;
  if (wire < TUTTI_WIRE_DENSE || wire > TUTTI_WIRE_BFLOAT16)
    throw error(TUTTI_ERROR_ARGUMENT, "quantisation: wire {} does not exist; see tutti_wire for those that do",
                static_cast<int>(wire));
  setting.form = PayloadForm::quantised;
  setting.code.format = static_cast<BlockFormat>(wire - TUTTI_WIRE_INT8);
  setting.code.stochastic = how.stochastic != 0;
  setting.code.block = how.block == 0 ? BlockCode{}.block : how.block;
  setting.seed = setting.code.stochastic ? how.seed : 0;
  if (setting.code.block < least_block || setting.code.block > most_block || !std::has_single_bit(setting.code.block))
    throw error(TUTTI_ERROR_ARGUMENT,
                "quantisation: blocks of {} numbers; right would be a power of two from {} to {}, or "
                "0 for {}",
                how.block, least_block, most_block, BlockCode{}.block);
  return setting;
}

std::vector<WirePart> wire_parts(const tutti_quantisation& how, std::uint64_t count) {
  if (how.segment_count > 0 && how.segments == nullptr)
    throw error(TUTTI_ERROR_ARGUMENT, "quantisation: {} segments, but their list is null", how.segment_count);
  std::vector<WirePart> segments;
  for (std::size_t i = 0; i < how.segment_count; ++i) {
    const tutti_segment& segment = how.segments[i];
    if (segment.first > count || segment.count > count - segment.first)
      throw error(TUTTI_ERROR_ARGUMENT, "quantisation: segment {} has elements {} to {}, but the vector has {}", i,
                  segment.first, segment.first + segment.count, count);
    if (segment.count > 0) segments.push_back({segment.first, segment.count, segment.wire});
  }
  std::sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<WirePart> parts;
  std::uint64_t at = 0;
  for (const WirePart& segment : segments) {
    if (segment.first < at)
      throw error(TUTTI_ERROR_ARGUMENT, "quantisation: two segments have element {}; they must not overlap",
                  segment.first);
    if (segment.first > at) parts.push_back({at, segment.first - at, how.wire});
    parts.push_back(segment);
    at = segment.first + segment.count;
  }
  if (at < count || parts.empty()) parts.push_back({at, count - at, how.wire});
  return parts;
}

}  // namespace tutti
