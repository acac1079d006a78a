// The byte counters of a cluster's links; see cluster.hpp.
#include "error.hpp"
#include "perf/cluster.hpp"
#include "perf/files.hpp"

namespace tutti::perf {

nlohmann::json link_counters() {
  const auto cluster = cluster_around();
  if (!cluster) return nlohmann::json::object();
  const Printed printed = run_command({cluster->control, "counters"});
  try {
    return nlohmann::json::parse(printed.text);
  } catch (const nlohmann::json::exception&) {
    throw error(TUTTI_ERROR_SYSTEM, "{} counters printed: {}", cluster->control, printed.text);
  }
}

}  // namespace tutti::perf
