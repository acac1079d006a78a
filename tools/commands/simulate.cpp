// `tutti simulate`: the time of a collective on a machine that is not here.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/schedules.hpp"
#include "tools/commands/simulate_options.hpp"
#include "tools/commands/simulate_report.hpp"
#include "topology/network/network.hpp"

namespace tutti {
namespace {

constexpr const char* description =
    "Tell how long a collective takes on a described machine, by running the schedules of all ranks in simulated "
    "time.\n"
    "See docs/simulator.md for the method and its limits.\n"
    "Examples: tutti simulate allreduce --algorithm circulant --ranks 4096 --bytes 1M --loggops "
    "3700,200,5,0.04,0,256K\n"
    "          tutti simulate allreduce --algorithm ring --ranks 512 --bytes 64M --network frontier.toml";

simulation::Group group_of(const SimulateOptions& options) {
  const Kind kind = parse_kind(options.collective);
  const ChosenRun chosen = chosen_run(kind, options.algorithm);
  const ShapePtr shape = options.nodes.empty() ? nullptr : parse_nodes(options.nodes, options.placement);
  const std::vector<int> sizes = shape ? std::vector{shape->ranks()} : parse_ranks(options.ranks);
  if (sizes.size() != 1) throw error(TUTTI_ERROR_ARGUMENT, "simulate: one number of ranks at a time, or --nodes");
  if (!chosen.layers.empty() && !shape)
    throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: a hierarchy needs --nodes, such as --nodes 8x4",
                options.algorithm);
  if (options.root != 0 && kind != Kind::broadcast && kind != Kind::reduce)
    throw error(TUTTI_ERROR_ARGUMENT, "--root {}: {} has no root", options.root, options.collective);
  simulation::Group group;
  group.key = {chosen.algorithm, chosen.parameter, sizes[0],      0,    options.in_place,
               options.ordered,  options.root,     chosen.layers, shape};
  group.bytes = parse_bytes(options.bytes);
  group.root = options.root;
  group.window_bytes = chosen.window_bytes.value_or(0);
  group.in_flight = chosen.in_flight.value_or(4);
  return group;
}

// The network, and which of its hosts each rank sits on.
struct Place {
  Network network;
  Seats seats;
};

std::unique_ptr<Place> place_of(const SimulateOptions& options, const simulation::Group& group) {
  if (options.network.empty()) return nullptr;
  auto place = std::make_unique<Place>(Place{read_network(options.network), {}});
  const int ranks = group.key.size;
  if (!group.key.shape) {
    place->seats = seated(place->network, ranks, options.ranks_per_host);
    return place;
  }
  std::vector<std::int64_t> hosts;
  for (int rank = 0; rank < ranks; ++rank) hosts.push_back(group.key.shape->group_of(rank));
  place->seats = seated(place->network, std::move(hosts));
  return place;
}

SimulationReport report_of(const SimulateOptions& options, const simulation::Group& group, bool flow) {
  SimulationReport report;
  report.title = fmt::format("{} by {}, {} bytes on {} ranks", options.collective, options.algorithm,
                             format_bytes(group.bytes), group.key.size);
  report.entries = {{"collective", options.collective},
                    {"algorithm", options.algorithm},
                    {"ranks", group.key.size},
                    {"bytes", group.bytes},
                    {"mode", flow ? "flow" : "loggops"}};
  if (!options.loggops.empty()) report.entries["loggops"] = options.loggops;
  if (!options.network.empty()) report.entries["network"] = options.network;
  return report;
}

void run_simulation(const SimulateOptions& options) {
  if (options.job.given()) return simulate_job(options);
  if (options.collective.empty() || options.algorithm.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "simulate: a collective and its --algorithm are needed, or a job: --grid data=10,tensor=8 --axis "
                "data=allreduce:64M");
  const bool flow = is_flow_mode(options);
  const simulation::Settings settings = settings_of(options);
  const simulation::FlowSettings flows = flow_settings_of(options);
  const simulation::LogGops loggops = loggops_of(options);
  const simulation::Group group = group_of(options);
  const auto place = place_of(options, group);
  const bool watched = isatty(STDERR_FILENO) != 0;
  if (watched) fmt::print(stderr, "\rlistening to {} ranks...\033[K", group.key.size);
  simulation::Programs programs(group.key.size, limits_of(flow));
  programs.add(group);
  check_trace(options, programs.messages());
  if (watched) fmt::print(stderr, "\rsimulating {} messages...\033[K", programs.messages());
  simulation::Trace trace;
  simulation::Trace* const traced = options.trace.empty() ? nullptr : &trace;
  const simulation::Outcome outcome =
      flow ? simulate(programs, place->seats, flows, settings, traced)
           : simulate(programs, loggops, settings, traced, place ? &place->seats : nullptr);
  if (watched) fmt::print(stderr, "\r\033[K");
  if (traced != nullptr) write_trace(options.trace, trace);
  SimulationReport report = report_of(options, group, flow);
  report.outcome = &outcome;
  constexpr std::size_t most_links_told = 5;
  if (place) report.busiest = busiest_links(programs, place->seats, outcome, most_links_told);
  options.json ? print_json(report) : print_text(report);
}

}  // namespace

