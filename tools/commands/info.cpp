// `tutti info`: what this library is, what it sees of the machine and of the environment, and what it can do.
#include <fmt/format.h>
#include <hwloc.h>
#include <unistd.h>

#include <array>

#include "algorithms/algorithm.hpp"
#include "bootstrap/environment.hpp"
#include "payload/payload.hpp"
#include "scheduler/overrides.hpp"
#include "tools/build_facts.hpp"
#include "tools/commands/commands.hpp"
#include "topology/node/cores.hpp"

namespace tutti {
namespace {

void print_build() {
  const unsigned hwloc = hwloc_get_api_version();
  fmt::print("Tutti {}\n", build_facts::version);
  fmt::print("  built with   {}, {}\n", build_facts::compiler, build_facts::build_type);
  fmt::print("  SIMD         {}\n", simd_target());
  fmt::print("  transports   {}\n", build_facts::transports);
  fmt::print("  hwloc        {}.{}, its interface\n", hwloc >> 16, (hwloc >> 8) & 0xff);
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : std::string("unknown");
}

void print_machine() {
  const std::string cores = allowed_cores();
  fmt::print("\nMachine {}\n", host_name());
  if (cores.empty())
    fmt::print("  cores        unknown: hwloc could not read this process's binding\n");
  else
    fmt::print("  cores        {} that this process may run on: {}\n", count_cores({cores}), cores);
}

void print_environment() {
  std::size_t width = 0;
  for (const EnvironmentVariable& variable : environment_variables()) width = std::max(width, variable.name.size());
  fmt::print("\nEnvironment (* is set)\n");
  for (const EnvironmentVariable& variable : environment_variables()) {
    const auto value = environment_text(variable.name);
    const std::string state = value ? fmt::format("= \"{}\"", *value) : fmt::format("[{}]", variable.otherwise);
    fmt::print("{} {:<{}}  {}  {}\n", value ? '*' : ' ', variable.name, width, variable.meaning, state);
  }
}

std::string with_parameter(const Algorithm& algorithm) {
  const Parameter& parameter = algorithm.parameter;
  if (parameter.name.empty()) return std::string(algorithm.name);
  return fmt::format("{}({}={}..{})", algorithm.name, parameter.name, parameter.least, parameter.most);
}

void print_algorithms() {
  std::size_t width = 0;
  for (const Algorithm& algorithm : catalogue()) width = std::max(width, with_parameter(algorithm).size());
  fmt::print("\nAlgorithms (a latency, b per byte moved, g per byte combined, n bytes, p ranks, L = ceil(log2 p))\n");
  for (const Algorithm& algorithm : catalogue())
    fmt::print("  {:<14}  {:<{}}  {}; {}\n", kind_name(algorithm.kind), with_parameter(algorithm), width,
               algorithm.cost, algorithm.source);
}

void run_info() {
  print_build();
  print_machine();
  print_environment();
  print_algorithms();
  std::fflush(stdout);
  warn_unknown_variables();
  // A text that no call could use is bad input here too: better told now than by the job.
  if (const auto forced = environment_text("TUTTI_ALGORITHM")) Overrides::parse(*forced, "TUTTI_ALGORITHM");
}

}  // namespace

void add_info(CLI::App& app) {
  app.add_subcommand("info", "What this library is, what it sees of the machine and the environment, what it can do")
      ->callback(run_info);
}

}  // namespace tutti
