// See simulate_report.hpp.
#include "tools/commands/simulate_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "simulator/link_loads.hpp"

namespace tutti {
namespace {

// Least, first quartile, median, third quartile, greatest.
std::array<std::int64_t, 5> spread_of(std::vector<std::int64_t> times) {
  std::array<std::int64_t, 5> spread{};
  for (std::size_t i = 0; i < spread.size(); ++i) {
    const auto at = times.begin() + static_cast<std::ptrdiff_t>((times.size() - 1) * i / 4);
    std::nth_element(times.begin(), at, times.end());
    spread[i] = *at;
  }
  return spread;
}

}  // namespace

std::vector<BusyLink> busiest_links(const simulation::Programs& programs, const Seats& seats,
                                    const simulation::Outcome& outcome, std::size_t most) {
  struct Carried {
    std::int64_t link;
    double bytes;
    double share;
  };
  std::vector<Carried> shares;
  const double seconds = static_cast<double>(std::max<std::int64_t>(outcome.time_ps, 1)) * 1e-12;
  for (const auto& [link, bytes] : simulation::link_loads(programs, seats)) {
    const auto rate = static_cast<double>(seats.network->link(link).bytes_per_second);
    shares.push_back({link, bytes, bytes / rate / seconds});
  }
  const std::size_t count = std::min(most, shares.size());
  std::partial_sort(shares.begin(), shares.begin() + static_cast<std::ptrdiff_t>(count), shares.end(),
                    [](const Carried& left, const Carried& right) {
                      return left.share != right.share ? left.share > right.share : left.link < right.link;
                    });
  std::vector<BusyLink> busiest;
  for (std::size_t i = 0; i < count; ++i)
    busiest.push_back({seats.network->link_name(shares[i].link), seats.network->link_class(shares[i].link),
                       shares[i].bytes, shares[i].share});
  return busiest;
}

std::string simulated_time_text(std::int64_t ps) {
  const double value = static_cast<double>(ps);
  if (value < 1e6) return fmt::format("{:.4g} ns", value / 1e3);
  if (value < 1e9) return fmt::format("{:.4g} us", value / 1e6);
  return value < 1e12 ? fmt::format("{:.4g} ms", value / 1e9) : fmt::format("{:.4g} s", value / 1e12);
}

nlohmann::ordered_json json_of(const SimulationReport& report) {
  const simulation::Outcome& outcome = *report.outcome;
  const auto spread = spread_of(outcome.finished_ps);
  const auto microseconds = [](std::int64_t ps) { return static_cast<double>(ps) / 1e6; };
  nlohmann::ordered_json json = report.entries;
  json["time_us"] = microseconds(outcome.time_ps);
  json["finished_us"] = {{"least", microseconds(spread[0])},
                         {"quartile", microseconds(spread[1])},
                         {"median", microseconds(spread[2])},
                         {"third_quartile", microseconds(spread[3])},
                         {"greatest", microseconds(spread[4])}};
  json["messages"] = outcome.messages;
  json["message_bytes"] = outcome.bytes;
  json["events"] = outcome.events;
  if (!report.busiest.empty()) {
    json["busiest_links"] = nlohmann::ordered_json::array();
    for (const BusyLink& link : report.busiest)
      json["busiest_links"].push_back(
          {{"name", link.name}, {"class", link.link_class}, {"bytes", link.bytes}, {"share", link.share}});
  }
  return json;
}

void print_json(const SimulationReport& report) { fmt::print("{}\n", json_of(report).dump(2)); }

void print_text(const SimulationReport& report) {
  const simulation::Outcome& outcome = *report.outcome;
  const auto spread = spread_of(outcome.finished_ps);
  fmt::print("{}: {}\n", report.title, simulated_time_text(outcome.time_ps));
  fmt::print("  ranks finished: first {}, quartile {}, median {}, third quartile {}, last {}\n",
             simulated_time_text(spread[0]), simulated_time_text(spread[1]), simulated_time_text(spread[2]),
             simulated_time_text(spread[3]), simulated_time_text(spread[4]));
  fmt::print("  {} messages with {} bytes\n", outcome.messages, outcome.bytes);
  if (!report.busiest.empty()) fmt::print("  busiest links, and the share of the time at their full rate:\n");
  for (const BusyLink& link : report.busiest)
    fmt::print("    {:>5.1f} %  {} ({}), {:.0f} bytes\n", 100 * link.share, link.name, link.link_class, link.bytes);
}

}  // namespace tutti
