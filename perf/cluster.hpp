// The cluster of tools/cluster in which tutti-perf was started, if it was: the ranks of every library then run on its
// hosts.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace tutti::perf {

struct Cluster {
  std::vector<std::pair<std::string, int>> hosts;  // with their slots, in the order in which ranks fill them
  std::string agent;
  std::string control;
  std::filesystem::path folder;  // that all hosts see
};

// Nothing outside of one. Throws Error(TUTTI_ERROR_ARGUMENT) for half of its variables.
std::optional<Cluster> cluster_around();

// On how many hosts so many ranks lie; 1 outside of a cluster.
int hosts_for(int ranks);

// Bytes that each link has carried so far; an empty object outside of a cluster.
nlohmann::json link_counters();

}  // namespace tutti::perf
