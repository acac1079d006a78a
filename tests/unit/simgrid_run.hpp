// The schedules of a collective run in SimGrid, an independent simulator of networks, on a description of ours: the
// same links, the same routes, the same messages with the same dependencies.
#pragma once

#include <cstdint>
#include <vector>

#include "schedule/schedule.hpp"
#include "topology/network/seats.hpp"

namespace tutti::testing {

// When the last rank ends, in seconds. Model CM02, weight-S 0, no cross traffic. In a process of its own, because
// SimGrid runs one simulation in a process. `bytes_per_block`: of every block.
double run_in_simgrid(const std::vector<Schedule>& schedules, const Seats& seats,
                      std::int64_t bytes_per_block);

}  // namespace tutti::testing
