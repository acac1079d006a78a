// What a lane is and how two are combined, for one SIMD target: the codecs (memory to accumulator and
// back) and the arithmetics (accumulator with accumulator) that loops-inl.hpp puts together.
//
// All of it gives the same bits on every target, and left and right may be exchanged without changing a bit:
// no multiply is fused with an add (the build says -ffp-contract=off), min and max tell -0 from +0, and a floating
// result that is NaN is always the one canonical quiet NaN, whatever the hardware would have made of its operands.
#include "lib/payload/loops-inl.hpp"

#if defined(TUTTI_LIB_PAYLOAD_ARITHMETIC_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_LIB_PAYLOAD_ARITHMETIC_INL
#undef TUTTI_LIB_PAYLOAD_ARITHMETIC_INL
#else
#define TUTTI_LIB_PAYLOAD_ARITHMETIC_INL
#endif

#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

// The quiet NaN with a clear sign and nothing else: 0x7fc00000, 0x7ff8000000000000.
template <class D, class V>
HWY_INLINE V with_canonical_nan(D d, V value) {
  using Bits = hn::TFromD<hn::RebindToUnsigned<D>>;
  constexpr Bits kNan = sizeof(Bits) == 8 ? static_cast<Bits>(0x7ff8000000000000u) : static_cast<Bits>(0x7fc00000u);
  const auto nan = hn::BitCast(d, hn::Set(hn::RebindToUnsigned<D>(), kNan));
  return hn::IfThenElse(hn::IsNaN(value), nan, value);
}

// ---- codecs ----------------------------------------------------------------------------------------

// Lanes that are combined as they lie in memory. kPerElement is 2 for complex numbers.
template <class LaneType, std::size_t kPerElement = 1>
struct Plain {
  using Lane = LaneType;
  using Number = LaneType;
  static constexpr std::size_t kLanesPerElement = kPerElement;
  static constexpr std::size_t kVectorLanes = HWY_LANES(Lane);
  template <std::size_t N>
  using Tag = hn::CappedTag<Lane, N>;

  template <std::size_t N>
  static HWY_INLINE auto load(const Lane* lanes) {
    return hn::LoadU(Tag<N>(), lanes);
  }
  template <class Arithmetic, std::size_t N, class V>
  static HWY_INLINE V combine(V left, V right) {
    return Arithmetic::combine(Tag<N>(), left, right);
  }
  template <std::size_t N, class V>
  static HWY_INLINE V divide(V value, Number divisor) {
    return hn::Div(value, hn::Set(Tag<N>(), divisor));
  }
  template <std::size_t N, class V>
  static HWY_INLINE V finish(V value) {
    if constexpr (std::is_floating_point_v<Lane>) {
      return with_canonical_nan(Tag<N>(), value);
    } else {
      return value;
    }
  }
};

// (value, index) pairs: lanes are integers of the index's width, the value's bits in the even ones.
template <class ValueType, class IndexType>
struct Located : Plain<IndexType, 2> {
  static_assert(sizeof(ValueType) == sizeof(IndexType));
  template <std::size_t N, class V>
  static HWY_INLINE V finish(V pairs) {
    if constexpr (std::is_floating_point_v<ValueType>) {
      const hn::CappedTag<IndexType, N> d;
      const hn::CappedTag<ValueType, N> d_value;
      return hn::OddEven(pairs, hn::BitCast(d, with_canonical_nan(d_value, hn::BitCast(d_value, pairs))));
    } else {
      return pairs;
    }
  }
};

// bfloat16: the upper half of a float32. A vector of 16-bit lanes is taken as its even and its odd ones, each in
// the upper half of a 32-bit lane, so nothing has to cross lanes.
struct Bfloat16 {
  using Lane = std::uint16_t;
  using Number = float;
  static constexpr std::size_t kLanesPerElement = 1;
  static constexpr std::size_t kVectorLanes = HWY_LANES(Lane);
  template <std::size_t N>
  using Tag = hn::CappedTag<Lane, N>;
  template <std::size_t N>
  using FloatTag = hn::CappedTag<float, (N + 1) / 2>;
  template <std::size_t N>
  using WideTag = hn::CappedTag<std::uint32_t, (N + 1) / 2>;
  template <class V>
  struct Pair {
    V even, odd;
  };

