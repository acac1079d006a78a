// The SIMD targets of this machine, one after the other, for tests that hold the kernels of all of them to one
// reference.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/payload/simd_targets.hpp"
// After simd_targets.hpp:
#include "hwy/targets.h"

namespace tutti::test {

// Makes the payload choose the kernels of one SIMD target, until the end of its life.
class ForcedTarget {
 public:
  explicit ForcedTarget(std::int64_t target) { force(target); }
  ~ForcedTarget() { force(0); }
  ForcedTarget(const ForcedTarget&) = delete;
  ForcedTarget& operator=(const ForcedTarget&) = delete;

 private:
  static void force(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

inline std::vector<std::int64_t> available_targets() {
  std::vector<std::int64_t> targets;
  for (const std::int64_t target : {HWY_AVX3, HWY_AVX2, HWY_NEON}) {
    if ((hwy::SupportedTargets() & HWY_TARGETS & target) != 0) targets.push_back(target);
  }
  if ((HWY_TARGETS & HWY_EMU128) != 0) targets.push_back(HWY_EMU128);
  return targets;
}

}  // namespace tutti::test
