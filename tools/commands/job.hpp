// A job with several dimensions of parallelism, as `tutti simulate` and `tutti explain` take it: a grid of ranks, and
// for each axis what the ranks along it do together, all groups of all axes at the same time.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scheduler/choice.hpp"
#include "simulator/programs.hpp"
#include "topology/network/network.hpp"
#include "topology/network/seats.hpp"

namespace tutti {

struct GridOptions {
  std::string grid;               // "data=10,pipeline=10,tensor=10"
  std::vector<std::string> axes;  // "data=allreduce:64M:ring"
  std::string file;               // or both in TOML
  bool given() const { return !grid.empty() || !file.empty(); }
};
void add_job_options(CLI::App& command, GridOptions& options);

struct JobAxis {
  std::string name;
  int size = 1;
  std::optional<Kind> kind;  // none: nothing is said along it
  std::uint64_t bytes = 0;   // of each group's whole vector
  std::string algorithm;     // in the overrides' grammar; empty: what the model says
  Choice choice;             // filled in by choose_algorithms
};

struct Job {
  std::vector<JobAxis> axes;  // the last counts fastest

  int ranks() const;
  std::vector<int> sizes() const;
};

// Throws TUTTI_ERROR_ARGUMENT for bad input, with the place in the file.
Job read_job(const GridOptions& options);

// The machine on which one group of the job is alone, each of its ranks on another host.
Machine machine_of_group(const Network& network, std::int64_t overhead_ps, std::uint64_t eager_bytes);
void choose_algorithms(Job& job, const Machine& machine);

// All groups of all axes.
void add_groups(simulation::Programs& programs, const Job& job);

// For `tutti explain`: prints what the model says of the job's step.
void explain_job(const GridOptions& options, const std::string& network_file, int ranks_per_host, bool as_json);

// "10 x 10 x 10 ranks (data, pipeline, tensor)".
std::string text(const Job& job);
// "data: allreduce of 64M by circulant, 10 ranks a group"
std::string text(const JobAxis& axis);

}  // namespace tutti
