// Which block arrives when; see round_optimal.hpp.
#include "algorithms/round_optimal.hpp"

#include <algorithm>

namespace tutti {

std::vector<std::int64_t> skips_of(std::int64_t size) {
  std::vector<std::int64_t> skips{size};
  for (; skips.back() > 1; skips.push_back((skips.back() + 1) / 2)) continue;
  std::reverse(skips.begin(), skips.end());
  return skips;
}

namespace {

// The round in which the first block reaches a position: the last skip of the greedy path from the root to it.
std::size_t first_round(const std::vector<std::int64_t>& skips, std::int64_t position) {
  std::int64_t at = 0;
  for (std::size_t k = skips.size() - 1; k-- > 0;) {
    if (at + skips[k] == position) return k;
    if (at + skips[k] < position) at += skips[k];
  }
  return skips.size() - 1;  // the root
}

// For each of L rounds, whose first block a position gets in it. In round k it comes from skips[k] before; going back
// along the greedy paths finds, for one round after the other, the nearest position there whose block is not taken yet.
class Sources {
 public:
  Sources(const std::vector<std::int64_t>& skips, std::int64_t position)
      : skips_(skips), goal_(skips.back() + position), limit_(2 * skips.back()), taken_(skips.size()) {
    taken_[first_round(skips, position)] = true;
    search(0, static_cast<std::int64_t>(rounds()));
  }
  const std::vector<std::size_t>& found() const { return found_; }

 private:
  std::size_t rounds() const { return skips_.size() - 1; }

  void search(std::int64_t at, std::int64_t from) {
    for (std::int64_t step = from; step >= 0 && found_.size() < rounds(); --step) {
      const auto e = static_cast<std::size_t>(step);
      const std::int64_t there = at + skips_[e];
      if (taken_[e] || there > goal_ - skips_[found_.size()] || there >= limit_) continue;
      if (there <= goal_ - skips_[found_.size() + 1]) search(there, step);
      if (found_.size() == rounds() || at > goal_ - skips_[found_.size() + 1]) return;
      limit_ = there;
      taken_[e] = true;
      found_.push_back(e);
    }
  }

  const std::vector<std::int64_t>& skips_;
  std::int64_t goal_;
  std::int64_t limit_;
  std::vector<bool> taken_;
  std::vector<std::size_t> found_;
};

}  // namespace

// The last round must end a turn of all skips.
std::int64_t first_skip(std::int64_t length, std::int64_t count) { return (length - (count - 1) % length) % length; }

// What would be beyond the last block is the last block, once.
std::vector<std::int64_t> arrivals(const std::vector<std::int64_t>& skips, std::int64_t position, std::int64_t count) {
  const auto length = static_cast<std::int64_t>(skips.size() - 1);
  const std::int64_t shift = first_skip(length, count);
  std::vector<std::int64_t> blocks(static_cast<std::size_t>(length + count - 1), -1);
  if (position == 0) return blocks;
  const Sources sources(skips, position);
  bool has_last = false;
  for (std::int64_t i = 0; i < length + count - 1; ++i) {
    const std::size_t source = sources.found()[static_cast<std::size_t>((i + shift) % length)];
    const bool first = source == skips.size() - 1;
    const auto base = static_cast<std::int64_t>(first ? first_round(skips, position) : source) - (first ? 0 : length);
    const std::int64_t block = std::min(base + (i + shift) / length * length - shift, count - 1);
    if (block < 0 || (block == count - 1 && has_last)) continue;
    blocks[static_cast<std::size_t>(i)] = block;
    has_last = has_last || block == count - 1;
  }
  return blocks;
}

}  // namespace tutti
