// Swing (De Sensi, Bonato, Saam and Hoefler, "Swing: Short-cutting Rings for Higher Bandwidth Allreduce", NSDI 2024):
// halving and doubling in which partners are 1, -1, 3, -5, 11, ... apart, up a ring from even ranks and down it from
// odd ones. The large halves travel least, and far ones a third less than by powers of two: for tori and rings of
// nodes.
//   allreduce  2 lg p a + 2(p-1)/p n b + (p-1)/p n g; where p is no power of two 2a + 2n b + n g more
// Ranks meet in another order than theirs, so operations must commute. Excess ranks fold into a neighbour. Any number
// of ranks.
#include "algorithms/excess.hpp"
#include "algorithms/walk.hpp"

namespace tutti {

namespace {

constexpr Walk::Order order = Walk::Order::near_first;

// Nobody cares who owns which part in between: numbered by their paths, the parts of a message follow one another.
void allreduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const Walk walk(excess.places, order);
  const View all = v;
  View numbered = v.group(
      v.size(), v.rank(), [](std::int64_t position) { return static_cast<int>(position); },
      Partition::computed(v.size(), [=](std::int64_t first, std::int64_t count, Blocks& to) {
        for (std::int64_t position = first; position < first + count; ++position)
          if (excess.place_of(position) >= 0) to.add(all.block(walk.path(excess.place_of(position))));
      }));
  butterfly_reduce_scatter(numbered, order);
  butterfly_allgather(numbered, order);
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {1, 1}, true,
                     joined(butterfly_rounds(size, order, false, true), butterfly_rounds(size, order, false, false)),
                     {1, 1});
}
std::vector<Round> reduce_scatter_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {1, 1}, true, butterfly_rounds(size, order, true, true), {1, size});
}
std::vector<Round> allgather_rounds(std::int64_t size, std::int64_t) {
  return with_guests(size, {1, size}, false, butterfly_rounds(size, order, true, false), {size - 1, size});
}
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }
std::int64_t places(std::int64_t size, std::int64_t) { return power_of_two_below(size); }

constexpr std::string_view paper = "De Sensi, Bonato, Saam and Hoefler, NSDI 2024";

}  // namespace

extern const Algorithm swing_for_allreduce{
    Kind::allreduce,
    "swing",
    paper,
    "2 lg p a + 2(p-1)/p n b + (p-1)/p n g, and 2a + 2n b + n g more where p is no power of two",
    no_parameter,
    false,
    &places,
    &allreduce_steps,
    &allreduce_rounds,
    &combines,
    &never};

extern const Algorithm swing_for_reduce_scatter{
    Kind::reduce_scatter,
    "swing",
    paper,
    "lg p a + (p-1)/p n b + (p-1)/p n g, and 2a + n b + n g more where p is no power of two",
    no_parameter,
    false,
    &one_block_each,
    [](View& v, std::int64_t) { butterfly_reduce_scatter(v, order); },
    &reduce_scatter_rounds,
    &combines,
    &never};

extern const Algorithm swing_for_allgather{
    Kind::allgather,   "swing",     paper,           "L a + (p-1)/p n b, and 2a + n b more where p is no power of two",
    no_parameter,      true,        &one_block_each, [](View& v, std::int64_t) { butterfly_allgather(v, order); },
    &allgather_rounds, &no_combine, &never};

}  // namespace tutti