  template <std::size_t N>
  static HWY_INLINE auto load_wide(const Lane* lanes) {
    if constexpr (N == 1) {
      return hn::PromoteTo(WideTag<N>(), hn::LoadU(Tag<N>(), lanes));
    } else {
      return hn::BitCast(WideTag<N>(), hn::LoadU(Tag<N>(), lanes));
    }
  }
  template <std::size_t N>
  static HWY_INLINE auto load(const Lane* lanes) {
    const FloatTag<N> d;
    const WideTag<N> d_wide;
    const auto both = load_wide<N>(lanes);
    const auto even = hn::BitCast(d, hn::ShiftLeft<16>(both));
    const auto odd = hn::BitCast(d, hn::And(both, hn::Set(d_wide, 0xffff0000u)));
    return Pair<hn::Vec<FloatTag<N>>>{even, odd};
  }
  template <class Arithmetic, std::size_t N, class V>
  static HWY_INLINE Pair<V> combine(Pair<V> left, Pair<V> right) {
    const FloatTag<N> d;
    return {Arithmetic::combine(d, left.even, right.even), Arithmetic::combine(d, left.odd, right.odd)};
  }
  template <std::size_t N, class V>
  static HWY_INLINE Pair<V> divide(Pair<V> value, float divisor) {
    const auto by = hn::Set(FloatTag<N>(), divisor);
    return {hn::Div(value.even, by), hn::Div(value.odd, by)};
  }
  // To nearest, ties to even: adding 0x7fff, and one more if the last kept bit is set, carries where it must.
  template <std::size_t N, class V>
  static HWY_INLINE auto rounded(V value) {
    const WideTag<N> d_wide;
    const auto bits = hn::BitCast(d_wide, with_canonical_nan(FloatTag<N>(), value));
    const auto last_kept = hn::And(hn::ShiftRight<16>(bits), hn::Set(d_wide, 1u));
    return hn::Add(hn::Add(bits, hn::Set(d_wide, 0x7fffu)), last_kept);
  }
  template <std::size_t N, class V>
  static HWY_INLINE auto finish(Pair<V> value) {
    const auto even = hn::ShiftRight<16>(rounded<N>(value.even));
    if constexpr (N == 1) {
      return hn::Set(Tag<N>(), static_cast<Lane>(hn::GetLane(even)));
    } else {
      const auto odd = hn::And(rounded<N>(value.odd), hn::Set(WideTag<N>(), 0xffff0000u));
      return hn::BitCast(Tag<N>(), hn::Or(odd, even));
    }
  }
};

// IEEE binary16, by F16C where the target has it and else by integers (after F. Giesen's "half <-> float" notes).
struct Float16 {
  using Lane = std::uint16_t;
  using Number = float;
  static constexpr std::size_t kLanesPerElement = 1;
  static constexpr std::size_t kVectorLanes = HWY_LANES(float);
  static constexpr bool kHardware = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;
  template <std::size_t N>
  using Tag = hn::CappedTag<Lane, N>;
  template <std::size_t N>
  using FloatTag = hn::CappedTag<float, N>;
  template <std::size_t N>
  using WideTag = hn::CappedTag<std::uint32_t, N>;

