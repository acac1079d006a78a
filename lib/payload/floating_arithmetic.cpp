// Sum, average, product, minimum and maximum of float32, float64 and of complex numbers made of them.
#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/floating_arithmetic.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/arithmetic-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

template <class Codec>
Operation average_of() {
  Operation result = kernels_of<Codec, Sum>();
  result.divide = &divide_kernel<Codec>;
  return result;
}

template <class Number>
Operation real_kernels(tutti_op op) {
  using Codec = Plain<Number>;
  switch (op) {
    case TUTTI_SUM:
      return kernels_of<Codec, Sum>();
    case TUTTI_AVG:
      return average_of<Codec>();
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

template <class Number>
Operation complex_kernels(tutti_op op) {
  using Codec = Plain<Number, 2>;
  switch (op) {
    case TUTTI_SUM:
      return kernels_of<Codec, Sum>();
    case TUTTI_AVG:
      return average_of<Codec>();
    case TUTTI_PROD:
      return kernels_of<Codec, ComplexProduct>();
    default:
      return {};
  }
}

Operation floating_kernels(tutti_type type, tutti_op op) {
  switch (type) {
    case TUTTI_FLOAT32:
      return real_kernels<float>(op);
    case TUTTI_FLOAT64:
      return real_kernels<double>(op);
    case TUTTI_COMPLEX64:
      return complex_kernels<float>(op);
    case TUTTI_COMPLEX128:
      return complex_kernels<double>(op);
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(floating_kernels);
Operation floating_arithmetic(tutti_type type, tutti_op op) { return HWY_DYNAMIC_DISPATCH(floating_kernels)(type, op); }

}  // namespace tutti
#endif
