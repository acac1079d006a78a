// See seats.hpp.
#include "topology/network/seats.hpp"

#include <unordered_map>

#include "error.hpp"

namespace tutti {

Seats seated(const Network& network, std::vector<std::int64_t> host_of_rank) {
  Seats seats{&network, std::move(host_of_rank), {}};
  std::unordered_map<std::int64_t, std::uint64_t> taken;
  for (const std::int64_t host : seats.host) {
    if (host < 0 || host >= network.hosts())
      throw error(TUTTI_ERROR_ARGUMENT, "{}: host {} is not one of its {} hosts", network.file(), host,
                  network.hosts());
    seats.flow.push_back(taken[host]++);
  }
  return seats;
}

Seats seated(const Network& network, int ranks, int ranks_per_host) {
  const std::int64_t needed = (std::int64_t{ranks} + ranks_per_host - 1) / ranks_per_host;
  if (needed > network.hosts())
    throw error(TUTTI_ERROR_ARGUMENT, "{}: {} ranks need {} hosts with {} ranks each, and the network has {}",
                network.file(), ranks, needed, ranks_per_host, network.hosts());
  std::vector<std::int64_t> hosts(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) hosts[static_cast<std::size_t>(rank)] = rank / ranks_per_host;
  return seated(network, std::move(hosts));
}

Seats reseated(const Seats& seats, std::span<const std::int32_t> seat_of_rank) {
  Seats moved{seats.network, {}, {}};
  for (const std::int32_t seat : seat_of_rank) {
    moved.host.push_back(seats.host[static_cast<std::size_t>(seat)]);
    moved.flow.push_back(seats.flow[static_cast<std::size_t>(seat)]);
  }
  return moved;
}

}  // namespace tutti