  template <std::size_t N>
  static HWY_INLINE auto load(const Lane* lanes) {
    const auto half = hn::LoadU(Tag<N>(), lanes);
    if constexpr (kHardware) {
      return hn::PromoteTo(FloatTag<N>(), hn::BitCast(hn::CappedTag<hwy::float16_t, N>(), half));
    } else {
      return widened<N>(hn::PromoteTo(WideTag<N>(), half));
    }
  }
  template <class Arithmetic, std::size_t N, class V>
  static HWY_INLINE V combine(V left, V right) {
    return Arithmetic::combine(FloatTag<N>(), left, right);
  }
  template <std::size_t N, class V>
  static HWY_INLINE V divide(V value, float divisor) {
    return hn::Div(value, hn::Set(FloatTag<N>(), divisor));
  }
  template <std::size_t N, class V>
  static HWY_INLINE auto finish(V value) {
    const auto canonical = with_canonical_nan(FloatTag<N>(), value);
    if constexpr (kHardware) {
      return hn::BitCast(Tag<N>(), hn::DemoteTo(hn::CappedTag<hwy::float16_t, N>(), canonical));
    } else {
      // The bits fit 15 and a sign; as signed numbers, so that the demotion, which saturates, leaves them alone.
      const auto wide = hn::BitCast(hn::CappedTag<std::int32_t, N>(), hn::ShiftLeft<16>(narrowed<N>(canonical)));
      return hn::BitCast(Tag<N>(), hn::DemoteTo(hn::CappedTag<std::int16_t, N>(), hn::ShiftRight<16>(wide)));
    }
  }

 private:
  template <std::size_t N, class V>
  static HWY_INLINE auto widened(V half) {
    const FloatTag<N> d;
    const WideTag<N> d_wide;
    const auto smallest_normal = hn::Set(d_wide, 113u << 23);  // 2^-14
    const auto exponent_mask = hn::Set(d_wide, 0x7c00u << 13);
    const auto magnitude = hn::ShiftLeft<13>(hn::And(half, hn::Set(d_wide, 0x7fffu)));
    const auto exponent = hn::And(magnitude, exponent_mask);
    const auto normal = hn::Add(magnitude, hn::Set(d_wide, (127u - 15u) << 23));
    const auto infinite_or_nan = hn::Add(normal, hn::Set(d_wide, (128u - 16u) << 23));
    // The mantissa below an implicit one of 2^-14, less that one: exact, and no float32 subnormal on the way.
    const auto subnormal = hn::BitCast(
        d_wide, hn::Sub(hn::BitCast(d, hn::Or(magnitude, smallest_normal)), hn::BitCast(d, smallest_normal)));
    const auto finite = hn::IfThenElse(hn::Eq(exponent, hn::Zero(d_wide)), subnormal, normal);
    const auto all = hn::IfThenElse(hn::Eq(exponent, exponent_mask), infinite_or_nan, finite);
    return hn::BitCast(d, hn::Or(all, hn::ShiftLeft<16>(hn::And(half, hn::Set(d_wide, 0x8000u)))));
  }

  template <std::size_t N, class V>
  static HWY_INLINE auto narrowed(V value) {
    const FloatTag<N> d;
    const WideTag<N> d_wide;
    const auto bits = hn::BitCast(d_wide, value);
    const auto sign = hn::And(bits, hn::Set(d_wide, 0x80000000u));
    const auto magnitude = hn::Xor(bits, sign);
    const auto one = hn::Set(d_wide, 1u);
    // Normal: a new exponent bias, and rounding by a carry as for bfloat16.
    const auto last_kept = hn::And(hn::ShiftRight<13>(magnitude), one);
    const auto rebased = hn::Sub(magnitude, hn::Set(d_wide, ((127u - 15u) << 23) - 0xfffu));
    const auto normal = hn::ShiftRight<13>(hn::Add(rebased, last_kept));
    // Subnormal: adding 0.5 lines the mantissa up with float32's last bits, and the adder rounds.
    const auto half = hn::Set(d_wide, 126u << 23);
    const auto subnormal = hn::Sub(hn::BitCast(d_wide, hn::Add(hn::BitCast(d, magnitude), hn::BitCast(d, half))), half);
    const auto finite = hn::IfThenElse(hn::Lt(magnitude, hn::Set(d_wide, 113u << 23)), subnormal, normal);
    const auto infinity = hn::Set(d_wide, 0x7c00u);
    const auto nan = hn::Set(d_wide, 0x7e00u);
    const auto special = hn::IfThenElse(hn::Gt(magnitude, hn::Set(d_wide, 255u << 23)), nan, infinity);
    const auto too_large = hn::Ge(magnitude, hn::Set(d_wide, (127u + 16u) << 23));
    return hn::Or(hn::IfThenElse(too_large, special, finite), hn::ShiftRight<16>(sign));
  }
};

