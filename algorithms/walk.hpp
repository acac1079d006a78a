// The walk of Swing and of Bine trees: on a ring of 2^S places, partners are 1, -1, 3, -5, 11, ... apart, counted up
// the ring from even places and down it from odd ones. Such distances are a third shorter than powers of two, and
// whether near or far ones come first, one path leads from each place to each other. Numbers to the base -2 tell which
// (De Sensi et al., "Swing", NSDI 2024, and "Bine trees", SC 2025).
#pragma once

#include <bit>

#include "algorithms/pieces.hpp"

namespace tutti {

// Sum of (-2)^i for i = 0 to `order`; always odd.
inline std::int64_t alternating_distance(std::int64_t order) {
  return (1 + (std::int64_t{2} << order) * (order % 2 == 0 ? 1 : -1)) / 3;
}

// Who is this far from a place; the other way round the same.
inline std::int64_t alternating_partner(std::int64_t place, std::int64_t distance, std::int64_t places) {
  const std::int64_t to = place % 2 == 0 ? place + distance : place - distance;
  return (to % places + places) % places;
}

class Walk {
 public:
  enum class Order : std::uint8_t { near_first, far_first };

  Walk(std::int64_t places, Order order) : places_(places), order_(order) {}

  std::int64_t places() const { return places_; }
  std::int64_t steps() const { return std::countr_zero(static_cast<std::uint64_t>(places_)); }
  std::int64_t distance(std::int64_t step) const {
    return alternating_distance(order_ == Order::near_first ? step : steps() - 1 - step);
  }
  std::int64_t partner(std::int64_t place, std::int64_t step) const {
    return alternating_partner(place, distance(step), places_);
  }
  // Which steps lead from place 0 to a place, the first step as the highest bit. With near ones first, places whose
  // paths begin alike are those that each of them reaches by the steps that are left.
  std::int64_t path(std::int64_t place) const;
  // The place to which a path leads.
  std::int64_t end_of(std::int64_t path) const;

 private:
  std::int64_t places_;
  Order order_;
};

// Position i is to own part i; positions beyond the largest power of two are guests of their neighbours. The vector is
// halved, or put together again, along the walk (butterfly.cpp).
void butterfly_reduce_scatter(View& v, Walk::Order order);
void butterfly_allgather(View& v, Walk::Order order);
// Of the places alone. `for_guests`: guests own parts too.
std::vector<Round> butterfly_rounds(std::int64_t size, Walk::Order order, bool for_guests, bool combining);
// The guests' rounds about it: to their hosts, and back.
std::vector<Round> with_guests(std::int64_t size, Share there, bool combining, std::vector<Round> rounds, Share back);

}  // namespace tutti
