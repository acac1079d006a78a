// The kernels of sparse streams that walk pairs: sums of two streams, and between pairs and dense vectors. A pair is
// wanted or not without a pattern that a processor could predict, so the loops store always and move on by a
// comparison.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "lib/error.hpp"
#include "lib/payload/payload.hpp"
#include "lib/payload/sparse.hpp"

namespace tutti {

void Pairs::reserve(std::uint64_t pairs) {
  if (pairs <= room_ && memory_) return;
  // An even number, so that indices of eight bytes are aligned behind values of four.
  const std::uint64_t room = (std::max(pairs, count_ == 0 ? pairs : 2 * room_) + 1) / 2 * 2;
  Pairs larger(index_bytes_, value_bytes_);
  larger.room_ = room;
  larger.count_ = count_;
  larger.memory_ = std::make_unique_for_overwrite<std::byte[]>((room + slack) * (value_bytes_ + index_bytes_));
  if (count_ != 0) {
    std::memcpy(larger.values(), values(), count_ * value_bytes_);
    std::memcpy(larger.indices(), indices(), count_ * index_bytes_);
  }
  *this = std::move(larger);
}

namespace {

template <class Value, class Index>
struct Kernels {
  using Bits = std::conditional_t<sizeof(Value) == 4, std::uint32_t, std::uint64_t>;
  static constexpr Bits sign = Bits{1} << (8 * sizeof(Value) - 1);

  static Bits magnitude(Value value) { return std::bit_cast<Bits>(value) & ~sign; }
  static const Index* indices_of(const PairsView& pairs) { return static_cast<const Index*>(pairs.indices); }
  static const Value* values_of(const PairsView& pairs) { return static_cast<const Value*>(pairs.values); }

  static std::uint64_t merge(void* out_indices, void* out_values, const PairsView& left, const PairsView& right) {
    const Index *a = indices_of(left), *b = indices_of(right);
    const Value *x = values_of(left), *y = values_of(right);
    auto* indices = static_cast<Index*>(out_indices);
    auto* values = static_cast<Value*>(out_values);
    std::uint64_t i = 0, j = 0, out = 0;
    while (i < left.count && j < right.count) {
      const Index ia = a[i], ib = b[j];
      const Value sum = x[i] + y[j];
      const bool takes_left = ia <= ib, takes_right = ib <= ia;
      const Value one = takes_left ? x[i] : y[j];
      indices[out] = takes_left ? ia : ib;
      values[out++] = ia == ib ? sum : one;
      i += takes_left;
      j += takes_right;
    }
    const auto append = [&](const Index* from_indices, const Value* from_values, std::uint64_t count) {
      if (count == 0) return;
      std::memcpy(indices + out, from_indices, count * sizeof(Index));
      std::memcpy(values + out, from_values, count * sizeof(Value));
      out += count;
    };
    append(a + i, x + i, left.count - i);
    append(b + j, y + j, right.count - j);
    return out;
  }

  static std::uint64_t difference(void* out_indices, void* out_values, const PairsView& left, const PairsView& right) {
    const Index *a = indices_of(left), *b = indices_of(right);
    auto* indices = static_cast<Index*>(out_indices);
    auto* values = static_cast<Value*>(out_values);
    std::uint64_t out = 0, j = 0;
    for (std::uint64_t i = 0; i < left.count; ++i) {
      while (j < right.count && b[j] < a[i]) ++j;
      if (j < right.count && b[j] == a[i]) continue;
      indices[out] = a[i];
      values[out++] = values_of(left)[i];
    }
    return out;
  }

  static std::uint64_t drop_zeros(void* all_indices, void* all_values, std::uint64_t count) {
    auto* indices = static_cast<Index*>(all_indices);
    auto* values = static_cast<Value*>(all_values);
    std::uint64_t kept = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Index index = indices[i];
      const Value value = values[i];
      indices[kept] = index;
      values[kept] = value;
      kept += magnitude(value) != 0;
    }
    return kept;
  }

