// `tutti simulate --grid`: the communication of one step of a job, with its ranks in order and reordered to the
// network.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "error.hpp"
#include "simulator/link_loads.hpp"
#include "tools/commands/simulate_options.hpp"
#include "tools/commands/simulate_report.hpp"
#include "topology/network/reordering.hpp"

namespace tutti {
namespace {

struct Mapped {
  std::string name;
  Seats seats;
  simulation::Outcome outcome;
  std::vector<BusyLink> busiest;
};

void check(const SimulateOptions& options) {
  if (!options.collective.empty() || !options.algorithm.empty() || !options.ranks.empty() || !options.nodes.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "--grid, --job: a job says its collectives, algorithms and ranks itself; right would be --axis "
                "data=allreduce:64M:ring");
  if (options.network.empty() || !is_flow_mode(options))
    throw error(TUTTI_ERROR_ARGUMENT, "--grid, --job: the groups of a job share links, which --network FILE describes");
  if (!options.trace.empty() && options.mapping == "both")
    throw error(TUTTI_ERROR_ARGUMENT, "--trace: of one mapping; right would be --mapping reordered or in-order");
}

void print(const Job& job, const std::vector<Mapped>& mappings) {
  fmt::print("step of a job of {}, all groups at once\n", text(job));
  for (const JobAxis& axis : job.axes) fmt::print("  {}\n", text(axis));
  for (const Mapped& mapped : mappings)
    print_text({fmt::format("ranks {}", mapped.name), {}, &mapped.outcome, mapped.busiest});
  if (mappings.size() == 2)
    fmt::print("reordered is {:.2f} times as fast\n",
               static_cast<double>(mappings[0].outcome.time_ps) / static_cast<double>(mappings[1].outcome.time_ps));
}

void print_as_json(const SimulateOptions& options, const Job& job, const std::vector<Mapped>& mappings) {
  nlohmann::ordered_json json = {{"ranks", job.ranks()}, {"mode", "flow"}, {"network", options.network}};
  json["axes"] = nlohmann::ordered_json::array();
  for (const JobAxis& axis : job.axes) {
    nlohmann::ordered_json entry = {{"name", axis.name}, {"size", axis.size}};
    if (axis.kind) {
      entry["collective"] = kind_name(*axis.kind);
      entry["bytes"] = axis.bytes;
      entry["algorithm"] = text(axis.choice);
    }
    json["axes"].push_back(entry);
  }
  for (const Mapped& mapped : mappings)
    json["mappings"][mapped.name] = json_of({"", {}, &mapped.outcome, mapped.busiest});
  fmt::print("{}\n", json.dump(2));
}

}  // namespace

void simulate_job(const SimulateOptions& options) {
  check(options);
  Job job = read_job(options.job);
  const simulation::FlowSettings flows = flow_settings_of(options);
  const Network network = read_network(options.network);
  const Seats in_order = seated(network, job.ranks(), options.ranks_per_host);
  choose_algorithms(job, machine_of_group(network, flows.overhead_ps, static_cast<std::uint64_t>(flows.eager_bytes)));
  const bool watched = isatty(STDERR_FILENO) != 0;
  if (watched) fmt::print(stderr, "\rlistening to {} ranks...\033[K", job.ranks());
  simulation::Programs programs(job.ranks(), limits_of(true));
  add_groups(programs, job);
  std::vector<Mapped> mappings;
  if (options.mapping != "reordered") mappings.push_back({"in-order", in_order, {}, {}});
  if (watched) fmt::print(stderr, "\rreordering {} ranks...\033[K", job.ranks());
  if (options.mapping != "in-order")
    mappings.push_back(
        {"reordered", reseated(in_order, reorder_grid(in_order, pairs_of(programs), job.sizes())), {}, {}});
  simulation::Trace trace;
  check_trace(options, programs.messages());
  for (Mapped& mapped : mappings) {
    if (watched) fmt::print(stderr, "\rsimulating {} messages...\033[K", programs.messages());
    mapped.outcome =
        simulate(programs, mapped.seats, flows, settings_of(options), options.trace.empty() ? nullptr : &trace);
    constexpr std::size_t most_links_told = 3;
    mapped.busiest = busiest_links(programs, mapped.seats, mapped.outcome, most_links_told);
  }
  if (watched) fmt::print(stderr, "\r\033[K");
  if (!options.trace.empty()) write_trace(options.trace, trace);
  options.json ? print_as_json(options, job, mappings) : print(job, mappings);
}

}  // namespace tutti
