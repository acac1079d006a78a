// Bine trees, binomial and to the base -2 (De Sensi et al., "Bine Trees: Enhancing Collective Operations by Optimizing
// Communication Locality", SC 2025): distances ..., 11, -5, 3, -1, 1 in place of powers of two, up a ring from even
// ranks and down it from odd ones. They are a third shorter, so fewer messages leave a group of near ranks.
//   broadcast  L a + L n b;   reduce: + L n g
// Ranks meet in another order than theirs, so operations must commute. Excess ranks hang on a neighbour, in a round
// that a binomial tree needs too. Any number of ranks.
#include <algorithm>

#include "algorithms/excess.hpp"
#include "algorithms/walk.hpp"

namespace tutti {

namespace {

constexpr Walk::Order order = Walk::Order::far_first;

// The step at which the tree reaches a place, the last of its path; -1 for the top.
std::int64_t step_to(const Walk& walk, std::int64_t place) {
  const std::int64_t path = walk.path(place);
  return path == 0 ? -1 : walk.steps() - 1 - std::countr_zero(static_cast<std::uint64_t>(path));
}

void broadcast_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const Walk walk(excess.places, order);
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) return v.recv(v.rank() - 1, v.all());
  const std::int64_t first = step_to(walk, me);
  if (first >= 0) v.recv(excess.position_of(walk.partner(me, first)), v.all());
  for (std::int64_t step = first + 1; step < walk.steps(); ++step)
    v.send(excess.position_of(walk.partner(me, step)), v.all());
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.all());
}

void reduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const Walk walk(excess.places, order);
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) return v.send(v.rank() - 1, v.all());
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  const std::int64_t last = step_to(walk, me);
  for (std::int64_t step = walk.steps() - 1; step > last; --step)
    v.recv_reduce(excess.position_of(walk.partner(me, step)), v.all());
  if (last >= 0) v.send(excess.position_of(walk.partner(me, last)), v.all());
}

// In the order of a broadcast.
std::vector<Round> rounds(std::int64_t size, Share combined) {
  const Walk walk(power_of_two_below(size), order);
  std::vector<Round> list;
  for (std::int64_t step = 0; step < walk.steps(); ++step)
    list.push_back({Pattern::alternating_tree, walk.distance(step), 1, {1, 1}, combined, 1});
  return list;
}
std::vector<Round> broadcast_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {}, false, rounds(size, {0, 1}), {1, 1});
}
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) {
  std::vector<Round> list = rounds(size, {1, 1});
  std::reverse(list.begin(), list.end());
  return with_guests(size, {1, 1}, true, std::move(list), {});
}
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }

constexpr std::string_view paper = "De Sensi et al., SC 2025";

}  // namespace

extern const Algorithm bine_for_broadcast{Kind::broadcast,   "bine",      paper,      "L a + L n b",
                                          no_parameter,      true,        &one_block, &broadcast_steps,
                                          &broadcast_rounds, &no_combine, &never};
extern const Algorithm bine_for_reduce{Kind::reduce,   "bine",    paper,      "L a + L n b + L n g",
                                       no_parameter,   false,     &one_block, &reduce_steps,
                                       &reduce_rounds, &combines, &never};
}  // namespace tutti
