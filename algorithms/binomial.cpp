// Binomial tree, the k-nomial one with k = 2: in each round of the broadcast, all ranks that know tell one more each.
//   broadcast  L a + L n b;   reduce  L a + L n b + L n g;   L = ceil(log2 p)
// Any number of ranks, any root; see knomial.cpp for rank order.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

std::vector<Round> broadcast_rounds(std::int64_t size, std::int64_t) { return knomial_rounds(size, 2, false); }
std::vector<Round> reduce_rounds(std::int64_t size, std::int64_t) { return knomial_rounds(size, 2, true); }
std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }

void reduce_steps(View& v, std::int64_t) {
  knomial_reduce(v, 2);
  move_to_root(v);
}

constexpr std::string_view origin = "folklore; binomial tree";

}  // namespace

extern const Algorithm binomial_for_broadcast{
    Kind::broadcast,   "binomial",  origin,     "L a + L n b",
    no_parameter,      true,        &one_block, [](View& v, std::int64_t) { knomial_broadcast(v, 2); },
    &broadcast_rounds, &no_combine, &never};

extern const Algorithm binomial_for_reduce{Kind::reduce,   "binomial", origin,     "L a + L n b + L n g",
                                           no_parameter,   true,       &one_block, &reduce_steps,
                                           &reduce_rounds, &combines,  &never};

}  // namespace tutti
