// See simulate_options.hpp.
#include "tools/commands/simulate_options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <limits>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/machine.hpp"
#include "tools/commands/commands.hpp"

namespace tutti {
namespace {

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

}  // namespace

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

void write_trace(const std::string& file, const simulation::Trace& trace) {
  std::ofstream out(file);
  out << simulation::trace_json(trace);
  out.close();
  if (!out) throw CommandFailed(fmt::format("--trace {}: the file cannot be written", file));
}

}  // namespace tutti
