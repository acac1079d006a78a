// Sum, average, product, minimum and maximum of integers. Sums and products wrap, and are the same bits for signed
// and unsigned numbers, so they are computed as unsigned ones.
#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/integer_arithmetic.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/arithmetic-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

// The low half of each product. Not every vector unit multiplies lanes of 8 and of 64 bits; those are put together
// from 16 and 32 bits.
struct IntegerProduct {
  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    using Lane = hn::TFromD<D>;
    if constexpr (sizeof(Lane) == 1) {
      return product_of_bytes(d, left, right);
    } else if constexpr (sizeof(Lane) == 8 && HWY_TARGET != HWY_EMU128) {
      return product_of_quads(d, left, right);
    } else {
      return hn::Mul(left, right);
    }
  }

 private:
  template <class D, class V>
  static HWY_INLINE V product_of_bytes(D d, V left, V right) {
    if constexpr (hn::MaxLanes(D()) == 1) {
      return hn::Set(d, static_cast<std::uint8_t>(hn::GetLane(left) * hn::GetLane(right)));
    } else {
      const hn::RepartitionToWide<D> d_wide;
      const auto left_wide = hn::BitCast(d_wide, left), right_wide = hn::BitCast(d_wide, right);
      const auto even = hn::And(hn::Mul(left_wide, right_wide), hn::Set(d_wide, std::uint16_t{0xff}));
      const auto odd = hn::ShiftLeft<8>(hn::Mul(hn::ShiftRight<8>(left_wide), hn::ShiftRight<8>(right_wide)));
      return hn::BitCast(d, hn::Or(even, odd));
    }
  }

  template <class D, class V>
  static HWY_INLINE V product_of_quads(D, V left, V right) {
    const hn::RepartitionToNarrow<D> d_narrow;
    const auto left_low = hn::BitCast(d_narrow, left), right_low = hn::BitCast(d_narrow, right);
    const auto left_high = hn::BitCast(d_narrow, hn::ShiftRight<32>(left));
    const auto right_high = hn::BitCast(d_narrow, hn::ShiftRight<32>(right));
    const auto cross = hn::Add(hn::MulEven(left_low, right_high), hn::MulEven(left_high, right_low));
    return hn::Add(hn::MulEven(left_low, right_low), hn::ShiftLeft<32>(cross));
  }
};

struct IntegerMinimum {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Min(left, right);
  }
};

struct IntegerMaximum {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Max(left, right);
  }
};

template <class Integer>
Operation integer_kernels_of(tutti_op op) {
  using Unsigned = Plain<std::make_unsigned_t<Integer>>;
  switch (op) {
    case TUTTI_SUM:
    case TUTTI_AVG:
      return kernels_of<Unsigned, Sum>();
    case TUTTI_PROD:
      return kernels_of<Unsigned, IntegerProduct>();
    case TUTTI_MIN:
      return kernels_of<Plain<Integer>, IntegerMinimum>();
    case TUTTI_MAX:
      return kernels_of<Plain<Integer>, IntegerMaximum>();
    default:
      return {};
  }
}

Operation integer_kernels(tutti_type type, tutti_op op) {
  switch (type) {
    case TUTTI_INT8:
      return integer_kernels_of<std::int8_t>(op);
    case TUTTI_INT16:
      return integer_kernels_of<std::int16_t>(op);
    case TUTTI_INT32:
      return integer_kernels_of<std::int32_t>(op);
    case TUTTI_INT64:
      return integer_kernels_of<std::int64_t>(op);
    case TUTTI_UINT8:
      return integer_kernels_of<std::uint8_t>(op);
    case TUTTI_UINT16:
      return integer_kernels_of<std::uint16_t>(op);
    case TUTTI_UINT32:
      return integer_kernels_of<std::uint32_t>(op);
    case TUTTI_UINT64:
      return integer_kernels_of<std::uint64_t>(op);
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(integer_kernels);
Operation integer_arithmetic(tutti_type type, tutti_op op) {
  Operation result = HWY_DYNAMIC_DISPATCH(integer_kernels)(type, op);
  if (op == TUTTI_AVG) result.divide = integer_division(type);
  return result;
}

}  // namespace tutti
#endif
