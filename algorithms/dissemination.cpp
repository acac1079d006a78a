// Dissemination barrier (Hensgen, Finkel and Manber, 1988) in n ways at once (Hoefler, Mehlan, Mietke and Rehm,
// "Fast barrier synchronization for InfiniBand", IPDPS 2006): in round r each rank sends to those at distances
// (w+1)^r, 2 (w+1)^r, ..., w (w+1)^r and waits for as many.
//   barrier  ceil(log_{w+1} p) a, with w messages in each round
// Any number of ranks. At most 16 ways: a round's sends and receives must all fit into the lookahead.
#include <algorithm>

#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void barrier_steps(View& v, std::int64_t ways) {
  for (std::int64_t distance = 1; distance < v.size(); distance *= ways + 1) {
    const std::int64_t reachable = std::min(ways, (v.size() - 1) / distance);
    for (std::int64_t i = 1; i <= reachable; ++i) v.send(v.rank() + i * distance, v.all());
    for (std::int64_t i = 1; i <= reachable; ++i) v.recv_reduce(v.rank() - i * distance, v.all());
  }
}

std::vector<Round> barrier_rounds(std::int64_t size, std::int64_t ways) {
  std::vector<Round> rounds;
  for (std::int64_t distance = 1; distance < size; distance *= ways + 1)
    rounds.push_back({Pattern::shift, distance, std::min(ways, (size - 1) / distance), {0, 1}, {0, 1}, 1});
  return rounds;
}

}  // namespace

extern const Algorithm dissemination_for_barrier{Kind::barrier,
                                                 "dissemination",
                                                 "Hoefler et al., IPDPS 2006",
                                                 "ceil(log_{w+1} p) a",
                                                 {"ways", 1, 1, 16},
                                                 true,
                                                 &one_block,
                                                 &barrier_steps,
                                                 &barrier_rounds,
                                                 &no_combine,
                                                 &never};

}  // namespace tutti
