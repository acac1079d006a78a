// `tutti explain --grid`: what the model says of a job's step: each axis alone, and what the links carry of all
// together.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "error.hpp"
#include "simulator/link_loads.hpp"
#include "tools/commands/job.hpp"
#include "tools/commands/simulate_report.hpp"
#include "topology/network/reordering.hpp"

namespace tutti {
namespace {

constexpr double ps_per_s = 1e12;

// A step cannot be shorter than its slowest axis alone, nor than its busiest link.
struct Price {
  std::int64_t busiest_ps = 0;
  std::int64_t step_ps = 0;
};

Price price_of(const Job& job, const LinkTimes& times) {
  Price price;
  price.busiest_ps = static_cast<std::int64_t>(times.busiest * ps_per_s);
  price.step_ps = price.busiest_ps;
  for (const JobAxis& axis : job.axes) price.step_ps = std::max(price.step_ps, axis.choice.predicted_ps);
  return price;
}

void print_price(const char* name, const Price& price) {
  fmt::print("  ranks {}: {} at least; the busiest link is busy for {}\n", name, simulated_time_text(price.step_ps),
             simulated_time_text(price.busiest_ps));
}

}  // namespace

void explain_job(const GridOptions& options, const std::string& network_file, int ranks_per_host, bool as_json) {
  if (network_file.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "--grid, --job: the groups of a job share links, which --network FILE describes");
  Job job = read_job(options);
  const Network network = read_network(network_file);
  const Seats seats = seated(network, job.ranks(), ranks_per_host);
  choose_algorithms(job, machine_of_group(network, 0, 0));
  simulation::Programs programs(job.ranks());
  add_groups(programs, job);
  const std::vector<RankPair> pairs = pairs_of(programs);
  std::vector<std::int32_t> in_order(seats.host.size());
  for (std::size_t rank = 0; rank < in_order.size(); ++rank) in_order[rank] = static_cast<std::int32_t>(rank);
  const Price plain = price_of(job, link_times(seats, pairs, in_order));
  const Price reordered = price_of(job, link_times(seats, pairs, reorder_grid(seats, pairs, job.sizes())));
  if (as_json) {
    nlohmann::ordered_json json = {{"ranks", job.ranks()}, {"network", network_file}};
    for (const JobAxis& axis : job.axes)
      if (axis.kind)
        json["axes"].push_back({{"name", axis.name},
                                {"collective", kind_name(*axis.kind)},
                                {"bytes", axis.bytes},
                                {"algorithm", text(axis.choice)},
                                {"alone_ps", axis.choice.predicted_ps}});
    for (const auto& [name, price] : {std::pair("in-order", plain), std::pair("reordered", reordered)})
      json["mappings"][name] = {{"busiest_link_ps", price.busiest_ps}, {"step_ps", price.step_ps}};
    return fmt::print("{}\n", json.dump(2));
  }
  fmt::print("step of a job of {}, all groups at once\n", text(job));
  for (const JobAxis& axis : job.axes)
    fmt::print("  {}{}\n", text(axis),
               axis.kind ? fmt::format(", {} alone", simulated_time_text(axis.choice.predicted_ps)) : "");
  print_price("in order", plain);
  print_price("reordered", reordered);
}

}  // namespace tutti
