// The pass over a dense vector that finds its large values: added to the residual, compared and, where they are float32
// with 32-bit indices, packed by the vector unit. Most vectors have nothing to keep, so four are tested at once.
#include "lib/payload/simd_targets.hpp"
#include "lib/payload/sparse.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/payload/sparse_scan.cpp"
#include "hwy/foreach_target.h"
// After foreach_target.h:
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Tag, class Number = hn::TFromD<Tag>>
HWY_INLINE auto element_at(Tag d, const Number* values, Number* residual, std::size_t i) {
  auto value = hn::LoadU(d, values + i);
  if (residual != nullptr) {
    value = hn::Add(value, hn::LoadU(d, residual + i));
    hn::StoreU(value, d, residual + i);
  }
  return value;
}

// Magnitudes have no sign, so signed numbers compare them; `below` is the largest that is not kept.
template <class Tag, class Vector, class Below>
HWY_INLINE auto is_large(Tag d, Vector value, Below below) {
  const hn::RebindToSigned<Tag> bits;
  return hn::RebindMask(d, hn::Gt(hn::BitCast(bits, hn::Abs(value)), below));
}

std::uint64_t scan_float32(const float* values, float* residual, std::uint64_t count, std::uint32_t least,
                           std::uint32_t first, std::uint32_t* indices, float* out) {
  const hn::ScalableTag<float> d;
  const hn::RebindToUnsigned<decltype(d)> di;
  const hn::RebindToSigned<decltype(d)> ds;
  const std::size_t lanes = hn::Lanes(d);
  const auto below = hn::Set(ds, static_cast<std::int32_t>(least - 1));
  std::uint64_t kept = 0;
  std::size_t i = 0;
  // The whole vector is stored, the place of the next one counts only what was kept: there is room for it.
  const auto keep = [&](auto value, auto mask, std::size_t at) HWY_ATTR {
    const auto places = hn::Iota(di, static_cast<std::uint32_t>(first + at));
    hn::StoreU(hn::Compress(value, mask), d, out + kept);
    hn::StoreU(hn::Compress(places, hn::RebindMask(di, mask)), di, indices + kept);
    kept += hn::CountTrue(d, mask);
  };
  for (; i + 4 * lanes <= count; i += 4 * lanes) {
    const auto v0 = element_at(d, values, residual, i), v1 = element_at(d, values, residual, i + lanes);
    const auto v2 = element_at(d, values, residual, i + 2 * lanes), v3 = element_at(d, values, residual, i + 3 * lanes);
    const auto m0 = is_large(d, v0, below), m1 = is_large(d, v1, below);
    const auto m2 = is_large(d, v2, below), m3 = is_large(d, v3, below);
    if (hn::AllFalse(d, hn::Or(hn::Or(m0, m1), hn::Or(m2, m3)))) continue;
    keep(v0, m0, i);
    keep(v1, m1, i + lanes);
    keep(v2, m2, i + 2 * lanes);
    keep(v3, m3, i + 3 * lanes);
  }
  for (; i + lanes <= count; i += lanes) {
    const auto value = element_at(d, values, residual, i);
    keep(value, is_large(d, value, below), i);
  }
  const hn::CappedTag<float, 1> one;
  const hn::RebindToSigned<decltype(one)> one_signed;
  for (; i < count; ++i) {
    const auto value = element_at(one, values, residual, i);
    if (hn::AllFalse(one, is_large(one, value, hn::Set(one_signed, static_cast<std::int32_t>(least - 1))))) continue;
    out[kept] = hn::GetLane(value);
    indices[kept++] = static_cast<std::uint32_t>(first + i);
  }
  return kept;
}

// 64 elements to the bits of a word: for values and indices of different widths.
template <class Number, class Bits>
std::uint64_t mask_of(const Number* values, Number* residual, Bits least) {
  const hn::ScalableTag<Number> d;
  const hn::RebindToSigned<decltype(d)> ds;
  const std::size_t lanes = hn::Lanes(d);
  const auto below = hn::Set(ds, static_cast<hn::TFromD<decltype(ds)>>(least - 1));
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 64; i += lanes) {
    std::uint8_t bits[8] = {};
    hn::StoreMaskBits(d, is_large(d, element_at(d, values, residual, i), below), bits);
    std::uint64_t part = 0;
    for (std::size_t b = 0; b < (lanes + 7) / 8; ++b) part |= std::uint64_t{bits[b]} << (8 * b);
    word |= part << i;
  }
  return word;
}
std::uint64_t mask_float32_of(const float* values, float* residual, std::uint32_t least) {
  return mask_of(values, residual, least);
}
std::uint64_t mask_float64_of(const double* values, double* residual, std::uint64_t least) {
  return mask_of(values, residual, least);
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti {

HWY_EXPORT(scan_float32);
HWY_EXPORT(mask_float32_of);
HWY_EXPORT(mask_float64_of);

std::uint64_t collect_float32(const float* values, float* residual, std::uint64_t count, std::uint32_t least,
                              std::uint32_t first, std::uint32_t* indices, float* out) {
  return HWY_DYNAMIC_DISPATCH(scan_float32)(values, residual, count, least, first, indices, out);
}
std::uint64_t mask_of_64(const float* values, float* residual, std::uint32_t least) {
  return HWY_DYNAMIC_DISPATCH(mask_float32_of)(values, residual, least);
}
std::uint64_t mask_of_64(const double* values, double* residual, std::uint64_t least) {
  return HWY_DYNAMIC_DISPATCH(mask_float64_of)(values, residual, least);
}

}  // namespace tutti
#endif
