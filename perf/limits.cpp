// The limits of this machine: a cache-line hop, copies by all ranks at once, bytes passed from core to core, the
// context switch. Measured with the parts of which the bounds are made.
#include "perf/limits.hpp"

#include <fstream>
#include <iostream>

#include "error.hpp"
#include "perf/plans.hpp"
#include "perf/progress.hpp"
#include "perf/results.hpp"
#include "perf/setup.hpp"
#include "perf/sizes.hpp"

namespace tutti::perf {
namespace {

struct Limit {
  std::string name;
  std::string part;
  std::string variant;
  std::uint64_t bytes;
  double calls;  // what happens so many times in one call
};

std::vector<Limit> limits_of(int ranks, bool more_ranks_than_cores, const std::vector<std::uint64_t>& sizes) {
  std::vector<Limit> limits;
  if (ranks > 1 && !more_ranks_than_cores) limits.push_back({"cache-line hop, one way", "hop", "", 0, 2});
  limits.push_back({"context switch by sched_yield", "switch", "", 0, 2});
  for (const std::uint64_t bytes : sizes) {
    const std::string size = size_text(bytes);
    limits.push_back({"copy " + size + ", all ranks at once, plain stores", "copy-all", "plain", bytes, 1});
    limits.push_back({"copy " + size + ", all ranks at once, streaming stores", "copy-all", "streaming", bytes, 1});
    if (ranks == 1) continue;
    for (const std::uint64_t window : {16u << 10, 64u << 10, 256u << 10})
      if (window <= bytes || window == 16u << 10)
        limits.push_back({fmt::format("pass {} to the next core in windows of {}", size, size_text(window)), "pass",
                          std::to_string(window), bytes, 1});
  }
  return limits;
}

}  // namespace

int show_limits(Options options) {
  const std::vector<std::uint64_t> sizes = parse_sizes(options.bytes);
  options.collective = "barrier";  // no collective: only the parts run
  options.launches = 1;
  check(options);
  const int ranks = options.ranks;
  const Machine machine = machine_for(ranks);
  const nlohmann::json setup = describe_setup(options, machine);
  Job bound(plan_of_bound(ranks, machine, std::max<std::uint64_t>(sizes.back(), 1u << 20)));
  Job taking_turns(plan_of_switch(machine));
  nlohmann::json rows = nlohmann::json::array();
  const ProgressLine progress;
  for (const Limit& limit : limits_of(ranks, machine.more_ranks_than_cores, sizes)) {
    Series series;
    series.part = limit.part;
    Candidate candidate;
    candidate.job = limit.part == "switch" ? &taking_turns : &bound;
    candidate.forced = limit.variant;
    candidate.part = limit.part;
    candidate.bytes = limit.bytes;
    candidate.series = &series;
    std::vector<Candidate> candidates = {candidate};
    progress.show(limit.name);
    measure_cell(options, Cell{}, 0, candidates, [](const std::string&) {});
    for (double& us : series.us) us /= limit.calls;
    const Summary s = summarise(series.us);
    progress.show("");
    const double rate = limit.bytes ? static_cast<double>(limit.bytes) / s.median / 1000 : 0;
    std::cout << fmt::format("{:<58}{:>12.3f} us  [{:.3f}, {:.3f}]{}\n", limit.name, s.median, s.interval.low,
                             s.interval.high, rate > 0 ? fmt::format("{:>9.2f} GB/s a rank", rate) : "")
              << std::flush;
    rows.push_back({{"name", limit.name},
                    {"part", limit.part},
                    {"variant", limit.variant},
                    {"bytes", limit.bytes},
                    {"median_us", s.median},
                    {"low_us", s.interval.low},
                    {"high_us", s.interval.high},
                    {"samples", s.samples}});
  }
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << nlohmann::json{{"setup", setup}, {"limits", rows}}.dump(1) << '\n';
    if (!file.flush()) throw error(TUTTI_ERROR_SYSTEM, "{} cannot be written", options.json);
  }
  return 0;
}

}  // namespace tutti::perf
