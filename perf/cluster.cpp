// See cluster.hpp.
#include "perf/cluster.hpp"

#include <algorithm>
#include <charconv>

#include "bootstrap/environment.hpp"
#include "error.hpp"

namespace tutti::perf {
namespace {

std::string required(const char* name) {
  if (auto text = environment_text(name)) return std::move(*text);
  throw error(TUTTI_ERROR_ARGUMENT, "TUTTI_CLUSTER_HOSTS is set, {} is not: tools/cluster sets both", name);
}

std::pair<std::string, int> host_of(std::string_view text) {
  const auto colon = std::min(text.find(':'), text.size());
  const auto digits = text.substr(std::min(colon + 1, text.size()));
  int slots = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), slots);
  if (colon == 0 || failure != std::errc{} || end != digits.data() + digits.size() || slots < 1)
    throw error(TUTTI_ERROR_ARGUMENT, "TUTTI_CLUSTER_HOSTS: \"{}\" is not like h1:2", text);
  return {std::string(text.substr(0, colon)), slots};
}

}  // namespace

std::optional<Cluster> cluster_around() {
  if (!environment_text("TUTTI_CLUSTER_HOSTS")) return std::nullopt;
  Cluster cluster;
  for (const std::string& host : environment_list("TUTTI_CLUSTER_HOSTS")) cluster.hosts.push_back(host_of(host));
  cluster.agent = required("TUTTI_CLUSTER_AGENT");
  cluster.control = required("TUTTI_CLUSTER_CONTROL");
  cluster.folder = std::filesystem::path(required("TUTTI_CLUSTER_DOOR")).parent_path();
  return cluster;
}

int hosts_for(int ranks) {
  const auto cluster = cluster_around();
  if (!cluster) return 1;
  int used = 0;
  for (const auto& [name, slots] : cluster->hosts) {
    if (ranks <= 0) break;
    ranks -= slots;
    ++used;
  }
  return used;
}

}  // namespace tutti::perf
