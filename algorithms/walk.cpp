// Paths of the walk, and what its butterflies cost; see walk.hpp.
#include "algorithms/walk.hpp"

#include <algorithm>

#include "algorithms/excess.hpp"

namespace tutti {

// Far distances first, the steps are where neighbouring digits to the base -2 differ. Near ones first, the path of an
// odd place is the same read backwards, and that of an even place the one of its mirror image.
std::int64_t Walk::path(std::int64_t place) const {
  constexpr std::uint64_t odd_digits = 0xaaaaaaaaaaaaaaaa;
  const bool far = order_ == Order::far_first;
  const auto value = static_cast<std::uint64_t>(far || place % 2 != 0 ? place : -place);
  const std::uint64_t digits = ((value + odd_digits) ^ odd_digits) & static_cast<std::uint64_t>(places_ - 1);
  const std::uint64_t taken = digits ^ (digits >> 1);
  if (far) return static_cast<std::int64_t>(taken);
  std::uint64_t reversed = 0;
  for (std::int64_t step = 0; step < steps(); ++step) reversed = reversed * 2 + (taken >> step) % 2;
  return static_cast<std::int64_t>(reversed);
}

std::int64_t Walk::end_of(std::int64_t path) const {
  std::int64_t place = 0;
  for (std::int64_t step = 0; step < steps(); ++step)
    if ((path >> (steps() - 1 - step)) % 2 != 0) place = partner(place, step);
  return place;
}

std::vector<Round> butterfly_rounds(std::int64_t size, Walk::Order order, bool for_guests, bool combining) {
  const Excess excess(size);
  const Walk walk(excess.places, order);
  std::vector<Round> list;
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    const std::int64_t half = excess.places >> (step + 1);
    const Share share{for_guests ? half + std::min(half, excess.guests) : half, for_guests ? size : excess.places};
    list.push_back({Pattern::alternating, walk.distance(step), 1, share, combining ? share : Share{0, 1}, 1});
  }
  if (!combining) std::reverse(list.begin(), list.end());
  return list;
}

std::vector<Round> with_guests(std::int64_t size, Share there, bool combining, std::vector<Round> rounds, Share back) {
  if (Excess(size).guests == 0) return rounds;
  if (there.part > 0) rounds.insert(rounds.begin(), {Pattern::tree, 1, 1, there, combining ? there : Share{0, 1}, 1});
  if (back.part > 0) rounds.push_back({Pattern::tree, 1, 1, back, {0, 1}, 1});
  return rounds;
}

}  // namespace tutti
