// The simulator in LogGOPS mode: against closed forms, against a slow second opinion, against GOAL.
#include <algorithm>
#include <random>

#include "algorithms/algorithm.hpp"
#include "error.hpp"
#include "schedule/export.hpp"
#include "simulator/event_queue.hpp"
#include "simulator/loggops.hpp"
#include "tests/catch.hpp"
#include "tests/unit/simulator_reference.hpp"

using namespace tutti;
using namespace tutti::simulation;
using testing::PlainJob;
using testing::PlainNetwork;

namespace {

Group group_of(const Algorithm& algorithm, int size, std::uint64_t bytes) {
  Group group;
  group.key = {&algorithm, algorithm.parameter.fallback, size, 0, false, false, 0};
  group.bytes = bytes;
  return group;
}

Outcome outcome_of(const Group& group, const LogGops& network, const Settings& settings = {}) {
  Programs programs(group.key.size);
  programs.add(group);
  return simulate(programs, network, settings);
}

std::int64_t time_of(Kind kind, std::string_view name, int size, std::uint64_t bytes, const LogGops& network,
                     double combine = 0) {
  Settings settings;
  settings.combine_ps_per_byte = combine;
  return outcome_of(group_of(find_algorithm(kind, name), size, bytes), network, settings).time_ps;
}

std::vector<Schedule> schedules_of(ScheduleKey key) {
  std::vector<Schedule> schedules;
  for (key.position = 0; key.position < key.size; ++key.position) schedules.push_back(build_schedule(key));
  return schedules;
}

// Of the vector whose bytes a group states: an alltoall's is that of one rank.
std::int64_t blocks_of(const Group& group, const std::vector<Schedule>& schedules) {
  return group.key.algorithm->kind == Kind::alltoall ? group.key.size : schedules[0].blocks;
}

// The bytes of each window, found without the scheduler's cut.
std::vector<std::int64_t> windows_of(const Group& group, std::int64_t blocks) {
  const bool sliced = is_sliced(group.key.algorithm->kind);
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const auto bytes = static_cast<std::int64_t>(group.bytes);
  const std::int64_t whole = sliced ? up(bytes, blocks) : bytes;
  const auto window = static_cast<std::int64_t>(group.window_bytes == 0 ? group.bytes : group.window_bytes);
  const std::int64_t stride = std::min(whole, up(sliced ? up(window, blocks) : window, 64) * 64);
  std::vector<std::int64_t> windows;
  for (std::int64_t left = whole; left > 0; left -= stride) windows.push_back(std::min(left, stride));
  return windows.empty() ? std::vector<std::int64_t>{0} : windows;
}

}  // namespace

TEST_CASE("events come in order of time, and those of one instant in the order in which they were added") {
  std::mt19937_64 random(7);
  EventQueue queue;
  std::vector<std::pair<std::int64_t, std::uint32_t>> expected, seen;
  std::uint32_t number = 0;
  const auto add = [&](std::int64_t time) {
    expected.push_back({time, number});
    queue.push({time, number++, 0, 0, 0});
  };
  for (int i = 0; i < 2000; ++i) add(static_cast<std::int64_t>(random() % 500) << (random() % 40));
  do {
    for (Event event; queue.take(event);) {
      seen.push_back({event.time, event.subject});
      if (random() % 2 == 0 && number < 20000)
        add(queue.now() + static_cast<std::int64_t>(random() % 3 * (random() % 100000)));
    }
  } while (queue.advance());
  std::sort(expected.begin(), expected.end());
  CHECK(seen == expected);
}

TEST_CASE("what a rank says is enough to know its schedule") {
  for (const Algorithm& algorithm : catalogue())
    for (int size : {1, 2, 3, 4, 7, 8, 12, 16, 21, 32, 40}) {
      const Group group = group_of(algorithm, size, 4096 * static_cast<std::uint64_t>(size));
      if (!algorithm.refuses(size, group.key.parameter).empty()) continue;
      Programs programs(size);
      programs.add(group);
      const std::vector<Schedule> schedules = schedules_of(group.key);
      bool same = true;
      for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
        const Strand& strand = programs.strands()[rank];
        const std::vector<OutlineStep>& steps = programs.outline(strand.outline).steps;
        const std::vector<Step>& wanted = schedules[rank].steps;
        REQUIRE(steps.size() == wanted.size());
        for (std::size_t at = 0; at < wanted.size(); ++at) {
          const Bound& bound = programs.steps_of(strand)[at];
          const bool message = wanted[at].peer >= 0;
          std::int64_t blocks = 0;
          for (const Part& part : schedules[rank].parts_of(wanted[at])) blocks += part.blocks.count();
          std::uint64_t waits = 0;
          for (int back = 0; back < 64; ++back) waits |= (wanted[at].waits >> back & 1) << (63 - back);
          same = same && steps[at].kind == wanted[at].kind && steps[at].waits == waits &&
                 (!message || (static_cast<int>(bound.peer) == wanted[at].peer && steps[at].match == wanted[at].match));
          if (is_sliced(algorithm.kind)) same = same && programs.sizes()[bound.size].full == blocks * 4096;
          if (!message) continue;
          const Strand& peer = programs.strands()[bound.peer];
          REQUIRE(bound.partner < programs.steps_of(peer).size());
          const Bound& other = programs.steps_of(peer)[bound.partner];
          same = same && other.peer == rank && other.partner == at && other.size == bound.size;
        }
      }
      INFO(kind_name(algorithm.kind) << " " << algorithm.name << " on " << size);
      CHECK(same);
    }
}

