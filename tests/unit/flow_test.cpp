// Flow mode: fair sharing against its definition, whole simulations against closed forms.
#include "simulator/flow.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "algorithms/algorithm.hpp"
#include "error.hpp"
#include "simulator/fair_sharing.hpp"
#include "simulator/link_loads.hpp"
#include "simulator/loggops.hpp"
#include "tests/catch.hpp"

using namespace tutti;
using namespace tutti::simulation;

namespace {

struct PlainFlow {
  std::vector<std::uint32_t> path;
  double weight = 1;
  double rate = 0;
};

// Progressive filling as the textbook has it: raise all levels together until a link is full, and again without those
// on it.
void share_plainly(std::vector<PlainFlow*> open, std::vector<double> spare) {
  while (!open.empty()) {
    std::vector<double> weights(spare.size());
    for (const PlainFlow* flow : open)
      for (const std::uint32_t link : flow->path) weights[link] += flow->weight;
    std::size_t tightest = 0;
    double level = INFINITY;
    for (std::size_t link = 0; link < spare.size(); ++link)
      if (weights[link] > 0 && spare[link] / weights[link] < level) level = spare[link] / weights[tightest = link];
    std::vector<PlainFlow*> left;
    for (PlainFlow* flow : open) {
      if (std::find(flow->path.begin(), flow->path.end(), tightest) == flow->path.end()) {
        left.push_back(flow);
        continue;
      }
      flow->rate = level * flow->weight;
      for (const std::uint32_t link : flow->path) spare[link] = std::max(0.0, spare[link] - flow->rate);
    }
    open = std::move(left);
  }
}

constexpr const char* one_switch =
    "[network]\nkind = \"switch\"\nhosts = \"host[0-7]\"\n[link]\nhost = { bandwidth = \"8 Gb/s\", latency = \"1 us\" "
    "}\n";
// Two racks of four, and between them a link that is four times slower than the hosts'.
constexpr const char* two_racks =
    "[network]\nkind = \"graph\"\n[[switch]]\nname = \"a\"\nhosts = \"host[0-3]\"\n[[switch]]\nname = \"b\"\n"
    "hosts = \"host[4-7]\"\n[[cable]]\nbetween = [\"a\", \"b\"]\n[link]\n"
    "host = { bandwidth = \"8 Gb/s\", latency = \"1 us\" }\nswitch = { bandwidth = \"2 Gb/s\", latency = \"1 us\" }\n";

Group group_of(Kind kind, std::string_view name, int size, std::uint64_t bytes) {
  Group group;
  group.key.algorithm = &find_algorithm(kind, name);
  group.key.parameter = group.key.algorithm->parameter.fallback;
  group.key.size = size;
  group.bytes = bytes;
  return group;
}

Outcome outcome_of(const Group& group, const Seats& seats, const FlowSettings& flows = {}, Trace* trace = nullptr) {
  Programs programs(static_cast<int>(seats.host.size()));
  programs.add(group);
  return simulate(programs, seats, flows, {}, trace);
}

double in_us(const Outcome& outcome) { return static_cast<double>(outcome.time_ps) * 1e-6; }

bool is_near(double value, double right, double tolerance) { return std::abs(value - right) <= tolerance * right; }

}  // namespace

TEST_CASE("rates are max-min fair after any beginnings and ends, and every change is told") {
  std::mt19937_64 random(11);
  const auto below = [&](std::uint64_t end) { return static_cast<std::uint32_t>(random() % end); };
  for (int round = 0; round < 40; ++round) {
    FairSharing sharing;
    std::vector<double> capacities;
    const std::uint32_t links = 2 + below(30);
    for (std::uint32_t link = 0; link < links; ++link) {
      capacities.push_back(1 + below(4));
      sharing.add_link(capacities.back());
    }
    const bool weighted = round % 2 == 1;
    std::vector<std::pair<std::uint32_t, PlainFlow>> flows;
    for (int step = 0; step < 60; ++step) {
      for (std::uint32_t more = below(6); more > 0; --more) {
        PlainFlow flow;
        for (std::uint32_t hops = 1 + below(4); hops > 0; --hops)
          if (const std::uint32_t link = below(links);
              std::find(flow.path.begin(), flow.path.end(), link) == flow.path.end())
            flow.path.push_back(link);
        flow.weight = weighted ? 0.25 * (1 + below(8)) : 1;
        flows.push_back({sharing.begin(flow.path, flow.weight), flow});
      }
      for (std::uint32_t fewer = below(5); fewer > 0 && !flows.empty(); --fewer) {
        const std::size_t at = below(flows.size());
        sharing.end(flows[at].first);
        flows.erase(flows.begin() + static_cast<std::ptrdiff_t>(at));
      }
      std::vector<double> before;
      for (const auto& [number, flow] : flows) before.push_back(sharing.rate(number));
      const auto told = sharing.settle();
      std::vector<PlainFlow*> open;
      for (auto& [number, flow] : flows) open.push_back(&flow);
      share_plainly(open, capacities);
      for (std::size_t i = 0; i < flows.size(); ++i) {
        const double rate = sharing.rate(flows[i].first);
        REQUIRE(is_near(rate, flows[i].second.rate, 1e-6));
        if (rate != before[i]) REQUIRE(std::find(told.begin(), told.end(), flows[i].first) != told.end());
      }
    }
  }
}

