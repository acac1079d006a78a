// A payload that travels in another form than the caller's elements: as wide elements, in one or more stages, each a
// collective of its own over the result of the one before, with local passes before, between and after.
//
// A wide element stands for a fixed number of the caller's (one, or a block of them), so that every algorithm runs on
// wide elements as it does on others and knows nothing of what they hold. The runtime cuts the vector into
// windows, keeps the wide elements of each stage of a window, and asks for the passes.
#pragma once

#include <compare>
#include <memory>
#include <span>
#include <string>

#include "lib/payload/block_code.hpp"
#include "lib/payload/payload.hpp"

namespace tutti {

enum class PayloadForm : std::uint8_t { dense, reproducible, quantised };

// What ranks must agree on about the payload of a call.
struct PayloadSetting {
  PayloadForm form = PayloadForm::dense;
  std::uint64_t summands = 0;  // vectors in the sum, of all ranks together
  BlockCode code{};            // quantised
  std::uint64_t seed = 0;      // quantised with stochastic rounding; no plan depends on it
  bool operator==(const PayloadSetting&) const = default;
};

class Encoding {
 public:
  struct Stage {
    std::string_view name;  // what travels: "exponents"
    std::uint32_t element_bytes = 0;
    Operation operation;      // of two wide elements
    bool everywhere = false;  // all ranks need the result, whichever of them the call gives its own to
  };

  // Some consecutive elements of a window. `wide` has the window's wide elements for each stage.
  struct Slice {
    std::span<const void* const> inputs;  // the caller's vectors, from their beginnings
    void* output = nullptr;
    std::uint64_t at = 0;     // the slice's first element, in the caller's buffer that the pass touches
    std::uint64_t count = 0;  // of the caller's elements
    std::uint64_t first = 0;  // the same, in the whole vector of all ranks' blocks
    std::uint64_t seed = 0;
    std::uint64_t wide_at = 0;  // the slice's first wide element in its window
    std::span<std::byte* const> wide;
  };

  virtual ~Encoding() = default;
  virtual std::span<const Stage> stages() const = 0;
  virtual std::uint64_t block() const { return 1; }  // elements of the caller for one wide element
  // Makes the wide elements of a stage from the caller's vectors and the results of the stages before it.
  virtual void encode(std::size_t stage, const Slice& slice) const = 0;
  // Makes the caller's result.
  virtual void decode(const Slice& slice) const = 0;
};

// For a form that is not dense. Throws TUTTI_ERROR_ARGUMENT, saying what would be right, where it does not have the
// type, the operation or the setting.
std::unique_ptr<const Encoding> make_encoding(const PayloadSetting& setting, tutti_type type, tutti_op op, int rank);

// "reproducible, 16 summands"; empty for dense.
std::string describe(const PayloadSetting& setting);

// Sums of this type depend on the order of the summands.
inline bool is_rounded(tutti_type type) { return type >= TUTTI_FLOAT16 && type <= TUTTI_COMPLEX128; }

}  // namespace tutti
