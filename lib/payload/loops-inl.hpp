// The loops of all dense kernels, for one SIMD target; included once for each by files that go through Highway's
// foreach_target.
//
// A loop is made of a source, which computes the result of any lanes (from two operands, from many, from
// one), and a sink, which stores it (in one place, in two). Sources are made of a codec, which turns memory into
// accumulators and back, and of an arithmetic, which combines two accumulators (see arithmetic-inl.hpp).
//
// There is no scalar tail. A vector of N lanes covers any length from N to 2N by two overlapping vectors, both computed
// before either is stored, so that the result may overwrite an operand; a length below the widest vector takes
// the next narrower one, down to a single element. Thus every lane goes through the same instructions, and
// one element costs a few compares more than one addition.
#include "lib/payload/payload.hpp"
#include "lib/payload/simd_targets.hpp"

#if defined(TUTTI_LIB_PAYLOAD_LOOPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_LIB_PAYLOAD_LOOPS_INL
#undef TUTTI_LIB_PAYLOAD_LOOPS_INL
#else
#define TUTTI_LIB_PAYLOAD_LOOPS_INL
#endif

#include <algorithm>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace tutti {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Below this, ordering the stores (an sfence) and the two partial lines cost more than the caches do.
inline constexpr std::size_t kStreamingBytes = 4096;
inline constexpr std::size_t kCacheLineBytes = 64;

template <class Vector>
struct Four {
  Vector v0, v1, v2, v3;
};

// ---- sources: what is computed -------------------------------------------------------------------

template <class CodecType, class Arithmetic>
struct TwoOperands {
  using Codec = CodecType;
  using Lane = typename Codec::Lane;
  const Lane* left;
  const Lane* right;

  HWY_INLINE bool reads(const void* out) const { return out == left || out == right; }

  template <std::size_t N>
  HWY_INLINE auto at(std::size_t i) const {
    return Codec::template finish<N>(
        Codec::template combine<Arithmetic, N>(Codec::template load<N>(left + i), Codec::template load<N>(right + i)));
  }

  template <std::size_t N>
  HWY_INLINE auto four_at(std::size_t i) const {
    return Four<decltype(at<N>(i))>{at<N>(i), at<N>(i + N), at<N>(i + 2 * N), at<N>(i + 3 * N)};
  }
};

template <class CodecType, class Arithmetic>
struct ManyOperands {
  using Codec = CodecType;
  using Lane = typename Codec::Lane;
  const void* const* sources;
  std::size_t source_count;

  HWY_INLINE bool reads(const void* out) const {
    return std::find(sources, sources + source_count, out) != sources + source_count;
  }

  template <std::size_t N>
  HWY_INLINE auto load(std::size_t source, std::size_t i) const {
    return Codec::template load<N>(static_cast<const Lane*>(sources[source]) + i);
  }

  template <std::size_t N>
  HWY_INLINE auto at(std::size_t i) const {
    auto sum = load<N>(0, i);
    for (std::size_t s = 1; s < source_count; ++s) sum = Codec::template combine<Arithmetic, N>(sum, load<N>(s, i));
    return Codec::template finish<N>(sum);
  }

  // Four accumulators stay in registers while the sources pass by, whole cache lines of each at a time.
  template <std::size_t N>
  HWY_INLINE auto four_at(std::size_t i) const {
    auto a0 = load<N>(0, i), a1 = load<N>(0, i + N), a2 = load<N>(0, i + 2 * N), a3 = load<N>(0, i + 3 * N);
    for (std::size_t s = 1; s < source_count; ++s) {
      a0 = Codec::template combine<Arithmetic, N>(a0, load<N>(s, i));
      a1 = Codec::template combine<Arithmetic, N>(a1, load<N>(s, i + N));
      a2 = Codec::template combine<Arithmetic, N>(a2, load<N>(s, i + 2 * N));
      a3 = Codec::template combine<Arithmetic, N>(a3, load<N>(s, i + 3 * N));
    }
    return Four<decltype(at<N>(i))>{Codec::template finish<N>(a0), Codec::template finish<N>(a1),
                                    Codec::template finish<N>(a2), Codec::template finish<N>(a3)};
  }
};

template <class CodecType>
struct Quotient {
  using Codec = CodecType;
  using Lane = typename Codec::Lane;
  const Lane* data;
  typename Codec::Number divisor;

  HWY_INLINE bool reads(const void*) const { return true; }

  template <std::size_t N>
  HWY_INLINE auto at(std::size_t i) const {
    return Codec::template finish<N>(Codec::template divide<N>(Codec::template load<N>(data + i), divisor));
  }

