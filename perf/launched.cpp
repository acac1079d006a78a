// Ranks that a launcher started. All but rank 0 become drivers at once; rank 0 starts a driver for itself and measures.
// They find each other by a name made of what every rank of the job knows: where its store is.
#include "perf/launched.hpp"

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "error.hpp"
#include "perf/files.hpp"

namespace tutti::perf {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int number(const char* name) {
  const std::string text = variable(name);
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < 0 || value > 1 << 20)
    throw error(TUTTI_ERROR_ARGUMENT, "{} is '{}': a launcher should have set it to a whole number", name, text);
  return static_cast<int>(value);
}

LaunchedRank rank_of(const char* rank, const char* size, const std::string& meeting) {
  LaunchedRank launched{number(rank), number(size), ""};
  launched.socket_name = fmt::format("tutti-perf-{}-{:x}", getuid(), std::hash<std::string>{}(meeting));
  return launched;
}

// A launcher may have bound each rank to its core; tutti-perf binds the ranks of every library itself, and must see
// them all.
void see_all_cores(int ranks) {
  if (cores_for_ranks().size() >= static_cast<std::size_t>(ranks)) return;
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof all);
  sched_setaffinity(0, sizeof all, &all);  // the kernel leaves what the job's cpuset allows
}

}  // namespace

std::optional<LaunchedRank> launched_rank() {
  std::optional<LaunchedRank> launched;
  if (!variable("TUTTI_RANK").empty())
    launched = rank_of("TUTTI_RANK", "TUTTI_SIZE", variable("TUTTI_STORE"));
  else if (!variable("RANK").empty() && !variable("MASTER_ADDR").empty())
    launched = rank_of("RANK", "WORLD_SIZE", variable("MASTER_ADDR") + ":" + variable("MASTER_PORT"));
  if (launched) see_all_cores(launched->size);
  return launched;
}

void become_driver(const LaunchedRank& launched, const Options& options) {
  const Machine machine = machine_for(launched.size);
  std::vector<std::string> words = plan_of_launched(launched, options, machine, 0).commands.front();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  throw error(TUTTI_ERROR_START, "{} cannot be started: {}", words.front(), std::strerror(errno));
}

JobPlan plan_of_launched(const LaunchedRank& launched, const Options& options, const Machine& machine,
                         std::uint64_t buffer_bytes) {
  JobPlan plan = plan_of_tutti(options, machine, buffer_bytes);
  plan.keeps_launcher = true;
  plan.socket_name = launched.socket_name;
  plan.commands = {driver_words("tutti", plan, machine)};
  return plan;
}

}  // namespace tutti::perf
