// Where the ranks of a job sit in a network, and the way of their messages.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "topology/network/network.hpp"

namespace tutti::simulation {

class Programs;

struct Seats {
  const Network* network = nullptr;
  std::vector<std::int64_t> host;   // by rank
  std::vector<std::uint64_t> flow;  // by rank: how many ranks of its host stand before it; decides on its interface
};

// Ranks on these hosts. Throws TUTTI_ERROR_ARGUMENT for a host that the network does not have.
Seats seated(const Network& network, std::vector<std::int64_t> host_of_rank);
// So many ranks on each host, in the order of the network. Throws TUTTI_ERROR_ARGUMENT where hosts are too few.
Seats seated(const Network& network, int ranks, int ranks_per_host);

// The links of the messages between two ranks; empty where they share a host.
inline void route(const Seats& seats, std::uint32_t from, std::uint32_t to, std::vector<std::int64_t>& path) {
  path.clear();
  seats.network->route(seats.host[from], seats.host[to], seats.flow[from], path);
}

// Bytes that each link carries, by its number, while all messages of the programs are sent once. Links that carry
// nothing are left out.
std::unordered_map<std::int64_t, double> link_loads(const Programs& programs, const Seats& seats);

}  // namespace tutti::simulation
