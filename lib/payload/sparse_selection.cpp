// See sparse_selection.hpp.
#include "lib/payload/sparse_selection.hpp"

#include <algorithm>
#include <limits>

namespace tutti {
namespace {

// Elements in one step of the pass: what is kept of them stays in the first-level cache until the next look.
constexpr std::uint64_t step_elements = 8192;
// A sample reads whole cache lines, one of each stretch of the vector, at a place that a fixed sequence draws.
constexpr std::uint64_t line_elements = 16;
constexpr std::uint64_t most_lines = 2048;
// Beyond this many candidates (and four times k) the choice is made among them before the pass goes on.
constexpr std::uint64_t least_limit = 65536;

std::uint64_t drawn(std::uint64_t number) {  // splitmix64
  number += 0x9e3779b97f4a7c15u;
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
  number = (number ^ number >> 27) * 0x94d049bb133111ebu;
  return number ^ number >> 31;
}

class Selector {
 public:
  Selector(const SparseKernels& kernels, const void* values, void* residual, std::uint64_t count, Pairs& out,
           SelectionRoom& room)
      : kernels_(kernels),
        values_(static_cast<const std::byte*>(values)),
        residual_(static_cast<std::byte*>(residual)),
        count_(count),
        out_(out),
        room_(room) {}

  // `first`: the index of the first element. `guess`: a threshold to begin with; 0: take a sample.
  void select(std::uint64_t first, std::uint64_t k, bool estimated, Magnitude guess) {
    first_ = first;
    limit_ = std::max(least_limit, 4 * k);
    out_.set_count(0);
    room_.threshold = 0;
    if (k == 0) limit_ = 0;
    Magnitude least = k == 0 ? highest() : guess != 0 ? guess : sampled(rank_of(k, estimated));
    // Each further pass asks for more; the last one takes all that is not zero.
    for (int attempt = 0;; ++attempt) {
      pass(least, k);
      ++room_.passes;
      const std::uint64_t enough = estimated ? k - k / 5 : k;
      if (out_.count() >= enough || least == 1) break;
      const Magnitude lower = attempt == 0 ? sampled(4 * rank_of(k, false)) : 1;
      least = lower < least ? lower : 1;
    }
    if (out_.count() > (estimated ? k + k / 4 : k)) keep_top(kernels_, out_, k);
    if (residual_) kernels_.clear_at(residual_, first, out_.view());
  }

 private:
  Magnitude highest() const { return (Magnitude{1} << kernels_.magnitude_bits); }
  std::uint64_t lines() const { return std::min(most_lines, count_ / line_elements); }

  // Which rank of the sample lets through a little more than k of all: four standard deviations.
  std::uint64_t rank_of(std::uint64_t k, bool estimated) const {
    const std::uint64_t sample = lines() * line_elements;
    if (sample == 0) return 0;
    const auto expected =
        static_cast<std::uint64_t>(static_cast<double>(k) * static_cast<double>(sample) / static_cast<double>(count_));
    if (estimated && expected >= 64) return expected;
    std::uint64_t root = 1;
    while (root * root < expected) ++root;
    return expected + 4 * root + 4;
  }

  Magnitude sampled(std::uint64_t rank) {
    const std::uint64_t lines = this->lines(), sample = lines * line_elements;
    if (rank == 0 || rank > sample) return 1;
    const std::uint64_t bytes = kernels_.value_bytes;
    if (!room_.sample)
      room_.sample = std::make_unique_for_overwrite<std::byte[]>(most_lines * line_elements * sizeof(double));
    const std::uint64_t stretch = count_ / lines;
    for (std::uint64_t line = 0; line < lines; ++line) {
      const std::uint64_t place = line * stretch + drawn(line) % (stretch - line_elements + 1);
      // After the first pass the residual holds the sums.
      kernels_.add(room_.sample.get() + line * line_elements * bytes, (added_ ? residual_ : values_) + place * bytes,
                   residual_ && !added_ ? residual_ + place * bytes : nullptr, line_elements);
    }
    return std::max<Magnitude>(1, kernels_.rank_magnitude(room_.sample.get(), sample, rank));
  }