TEST_CASE("without congestion flow mode takes what the links and latencies say, within 0.1 %") {
  const Network network = parse_network(one_switch, "one switch");
  const Seats seats = seated(network, 8, 1);
  const double n = 1 << 20, us_per_byte = 0.001, latency = 2;
  const auto time = [&](Kind kind, std::string_view name) {
    return in_us(outcome_of(group_of(kind, name, 8, 1 << 20), seats));
  };
  CHECK(is_near(time(Kind::allreduce, "recursive-doubling"), 3 * (latency + n * us_per_byte), 0.001));
  CHECK(is_near(time(Kind::allreduce, "ring"), 14 * (latency + n / 8 * us_per_byte), 0.001));
  CHECK(is_near(time(Kind::allreduce, "circulant"), 6 * latency + 2 * n * 7 / 8 * us_per_byte, 0.001));
  // The root sends to its three children at once, each at a third of its rate; the first of them then to two.
  CHECK(is_near(time(Kind::broadcast, "binomial"), 3 * latency + (3 + 2 + 1) * n * us_per_byte, 0.001));
  CHECK(is_near(time(Kind::allgather, "one-shot"), latency + n * 7 / 8 * us_per_byte, 0.001));
}

TEST_CASE("messages that share a link share its rate") {
  const Network network = parse_network(two_racks, "two racks");
  const Seats seats = seated(network, 8, 1);
  const double n = 1 << 20, us_per_byte = 0.001;
  // Four exchanges at once over a link with a quarter of a host's rate, then two inside the racks.
  const double crossing = 3 + 16 * n * us_per_byte, inside = 2 * (2 + n * us_per_byte);
  CHECK(is_near(in_us(outcome_of(group_of(Kind::allreduce, "recursive-doubling", 8, 1 << 20), seats)),
                crossing + inside, 0.001));
}

TEST_CASE("ranks of one host share its interface, and do not cross it to each other") {
  const Network network = parse_network(one_switch, "one switch");
  const Group pair = group_of(Kind::allreduce, "recursive-doubling", 4, 1 << 20);
  FlowSettings flows;
  flows.inside_ps = 1'000'000;
  flows.inside_ps_per_byte = 100;
  const double n = 1 << 20;
  const double inside = 1 + n * 0.0001;
  CHECK(is_near(in_us(outcome_of(pair, seated(network, 4, 2), flows)), inside + 2 + 2 * n * 0.001, 0.001));
  CHECK(is_near(in_us(outcome_of(pair, seated(network, 4, 4), flows)), 2 * inside, 0.001));
  CHECK(is_near(in_us(outcome_of(pair, seated(network, {0, 1, 0, 1}), flows)), inside + 2 + 2 * n * 0.001, 0.001));
  CHECK_THROWS_AS(seated(network, 9, 1), Error);
  CHECK_THROWS_AS(seated(network, {0, 8}), Error);
}

TEST_CASE("the overhead holds the processor, and a large message waits for its receive") {
  const Network network = parse_network(one_switch, "one switch");
  const Seats seats = seated(network, 2, 1);
  FlowSettings flows;
  flows.overhead_ps = 3'000'000;
  const Group pair = group_of(Kind::allreduce, "recursive-doubling", 2, 64);
  CHECK(is_near(in_us(outcome_of(pair, seats, flows)), 3 + 2 + 0.064 + 3, 0.001));
  // A late receiver: its receive is posted after 100 us; an eager message is there already.
  Programs programs(2);
  programs.add(group_of(Kind::broadcast, "binomial", 2, 1 << 16));
  Settings late;
  late.stragglers = {{1, 100'000'000}};
  CHECK(is_near(in_us(simulate(programs, seats, {}, late)), 100 + 2 + 65.536, 0.001));
  FlowSettings eager;
  eager.eager_bytes = 1 << 16;
  CHECK(is_near(in_us(simulate(programs, seats, eager, late)), 100, 0.001));
}

TEST_CASE("every algorithm runs in flow mode, at least as long as its busiest link and alike each time") {
  const Network network = parse_network(two_racks, "two racks");
  const Seats seats = seated(network, 8, 1);
  for (const Algorithm& algorithm : catalogue()) {
    Group group = group_of(algorithm.kind, algorithm.name, 8, 1 << 18);
    group.window_bytes = 1 << 16;
    group.in_flight = 3;
    if (!algorithm.refuses(8, group.key.parameter).empty()) continue;
    Programs programs(8);
    programs.add(group);
    Trace trace;
    const Outcome outcome = simulate(programs, seats, {}, {}, &trace);
    double busiest = 0;
    for (const auto& [link, bytes] : link_loads(programs, seats))
      busiest = std::max(busiest, bytes / static_cast<double>(network.link(link).bytes_per_second));
    INFO(kind_name(algorithm.kind) << " " << algorithm.name);
    CHECK(static_cast<double>(outcome.time_ps) * 1e-12 >= busiest * 0.999);
    CHECK(outcome.finished_ps == outcome_of(group, seats).finished_ps);
    std::int64_t flows = 0, last = 0;
    for (const TraceEntry& entry : trace) {
      flows += entry.activity == Activity::flow ? 1 : 0;
      last = std::max(last, entry.end_ps);
    }
    CHECK(flows == outcome.messages);
    CHECK(last == outcome.time_ps);
  }
}

TEST_CASE("LogGOPS takes L and G from the routes where there is a network") {
  const Network network = parse_network(two_racks, "two racks");
  const Seats seats = seated(network, 8, 1);
  Programs programs(8);
  programs.add(group_of(Kind::allreduce, "recursive-doubling", 8, 1 << 20));
  const double n = (1 << 20) - 1;
  const LogGops inside{0, 1000, 0, 0, 0, std::int64_t{1} << 40};
  const double time = static_cast<double>(simulate(programs, inside, {}, nullptr, &seats).time_ps) * 1e-6;
  CHECK(is_near(time, 3 * 2 + 3 + n * 0.004 + 2 * (2 + n * 0.001), 0.001));
}
