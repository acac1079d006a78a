// Which SIMD targets the kernels are compiled for; included before Highway by every file that has some.
//
// AVX3 (AVX-512) and AVX2 on x86, NEON on Arm, and for whatever else Highway's portable EMU128, which the kernels use
// an element at a time: it emulates wider vectors by loops that take minutes to compile. SSSE3 and SSE4 would serve x86
// processors from before 2013 only, AVX3_DL has nothing that a combine uses; each would add a third to the time
// of compiling. The scalable targets are left out because a bfloat16 accumulator is a pair of vectors in a struct,
// which their sizeless types do not allow; NEON serves those machines.
#pragma once

#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

// Highway falls back from EMU128 to SCALAR, which has no pairs of lanes, for GCC before 12.3 because of its bug 106322:
// a wrong high half of vectorised products. No kernel here takes one, and payload_test compares EMU128 to the last bit.
#define HWY_BROKEN_EMU128 0
