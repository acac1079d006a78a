// What a collective of all ranks would put on the links of a network: for the picture of `tutti topo`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "topology/network/network.hpp"

namespace tutti {

struct LoadOptions {
  std::string collective;  // empty: nothing is asked for
  std::string algorithm;
  std::string bytes = "1M";
  int ranks_per_host = 1;
  bool given() const { return !collective.empty(); }
};

void add_load_options(CLI::App& command, LoadOptions& options);

// Bytes that each link carries, by its number; with ranks on all hosts. Throws TUTTI_ERROR_ARGUMENT.
std::vector<double> load_on(const Network& network, const LoadOptions& options);

// "allreduce by ring, 1M bytes on 64 ranks: at most 2.1 MB on a link, such as s0 > s1", for people.
std::string load_text(const Network& network, const LoadOptions& options, const std::vector<double>& load);

}  // namespace tutti
