// See seats.hpp.
#include "simulator/seats.hpp"

#include "error.hpp"
#include "simulator/programs.hpp"

namespace tutti::simulation {

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

std::unordered_map<std::int64_t, double> link_loads(const Programs& programs, const Seats& seats) {
  std::unordered_map<std::int64_t, double> loads;
  std::vector<std::int64_t> path;
  for (const Strand& strand : programs.strands()) {
    const double full_windows = programs.shape(strand.group).windows - 1.0;
    const std::vector<OutlineStep>& steps = programs.outline(strand.outline).steps;
    const std::span<const Bound> bounds = programs.steps_of(strand);
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (steps[at].kind != StepKind::send) continue;
      const Size& size = programs.sizes()[bounds[at].size];
      const double bytes = full_windows * static_cast<double>(size.full) + static_cast<double>(size.last);
      if (bytes == 0) continue;
      route(seats, strand.rank, programs.strands()[bounds[at].peer].rank, path);
      for (const std::int64_t link : path) loads[link] += bytes;
    }
  }
  return loads;
}

}  // namespace tutti::simulation