  void pass(Magnitude least, std::uint64_t k) {
    const std::uint64_t bytes = kernels_.value_bytes;
    const std::byte* from = added_ ? residual_ : values_;
    std::byte* with = added_ ? nullptr : residual_;
    out_.set_count(0);
    for (std::uint64_t at = 0; at < count_; at += step_elements) {
      const std::uint64_t some = std::min(step_elements, count_ - at);
      const std::uint64_t have = out_.count();
      out_.reserve(have + some);
      const std::uint64_t more = kernels_.collect(from + at * bytes, with ? with + at * bytes : nullptr, some, least,
                                                  first_ + at, out_.indices(have), out_.values(have));
      out_.set_count(have + more);
      if (out_.count() <= limit_ || k == 0) continue;
      // What comes later and is no larger than the least of these stands behind it: higher index.
      least = kernels_.rank_magnitude(out_.values(), out_.count(), k) + 1;
      keep_top(kernels_, out_, k);
    }
    added_ = residual_ != nullptr;
  }

  const SparseKernels& kernels_;
  const std::byte* values_;
  std::byte* residual_;
  std::uint64_t count_;
  Pairs& out_;
  SelectionRoom& room_;
  std::uint64_t first_ = 0;
  std::uint64_t limit_ = 0;
  bool added_ = false;
};

Magnitude least_of(const SparseKernels& kernels, const Pairs& pairs) {
  return pairs.count() == 0 ? 0 : kernels.rank_magnitude(pairs.values(), pairs.count(), pairs.count());
}

}  // namespace

void keep_top(const SparseKernels& kernels, Pairs& pairs, std::uint64_t k) {
  if (pairs.count() <= k) return;
  if (k == 0) return pairs.set_count(0);
  const Magnitude threshold = kernels.rank_magnitude(pairs.values(), pairs.count(), k);
  const std::uint64_t ties = k - kernels.count_above(pairs.values(), pairs.count(), threshold);
  pairs.set_count(kernels.keep_above(pairs.indices(), pairs.values(), pairs.count(), threshold, ties));
}

void select_top(const SparseKernels& kernels, const void* values, void* residual, std::uint64_t count,
                const Selection& how, Pairs& out, SelectionRoom& room) {
  room.passes = 0;
  if (how.bucket == 0 || how.bucket >= count) {
    Selector(kernels, values, residual, count, out, room).select(0, how.k, how.estimated, 0);
    room.threshold = least_of(kernels, out);
    return;
  }
  // A bucket's threshold is a good guess for the next one; a little lower, to find k at the first pass mostly.
  const std::uint64_t bytes = kernels.value_bytes;
  const Magnitude margin = Magnitude{1} << (kernels.magnitude_bits == 31 ? 22 : 51);  // half an octave
  Magnitude guess = 0, least = std::numeric_limits<Magnitude>::max();
  room.bucket = Pairs(kernels.index_bytes, kernels.value_bytes);
  out.set_count(0);
  out.reserve((count / how.bucket + 1) * std::min(how.k, how.bucket));
  int passes = 0;
  for (std::uint64_t first = 0; first < count; first += how.bucket) {
    const std::uint64_t length = std::min(how.bucket, count - first);
    const auto* from = static_cast<const std::byte*>(values) + first * bytes;
    auto* with = residual ? static_cast<std::byte*>(residual) + first * bytes : nullptr;
    room.passes = 0;
    Selector(kernels, from, with, length, room.bucket, room)
        .select(first, std::min(how.k, length), how.estimated, guess);
    passes = std::max(passes, room.passes);
    const Magnitude found = least_of(kernels, room.bucket);
    if (found != 0) least = std::min(least, found);
    guess = found > margin ? found - margin : 0;
    const std::uint64_t have = out.count(), more = room.bucket.count();
    out.reserve(have + more);
    if (more != 0) {
      std::copy_n(static_cast<const std::byte*>(room.bucket.values()), more * bytes,
                  static_cast<std::byte*>(out.values(have)));
      std::copy_n(static_cast<const std::byte*>(room.bucket.indices()), more * kernels.index_bytes,
                  static_cast<std::byte*>(out.indices(have)));
    }
    out.set_count(have + more);
  }
  room.passes = passes;
  room.threshold = out.count() == 0 ? 0 : least;
}

}  // namespace tutti
