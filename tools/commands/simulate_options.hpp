// What `tutti simulate` was asked for, and what that means for the simulator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "simulator/flow.hpp"
#include "simulator/loggops.hpp"
#include "tools/commands/job.hpp"

namespace tutti {

struct SimulateOptions {
  std::string collective;
  std::string algorithm;
  std::string ranks;
  std::string nodes;
  std::string placement = "block";
  std::string bytes = "0";
  std::string loggops;
  std::string network;
  std::string mode;
  int ranks_per_host = 1;
  std::string overhead = "0ns";
  std::string eager = "0";
  std::string sharing = "equal";
  std::string combine = "0";
  std::string copy = "0";
  std::string noise;
  std::uint64_t seed = 1;
  std::vector<std::string> stragglers;
  int root = 0;
  bool in_place = false;
  bool ordered = false;
  std::string trace;
  bool json = false;
  GridOptions job;
  std::string mapping = "both";
};

// All throw TUTTI_ERROR_ARGUMENT for what cannot be understood.
simulation::Settings settings_of(const SimulateOptions& options);
simulation::FlowSettings flow_settings_of(const SimulateOptions& options);
// Where a network is given without numbers, what it does not say costs nothing.
simulation::LogGops loggops_of(const SimulateOptions& options);
bool is_flow_mode(const SimulateOptions& options);
simulation::Limits limits_of(bool flow);

// Throws TUTTI_ERROR_ARGUMENT where a trace of so many messages is asked for and would be too large.
void check_trace(const SimulateOptions& options, std::int64_t messages);
void write_trace(const std::string& file, const simulation::Trace& trace);

// The step of a job, all groups of all its axes at once: with ranks in order, and reordered.
void simulate_job(const SimulateOptions& options);

}  // namespace tutti