  template <std::size_t N>
  HWY_INLINE auto four_at(std::size_t i) const {
    return Four<decltype(at<N>(i))>{at<N>(i), at<N>(i + N), at<N>(i + 2 * N), at<N>(i + 3 * N)};
  }
};

// ---- sinks: where it goes ------------------------------------------------------------------------

template <class Codec>
struct OnePlace {
  typename Codec::Lane* out;

  template <std::size_t N, class Vector>
  HWY_INLINE void store(Vector vector, std::size_t i) const {
    hn::StoreU(vector, typename Codec::template Tag<N>(), out + i);
  }
  template <std::size_t N, class Vector>
  HWY_INLINE void stream(Vector vector, std::size_t i) const {
    hn::Stream(vector, typename Codec::template Tag<N>(), out + i);
  }
};

// The copy is for somebody who reads it soon, so it is always cached.
template <class Codec>
struct TwoPlaces {
  typename Codec::Lane* out;
  typename Codec::Lane* copy;

  template <std::size_t N, class Vector>
  HWY_INLINE void store(Vector vector, std::size_t i) const {
    hn::StoreU(vector, typename Codec::template Tag<N>(), out + i);
    hn::StoreU(vector, typename Codec::template Tag<N>(), copy + i);
  }
  template <std::size_t N, class Vector>
  HWY_INLINE void stream(Vector vector, std::size_t i) const {
    hn::Stream(vector, typename Codec::template Tag<N>(), out + i);
    hn::StoreU(vector, typename Codec::template Tag<N>(), copy + i);
  }
};

// ---- the loops -----------------------------------------------------------------------------------

// Fewer than 2N lanes from `begin` on, by at most two vectors.
template <std::size_t N, class Source, class Sink>
HWY_INLINE void run_short(const Source& source, const Sink& sink, std::size_t begin, std::size_t lanes) {
  constexpr std::size_t kSmallest = Source::Codec::kLanesPerElement;
  if (lanes >= N) {
    const auto first = source.template at<N>(begin);
    if constexpr (N > kSmallest) {
      const std::size_t second = begin + lanes - N;
      const auto last = source.template at<N>(second);
      sink.template store<N>(first, begin);
      sink.template store<N>(last, second);
    } else {
      sink.template store<N>(first, begin);
    }
  } else if constexpr (N > kSmallest) {
    run_short<N / 2>(source, sink, begin, lanes);
  }
}

// Element by element, where vectors are emulated.
template <class Source, class Sink>
HWY_INLINE void run_emulated(const Source& source, const Sink& sink, std::size_t begin, std::size_t lanes) {
  constexpr std::size_t N = Source::Codec::kLanesPerElement;
  for (std::size_t i = begin; i < begin + lanes; i += N) sink.template store<N>(source.template at<N>(i), i);
}

// At least 2N lanes from `begin` on, by cached stores.
template <class Source, class Sink>
HWY_INLINE void run_long(const Source& source, const Sink& sink, std::size_t begin, std::size_t lanes) {
  constexpr std::size_t N = Source::Codec::kVectorLanes;
  // The last vector overlaps its neighbour, which may overwrite what it is computed from: so it comes first.
  const std::size_t end = begin + lanes;
  const auto last = source.template at<N>(end - N);
  std::size_t i = begin;
  for (; i + 4 * N <= end; i += 4 * N) {
    const auto four = source.template four_at<N>(i);
    sink.template store<N>(four.v0, i);
    sink.template store<N>(four.v1, i + N);
    sink.template store<N>(four.v2, i + 2 * N);
    sink.template store<N>(four.v3, i + 3 * N);
  }
  for (; i + N <= end; i += N) sink.template store<N>(source.template at<N>(i), i);
  if (i < end) sink.template store<N>(last, end - N);
}

// Whole cache lines by stores that pass the caches, from `i`, where one begins, towards `end`. Gives the first lane
// that was not reached.
template <class Source, class Sink>
HWY_INLINE std::size_t run_lines(const Source& source, const Sink& sink, std::size_t i, std::size_t end) {
  constexpr std::size_t N = Source::Codec::kVectorLanes;
  for (; i + 4 * N <= end; i += 4 * N) {
    const auto four = source.template four_at<N>(i);
    sink.template stream<N>(four.v0, i);
    sink.template stream<N>(four.v1, i + N);
    sink.template stream<N>(four.v2, i + 2 * N);
    sink.template stream<N>(four.v3, i + 3 * N);
  }
  hwy::FlushStream();
  return i;
}

