// Where the ranks of a job sit in a network, and the way of their messages.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "topology/network/network.hpp"

namespace tutti {

struct Seats {
  const Network* network = nullptr;
  std::vector<std::int64_t> host;   // by rank
  std::vector<std::uint64_t> flow;  // by rank: how many ranks of its host stand before it; decides on its interface
};

// Ranks on these hosts. Throws TUTTI_ERROR_ARGUMENT for a host that the network does not have.
Seats seated(const Network& network, std::vector<std::int64_t> host_of_rank);
// So many ranks on each host, in the order of the network. Throws TUTTI_ERROR_ARGUMENT where hosts are too few.
Seats seated(const Network& network, int ranks, int ranks_per_host);
// Rank r where `seat_of_rank[r]` sat.
Seats reseated(const Seats& seats, std::span<const std::int32_t> seat_of_rank);

// The links of the messages between two ranks; empty where they share a host.
inline void route(const Seats& seats, std::size_t from, std::size_t to, std::vector<std::int64_t>& path) {
  path.clear();
  seats.network->route(seats.host[from], seats.host[to], seats.flow[from], path);
}

}  // namespace tutti