void add_simulate(CLI::App& app) {
  constexpr int most_per_host = 65536;
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command = app.add_subcommand("simulate", description);
  command->add_option("collective", options->collective, "allreduce, broadcast, reduce, ...");
  command->add_option("-a,--algorithm", options->algorithm, "ring, chain(window=64K, in-flight=4), ...");
  command->add_option("-n,--ranks", options->ranks, "How many ranks");
  command->add_option("--nodes", options->nodes, "Instead: the ranks of each node, for hierarchies: 8x4, or 3,1/4,2")
      ->excludes(command->get_option("--ranks"));
  command->add_option("--placement", options->placement, "How ranks are laid out over the nodes (default block)")
      ->option_text("block|cyclic|random");
  command->add_option("--bytes", options->bytes, "Bytes of the whole vector (default 0)");
  command->add_option("--loggops", options->loggops, "L,o,g,G,O,S in ns, ns per byte and bytes");
  command->add_option("--network", options->network, "File that describes the network, in which ranks fill the hosts");
  command->add_option("--mode", options->mode, "flow: messages share links (the default with --network); loggops")
      ->check(CLI::IsMember({"flow", "loggops"}));
  command->add_option("--ranks-per-host", options->ranks_per_host, "Ranks on each host of the network (default 1)")
      ->check(CLI::Range(1, most_per_host))
      ->excludes(command->get_option("--nodes"));
  command->add_option("--overhead", options->overhead, "Processor time of a message at either end (default 0ns)");
  command->add_option("--eager", options->eager,
                      "Bytes up to which a message does not wait for its receive (default 0)");
  command
      ->add_option("--sharing", options->sharing, "equal: flows share a link equally (default); latency: as TCP does")
      ->check(CLI::IsMember({"equal", "latency"}));
  command->add_option("--combine", options->combine, "Time to combine a byte, in ns (default 0)");
  command->add_option("--copy", options->copy, "Time to copy a byte, in ns (default 0)");
  command->add_option("--noise", options->noise, "slowdown=0.1 or period=1ms,length=10us, or all three");
  command->add_option("--seed", options->seed, "Of the noise (default 1)");
  command->add_option("--straggler", options->stragglers, "RANK=DELAY: starts later than the others, such as 3=20us");
  command->add_option("--root", options->root, "Of a broadcast or reduce (default 0)");
  add_job_options(*command, options->job);
  command->add_option("--mapping", options->mapping, "Of a job's ranks to hosts: in-order, reordered or both (default)")
      ->check(CLI::IsMember({"in-order", "reordered", "both"}));
  command->add_flag("--in-place", options->in_place, "Input and output are one buffer");
  command->add_flag("--ordered", options->ordered, "Combine in rank order, for operations that do not commute");
  command->add_option("--trace", options->trace, "Write what each rank does to this file, for ui.perfetto.dev");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run_simulation(*options); });
}

}  // namespace tutti
