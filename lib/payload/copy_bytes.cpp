// Copies of bytes, where asked by stores that pass the caches.
#include <cstring>

#include "lib/payload/kernels.hpp"
#include "lib/payload/simd_targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/copy_bytes.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "lib/payload/loops-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {

void copy_streaming(std::uint8_t* out, const std::uint8_t* in, std::size_t bytes) {
  const hn::ScalableTag<std::uint8_t> d;
  constexpr std::size_t N = HWY_LANES(std::uint8_t);
  const std::size_t head = lanes_to_line(out);
  std::memcpy(out, in, head);
  std::size_t i = head;
  for (; i + 4 * N <= bytes; i += 4 * N) {
    const auto v0 = hn::LoadU(d, in + i), v1 = hn::LoadU(d, in + i + N);
    const auto v2 = hn::LoadU(d, in + i + 2 * N), v3 = hn::LoadU(d, in + i + 3 * N);
    hn::Stream(v0, d, out + i);
    hn::Stream(v1, d, out + i + N);
    hn::Stream(v2, d, out + i + 2 * N);
    hn::Stream(v3, d, out + i + 3 * N);
  }
  std::memcpy(out + i, in + i, bytes - i);
  hwy::FlushStream();
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(copy_streaming);
HWY_EXPORT(target_name);

void copy_bytes(void* out, const void* in, std::size_t bytes, bool streaming) {
  if (streaming && bytes >= HWY_STATIC_DISPATCH(kStreamingBytes)) {
    HWY_DYNAMIC_DISPATCH(copy_streaming)(static_cast<std::uint8_t*>(out), static_cast<const std::uint8_t*>(in), bytes);
  } else if (bytes != 0) {  // memcpy does not take null pointers, a copy of nothing may have them
    std::memcpy(out, in, bytes);
  }
}

std::string_view simd_target() { return HWY_DYNAMIC_DISPATCH(target_name)(); }

}  // namespace tutti
#endif
