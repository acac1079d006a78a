// Flow mode beside SimGrid: the same links, routes, messages and dependencies.
#include <cmath>
#include <cstdio>

#include "algorithms/algorithm.hpp"
#include "simulator/flow.hpp"
#include "tests/catch.hpp"
#include "tests/unit/simgrid_run.hpp"
#include "topology/network/network.hpp"

using namespace tutti;
using namespace tutti::simulation;

namespace {

struct Described {
  const char* name;
  int hosts;
  const char* network;
};

constexpr Described machines[] = {
    {"fat tree", 128,
     "kind = \"fat-tree\"\nk = 8\n[link]\n"
     "host = { bandwidth = \"100 Gb/s\", latency = \"300 ns\" }\n"
     "level2 = { bandwidth = \"100 Gb/s\", latency = \"350 ns\" }\n"
     "level3 = { bandwidth = \"100 Gb/s\", latency = \"400 ns\" }\n"},
    {"dragonfly", 72,
     "kind = \"dragonfly\"\ngroups = 9\nswitches_per_group = 4\nhosts_per_switch = 2\n[link]\n"
     "host = { bandwidth = \"200 Gb/s\", latency = \"300 ns\" }\n"
     "local = { bandwidth = \"200 Gb/s\", latency = \"350 ns\" }\n"
     "global = { bandwidth = \"200 Gb/s\", latency = \"900 ns\" }\n"},
    {"torus", 64,
     "kind = \"torus\"\nsizes = [4, 4, 4]\n[link]\n"
     "host = { bandwidth = \"80 Gb/s\", latency = \"300 ns\" }\n"
     "x = { bandwidth = \"75 Gb/s\", latency = \"105 ns\" }\n"
     "y = { bandwidth = \"37 Gb/s\", latency = \"105 ns\" }\n"
     "z = { bandwidth = \"75 Gb/s\", latency = \"105 ns\" }\n"},
};

struct Messages {
  const char* name;
  Kind kind;
  const char* algorithm;
};

// All to all: every rank sends a share of the bytes to every other.
constexpr Messages traffics[] = {{"ring", Kind::allreduce, "ring"},
                                 {"recursive doubling", Kind::allreduce, "recursive-doubling"},
                                 {"all to all", Kind::allgather, "one-shot"}};

double run_ours(const Group& group, const Seats& seats, bool by_latency) {
  Programs programs(group.key.size);
  programs.add(group);
  FlowSettings flows;
  flows.by_latency = by_latency;
  return static_cast<double>(simulate(programs, seats, flows, {}).time_ps) * 1e-12;
}

}  // namespace

// SimGrid gives a flow a share that falls with its latency, as TCP's congestion control does. Flow mode can do the
// same, and then differs by what is left: ties between ends of one instant, and its grid of ends. By default all flows
// are equal, as in networks with credits; how far that is from SimGrid is a property of the traffic, not an error.
TEST_CASE("flow mode is within 2 % of SimGrid where it shares by latency, and within 8 % where all flows are equal") {
  for (const Described& machine : machines)
    for (const Messages& traffic : traffics)
      for (const std::int64_t mebibytes : {1, 16}) {
        const Network network = parse_network(std::string("[network]\n") + machine.network, machine.name);
        REQUIRE(network.hosts() == machine.hosts);
        const Seats seats = seated(network, machine.hosts, 1);
        Group group;
        const Algorithm& algorithm = find_algorithm(traffic.kind, traffic.algorithm);
        group.key.algorithm = &algorithm;
        group.key.parameter = algorithm.parameter.fallback;
        group.key.size = machine.hosts;
        std::vector<Schedule> schedules;
        for (ScheduleKey key = group.key; key.position < machine.hosts; ++key.position)
          schedules.push_back(build_schedule(key));
        const std::int64_t blocks = schedules[0].blocks;
        // Whole cache lines a block, so that all blocks are equal on both sides.
        const std::int64_t block = (mebibytes << 20) / blocks / 64 * 64;
        group.bytes = static_cast<std::uint64_t>(block * blocks);
        const double theirs = testing::run_in_simgrid(schedules, seats, block);
        const double ours = run_ours(group, seats, false), as_tcp = run_ours(group, seats, true);
        std::printf(
            "%-10s %-18s %2d MiB: SimGrid %9.1f us, flow mode %9.1f us (%+.2f %%), by latency %9.1f us (%+.2f %%)\n",
            machine.name, traffic.name, static_cast<int>(mebibytes), theirs * 1e6, ours * 1e6,
            100 * (ours / theirs - 1), as_tcp * 1e6, 100 * (as_tcp / theirs - 1));
        std::fflush(stdout);
        INFO(machine.name << ", " << traffic.name << ", " << mebibytes << " MiB: SimGrid " << theirs << " s, flow mode "
                          << ours << " s, by latency " << as_tcp << " s");
        CHECK(std::abs(ours / theirs - 1) <= 0.08);
        CHECK(std::abs(as_tcp / theirs - 1) <= 0.02);
      }
}