// Lanes from `out` to its next cache line; whole elements only if `out` is aligned to them.
template <class Lane>
HWY_INLINE std::size_t lanes_to_line(const Lane* out) {
  const std::size_t past_line = reinterpret_cast<std::uintptr_t>(out) % kCacheLineBytes;
  return (kCacheLineBytes - past_line) % kCacheLineBytes / sizeof(Lane);
}

// Streaming needs whole elements up to the cache line, and a result that overwrites no operand: the lines of an
// operand are in the caches already, and throwing them out costs more than it saves (1.2 to 5 times, by size).
//
// Not inlined, and streaming calls itself for the two ends: one copy of the code keeps the time of compiling bounded.
template <class Source, class Sink>
HWY_NOINLINE void run(Source source, Sink sink, std::size_t begin, std::size_t lanes, bool streaming) {
  using Codec = typename Source::Codec;
  using Lane = typename Codec::Lane;
  constexpr std::size_t kElementBytes = sizeof(Lane) * Codec::kLanesPerElement;
  if constexpr (HWY_TARGET == HWY_EMU128) {
    run_emulated(source, sink, begin, lanes);
  } else if (lanes < 2 * Codec::kVectorLanes) {
    run_short<Codec::kVectorLanes>(source, sink, begin, lanes);
  } else if (streaming && lanes * sizeof(Lane) >= kStreamingBytes &&
             reinterpret_cast<std::uintptr_t>(sink.out) % kElementBytes == 0 && !source.reads(sink.out)) {
    const std::size_t head = lanes_to_line(sink.out + begin);
    const std::size_t end = begin + lanes;
    run(source, sink, begin, head, false);
    const std::size_t reached = run_lines(source, sink, begin + head, end);
    run(source, sink, reached, end - reached, false);
  } else {
    run_long(source, sink, begin, lanes);
  }
}

// ---- the kernels, as payload.hpp declares them --------------------------------------------------------

template <class Codec, class Arithmetic>
void combine_kernel(void* out, const void* left, const void* right, std::size_t count, bool streaming, const void*) {
  using Lane = typename Codec::Lane;
  const TwoOperands<Codec, Arithmetic> source{static_cast<const Lane*>(left), static_cast<const Lane*>(right)};
  run(source, OnePlace<Codec>{static_cast<Lane*>(out)}, 0, count * Codec::kLanesPerElement, streaming);
}

template <class Codec, class Arithmetic>
void combine_twice_kernel(void* out, void* copy, const void* left, const void* right, std::size_t count, bool streaming,
                          const void*) {
  using Lane = typename Codec::Lane;
  const TwoOperands<Codec, Arithmetic> source{static_cast<const Lane*>(left), static_cast<const Lane*>(right)};
  const TwoPlaces<Codec> sink{static_cast<Lane*>(out), static_cast<Lane*>(copy)};
  run(source, sink, 0, count * Codec::kLanesPerElement, streaming);
}

template <class Codec, class Arithmetic>
void fold_kernel(void* out, const void* const* sources, std::size_t source_count, std::size_t count, bool streaming,
                 const void*) {
  using Lane = typename Codec::Lane;
  if (source_count < 2) {  // nothing is combined, so nothing is rounded or made canonical either
    if (source_count == 1 && out != sources[0] && count != 0) {
      copy_bytes(out, sources[0], count * Codec::kLanesPerElement * sizeof(Lane), streaming);
    }
    return;
  }
  const ManyOperands<Codec, Arithmetic> source{sources, source_count};
  run(source, OnePlace<Codec>{static_cast<Lane*>(out)}, 0, count * Codec::kLanesPerElement, streaming);
}

template <class Codec>
void divide_kernel(void* data, std::size_t count, std::uint64_t divisor) {
  using Lane = typename Codec::Lane;
  const Quotient<Codec> source{static_cast<const Lane*>(data), static_cast<typename Codec::Number>(divisor)};
  run(source, OnePlace<Codec>{static_cast<Lane*>(data)}, 0, count * Codec::kLanesPerElement, false);
}

template <class Codec, class Arithmetic>
Operation kernels_of() {
  Operation result;
  result.combine = &combine_kernel<Codec, Arithmetic>;
  result.combine_twice = &combine_twice_kernel<Codec, Arithmetic>;
  result.fold = &fold_kernel<Codec, Arithmetic>;
  return result;
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti
HWY_AFTER_NAMESPACE();

#endif  // toggle
