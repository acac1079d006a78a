// Sum, average, product, minimum and maximum of float16 and bfloat16: in float32, rounded to nearest even once.
#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/half_arithmetic.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/arithmetic-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

template <class Codec>
Operation half_kernels_of(tutti_op op) {
  switch (op) {
    case TUTTI_SUM:
      return kernels_of<Codec, Sum>();
    case TUTTI_AVG: {
      Operation average = kernels_of<Codec, Sum>();
      average.divide = &divide_kernel<Codec>;
      return average;
    }
    case TUTTI_PROD:
      return kernels_of<Codec, FloatProduct>();
    case TUTTI_MIN:
      return kernels_of<Codec, FloatMinimum>();
    case TUTTI_MAX:
      return kernels_of<Codec, FloatMaximum>();
    default:
      return {};
  }
}

Operation half_kernels(tutti_type type, tutti_op op) {
  switch (type) {
    case TUTTI_FLOAT16:
      return half_kernels_of<Float16>(op);
    case TUTTI_BFLOAT16:
      return half_kernels_of<Bfloat16>(op);
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(half_kernels);
Operation half_arithmetic(tutti_type type, tutti_op op) { return HWY_DYNAMIC_DISPATCH(half_kernels)(type, op); }

}  // namespace tutti
#endif
