// What the messages of a job put on links and between ranks, without simulating them.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "simulator/programs.hpp"
#include "topology/network/reordering.hpp"
#include "topology/network/seats.hpp"

namespace tutti::simulation {

// Bytes from one rank to another, each pair once, in no order.
std::vector<RankPair> pairs_of(const Programs& programs);

// Bytes that each link carries, by its number. Links that carry nothing are left out.
std::unordered_map<std::int64_t, double> link_loads(const Programs& programs, const Seats& seats);

}  // namespace tutti::simulation
