// Process topologies: which seat of a job each rank should take, so that ranks that talk much sit near each other and
// no link has far more to carry than others. One order serves everything that the ranks do: all axes of a grid at once.
//
// What is looked for is the least time that the busiest link needs, of equals the least time of all links together;
// tried are orders of the grid's axes, cut into their prime factors, and the greedy growth of Hoefler and Snir
// (Generic topology mapping strategies for large-scale parallel architectures, ICS 2011). The result is never worse, by
// this measure, than the order of the ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "topology/network/seats.hpp"

namespace tutti {

// What one rank sends to another.
struct RankPair {
  std::int32_t from = 0;
  std::int32_t to = 0;
  double bytes = 0;
};

// Seconds for which links are busy with all pairs: the busiest one, and all together.
struct LinkTimes {
  double busiest = 0;
  double sum = 0;
  bool operator<(const LinkTimes& other) const;
};
LinkTimes link_times(const Seats& seats, std::span<const RankPair> pairs, std::span<const std::int32_t> seat_of_rank);

// Both return the seat of each rank. A grid's ranks count as in MPI: the last axis counts fastest.
std::vector<std::int32_t> reorder_graph(const Seats& seats, std::span<const RankPair> pairs);
std::vector<std::int32_t> reorder_grid(const Seats& seats, std::span<const RankPair> pairs, std::span<const int> sizes);

}  // namespace tutti
