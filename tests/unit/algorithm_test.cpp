// Every algorithm of the catalogue is proven, for many sizes, all its parameters, in place and not, ordered and not.
#include <algorithm>

#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/sanitized.hpp"
#include "tests/unit/proving.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

std::vector<std::int64_t> parameters_of(const Algorithm& algorithm) {
  if (algorithm.parameter.name.empty()) return {0};
  if (algorithm.parameter.name == "blocks") return {1, 2, 3, 7, 16};
  std::vector<std::int64_t> values;
  const std::int64_t most = algorithm.parameter.name == "ways" ? 4 : 8;
  for (std::int64_t value = algorithm.parameter.least; value <= most; ++value) values.push_back(value);
  return values;
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Everybody does the same, so the busiest rank is any rank.
bool is_symmetric(const Algorithm& algorithm) {
  return algorithm.kind != Kind::broadcast && algorithm.kind != Kind::reduce &&
         one_of(algorithm.name, {"ring", "circulant", "one-shot", "two-shot", "dissemination", "direct", "bruck"});
}

// Where ways of different length lead to a rank, the longest one may be shorter than the rounds in which each rank has
// its turn.
bool has_exact_rounds(const Algorithm& algorithm) {
  return one_of(algorithm.name, {"ring", "one-shot", "two-shot", "chain", "direct"}) && algorithm.kind != Kind::reduce;
}

// What an algorithm says of its rounds, summed up.
struct Total {
  std::int64_t rounds = 0;
  std::int64_t messages = 0;
  double blocks = 0;
};

Total stated(const ScheduleKey& key, std::int64_t blocks) {
  Total total;
  for (const Round& round : key.algorithm->rounds(key.size, key.parameter)) {
    total.rounds += round.times;
    total.messages += round.messages * round.times;
    total.blocks +=
        static_cast<double>(blocks * round.bytes.part * round.times) / static_cast<double>(round.bytes.whole);
  }
  return total;
}

// The messages and blocks that the busiest rank sends, or receives.
Total counted(const std::vector<Schedule>& schedules) {
  Total most;
  for (const Schedule& schedule : schedules) {
    Total sent, received;
    for (const Step& step : schedule.steps) {
      if (step.peer < 0) continue;
      Total& total = step.kind == StepKind::send ? sent : received;
      ++total.messages;
      for (const Part& part : schedule.parts_of(step))
        total.blocks += schedule.token ? 0 : static_cast<double>(part.blocks.count());
    }
    most.messages = std::max({most.messages, sent.messages, received.messages});
    most.blocks = std::max({most.blocks, sent.blocks, received.blocks});
  }
  return most;
}

// Proves one key, and what the algorithm says of itself.
void prove_statement(const ScheduleKey& key) {
  const Algorithm& algorithm = *key.algorithm;
  INFO(kind_name(algorithm.kind) << " " << algorithm.name << " parameter " << key.parameter << " on " << key.size
                                 << (key.in_place ? " in place" : "") << (key.ordered ? " ordered" : "") << " root "
                                 << key.root);
  const std::vector<Schedule> schedules = all_ranks(key);
  Proof proof;
  REQUIRE_NOTHROW(proof = prove(collective_of(key), schedules));
  // In rank order a root that is not position 0 may cost one message more.
  const bool moved = key.ordered && key.root != 0;
  // The vector of an alltoall is that of one rank.
  const std::int64_t blocks = algorithm.kind == Kind::alltoall ? key.size : schedules[0].blocks;
  const Total said = stated(key, blocks), done = counted(schedules);
  const std::int64_t depth = algorithm.depth(key.size, key.parameter);
  CHECK(proof.rounds <= said.rounds + (moved ? 1 : 0));
  CHECK((proof.rounds == said.rounds || !has_exact_rounds(algorithm) || moved));
  CHECK(proof.depth <= depth);
  CHECK((proof.depth == depth || moved));
  if (moved) return;
  CHECK(done.messages <= said.messages);
  CHECK(done.blocks <= said.blocks + 1e-6);
  if (is_symmetric(algorithm)) CHECK(done.messages == said.messages);
  if (is_symmetric(algorithm)) CHECK(done.blocks == Approx(said.blocks));
}

void prove_size(const Algorithm& algorithm, std::int64_t parameter, int size) {
  for (bool in_place : {false, true}) {
    if (in_place && !runs_in_place(algorithm.kind)) continue;
    prove_statement({&algorithm, parameter, size, 0, in_place, false, 0});
    if (algorithm.keeps_order) prove_statement({&algorithm, parameter, size, 0, in_place, true, 0});
  }
}

}  // namespace

TEST_CASE("every algorithm is right on 1 to 64 ranks") {
  for (const Algorithm& algorithm : catalogue())
    for (std::int64_t parameter : parameters_of(algorithm))
      for (int size = 1; size <= (testing::sanitized ? 17 : 64); ++size) prove_size(algorithm, parameter, size);
}

// A ring takes p steps on each of p ranks, and all to all as many messages: where a thousand ranks show nothing new,
// 255 are enough. The test after this takes the largest of them all the same.
TEST_CASE("every algorithm is right on many ranks, powers of two, their neighbours and primes") {
  for (const Algorithm& algorithm : catalogue())
    for (int size : {100, 127, 255, 511, 1000, 1021, 1024}) {
      const bool square = one_of(algorithm.name, {"ring", "one-shot", "two-shot", "scatter-allgather"}) ||
                          algorithm.kind == Kind::alltoall;
      if ((square && size > 255) || (testing::sanitized && size > 100)) continue;
      const bool in_place = size % 2 == 0 && runs_in_place(algorithm.kind);
      prove_statement({&algorithm, algorithm.parameter.fallback, size, 0, in_place, algorithm.keeps_order, 0});
    }
}

TEST_CASE("ring, two-shot and scatter-allgather are right on about a thousand ranks") {
  if (testing::sanitized) return;
  prove_statement({&find_algorithm(Kind::allreduce, "ring"), 0, 1021, 0, false, false, 0});
  prove_statement({&find_algorithm(Kind::allreduce, "two-shot"), 0, 1024, 0, true, true, 0});
  prove_statement({&find_algorithm(Kind::broadcast, "scatter-allgather"), 0, 1000, 0, false, false, 0});
}

TEST_CASE("every reduce that keeps rank order does so for every root") {
  for (const Algorithm& algorithm : catalogue()) {
    if (algorithm.kind != Kind::reduce || !algorithm.keeps_order) continue;
    for (std::int64_t parameter : parameters_of(algorithm))
      for (int size = 1; size <= 17; ++size)
        for (int root = 0; root < size; ++root)
          for (bool in_place : {false, true}) prove_statement({&algorithm, parameter, size, 0, in_place, true, root});
  }
}

TEST_CASE("only recursive doubling, trees in place and their like need staging") {
  for (const Algorithm& algorithm : catalogue()) {
    if (!one_of(algorithm.name, {"ring", "circulant", "one-shot", "two-shot"})) continue;
    for (int size = 1; size <= 17; ++size)
      for (bool in_place : {false, true})
        CHECK_FALSE(prove_key({&algorithm, algorithm.parameter.fallback, size, 0, in_place, false, 0}).needs_staging);
  }
  CHECK(prove_key({&find_algorithm(Kind::allreduce, "recursive-doubling"), 0, 8, 0, true, false, 0}).needs_staging);
}
