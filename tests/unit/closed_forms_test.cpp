// The time model's closed forms (an algorithm's rounds, through predict) held against the simulator, which runs its
// true schedule: on one machine, without congestion, and with a combine that costs.
#include <bit>
#include <cmath>
#include <set>
#include <string>

#include "algorithms/algorithm.hpp"
#include "scheduler/model.hpp"
#include "simulator/loggops.hpp"
#include "tests/catch.hpp"

using namespace tutti;
using namespace tutti::simulation;

namespace {

// The same machine for both: nothing is sent by rendezvous, everything fits into the cache, a rank has a core.
constexpr double latency_ns = 3700, overhead_ns = 200, byte_ns = 0.04, combine_ns = 0.05;

Machine modelled() {
  Machine machine;
  machine.hop_ps = static_cast<std::int64_t>(latency_ns * 1000);
  machine.message_ps = static_cast<std::int64_t>(overhead_ns * 1000);
  machine.byte_ps_1024 = static_cast<std::int64_t>(byte_ns * 1000 * 1024);
  machine.combine_ps_1024 = static_cast<std::int64_t>(combine_ns * 1000 * 1024);
  machine.inline_bytes = machine.cache_bytes = std::uint64_t{1} << 60;
  return machine;
}

std::int64_t simulated(const Algorithm& algorithm, int size, std::int64_t bytes) {
  Group group;
  group.key.algorithm = &algorithm;
  group.key.parameter = algorithm.parameter.fallback;
  group.key.size = size;
  group.bytes = static_cast<std::uint64_t>(bytes);
  Programs programs(size);
  programs.add(group);
  Settings settings;
  settings.combine_ps_per_byte = combine_ns * 1000;
  const LogGops network{latency_ns, overhead_ns, 0, byte_ns, 0, std::int64_t{1} << 60};
  return simulate(programs, network, settings).time_ps;
}

std::int64_t predicted(const Algorithm& algorithm, int size, std::int64_t bytes) {
  return predict(algorithm.rounds(size, algorithm.parameter.fallback), modelled(), {bytes, bytes, 1, 1}).total();
}

// Those whose rounds follow one another on every rank: the form is exact, but for the first byte of each message.
bool is_in_step(const Algorithm& algorithm, int size) {
  static const std::set<std::string_view> any_size = {"ring", "chain", "dissemination"};
  static const std::set<std::string_view> powers_of_two = {"recursive-doubling", "rabenseifner", "recursive-halving",
                                                           "binomial", "circulant"};
  const bool power = std::has_single_bit(static_cast<unsigned>(size));
  if (any_size.contains(algorithm.name)) return power || algorithm.kind != Kind::reduce;
  if (algorithm.name != "circulant") return power && powers_of_two.contains(algorithm.name);
  // A broadcast's blocks follow each other without waiting; on three ranks neither round needs the other.
  return algorithm.kind != Kind::broadcast && size != 3 && (power || algorithm.kind != Kind::reduce);
}

// How much longer a form may be than the simulation, where rounds do not wait for each other: the form counts each
// one's latency, the simulator sees them overlap. A circulant broadcast sends its blocks without a pause.
double most_of(const Algorithm& algorithm) {
  return algorithm.kind == Kind::broadcast && algorithm.name == "circulant" ? 9 : 2;
}

}  // namespace

TEST_CASE(
    "closed forms are within 1 % of the simulator where rounds follow one another, else neither far below nor above") {
  int in_step = 0, compared = 0;
  for (const Algorithm& algorithm : catalogue())
    for (int size : {2, 3, 4, 8, 13, 16, 32, 50, 64})
      for (std::int64_t block : {1024, 65536}) {
        if (!algorithm.refuses(size, algorithm.parameter.fallback).empty()) continue;
        const std::int64_t blocks = algorithm.blocks(size, algorithm.parameter.fallback);
        const std::int64_t bytes = block * (blocks == 0 ? size : blocks);
        const double ratio = static_cast<double>(predicted(algorithm, size, bytes)) /
                             static_cast<double>(simulated(algorithm, size, bytes));
        INFO(kind_name(algorithm.kind) << " " << algorithm.name << " on " << size << ", " << bytes
                                       << " bytes: predicted / simulated = " << ratio);
        ++compared;
        if (is_in_step(algorithm, size)) {
          ++in_step;
          CHECK(std::abs(ratio - 1) <= 0.01);
        } else {
          CHECK(ratio >= 0.6);
          CHECK(ratio <= most_of(algorithm));
        }
      }
  CHECK(in_step > 200);
  CHECK(compared > 500);
}
