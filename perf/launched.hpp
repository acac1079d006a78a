// When a launcher has started tutti-perf as the ranks of a job, those ranks become our measured job.
#pragma once

#include <optional>
#include <string>

#include "perf/options.hpp"
#include "perf/plans.hpp"

namespace tutti::perf {

// This process as one rank of a job of tutti-perf's that `tutti run`, torchrun or another launcher started.
struct LaunchedRank {
  int rank = 0;
  int size = 1;
  std::string socket_name;  // equal on all ranks of one job, on one machine
};

// Nothing where no launcher did. Throws Error(TUTTI_ERROR_ARGUMENT) where it set half of what is needed.
std::optional<LaunchedRank> launched_rank();

// Becomes the driver of this rank; does not return.
[[noreturn]] void become_driver(const LaunchedRank& launched, const Options& options);

// Our job for rank 0, which goes on to measure: its own driver is started, the other ranks have become theirs.
JobPlan plan_of_launched(const LaunchedRank& launched, const Options& options, const Machine& machine,
                         std::uint64_t buffer_bytes);

}  // namespace tutti::perf
