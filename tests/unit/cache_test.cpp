// The cache of schedules: built once, bounded, shared by threads.
#include "schedule/cache.hpp"

#include <string>
#include <thread>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "error.hpp"
#include "tests/catch.hpp"

using namespace tutti;

namespace {

Schedule of_steps(std::size_t steps) {
  Schedule schedule;
  schedule.steps.resize(steps);
  return schedule;
}

}  // namespace

TEST_CASE("a schedule is built once") {
  ScheduleCache<std::string> cache;
  int built = 0;
  const auto build = [&] {
    ++built;
    return of_steps(3);
  };
  const auto first = cache.get("ring", build), again = cache.get("ring", build);
  CHECK(first == again);
  CHECK(built == 1);
  cache.get("chain", build);
  CHECK(built == 2);
}

TEST_CASE("the cache lets the least recently used schedule go when steps run out") {
  ScheduleCache<std::string> cache(30);
  std::string built;
  const auto get = [&](const std::string& name) {
    return cache.get(name, [&] {
      built += name;
      return of_steps(9);
    });
  };
  get("a");
  const auto kept = get("b");
  get("c");
  CHECK(cache.steps() == 30);
  get("a");  // used again, so b is the oldest
  get("d");
  CHECK(cache.count() == 3);
  get("a");
  CHECK(built == "abcd");
  get("b");
  CHECK(built == "abcdb");
  CHECK(kept->steps.size() == 9);  // whoever holds it keeps it
}

TEST_CASE("a schedule larger than the cache is handed out and pushes nothing out") {
  ScheduleCache<int> cache(10);
  const auto small = cache.get(1, [] { return of_steps(5); });
  CHECK(cache.get(2, [] { return of_steps(11); })->steps.size() == 11);
  CHECK(cache.count() == 1);
  CHECK(cache.get(1, [] { return of_steps(0); }) == small);
}

TEST_CASE("a build that throws leaves no trace") {
  ScheduleCache<int> cache;
  CHECK_THROWS_AS(cache.get(1, []() -> Schedule { throw error(TUTTI_ERROR_INTERNAL, "no"); }), Error);
  CHECK(cache.count() == 0);
  CHECK(cache.get(1, [] { return of_steps(1); })->steps.size() == 1);
}

TEST_CASE("threads share one schedule for each key") {
  ScheduleCache<int> cache;
  std::vector<std::shared_ptr<const Schedule>> got(4 * 50);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 50; ++i)
        got[t * 50 + i] = cache.get(static_cast<int>(i), [i] { return of_steps(i); });
    });
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 1; t < 4; ++t)
    for (std::size_t i = 0; i < 50; ++i) CHECK(got[t * 50 + i] == got[i]);
}

TEST_CASE("schedules of the catalogue are shared by equal keys and by no others") {
  ScheduleCache<ScheduleKey, ScheduleKeyHash> cache;
  const Algorithm& chain = find_algorithm(Kind::reduce, "chain");
  std::vector<std::shared_ptr<const Schedule>> got;
  const auto get = [&](const ScheduleKey& key) { return cache.get(key, [&] { return build_schedule(key); }); };
  for (int position : {0, 1})
    for (bool in_place : {false, true})
      for (int root : {0, 2}) got.push_back(get({&chain, 0, 4, position, in_place, true, root}));
  got.push_back(get({&chain, 0, 5, 0, false, true, 0}));
  got.push_back(get({&chain, 0, 4, 0, false, false, 0}));
  got.push_back(get({&find_algorithm(Kind::reduce, "binomial"), 0, 4, 0, false, false, 0}));
  got.push_back(get({&find_algorithm(Kind::reduce, "knomial"), 3, 4, 0, false, false, 0}));
  got.push_back(get({&find_algorithm(Kind::reduce, "knomial"), 4, 4, 0, false, false, 0}));
  CHECK(cache.count() == got.size());
  CHECK(get({&chain, 0, 4, 1, true, true, 2}) == got[7]);
  CHECK(cache.count() == got.size());
}
