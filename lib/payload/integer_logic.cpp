// Logical and bitwise and, or, xor of integers; the sign does not matter, so only the size does.
#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/integer_logic.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/arithmetic-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

template <class D>
HWY_INLINE auto one(D d) {
  return hn::Set(d, hn::TFromD<D>{1});
}

// 1 where the lane is not zero.
template <class D, class V>
HWY_INLINE V truth(D d, V value) {
  return hn::IfThenZeroElse(hn::Eq(value, hn::Zero(d)), one(d));
}

struct LogicalAnd {
  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    return hn::And(truth(d, left), truth(d, right));
  }
};

struct LogicalOr {
  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    return truth(d, hn::Or(left, right));
  }
};

struct LogicalXor {
  template <class D, class V>
  static HWY_INLINE V combine(D d, V left, V right) {
    return hn::Xor(truth(d, left), truth(d, right));
  }
};

struct BitwiseAnd {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::And(left, right);
  }
};

struct BitwiseOr {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Or(left, right);
  }
};

struct BitwiseXor {
  template <class D, class V>
  static HWY_INLINE V combine(D, V left, V right) {
    return hn::Xor(left, right);
  }
};

template <class Integer>
Operation logic_kernels_of(tutti_op op) {
  using Codec = Plain<Integer>;
  switch (op) {
    case TUTTI_LAND:
      return kernels_of<Codec, LogicalAnd>();
    case TUTTI_LOR:
      return kernels_of<Codec, LogicalOr>();
    case TUTTI_LXOR:
      return kernels_of<Codec, LogicalXor>();
    case TUTTI_BAND:
      return kernels_of<Codec, BitwiseAnd>();
    case TUTTI_BOR:
      return kernels_of<Codec, BitwiseOr>();
    case TUTTI_BXOR:
      return kernels_of<Codec, BitwiseXor>();
    default:
      return {};
  }
}

Operation logic_kernels(tutti_type type, tutti_op op) {
  switch (type) {
    case TUTTI_INT8:
    case TUTTI_UINT8:
      return logic_kernels_of<std::uint8_t>(op);
    case TUTTI_INT16:
    case TUTTI_UINT16:
      return logic_kernels_of<std::uint16_t>(op);
    case TUTTI_INT32:
    case TUTTI_UINT32:
      return logic_kernels_of<std::uint32_t>(op);
    case TUTTI_INT64:
    case TUTTI_UINT64:
      return logic_kernels_of<std::uint64_t>(op);
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(logic_kernels);
Operation integer_logic(tutti_type type, tutti_op op) { return HWY_DYNAMIC_DISPATCH(logic_kernels)(type, op); }

}  // namespace tutti
#endif