  static void scatter(void* dense, std::uint64_t first, const PairsView& pairs) {
    auto* to = static_cast<Value*>(dense);
    for (std::uint64_t i = 0; i < pairs.count; ++i) to[indices_of(pairs)[i] - first] = values_of(pairs)[i];
  }
  static void scatter_add(void* dense, std::uint64_t first, const PairsView& pairs) {
    auto* to = static_cast<Value*>(dense);
    for (std::uint64_t i = 0; i < pairs.count; ++i) to[indices_of(pairs)[i] - first] += values_of(pairs)[i];
  }
  static void clear_at(void* dense, std::uint64_t first, const PairsView& pairs) {
    auto* to = static_cast<Value*>(dense);
    for (std::uint64_t i = 0; i < pairs.count; ++i) to[indices_of(pairs)[i] - first] = 0;
  }

  static std::uint64_t find(const void* indices, std::uint64_t count, std::uint64_t index) {
    const auto* begin = static_cast<const Index*>(indices);
    const auto below = [](Index each, std::uint64_t limit) { return each < limit; };
    return static_cast<std::uint64_t>(std::lower_bound(begin, begin + count, index, below) - begin);
  }
  static std::uint64_t index_at(const void* indices, std::uint64_t pair) {
    return static_cast<const Index*>(indices)[pair];
  }
  static std::uint64_t first_fault(const void* all, std::uint64_t count, std::uint64_t length) {
    const auto* indices = static_cast<const Index*>(all);
    for (std::uint64_t i = 0; i < count; ++i)
      if (indices[i] >= length || (i > 0 && indices[i] <= indices[i - 1])) return i;
    return count;
  }

  static std::uint64_t collect(const void* from, void* with, std::uint64_t count, Magnitude least, std::uint64_t first,
                               void* out_indices, void* out_values) {
    const auto* values = static_cast<const Value*>(from);
    auto* residual = static_cast<Value*>(with);
    auto* indices = static_cast<Index*>(out_indices);
    auto* out = static_cast<Value*>(out_values);
    if constexpr (sizeof(Value) == 4 && sizeof(Index) == 4)
      return collect_float32(values, residual, count, static_cast<Bits>(least), static_cast<Index>(first), indices,
                             out);
    std::uint64_t kept = 0, i = 0;
    for (; i + 64 <= count; i += 64) {
      std::uint64_t mask = mask_of_64(values + i, residual ? residual + i : nullptr, static_cast<Bits>(least));
      for (; mask != 0; mask &= mask - 1) {
        const std::uint64_t place = i + static_cast<std::uint64_t>(std::countr_zero(mask));
        indices[kept] = static_cast<Index>(first + place);
        out[kept++] = residual ? residual[place] : values[place];
      }
    }
    for (; i < count; ++i) {
      if (residual) residual[i] += values[i];
      const Value value = residual ? residual[i] : values[i];
      indices[kept] = static_cast<Index>(first + i);
      out[kept] = value;
      kept += magnitude(value) >= least;
    }
    return kept;
  }

  // Digit by digit from the top, counting those that agree so far.
  static Magnitude rank_magnitude(const void* from, std::uint64_t count, std::uint64_t rank) {
    constexpr int digit_bits = 11;
    const auto* values = static_cast<const Value*>(from);
    Bits prefix = 0;
    int known = 8 * static_cast<int>(sizeof(Value)) - 1;  // bits below this one are not known yet
    while (known > 0) {
      const int shift = std::max(known - digit_bits, 0);
      std::array<std::uint64_t, std::size_t{1} << digit_bits> counts{};
      for (std::uint64_t i = 0; i < count; ++i) {
        const Bits bits = magnitude(values[i]);
        if ((bits >> known) == prefix) ++counts[(bits >> shift) & ((Bits{1} << (known - shift)) - 1)];
      }
      std::uint64_t digit = (std::uint64_t{1} << (known - shift)) - 1;
      for (; counts[digit] < rank; --digit) rank -= counts[digit];
      prefix = static_cast<Bits>(prefix << (known - shift) | digit);
      known = shift;
    }
    return prefix;
  }

