// The jobs of a call: ours, the machine's, and each peer's, with their command lines.
#pragma once

#include <string>
#include <vector>

#include "perf/job.hpp"
#include "perf/options.hpp"

namespace tutti::perf {

// The cores that ranks are bound to: those this process may run on, one hardware thread of every core first.
std::vector<int> cores_for_ranks();

struct Machine {
  std::vector<int> cores;
  bool more_ranks_than_cores = false;
};
Machine machine_for(int ranks);

// The command of one driver of "tutti" or "bound".
std::vector<std::string> driver_words(const std::string& library, const JobPlan& plan, const Machine& machine);

JobPlan plan_of_tutti(const Options& options, const Machine& machine, std::uint64_t buffer_bytes);
JobPlan plan_of_bound(int ranks, const Machine& machine, std::uint64_t buffer_bytes);
// Two ranks that take turns on one core: the context switch.
JobPlan plan_of_switch(const Machine& machine);

// A peer as --against names it. Throws Error(TUTTI_ERROR_ARGUMENT) where there is no such peer,
// Error(TUTTI_ERROR_START) where its driver cannot be compiled.
struct Peer {
  std::string name;
  std::string prefix;
};
Peer find_peer(const std::string& text);
JobPlan plan_of_peer(const Peer& peer, const Options& options, const Machine& machine, std::uint64_t buffer_bytes);

}  // namespace tutti::perf
