// The set-up of a measurement.
#include "perf/setup.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "perf/energy.hpp"
#include "tutti/tutti.h"

namespace tutti::perf {
namespace {

std::string first_line(const std::string& file) {
  std::string line;
  std::getline(std::ifstream(file) >> std::ws, line);
  return line;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") || line.starts_with("CPU part")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

// Settings from outside that could change a figure.
nlohmann::json relevant_environment() {
  nlohmann::json result = nlohmann::json::object();
  for (char** at = environ; *at; ++at) {
    const std::string variable = *at;
    const auto equals = variable.find('=');
    if (variable.starts_with("TUTTI_SECRET")) continue;
    for (const char* prefix : {"TUTTI_", "OMPI_MCA_", "MPIR_CVAR_", "UCX_", "FI_"})
      if (variable.starts_with(prefix)) result[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return result;
}

}  // namespace

nlohmann::json describe_setup(const Options& options, const Machine& machine) {
  utsname system{};
  uname(&system);
  return {
      {"options", to_json(options)},
      {"cpu", processor()},
      {"cores", machine.cores.size()},
      {"core_numbers", machine.cores},
      {"binding", machine.more_ranks_than_cores ? "the ranks share all the cores" : "rank i on the i-th of the cores"},
      {"governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
      {"huge_pages", first_line("/sys/kernel/mm/transparent_hugepage/enabled")},
      {"memory_kib", sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024)},
      {"kernel", fmt::format("{} {} {}", system.sysname, system.release, system.machine)},
      {"compiler", __VERSION__},
      {"flags", TUTTI_PERF_FLAGS},
      {"peer_flags", "mpicc -std=gnu11 -O3 -march=native"},
      {"tutti", tutti_version()},
      {"environment", relevant_environment()},
      {"date", now_utc()},
      {"energy", EnergyMeter().joules() ? "powercap, all packages" : "not readable on this machine"},
      {"method",
       {{"clock", "CLOCK_MONOTONIC"},
        {"start", "a time announced by the first rank over shared memory"},
        {"sample", "the last rank's end minus the common start"},
        {"interval", "99 % by order statistics"},
        {"bfloat16_of_peers", "a user-defined operation where the MPI has no such type"}}}};
}

}  // namespace tutti::perf
