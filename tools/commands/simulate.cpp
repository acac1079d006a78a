// `tutti simulate`: the time of a collective on a machine that is not here.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/machine.hpp"
#include "simulator/flow.hpp"
#include "simulator/loggops.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/schedules.hpp"
#include "tools/commands/simulate_report.hpp"
#include "topology/network/network.hpp"

namespace tutti {
namespace {

struct SimulateOptions {
  std::string collective;
  std::string algorithm;
  std::string ranks;
  std::string nodes;
  std::string placement = "block";
  std::string bytes = "0";
  std::string loggops;
  std::string network;
  std::string mode;
  int ranks_per_host = 1;
  std::string overhead = "0ns";
  std::string eager = "0";
  std::string sharing = "equal";
  std::string combine = "0";
  std::string copy = "0";
  std::string noise;
  std::uint64_t seed = 1;
  std::vector<std::string> stragglers;
  int root = 0;
  bool in_place = false;
  bool ordered = false;
  std::string trace;
  bool json = false;
};

constexpr const char* description =
    "Tell how long a collective takes on a described machine, by running the schedules of all ranks in simulated "
    "time.\n"
    "See docs/simulator.md for the method and its limits.\n"
    "Examples: tutti simulate allreduce --algorithm circulant --ranks 4096 --bytes 1M --loggops "
    "3700,200,5,0.04,0,256K\n"
    "          tutti simulate allreduce --algorithm ring --ranks 512 --bytes 64M --network frontier.toml";

double parse_number(std::string_view text, std::string_view option) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 1e12)
    throw error(TUTTI_ERROR_ARGUMENT, "{} \"{}\" is not a number from 0 to 1e12", option, text);
  return value;
}

// "300ns", "1.5us", "2ms", "1s", in ps.
std::int64_t parse_time(std::string_view text, std::string_view option) {
  constexpr std::pair<std::string_view, double> units[] = {{"ns", 1e3}, {"us", 1e6}, {"ms", 1e9}, {"s", 1e12}};
  for (const auto& [unit, ps] : units) {
    if (!text.ends_with(unit)) continue;
    const double value = parse_number(text.substr(0, text.size() - unit.size()), option) * ps;
    if (value <= 1e18) return static_cast<std::int64_t>(value + 0.5);
  }
  throw error(TUTTI_ERROR_ARGUMENT, "{} \"{}\" is not a time; right would be a number with ns, us, ms or s: \"20us\"",
              option, text);
}

std::pair<std::string_view, std::string_view> split(std::string_view text, std::string_view option,
                                                    std::string_view form) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    throw error(TUTTI_ERROR_ARGUMENT, "{} \"{}\": right would be {}", option, text, form);
  return {text.substr(0, equals), text.substr(equals + 1)};
}

simulation::NoiseSettings parse_noise(std::string_view text, std::uint64_t seed) {
  simulation::NoiseSettings noise;
  noise.seed = seed;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const auto [key, value] = split(text.substr(0, comma), "--noise", "slowdown=0.1 or period=1ms,length=10us");
    if (key == "slowdown")
      noise.slowdown = parse_number(value, "--noise slowdown");
    else if (key == "period")
      noise.period_ps = parse_time(value, "--noise period");
    else if (key == "length")
      noise.length_ps = parse_time(value, "--noise length");
    else
      throw error(TUTTI_ERROR_ARGUMENT, "--noise: \"{}\" is unknown; there are slowdown, period and length", key);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return noise;
}

simulation::Settings settings_of(const SimulateOptions& options) {
  constexpr double ps_per_ns = 1000;
  simulation::Settings settings;
  settings.combine_ps_per_byte = ps_per_ns * parse_number(options.combine, "--combine");
  settings.copy_ps_per_byte = ps_per_ns * parse_number(options.copy, "--copy");
  settings.noise = parse_noise(options.noise, options.seed);
  for (const std::string& straggler : options.stragglers) {
    const auto [rank, delay] = split(straggler, "--straggler", "RANK=DELAY, such as 3=20us");
    int number = 0;
    const auto [end, failure] = std::from_chars(rank.data(), rank.data() + rank.size(), number);
    if (failure != std::errc() || end != rank.data() + rank.size())
      throw error(TUTTI_ERROR_ARGUMENT, "--straggler {}: \"{}\" is not a rank", straggler, rank);
    settings.stragglers.push_back({number, parse_time(delay, "--straggler")});
  }
  return settings;
}

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

