// Reproducible sums as two stages: the largest exponent of each element, then the integer sum of its summands at
// that scale. Both combine without rounding, in any order. See docs/reproducible.md.
#include "lib/payload/reproducible.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "lib/error.hpp"
#include "lib/payload/encoding.hpp"
#include "lib/payload/fixed_point.hpp"

namespace tutti {
namespace {

// Several vectors are taken a piece at a time, whose words stay in the nearest cache.
constexpr std::uint64_t kPiece = 2048;

class Reproducible final : public Encoding {
 public:
  Reproducible(const PayloadSetting& setting, tutti_type type, tutti_op op)
      : element_bytes_(type_size(type)),
        headroom_(static_cast<int>(std::bit_width(setting.summands - 1))),
        divisor_(op == TUTTI_AVG ? setting.summands : 1),
        kernels_(fixed_point(type, setting.summands <= most_short_summands)) {
    const tutti_type code = kernels_.code_bytes == 1 ? TUTTI_UINT8 : TUTTI_UINT16;
    const tutti_type word = kernels_.word_bytes == 4 ? TUTTI_INT32 : TUTTI_INT64;
    stages_[0] = {"exponents", kernels_.code_bytes, operation(code, TUTTI_MAX), true};
    stages_[1] = {"words", kernels_.word_bytes, operation(word, TUTTI_SUM), false};
  }

  std::span<const Stage> stages() const override { return stages_; }

  void encode(std::size_t stage, const Slice& slice) const override {
    for (std::uint64_t done = 0; done < slice.count; done += kPiece) {
      const std::uint64_t count = std::min(kPiece, slice.count - done);
      void* const codes = codes_at(slice, done);
      for (std::size_t i = 0; i < slice.inputs.size(); ++i) {
        const void* const in = static_cast<const std::byte*>(slice.inputs[i]) + (slice.at + done) * element_bytes_;
        if (stage == 0)
          kernels_.raise(codes, in, count, i == 0);
        else
          kernels_.deposit(words_at(slice, done), codes, in, count, headroom_, i == 0);
      }
    }
  }

  void decode(const Slice& slice) const override {
    kernels_.finish(static_cast<std::byte*>(slice.output) + slice.at * element_bytes_, words_at(slice, 0),
                    codes_at(slice, 0), slice.count, headroom_, divisor_);
  }

 private:
  void* codes_at(const Slice& slice, std::uint64_t element) const {
    return slice.wide[0] + (slice.wide_at + element) * kernels_.code_bytes;
  }
  void* words_at(const Slice& slice, std::uint64_t element) const {
    return slice.wide[1] + (slice.wide_at + element) * kernels_.word_bytes;
  }

  std::uint64_t element_bytes_;
  int headroom_;
  std::uint64_t divisor_;
  FixedPointKernels kernels_;
  std::array<Stage, 2> stages_;
};

}  // namespace

std::unique_ptr<const Encoding> make_reproducible(const PayloadSetting& setting, tutti_type type, tutti_op op) {
  if (op != TUTTI_SUM && op != TUTTI_AVG)
    throw error(TUTTI_ERROR_ARGUMENT, "a reproducible {} does not exist: it is for sum and avg", op_name(op));
  if (fixed_point(type, false).raise == nullptr)
    throw error(TUTTI_ERROR_ARGUMENT,
                "a reproducible sum of {} does not exist: it is for float16, bfloat16, float32 and float64",
                type_name(type));
  if (setting.summands < 1 || setting.summands > most_summands)
    throw error(TUTTI_ERROR_ARGUMENT, "a reproducible sum of {} vectors: there must be 1 to {} on all ranks together",
                setting.summands, most_summands);
  return std::make_unique<Reproducible>(setting, type, op);
}

namespace {

// As the collectives check theirs.
void check_vectors(std::span<const void* const> inputs, const void* output, std::uint64_t bytes) {
  for (const void* input : inputs) {
    if (bytes != 0 && (input == nullptr || output == nullptr))
      throw error(TUTTI_ERROR_ARGUMENT, "reproducible sum: the {} buffer is null, it should have {} bytes",
                  output == nullptr ? "output" : "input", bytes);
    const auto from = reinterpret_cast<std::uintptr_t>(input), to = reinterpret_cast<std::uintptr_t>(output);
    if (from != to && from < to + bytes && to < from + bytes)
      throw error(TUTTI_ERROR_ARGUMENT,
                  "reproducible sum: input and output overlap; they must be the same address or lie apart ({} bytes)",
                  bytes);
  }
}

}  // namespace

void sum_here(std::span<const void* const> inputs, void* output, std::uint64_t count, tutti_type type, tutti_op op) {
  const PayloadSetting setting{PayloadForm::reproducible, inputs.size(), {}, 0};
  const auto encoding = make_reproducible(setting, type, op);
  constexpr std::uint64_t most = std::uint64_t{1} << 47;  // bytes of a process's address space
  if (count > most / type_size(type))
    throw error(TUTTI_ERROR_ARGUMENT, "reproducible sum: {} elements of {} bytes do not fit into the address space",
                count, type_size(type));
  check_vectors(inputs, output, count * type_size(type));
  const std::uint64_t code_bytes = encoding->stages()[0].element_bytes,
                      word_bytes = encoding->stages()[1].element_bytes;
  const auto codes = std::make_unique_for_overwrite<std::byte[]>(kPiece * code_bytes);
  const auto words = std::make_unique_for_overwrite<std::byte[]>(kPiece * word_bytes);
  const std::array<std::byte*, 2> wide = {codes.get(), words.get()};
  for (std::uint64_t at = 0; at < count; at += kPiece) {
    const Encoding::Slice slice{inputs, output, at, std::min(kPiece, count - at), at, 0, 0, wide};
    encoding->encode(0, slice);
    encoding->encode(1, slice);
    encoding->decode(slice);
  }
}

}  // namespace tutti
