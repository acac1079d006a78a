// Minloc and maxloc of (value, index) pairs.
#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/located_extremum.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/arithmetic-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

template <class Value, class Index>
Operation located_kernels_of(tutti_op op) {
  switch (op) {
    case TUTTI_MINLOC:
      return kernels_of<Located<Value, Index>, Locate<Value, -1>>();
    case TUTTI_MAXLOC:
      return kernels_of<Located<Value, Index>, Locate<Value, 1>>();
    default:
      return {};
  }
}

Operation located_kernels(tutti_type type, tutti_op op) {
  switch (type) {
    case TUTTI_FLOAT32_INT32:
      return located_kernels_of<float, std::int32_t>(op);
    case TUTTI_FLOAT64_INT64:
      return located_kernels_of<double, std::int64_t>(op);
    case TUTTI_INT32_INT32:
      return located_kernels_of<std::int32_t, std::int32_t>(op);
    case TUTTI_INT64_INT64:
      return located_kernels_of<std::int64_t, std::int64_t>(op);
    default:
      return {};
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(located_kernels);
Operation located_extremum(tutti_type type, tutti_op op) { return HWY_DYNAMIC_DISPATCH(located_kernels)(type, op); }

}  // namespace tutti
#endif