void write_trace(const std::string& file, const simulation::Trace& trace) {
  std::ofstream out(file);
  out << simulation::trace_json(trace);
  out.close();
  if (!out) throw CommandFailed(fmt::format("--trace {}: the file cannot be written", file));
}

// The network, and which of its hosts each rank sits on.
struct Place {
  Network network;
  simulation::Seats seats;
};

std::unique_ptr<Place> place_of(const SimulateOptions& options, const simulation::Group& group) {
  if (options.network.empty()) return nullptr;
  auto place = std::make_unique<Place>(Place{read_network(options.network), {}});
  const int ranks = group.key.size;
  if (!group.key.shape) {
    place->seats = simulation::seated(place->network, ranks, options.ranks_per_host);
    return place;
  }
  std::vector<std::int64_t> hosts;
  for (int rank = 0; rank < ranks; ++rank) hosts.push_back(group.key.shape->group_of(rank));
  place->seats = simulation::seated(place->network, std::move(hosts));
  return place;
}

simulation::FlowSettings flow_settings_of(const SimulateOptions& options) {
  simulation::FlowSettings flows;
  flows.overhead_ps = parse_time(options.overhead, "--overhead");
  flows.eager_bytes = static_cast<std::int64_t>(parse_bytes(options.eager));
  flows.by_latency = options.sharing == "latency";
  const Machine node = described_machine(1, 1);
  flows.inside_ps = node.hop_ps;
  flows.inside_ps_per_byte = static_cast<double>(node.byte_ps_1024) / 1024;
  return flows;
}

// LogGOPS where a network is given without numbers: what the network does not say costs nothing.
simulation::LogGops loggops_of(const SimulateOptions& options) {
  if (!options.loggops.empty()) return simulation::parse_loggops(options.loggops);
  const Machine node = described_machine(1, 1);
  constexpr double ps_per_ns = 1000;
  return {static_cast<double>(node.hop_ps) / ps_per_ns,
          static_cast<double>(parse_time(options.overhead, "--overhead")) / ps_per_ns,
          0,
          static_cast<double>(node.byte_ps_1024) / 1024 / ps_per_ns,
          0,
          std::numeric_limits<std::int64_t>::max()};
}

bool is_flow_mode(const SimulateOptions& options) {
  if (options.loggops.empty() && options.network.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "simulate: a machine is needed: --network FILE, or --loggops L,o,g,G,O,S, such as --loggops "
                "3700,200,5,0.04,0,256K");
  const bool flow = options.mode.empty() ? !options.network.empty() && options.loggops.empty() : options.mode == "flow";
  if (flow && options.network.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "--mode flow: the links that messages share are those of --network FILE");
  if (flow && !options.loggops.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "--mode flow: --loggops is of the other mode; right would be --overhead");
  return flow;
}

simulation::Limits limits_of(bool flow) {
  simulation::Limits limits;
  if (flow) limits.messages = simulation::most_flow_messages;
  return limits;
}

// Two ends, and a combine at one of them.
void check_trace(const SimulateOptions& options, std::int64_t messages) {
  if (!options.trace.empty() && 3 * messages > simulation::most_trace_entries)
    throw error(TUTTI_ERROR_ARGUMENT,
                "--trace: {} messages are too many for the viewers, which take about {}; fewer ranks would do",
                messages, simulation::most_trace_entries / 3);
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
  command->add_option("collective", options->collective, "allreduce, broadcast, reduce, ...")->required();
  command->add_option("-a,--algorithm", options->algorithm, "ring, chain(window=64K, in-flight=4), ...")->required();
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
  command->add_flag("--in-place", options->in_place, "Input and output are one buffer");
  command->add_flag("--ordered", options->ordered, "Combine in rank order, for operations that do not commute");
  command->add_option("--trace", options->trace, "Write what each rank does to this file, for ui.perfetto.dev");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] { run_simulation(*options); });
}

}  // namespace tutti