TEST_CASE("the closed forms hold where nothing is in the way") {
  const LogGops network{3700, 200, 5, 0.04, 0, 256 * 1024};
  const double combine = 0.02;
  // One message: 2o + L + (s-1)G, then gamma s.
  const auto message = [&](double bytes) {
    return 1000 * (2 * network.o_ns + network.L_ns) + (bytes - 1) * 1000 * network.G_ns;
  };
  for (int lg : {1, 3, 6, 10}) {
    const int p = 1 << lg;
    const auto near = [&](std::int64_t time, double closed) {
      INFO(p << " ranks: " << time << " against " << closed);
      CHECK(std::abs(static_cast<double>(time) - closed) <= 0.01 * closed);
    };
    const double n = 65536;
    near(time_of(Kind::allreduce, "recursive-doubling", p, 65536, network, 1000 * combine),
         lg * (message(n) + 1000 * combine * n));
    near(time_of(Kind::broadcast, "binomial", p, 65536, network), lg * message(n));
    double circulant = 0;
    for (int i = 1; i <= lg; ++i) circulant += 2 * message(n / (1 << i)) + 1000 * combine * n / (1 << i);
    if (p <= 1024) near(time_of(Kind::allreduce, "circulant", p, 65536, network, 1000 * combine), circulant);
    if (p > 64) continue;
    const double block = n / p;
    near(time_of(Kind::allreduce, "ring", p, 65536, network, 1000 * combine),
         (p - 1) * (2 * message(block) + 1000 * combine * block));
  }
}

TEST_CASE("the second opinion says the same, for any algorithm, network, window and delay") {
  std::mt19937_64 random(42);
  const auto below = [&](std::uint64_t end) { return static_cast<std::int64_t>(random() % end); };
  int compared = 0;
  for (const Algorithm& algorithm : catalogue())
    for (int round = 0; round < 14; ++round) {
      const int size = 1 + static_cast<int>(below(13));
      if (!algorithm.refuses(size, algorithm.parameter.fallback).empty()) continue;
      Group group = group_of(algorithm, size, random() % 20000);
      group.key.in_place = below(2) == 0 && runs_in_place(algorithm.kind);
      if (below(2) == 0) group.window_bytes = 64 + random() % 8000;
      group.in_flight = 1 + static_cast<int>(below(4));
      PlainNetwork plain{1000 * (1 + below(5000)),
                         1000 * below(500),
                         1000 * below(900),
                         below(80),
                         below(30),
                         below(3) == 0 ? below(2000) : 1 << 20};
      const std::int64_t combine = below(3) * 100, copy = below(3) * 70;
      // Every rank starts at an instant of its own, so that no two things happen at once by chance alone.
      Settings settings;
      settings.combine_ps_per_byte = static_cast<double>(combine);
      settings.copy_ps_per_byte = static_cast<double>(copy);
      const std::vector<Schedule> schedules = schedules_of(group.key);
      const std::vector<std::int64_t> windows = windows_of(group, blocks_of(group, schedules));
      PlainJob job = testing::job_of(schedules, windows, group.in_flight, is_sliced(algorithm.kind), combine, copy);
      for (int rank = 0; rank < size; ++rank) {
        job.starts.push_back(below(3'000'000));
        settings.stragglers.push_back({rank, job.starts.back()});
      }
      const LogGops network{static_cast<double>(plain.L) / 1000, static_cast<double>(plain.o) / 1000,
                            static_cast<double>(plain.g) / 1000, static_cast<double>(plain.G) / 1000,
                            static_cast<double>(plain.O) / 1000, plain.S};
      const std::vector<std::int64_t> expected = testing::run_plainly(job, plain);
      INFO(kind_name(algorithm.kind) << " " << algorithm.name << " on " << size << ", " << group.bytes
                                     << " bytes, window " << group.window_bytes << ", " << group.in_flight
                                     << " in flight, L " << plain.L << " o " << plain.o << " g " << plain.g << " G "
                                     << plain.G << " O " << plain.O << " S " << plain.S << " combine " << combine
                                     << " copy " << copy);
      REQUIRE(expected[0] >= 0);
      REQUIRE(outcome_of(group, network, settings).finished_ps == expected);
      ++compared;
    }
  CHECK(compared > 400);
}