// ---- arithmetics -------------------------------------------------------------------------------------

struct Sum {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Add(left, right);
  }
};

struct FloatProduct {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Mul(left, right);
  }
};

// (a + bi)(c + di) = (ac - bd) + (ad + bc)i, each product and each sum rounded once. No recovery of infinities.
struct ComplexProduct {
  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    const auto real = hn::Mul(hn::DupEven(left), right);                       // ac, ad
    const auto imaginary = hn::Mul(hn::DupOdd(left), hn::Reverse2(d, right));  // bd, bc
    return hn::OddEven(hn::Add(real, imaginary), hn::Sub(real, imaginary));
  }
};

// IEEE 754-2019 minimum: -0 is less than +0, and a NaN wins. Numbers that compare equal have the same bits unless they
// are two zeros, whose signs the bitwise "or" joins.
struct FloatMinimum {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    const auto smaller = hn::IfThenElse(hn::Or(hn::Lt(right, left), hn::IsNaN(right)), right, left);
    return hn::IfThenElse(hn::Eq(left, right), hn::Or(left, right), smaller);
  }
};

struct FloatMaximum {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    const auto larger = hn::IfThenElse(hn::Or(hn::Lt(left, right), hn::IsNaN(right)), right, left);
    return hn::IfThenElse(hn::Eq(left, right), hn::And(left, right), larger);
  }
};

// The pair that is to be kept, in both lanes of each. kDirection is -1 for the minimum, 1 for the maximum. A NaN beats
// every number; equal values (two NaNs too) keep the lower index. Values that are equal with the same index can only
// differ as zeros do; then the sign decides as it does for the minimum and the maximum.
template <class Value, int kDirection>
struct Locate {
  template <class V>
  static HWY_INLINE auto better(V candidate, V than) {
    if constexpr (kDirection < 0) {
      return hn::Lt(candidate, than);
    } else {
      return hn::Lt(than, candidate);
    }
  }

  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    const hn::Rebind<Value, D> d_value;
    const auto left_bits = hn::DupEven(left), right_bits = hn::DupEven(right);
    const auto left_index = hn::DupOdd(left), right_index = hn::DupOdd(right);
    const auto left_value = hn::BitCast(d_value, left_bits), right_value = hn::BitCast(d_value, right_bits);
    // Masks become vectors of the index type, where those of two types meet.
    const auto vector_of = [&](auto mask) HWY_ATTR { return hn::BitCast(d, hn::VecFromMask(d_value, mask)); };
    const auto index_vector_of = [&](auto mask) HWY_ATTR { return hn::VecFromMask(d, mask); };

    const auto is_better = vector_of(better(right_value, left_value));
    const auto is_equal = vector_of(hn::Eq(left_value, right_value));
    const auto lower_index = index_vector_of(hn::Lt(right_index, left_index));
    auto take_right = hn::Or(is_better, hn::And(is_equal, lower_index));
    if constexpr (std::is_floating_point_v<Value>) {
      const auto left_nan = vector_of(hn::IsNaN(left_value)), right_nan = vector_of(hn::IsNaN(right_value));
      const auto same_index = index_vector_of(hn::Eq(right_index, left_index));
      const auto better_zero = hn::And(is_equal, index_vector_of(better(right_bits, left_bits)));
      take_right = hn::Or(take_right, hn::And(same_index, better_zero));
      take_right = hn::Or(take_right, hn::And(right_nan, hn::Or(hn::Not(left_nan), lower_index)));
    }
    return hn::IfThenElse(hn::MaskFromVec(take_right), right, left);
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#endif  // toggle
