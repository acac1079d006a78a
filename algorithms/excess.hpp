// Doubling and halving need a power of two. The ranks beyond the largest one are guests: each folds into the rank
// before it, its host, so that what a place stands for is an interval of ranks and rank order survives.
#pragma once

#include "algorithms/arithmetic.hpp"

namespace tutti {

struct Excess {
  std::int64_t places;  // the largest power of two, or what an algorithm can do with
  std::int64_t guests;  // positions 1, 3, 5, ..., 2 guests - 1; their hosts are those before them

  explicit Excess(std::int64_t size) : Excess(size, power_of_two_below(size)) {}
  // At least half of `size`.
  Excess(std::int64_t size, std::int64_t acting) : places(acting), guests(size - acting) {}

  bool has_guest(std::int64_t place) const { return place < guests; }
  // Which position acts for this place; the positions that places [a, b) stand for are [position_of(a),
  // position_of(b)).
  std::int64_t position_of(std::int64_t place) const { return has_guest(place) ? 2 * place : place + guests; }
  // -1: a guest.
  std::int64_t place_of(std::int64_t position) const {
    if (position >= 2 * guests) return position - guests;
    return position % 2 == 0 ? position / 2 : -1;
  }
};

}  // namespace tutti