  static std::uint64_t keep_above(void* all_indices, void* all_values, std::uint64_t count, Magnitude threshold,
                                  std::uint64_t ties) {
    auto* indices = static_cast<Index*>(all_indices);
    auto* values = static_cast<Value*>(all_values);
    std::uint64_t kept = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Index index = indices[i];
      const Value value = values[i];
      const Bits bits = magnitude(value);
      const bool tie = bits == threshold && ties != 0;
      ties -= tie;
      indices[kept] = index;
      values[kept] = value;
      kept += (bits > threshold) | tie;
    }
    return kept;
  }

  static std::uint64_t count_above(const void* from, std::uint64_t count, Magnitude threshold) {
    const auto* values = static_cast<const Value*>(from);
    return static_cast<std::uint64_t>(
        std::count_if(values, values + count, [&](Value value) { return magnitude(value) > threshold; }));
  }

  static void histogram(const void* from, std::uint64_t count, Magnitude low, std::uint32_t shift,
                        std::span<std::uint64_t> bins) {
    const auto* values = static_cast<const Value*>(from);
    for (std::uint64_t i = 0; i < count; ++i) {
      const Magnitude bits = magnitude(values[i]);
      if (bits < low) continue;
      const std::uint64_t bin = (bits - low) >> shift;
      if (bin < bins.size()) ++bins[bin];
    }
  }

  static void add(void* out, const void* values, const void* residual, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const Value value = static_cast<const Value*>(values)[i];
      static_cast<Value*>(out)[i] = residual ? value + static_cast<const Value*>(residual)[i] : value;
    }
  }

  static constexpr SparseKernels table{
      sizeof(Index),   sizeof(Value), &merge,       &difference, &drop_zeros,  &scatter,
      &scatter_add,    &clear_at,     &find,        &index_at,   &first_fault, &collect,
      &rank_magnitude, &keep_above,   &count_above, &histogram,  &add,         8 * sizeof(Value) - 1};
};

}  // namespace

const SparseKernels& sparse_kernels(tutti_type type, std::uint32_t index_bytes, std::uint64_t length) {
  if (type != TUTTI_FLOAT32 && type != TUTTI_FLOAT64)
    throw error(TUTTI_ERROR_UNSUPPORTED, "sparse values are float32 or float64; {} is not supported",
                type_size(type) != 0 ? type_name(type) : "an unknown type");
  if (index_bytes != 4 && index_bytes != 8)
    throw error(TUTTI_ERROR_ARGUMENT, "indices of {} bytes: 4 and 8 are right", index_bytes);
  if (index_bytes == 4 && length > std::uint64_t{1} << 32)
    throw error(TUTTI_ERROR_ARGUMENT, "a vector of {} elements needs indices of 8 bytes, not 4", length);
  if (type == TUTTI_FLOAT32)
    return index_bytes == 4 ? Kernels<float, std::uint32_t>::table : Kernels<float, std::uint64_t>::table;
  return index_bytes == 4 ? Kernels<double, std::uint32_t>::table : Kernels<double, std::uint64_t>::table;
}

void check_indices(const SparseKernels& kernels, const void* indices, std::uint64_t count, std::uint64_t length,
                   const std::string& what) {
  const std::uint64_t fault = kernels.first_fault(indices, count, length);
  if (fault == count) return;
  const std::uint64_t index = kernels.index_at(indices, fault);
  if (index >= length)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: indices[{}] is {}, out of range: the vector has {} elements", what, fault,
                index, length);
  const std::uint64_t before = kernels.index_at(indices, fault - 1);
  if (index == before)
    throw error(TUTTI_ERROR_ARGUMENT, "{}: indices[{}] repeats {}; each index may stand once (sum its values first)",
                what, fault, index);
  throw error(TUTTI_ERROR_ARGUMENT, "{}: indices[{}] is {}, after {}; they must be sorted, the lowest first", what,
              fault, index, before);
}

}  // namespace tutti
