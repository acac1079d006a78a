// SPDX-License-Identifier: BSD-3-Clause
//
// How ranges become the pointers and counts of the C interface, in Tutti's C++ face, and the checks that their
// lengths fit together. A message names the call, both lengths, and the length that would be right.
#pragma once

#include <cstddef>
#include <ranges>
#include <string>

#include "elements.hpp"
#include "failure.hpp"

namespace tutti::inline v0::detail {

// What the C interface is told of one call.
struct Shape {
  const void* in;
  void* out;
  std::size_t count;
  tutti_type type;
};

template <class R>
std::size_t length(R&& range) {
  return static_cast<std::size_t>(std::ranges::size(range));
}
template <class R>
inline constexpr tutti_type type_in = type_of<std::ranges::range_value_t<R>>;

inline std::string elements(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " element" : " elements");
}

// The length of one of `ranks` equal blocks of a buffer.
inline std::size_t block_length(const char* call, std::size_t whole, int ranks) {
  const auto parts = static_cast<std::size_t>(ranks);
  if (parts == 0 || whole % parts != 0) {
    refuse(std::string(call) + ": the buffer has " + elements(whole) + ", which cannot be cut into " +
           std::to_string(ranks) + " equal blocks, one for each rank; a multiple of " + std::to_string(ranks) +
           " would be right");
  }
  return whole / parts;
}

// Refuses a long side that is not `ranks` times the short side.
inline void check_blocks(const char* call, const char* long_side, std::size_t whole, const char* short_side,
                         std::size_t block, int ranks) {
  const auto parts = static_cast<std::size_t>(ranks);
  const bool fits = parts != 0 && whole % parts == 0 && whole / parts == block;
  if (!fits) {
    refuse(std::string(call) + ": `" + long_side + "` has " + elements(whole) + ", `" + short_side + "` has " +
           elements(block) + "; with " + std::to_string(ranks) + " ranks `" + long_side + "` must be " +
           std::to_string(ranks) + " times as long as `" + short_side + "`");
  }
}

template <class In, class Out>
Shape equal_shape(const char* call, In& in, Out& out) {
  if (length(in) != length(out)) {
    refuse(std::string(call) + ": `in` has " + elements(length(in)) + " and `out` has " + elements(length(out)) +
           "; they must be equally long");
  }
  return {std::ranges::data(in), std::ranges::data(out), length(in), type_in<In>};
}

template <class InOut>
Shape same_shape(InOut& inout) {
  return {std::ranges::data(inout), std::ranges::data(inout), length(inout), type_in<InOut>};
}

template <class In, class Out>
Shape reduce_shape(const char* call, In& in, Out& out, bool is_root) {
  if (is_root) return equal_shape(call, in, out);
  return {std::ranges::data(in), nullptr, length(in), type_in<In>};
}

template <class InOut>
Shape reduce_in_place_shape(InOut& inout, bool is_root) {
  return {std::ranges::data(inout), is_root ? std::ranges::data(inout) : nullptr, length(inout), type_in<InOut>};
}

template <class In, class Out>
Shape reduce_scatter_shape(const char* call, In& in, Out& out, int ranks) {
  check_blocks(call, "in", length(in), "out", length(out), ranks);
  return {std::ranges::data(in), std::ranges::data(out), length(out), type_in<In>};
}

template <class In, class Out>
Shape allgather_shape(const char* call, In& in, Out& out, int ranks) {
  check_blocks(call, "out", length(out), "in", length(in), ranks);
  return {std::ranges::data(in), std::ranges::data(out), length(in), type_in<In>};
}

template <class In, class Out>
Shape alltoall_shape(const char* call, In& in, Out& out, int ranks) {
  Shape shape = equal_shape(call, in, out);
  shape.count = block_length(call, shape.count, ranks);
  return shape;
}

// In place: one buffer of equal blocks, one for each rank.
template <class InOut>
Shape blocks_shape(const char* call, InOut& inout, int ranks) {
  const std::size_t block = block_length(call, length(inout), ranks);
  return {std::ranges::data(inout), std::ranges::data(inout), block, type_in<InOut>};
}

}  // namespace tutti::inline v0::detail
