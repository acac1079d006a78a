// See topo_load.hpp.
#include "tools/commands/topo_load.hpp"

#include <algorithm>
#include <limits>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "simulator/link_loads.hpp"
#include "tools/commands/schedules.hpp"

namespace tutti {
namespace {

constexpr int most_per_host = 65536;

simulation::Group group_of(const LoadOptions& options, int ranks) {
  const Kind kind = parse_kind(options.collective);
  const ChosenRun chosen = chosen_run(kind, options.algorithm);
  if (!chosen.layers.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: the picture is of flat algorithms, which need no --nodes",
                options.algorithm);
  simulation::Group group;
  group.key = {chosen.algorithm, chosen.parameter, ranks, 0, false, false, 0, {}, nullptr};
  group.bytes = parse_bytes(options.bytes);
  group.window_bytes = chosen.window_bytes.value_or(0);
  group.in_flight = chosen.in_flight.value_or(4);
  return group;
}

int ranks_of(const Network& network, const LoadOptions& options) {
  const std::int64_t ranks = network.hosts() * options.ranks_per_host;
  if (ranks > std::numeric_limits<int>::max())
    throw error(TUTTI_ERROR_ARGUMENT, "--ranks-per-host {}: {} ranks on {} hosts are too many", options.ranks_per_host,
                ranks, network.hosts());
  return static_cast<int>(ranks);
}

}  // namespace

void add_load_options(CLI::App& command, LoadOptions& options) {
  CLI::Option* load = command.add_option("--load", options.collective,
                                         "draw what a collective of all hosts puts on the links: allreduce, ...");
  command.add_option("-a,--algorithm", options.algorithm, "of --load: ring, circulant, ...")->needs(load);
  command.add_option("--bytes", options.bytes, "of --load: bytes of the whole vector (default 1M)")->needs(load);
  command.add_option("--ranks-per-host", options.ranks_per_host, "of --load (default 1)")
      ->needs(load)
      ->check(CLI::Range(1, most_per_host));
}

std::vector<double> load_on(const Network& network, const LoadOptions& options) {
  if (options.algorithm.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "--load {}: which --algorithm? `tutti info` lists them", options.collective);
  const int ranks = ranks_of(network, options);
  simulation::Programs programs(ranks);
  programs.add(group_of(options, ranks));
  std::vector<double> load(static_cast<std::size_t>(network.links()));
  for (const auto& [link, bytes] : simulation::link_loads(programs, seated(network, ranks, options.ranks_per_host)))
    load[static_cast<std::size_t>(link)] = bytes;
  return load;
}

std::string load_text(const Network& network, const LoadOptions& options, const std::vector<double>& load) {
  const auto busiest = std::max_element(load.begin(), load.end());
  if (busiest == load.end()) return "no links";
  const Network::Ends ends = network.ends(busiest - load.begin());
  return fmt::format("{} by {}, {} bytes on {} ranks: at most {:.0f} bytes on a link, such as {} > {}",
                     options.collective, options.algorithm, options.bytes, ranks_of(network, options), *busiest,
                     network.vertex_name(ends.from), network.vertex_name(ends.to));
}

}  // namespace tutti
