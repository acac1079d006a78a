// Butterflies of Bine trees (De Sensi et al., "Bine Trees: Enhancing Collective Operations by Optimizing Communication
// Locality", SC 2025): doubling and halving with partners ..., 11, -5, 3, -1, 1 apart in place of powers of two.
//   allreduce  L a + L n b + L n g, the whole vector at each step; 2a + 2n b + n g more where p is no power of two
//   reduce-scatter, allgather  lg p a + (p-1)/p n b, far halves first, so that a message is a run of blocks
// Ranks meet in another order than theirs, so operations must commute. Excess ranks fold into a neighbour. Any number
// of ranks.
#include "algorithms/excess.hpp"
#include "algorithms/walk.hpp"

namespace tutti {

namespace {

constexpr Walk::Order order = Walk::Order::far_first;

// Far first, those that have combined the same at some step are the same at all later ones: the same bits everywhere.
void allreduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const Walk walk(excess.places, order);
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, v.all());
    v.recv(v.rank() - 1, v.all());
    return;
  }
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  for (std::int64_t step = 0; step < walk.steps(); ++step) {
    const std::int64_t partner = excess.position_of(walk.partner(me, step));
    v.send(partner, v.all());
    v.recv_reduce(partner, v.all());
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.all());
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  const Walk walk(power_of_two_below(size), order);
  std::vector<Round> list;
  for (std::int64_t step = 0; step < walk.steps(); ++step)
    list.push_back({Pattern::alternating, walk.distance(step), 1, {1, 1}, {1, 1}, 1});
  return with_guests(size, {1, 1}, true, std::move(list), {1, 1});
}
std::vector<Round> reduce_scatter_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {1, 1}, true, butterfly_rounds(size, order, true, true), {1, size});
}
std::vector<Round> allgather_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {1, size}, false, butterfly_rounds(size, order, true, false), {size - 1, size});
}
void reduce_scatter_steps(View& v, std::int64_t) { butterfly_reduce_scatter(v, order); }
void allgather_steps(View& v, std::int64_t) { butterfly_allgather(v, order); }
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }

constexpr std::string_view paper = "De Sensi et al., SC 2025";

}  // namespace

extern const Algorithm bine_for_allreduce{Kind::allreduce,
                                          "bine",
                                          paper,
                                          "L a + L n b + L n g, and 2a + 2n b + n g more where p is no power of two",
                                          no_parameter,
                                          false,
                                          &one_block,
                                          &allreduce_steps,
                                          &allreduce_rounds,
                                          &combines,
                                          &never};
extern const Algorithm bine_for_reduce_scatter{
    Kind::reduce_scatter,
    "bine",
    paper,
    "lg p a + (p-1)/p n b + (p-1)/p n g, and 2a + n b + n g more where p is no power of two",
    no_parameter,
    false,
    &one_block_each,
    &reduce_scatter_steps,
    &reduce_scatter_rounds,
    &combines,
    &never};
extern const Algorithm bine_for_allgather{
    Kind::allgather,   "bine",      paper,           "L a + (p-1)/p n b, and 2a + n b more where p is no power of two",
    no_parameter,      true,        &one_block_each, &allgather_steps,
    &allgather_rounds, &no_combine, &never};

}  // namespace tutti