TEST_CASE("a schedule takes as long as its GOAL") {
  const PlainNetwork plain{900'000, 150'000, 20'000, 50, 10, 1 << 20};
  const LogGops network{900, 150, 20, 0.05, 0.01, 1 << 20};
  Settings settings;
  settings.combine_ps_per_byte = settings.copy_ps_per_byte = 1000;  // as the export writes it
  for (const Algorithm& algorithm : catalogue())
    for (int size : {2, 5, 8}) {
      if (!algorithm.refuses(size, algorithm.parameter.fallback).empty()) continue;
      const std::vector<Schedule> schedules = schedules_of(group_of(algorithm, size, 0).key);
      const std::int64_t block = 640;
      Group group = group_of(algorithm, size, 0);
      group.bytes = static_cast<std::uint64_t>(block * blocks_of(group, schedules));
      INFO(kind_name(algorithm.kind) << " " << algorithm.name << " on " << size);
      CHECK(outcome_of(group, network, settings).finished_ps ==
            testing::run_plainly(testing::read_goal(to_goal(schedules, block)), plain));
    }
  CHECK_THROWS(testing::read_goal("num_ranks 1\nrank 0 {\nl1: sleep 5\n}\n"));
}

TEST_CASE("a root, a late rank and noise move the times as they should") {
  const LogGops network{1000, 100, 0, 0.1, 0, 1 << 20};
  Group group = group_of(find_algorithm(Kind::broadcast, "binomial"), 8, 1000);
  group.root = 5;
  const Outcome rooted = outcome_of(group, network);
  CHECK(rooted.finished_ps[5] == *std::min_element(rooted.finished_ps.begin(), rooted.finished_ps.end()));
  CHECK(rooted.messages == 7);
  CHECK(rooted.bytes == 7000);
  Settings late;
  late.stragglers = {{5, 1'000'000}};
  CHECK(outcome_of(group, network, late).time_ps == rooted.time_ps + 1'000'000);
  Settings noisy;
  noisy.noise = {0.5, 0, 0, 3};
  const Outcome slower = outcome_of(group, network, noisy);
  CHECK(slower.time_ps > rooted.time_ps);
  CHECK(slower.finished_ps == outcome_of(group, network, noisy).finished_ps);
  noisy.noise.seed = 4;
  CHECK(slower.finished_ps != outcome_of(group, network, noisy).finished_ps);
  late.stragglers = {{8, 1}};
  CHECK_THROWS_AS(outcome_of(group, network, late), Error);
}

TEST_CASE("interrupts take the share of time that they state") {
  const Noise noise({0, 1000, 100, 9}, 3);
  for (std::uint32_t rank : {0U, 1U, 2U}) {
    std::int64_t end = 0;
    for (int i = 0; i < 900; ++i) end = noise.end_of(rank, end, 100);  // 90,000 of work in periods of 900
    CHECK(end >= 99'800);
    CHECK(end <= 100'200);
    CHECK(std::abs(noise.end_of(rank, 0, 90'000) - end) <= 100);
  }
  CHECK_THROWS_AS(Noise({0, 100, 100, 1}, 1), Error);
}

TEST_CASE("what is too large is refused at once, with its number") {
  Programs programs(1 << 20);
  const Group group = group_of(find_algorithm(Kind::allreduce, "ring"), 1 << 20, 1 << 30);
  try {
    programs.add(group);
    FAIL("a ring of a million ranks was taken");
  } catch (const Error& failure) {
    CHECK(failure.code() == TUTTI_ERROR_ARGUMENT);
    CHECK(std::string(failure.what()).find("2.199e+12 messages") != std::string::npos);
  }
}

TEST_CASE("groups that share ranks take turns on their processors") {
  const LogGops network{1000, 500, 0, 0, 0, 1 << 20};
  Group rows = group_of(find_algorithm(Kind::allreduce, "recursive-doubling"), 2, 64);
  Programs programs(4);
  const auto add = [&](std::vector<std::int32_t> ranks) {
    rows.ranks = std::move(ranks);
    programs.add(rows);
  };
  add({0, 1});
  add({2, 3});
  CHECK(simulate(programs, network, {}).time_ps == 2'000'000);
  add({0, 2});
  add({1, 3});
  // The second send waits 500 ns for the processor, and so does the second receive.
  CHECK(simulate(programs, network, {}).time_ps == 2'500'000);
  CHECK_THROWS_AS(add({0, 4}), Error);
  CHECK_THROWS_AS(add({1, 1}), Error);
}

TEST_CASE("numbers of LogGOPS are read strictly") {
  const LogGops network = parse_loggops("3700,200,5,0.04,0,256K");
  CHECK(network.G_ns == 0.04);
  CHECK(network.S_bytes == 256 * 1024);
  for (const char* bad : {"", "1,2,3", "1,2,3,4,5,6,7", "1,2,3,4,5,x", "1,-2,3,4,5,6", "1,2,nan,4,5,6", "1,2,3,4,,6"})
    CHECK_THROWS_AS(parse_loggops(bad), Error);
}
