// Which cores each rank may run on.
#pragma once

#include <sched.h>

#include <array>
#include <vector>

#include "tools/launcher/job.hpp"

namespace tutti {

using CpuMask = std::array<cpu_set_t, 8>;  // 8,192 CPUs, as sched_setaffinity(2) takes them

// One mask for each rank, or none if ranks are not to be bound. Throws tutti::Error(TUTTI_ERROR_ARGUMENT) for
// Binding::core with more ranks than cores.
std::vector<CpuMask> bind_ranks(int ranks, Binding binding);

}  // namespace tutti
