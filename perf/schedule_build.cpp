// How long it takes to build the schedule of one rank of a million, which a first call pays. A benchmark to be run by
// hand: medians of 101 builds after a warm-up, on one core.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "algorithms/algorithm.hpp"

using namespace tutti;

namespace {

double median_microseconds(const ScheduleKey& key) {
  constexpr int builds = 101;
  std::vector<double> times;
  for (int i = 0; i <= builds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Schedule schedule = build_schedule(key);
    const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - start;
    if (i > 0 && !schedule.steps.empty()) times.push_back(passed.count());
  }
  std::nth_element(times.begin(), times.begin() + builds / 2, times.end());
  return times[builds / 2];
}

}  // namespace

int main() {
  constexpr int size = 1 << 20, middle = size / 3;
  fmt::print("rank {} of {}, median of 101 builds\n", middle, size);
  for (const Algorithm& algorithm : catalogue()) {
    const std::vector<Round> rounds = algorithm.rounds(size, algorithm.parameter.fallback);
    std::int64_t messages = 0;
    for (const Round& round : rounds) messages += round.messages * round.times;
    if (messages > 10'000) continue;  // as many steps as ranks: nobody runs it on a million
    const ScheduleKey key{&algorithm, algorithm.parameter.fallback, size, middle, false, false, 0};
    fmt::print("{:<15}{:<20}{:>8.1f} us, {} steps\n", kind_name(algorithm.kind), algorithm.name,
               median_microseconds(key), build_schedule(key).steps.size());
  }
}
