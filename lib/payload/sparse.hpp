// The sparse payload: streams of (index, value) pairs, sorted by index, none repeated. Indices and values lie in arrays
// of their own, so that each is read and sent as it is. docs/sparse.md says what the operations mean.
//
// A stream says how many pairs it has, and its form follows from that: pairs while they are fewer bytes than the dense
// vector, else the dense vector itself, with zeros where nothing was selected. Both sides of a message know the
// number, so the form is never sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tutti/tutti.h"

namespace tutti {

// A stream that somebody else owns.
struct PairsView {
  const void* indices = nullptr;
  const void* values = nullptr;
  std::uint64_t count = 0;
};

// A stream with room to grow. Memory is not initialised. One allocation holds both arrays.
class Pairs {
 public:
  Pairs() = default;
  Pairs(std::uint32_t index_bytes, std::uint32_t value_bytes) : index_bytes_(index_bytes), value_bytes_(value_bytes) {}

  // Room for so many pairs, and for the lanes that a SIMD store may touch beyond them. Keeps what is there.
  void reserve(std::uint64_t pairs);
  std::uint64_t room() const { return room_; }
  std::uint64_t count() const { return count_; }
  void set_count(std::uint64_t count) { count_ = count; }

  std::byte* base() { return memory_.get(); }
  const std::byte* base() const { return memory_.get(); }
  std::uint64_t values_offset(std::uint64_t pair) const { return pair * value_bytes_; }
  std::uint64_t indices_offset(std::uint64_t pair) const {
    return (room_ + slack) * value_bytes_ + pair * index_bytes_;
  }
  void* values(std::uint64_t pair = 0) { return memory_ ? memory_.get() + values_offset(pair) : nullptr; }
  void* indices(std::uint64_t pair = 0) { return memory_ ? memory_.get() + indices_offset(pair) : nullptr; }
  const void* values(std::uint64_t pair = 0) const { return const_cast<Pairs*>(this)->values(pair); }
  const void* indices(std::uint64_t pair = 0) const { return const_cast<Pairs*>(this)->indices(pair); }
  PairsView view() const { return {indices(), values(), count_}; }
  PairsView view(std::uint64_t first, std::uint64_t count) const { return {indices(first), values(first), count}; }

 private:
  static constexpr std::uint64_t slack = 64;  // pairs: a vector of the widest SIMD, and a cache line between the arrays

  std::unique_ptr<std::byte[]> memory_;
  std::uint64_t room_ = 0;
  std::uint64_t count_ = 0;
  std::uint32_t index_bytes_ = 4;
  std::uint32_t value_bytes_ = 4;
};

// Magnitudes as whole numbers: the bits of a value without its sign. They grow with the magnitude; infinity is above
// all numbers and every NaN is above infinity.
using Magnitude = std::uint64_t;

// The kernels for one type of values and one width of indices.
struct SparseKernels {
  std::uint32_t index_bytes = 4;
  std::uint32_t value_bytes = 4;

  // The sum of two streams; an index that only one of them has keeps its value as it is. `out` has room for all pairs
  // of both and is neither of them. Where both have an index, `left` is the left operand.
  std::uint64_t (*merge)(void* out_indices, void* out_values, const PairsView& left, const PairsView& right);
  // The pairs of `left` whose index `right` does not have; room for all of `left`.
  std::uint64_t (*difference)(void* out_indices, void* out_values, const PairsView& left, const PairsView& right);
  // Removes the pairs whose value is zero; the number that is left.
  std::uint64_t (*drop_zeros)(void* indices, void* values, std::uint64_t count);
  // dense[index - first] = value, and += value.
  void (*scatter)(void* dense, std::uint64_t first, const PairsView& pairs);
  void (*scatter_add)(void* dense, std::uint64_t first, const PairsView& pairs);
  // dense[index - first] = 0
  void (*clear_at)(void* dense, std::uint64_t first, const PairsView& pairs);
  // The first pair whose index is not below `index`.
  std::uint64_t (*find)(const void* indices, std::uint64_t count, std::uint64_t index);
  std::uint64_t (*index_at)(const void* indices, std::uint64_t pair);
  // The first pair whose index is not above the one before it, or not below `length`; `count` where all are right.
  std::uint64_t (*first_fault)(const void* indices, std::uint64_t count, std::uint64_t length);

  // Appends to `indices` and `values` each element of magnitude at least `least` (not 0), with index `first` + its
  // place; the number appended. With a residual, the element is values[i] + residual[i], which replaces residual[i].
  // There must be room for `count` pairs and 64 more.
  std::uint64_t (*collect)(const void* values, void* residual, std::uint64_t count, Magnitude least,
                           std::uint64_t first, void* indices, void* out_values);
  // The magnitude of the rank-th largest of so many values, rank from 1 to count.
  Magnitude (*rank_magnitude)(const void* values, std::uint64_t count, std::uint64_t rank);
  // Keeps the values above `threshold` and the first `ties` of those at it; the number that is left.
  std::uint64_t (*keep_above)(void* indices, void* values, std::uint64_t count, Magnitude threshold,
                              std::uint64_t ties);
  // How many are above a threshold.
  std::uint64_t (*count_above)(const void* values, std::uint64_t count, Magnitude threshold);
  // bins[b] += 1 for each value with low + (b << shift) <= magnitude < low + (b + 1 << shift); others are left out.
  void (*histogram)(const void* values, std::uint64_t count, Magnitude low, std::uint32_t shift,
                    std::span<std::uint64_t> bins);
  // out[i] = values[i] + residual[i] for count elements; the residual may be null.
  void (*add)(void* out, const void* values, const void* residual, std::uint64_t count);
  std::uint32_t magnitude_bits = 31;
};

// Float32 and float64, with indices of 4 or 8 bytes. Throws TUTTI_ERROR_UNSUPPORTED for other types and
// TUTTI_ERROR_ARGUMENT for another width, or one that cannot count to `length`.
const SparseKernels& sparse_kernels(tutti_type type, std::uint32_t index_bytes, std::uint64_t length);

// Whether a stream of `pairs` over `length` indices is fewer bytes as the dense vector.
inline bool is_dense(const SparseKernels& kernels, std::uint64_t pairs, std::uint64_t length) {
  return pairs != 0 && pairs * (kernels.index_bytes + kernels.value_bytes) >= length * kernels.value_bytes;
}

// For kernels with SIMD (sparse_scan.cpp).
std::uint64_t collect_float32(const float* values, float* residual, std::uint64_t count, std::uint32_t least,
                              std::uint32_t first, std::uint32_t* indices, float* out);
// Which of 64 elements are large: bit i for values[i] (+ residual[i]).
std::uint64_t mask_of_64(const float* values, float* residual, std::uint32_t least);
std::uint64_t mask_of_64(const double* values, double* residual, std::uint64_t least);

// Throws TUTTI_ERROR_ARGUMENT, naming the place and what would be right, unless the indices rise and are below
// `length`.
void check_indices(const SparseKernels& kernels, const void* indices, std::uint64_t count, std::uint64_t length,
                   const std::string& what);

}  // namespace tutti
