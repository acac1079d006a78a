// The choice: every candidate respects its machine, the fastest wins, what is forced is obeyed or refused.
#include <limits>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/choice.hpp"
#include "scheduler/model.hpp"
#include "tests/catch.hpp"

using namespace tutti;

namespace {

constexpr Kind kinds[] = {Kind::allreduce, Kind::broadcast, Kind::reduce,  Kind::reduce_scatter,
                          Kind::allgather, Kind::barrier,   Kind::alltoall};
constexpr int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 64, 1000, 1 << 20};

std::vector<std::uint64_t> counts() {
  std::vector<std::uint64_t> list = {0, 1, 7, 257, 1310721};
  for (int bit = 1; bit <= 40; ++bit)
    for (std::int64_t near : {-1, 0, 1}) list.push_back((std::uint64_t{1} << bit) + static_cast<std::uint64_t>(near));
  return list;
}

bool has_algorithms(Kind kind) {
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind) return true;
  return false;
}

// Bytes of the largest message that one run of the schedule sends, from the schedule itself.
std::uint64_t largest_message(const Question& question, const Candidate& candidate) {
  const Cut piece = cut(question, *candidate.algorithm, candidate.parameter, candidate.window_bytes);
  std::int64_t blocks = 0;
  for (int position = 0; position < question.size; ++position) {
    const Schedule schedule = build_schedule({candidate.algorithm, candidate.parameter, question.size, position});
    for (const Step& step : schedule.steps)
      if (step.kind == StepKind::send) {
        std::int64_t sent = 0;
        for (const Part& part : schedule.parts_of(step)) sent += part.blocks.count();
        blocks = std::max(blocks, sent);
      }
  }
  return std::min(static_cast<std::uint64_t>(blocks) * piece.block_bytes, bytes_of(question));
}

std::string refusal(const Question& question, const Machine& machine, std::string_view spec) {
  try {
    choose(question, machine, Overrides::parse(spec, "tutti_comm_set_algorithm"));
  } catch (const Error& wrong) {
    CHECK(wrong.code() == TUTTI_ERROR_UNSUPPORTED);
    return wrong.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a vector is covered by its windows, and no window is empty") {
  for (const Algorithm& algorithm : catalogue())
    for (int size : sizes)
      for (std::uint64_t count : counts())
        for (std::uint64_t window : {std::uint64_t{64}, std::uint64_t{4096}, std::uint64_t{262144}, no_limit}) {
          // All ranks' blocks together are a multiple of the ranks.
          const bool sliced = is_sliced(algorithm.kind);
          if (sliced) count -= count % static_cast<std::uint64_t>(size);
          const Question question{algorithm.kind, count, 4, size, false};
          const Cut piece = cut(question, algorithm, algorithm.parameter.fallback, window);
          const std::uint64_t whole = sliced ? count / static_cast<std::uint64_t>(size) * 4 : bytes_of(question);
          const auto stride = static_cast<unsigned __int128>(piece.stride_bytes);
          const auto in_blocks = static_cast<unsigned __int128>(piece.block_bytes) *
                                 (sliced ? 1u : static_cast<std::uint64_t>(piece.blocks));
          if (stride * piece.windows < whole || (whole > 0 && stride * (piece.windows - 1) >= whole) ||
              in_blocks < stride || stride > whole || (piece.windows > 1 && stride % 64 != 0) || piece.windows == 0 ||
              (window >= bytes_of(question) && piece.windows != 1))
            FAIL(algorithm.name << " size " << size << " count " << count << " window " << window);
        }
  SUCCEED();
}

TEST_CASE("no candidate sends a message that the transport cannot take") {
  for (Kind kind : kinds)
    for (int size : {1, 2, 3, 5, 8, 13})
      for (std::uint64_t limit : {4096, 65536, 262144}) {
        Machine machine = described_machine(size, size);
        machine.max_message = limit;
        for (std::uint64_t count :
             {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1310721}, std::uint64_t{1} << 40}) {
          const Question question{kind, kind == Kind::barrier ? 0 : count, 4, size, false};
          for (const Candidate& candidate : candidates(question, machine)) {
            INFO(kind_name(kind) << ' ' << text(candidate) << " size " << size << " count " << count);
            REQUIRE(candidate.refused.empty());
            REQUIRE(largest_message(question, candidate) <= limit);
          }
        }
      }
}

TEST_CASE("what rounds say of a message is what the schedule sends") {
  // The window is chosen by the rounds; a schedule with a larger message than they say would not fit its slot.
  Machine machine = described_machine(1, 1);
  for (const Algorithm& algorithm : catalogue())
    for (int size = 1; size <= 17; ++size)
      for (std::int64_t parameter : parameters_of(algorithm, size)) {
        if (!algorithm.refuses(size, parameter).empty() || algorithm.kind == Kind::barrier) continue;
        const Question question{algorithm.kind, 1 << 20, 1, size, false};
        const Candidate whole = consider(question, machine, algorithm, parameter, no_limit);
        machine.max_message = largest_message(question, whole);
        if (machine.max_message > 64) machine.max_message -= 64;
        INFO(kind_name(algorithm.kind) << ' ' << algorithm.name << ' ' << parameter << " size " << size);
        if (size > 1) CHECK(!consider(question, machine, algorithm, parameter, no_limit).refused.empty());
        machine.max_message += 64;
        CHECK(consider(question, machine, algorithm, parameter, no_limit).refused.empty());
        machine.max_message = 0;
      }
}

TEST_CASE("a message that is a fraction of the blocks is rounded up to whole blocks") {
  Algorithm algorithm = find_algorithm(Kind::allreduce, "ring");
  algorithm.blocks = [](std::int64_t, std::int64_t) { return std::int64_t{3}; };
  algorithm.rounds = [](std::int64_t, std::int64_t) {
    return std::vector<Round>{{Pattern::shift, 1, 1, {1, 2}, {0, 1}, 1}};
  };
  Machine machine = described_machine(2, 2);
  machine.max_message = 127;  // half of three blocks of 64 bytes is two whole ones
  const Question question{Kind::allreduce, 192, 1, 2, false};
  CHECK(!consider(question, machine, algorithm, 0).refused.empty());
  machine.max_message = 128;
  CHECK(consider(question, machine, algorithm, 0).refused.empty());
}

TEST_CASE("every question has an answer, the same each time, and no prediction is negative") {
  for (Kind kind : kinds) {
    if (!has_algorithms(kind)) continue;
    for (int size : sizes)
      for (std::uint64_t count : counts()) {
        const Question question{kind, kind == Kind::barrier ? 0 : count, 8, size, false};
        const Machine machine = described_machine(size, std::max(size / 3, 1));
        const Choice first = choose(question, machine, {});
        const Choice second = choose(question, machine, {});
        if (text(first) != text(second) || first.predicted_ps < 0 || first.predicted_ps != second.predicted_ps)
          FAIL(text(first) << " and " << text(second));
      }
  }
  SUCCEED();
}

TEST_CASE("cutting into windows neither adds nor loses bytes") {
  Machine machine = described_machine(4, 4);
  machine.max_message = 0;
  machine.cache_bytes = no_limit;
  for (Kind kind : {Kind::allreduce, Kind::reduce_scatter, Kind::allgather}) {
    const Question question{kind, 1 << 18, 4, 4, false};
    const Algorithm& ring = find_algorithm(kind, "ring");
    const Candidate whole = consider(question, machine, ring, 0, 1 << 20);
    const Candidate cut_up = consider(question, machine, ring, 0, 1 << 16);
    INFO(kind_name(kind));
    CHECK(whole.windows == 1);
    CHECK(cut_up.windows == 16);
    CHECK(cut_up.bandwidth_ps == whole.bandwidth_ps);
    CHECK(cut_up.combine_ps == whole.combine_ps);
  }
}

TEST_CASE("a parameter is tried up to the number of ranks, within what the algorithm takes") {
  using Values = std::vector<std::int64_t>;
  const Algorithm& dissemination = find_algorithm(Kind::barrier, "dissemination");
  CHECK(parameters_of(dissemination, 8) == Values{1, 2, 3, 4, 7, 8});
  CHECK(parameters_of(dissemination, 2) == Values{1, 2});
  CHECK(parameters_of(dissemination, 1) == Values{1});
  CHECK(parameters_of(dissemination, 100) == Values{1, 2, 3, 4, 7, 8, 15, 16});
  const Algorithm& knomial = find_algorithm(Kind::broadcast, "knomial");
  CHECK(parameters_of(knomial, 2) == Values{2});
  CHECK(parameters_of(knomial, 1) == Values{4});
  CHECK(parameters_of(find_algorithm(Kind::allreduce, "ring"), 8) == Values{0});
}

TEST_CASE("huge counts saturate and do not overflow") {
  const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  for (Kind kind : kinds) {
    if (!has_algorithms(kind)) continue;
    for (int size : {2, 1 << 20, std::numeric_limits<int>::max() / 2}) {
      const Question question{kind, kind == Kind::barrier ? 0 : most, 1, size, false};
      for (const Candidate& candidate : candidates(question, described_machine(size, 1))) {
        INFO(text(candidate));
        CHECK(candidate.total_ps >= 0);
        CHECK(candidate.total_ps >= candidate.bandwidth_ps);
      }
    }
  }
  CHECK_THROWS_AS(bytes_of({Kind::allreduce, most, 2, 2, false}), Error);
  CHECK_THROWS_AS(bytes_of({Kind::allreduce, 1, 1, 0, false}), Error);
  CHECK(add(std::numeric_limits<std::int64_t>::max(), 1) == std::numeric_limits<std::int64_t>::max());
  CHECK(scale(std::numeric_limits<std::int64_t>::max(), 3, 2) == std::numeric_limits<std::int64_t>::max());
  CHECK(scale(std::numeric_limits<std::int64_t>::max(), 3, 3) == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("more bytes never take less time") {
  for (Kind kind : {Kind::allreduce, Kind::broadcast, Kind::reduce, Kind::reduce_scatter, Kind::allgather}) {
    if (!has_algorithms(kind)) continue;
    for (int size : {2, 3, 8, 64})
      for (int cores : {1, 2, 64}) {
        std::int64_t before = 0;
        for (std::uint64_t bytes = 8; bytes <= std::uint64_t{1} << 34; bytes += bytes / 2) {
          const Choice choice = choose({kind, bytes, 1, size, false}, described_machine(size, cores), {});
          INFO(kind_name(kind) << ' ' << bytes << " bytes on " << size << " ranks, " << cores << " cores");
          REQUIRE(choice.predicted_ps >= before);
          before = choice.predicted_ps;
        }
      }
  }
}

TEST_CASE("a faster machine never has a slower prediction") {
  const Question question{Kind::allreduce, 1 << 20, 4, 8, false};
  const Machine usual = described_machine(8, 4);
  const std::int64_t time = choose(question, usual, {}).predicted_ps;
  for (std::int64_t Machine::*cost : {&Machine::hop_ps, &Machine::message_ps, &Machine::byte_ps_1024,
                                      &Machine::copy_ps_1024, &Machine::combine_ps_1024, &Machine::switch_ps}) {
    Machine slower = usual;
    slower.*cost *= 2;
    CHECK(choose(question, slower, {}).predicted_ps > time);
  }
  CHECK(choose(question, described_machine(8, 8), {}).predicted_ps < time);
}

TEST_CASE("with more ranks than cores small vectors take one dependent round, or two of far fewer messages") {
  for (int size : {4, 8, 16})
    for (std::uint64_t bytes : {8, 64, 512}) {
      const Choice choice = choose({Kind::allreduce, bytes, 1, size, false}, described_machine(size, 2), {});
      std::int64_t turns = 0;
      for (const Round& round : choice.algorithm->rounds(size, choice.parameter)) turns += round.times;
      CHECK(turns <= 2);
      CHECK(choice.windows == 1);
    }
}

TEST_CASE("windows in flight share the context switches, those that come later cost more") {
  const std::vector<Round> rounds = find_algorithm(Kind::allreduce, "ring").rounds(4, 0);
  const Machine machine = described_machine(4, 2);
  const auto switches = [&](std::int64_t windows, std::int64_t in_flight) {
    return predict(rounds, machine, {windows * 1024, 1024, windows, in_flight}).switches;
  };
  CHECK(switches(1, 1) == 6 * 2 * machine.switch_ps);
  CHECK(switches(4, 4) == switches(1, 1));
  CHECK(switches(5, 4) == 2 * switches(1, 1));
  CHECK(switches(8, 2) == 4 * switches(1, 1));
  CHECK(predict(rounds, described_machine(4, 4), {8192, 1024, 8, 2}).switches == 0);
}

TEST_CASE("large vectors take an algorithm of least volume, in windows that stay in cache") {
  const Machine machine = described_machine(8, 8);
  const Choice choice = choose({Kind::allreduce, 64 << 20, 1, 8, false}, machine, {});
  INFO(text(choice));
  CHECK(choice.windows > 1);
  CHECK(choice.window_bytes * static_cast<std::uint64_t>(choice.in_flight) <= machine.cache_bytes);
  std::int64_t moved = 0;
  for (const Round& round : choice.algorithm->rounds(8, choice.parameter))
    moved += scale(1 << 20, round.bytes.part * round.times, round.bytes.whole);
  CHECK(moved == scale(1 << 20, 2 * 7, 8));
}

TEST_CASE("an operation that does not commute gets an algorithm that keeps the order") {
  for (int size : {2, 3, 8})
    for (std::uint64_t count : {1, 1000, 1 << 22}) {
      const Choice choice = choose({Kind::allreduce, count, 4, size, true}, described_machine(size, size), {});
      CHECK(choice.algorithm->keeps_order);
    }
}

TEST_CASE("what is forced is taken, although something else is faster") {
  const Machine machine = described_machine(8, 8);
  const Question question{Kind::allreduce, 1 << 20, 4, 8, false};
  const Choice free = choose(question, machine, {});
  CHECK(!free.forced);
  CHECK_THAT(free.reason, ContainsSubstring("fastest of"));

  const Overrides overrides = Overrides::parse("allreduce=ring(window=512K, in-flight=2)", "TUTTI_ALGORITHM");
  const Choice forced = choose(question, machine, overrides);
  CHECK(forced.forced);
  CHECK(text(forced) == "ring(window=512K, in-flight=2)");
  CHECK(forced.windows == 8);
  CHECK(forced.predicted_ps > free.predicted_ps);
  CHECK(forced.reason == "forced by TUTTI_ALGORITHM, column 1: allreduce=ring(window=512K, in-flight=2)");
  CHECK(text(choose({Kind::barrier, 0, 1, 8, false}, machine,
                    Overrides::parse("barrier=dissemination(ways=1)", "TUTTI_ALGORITHM"))) == "dissemination(ways=1)");
}

TEST_CASE("the text of a choice forces the same choice") {
  for (Kind kind : kinds) {
    if (!has_algorithms(kind)) continue;
    for (int size : {1, 2, 3, 8, 100})
      for (std::uint64_t count : {0, 1, 5000, 1 << 20, 1 << 28}) {
        const Question question{kind, kind == Kind::barrier ? 0 : count, 4, size, false};
        const Machine machine = described_machine(size, 4);
        const Choice choice = choose(question, machine, {});
        const std::string spec = std::string(kind_name(kind)) + "=" + text(choice);
        const Choice again = choose(question, machine, Overrides::parse(spec, "test"));
        INFO(spec);
        CHECK(text(again) == text(choice));
        CHECK(again.windows == choice.windows);
        CHECK(again.predicted_ps == choice.predicted_ps);
      }
  }
}

TEST_CASE("what is forced and cannot run is an error that says who, what and why") {
  Machine machine = described_machine(64, 64);
  machine.max_message = 65536;
  const Question large{Kind::allreduce, 1 << 20, 4, 64, false};
  const std::string unordered = refusal({Kind::allreduce, 8, 4, 64, true}, machine, "allreduce=ring");
  CHECK_THAT(unordered, ContainsSubstring("tutti_comm_set_algorithm forces \"allreduce=ring\" (column 1)"));
  CHECK_THAT(unordered, ContainsSubstring("rank order"));

  const std::string too_large = refusal(large, machine, "allreduce=one-shot(window=128K)");
  CHECK_THAT(too_large, ContainsSubstring("largest message is 128K"));
  CHECK_THAT(too_large, ContainsSubstring("at most window=64K is right"));
  CHECK(refusal(large, machine, "allreduce=one-shot(window=64K)") == "accepted");

  const std::string too_small = refusal(large, machine, "allreduce=ring(window=2K)");
  CHECK_THAT(too_small, ContainsSubstring("window=2K is too small"));
  CHECK_THAT(too_small, ContainsSubstring("64 blocks of at least 64 bytes each make 4K"));
  CHECK(refusal(large, machine, "allreduce=ring(window=4K)") == "accepted");

  // A short vector is not cut, whatever the window.
  CHECK(refusal({Kind::allreduce, 100, 4, 64, false}, machine, "allreduce=ring(window=2K)") == "accepted");
}

TEST_CASE("an algorithm that refuses the ranks is an error when it is forced, and no candidate otherwise") {
  for (const Algorithm& algorithm : catalogue())
    for (int size = 1; size <= 33; ++size) {
      const std::string reason = algorithm.refuses(size, algorithm.parameter.fallback);
      if (reason.empty() || !algorithm.parameter.name.empty()) continue;
      const Question question{algorithm.kind, algorithm.kind == Kind::barrier ? 0u : 8u, 1, size, false};
      const Machine machine = described_machine(size, size);
      const std::string spec = std::string(kind_name(algorithm.kind)) + "=" + std::string(algorithm.name);
      CHECK_THAT(refusal(question, machine, spec), ContainsSubstring(reason));
      CHECK(choose(question, machine, {}).algorithm != &algorithm);
    }
}

TEST_CASE("explain shows the winner first, every candidate, and why others cannot run") {
  Machine machine = described_machine(4, 2);
  const Question question{Kind::allreduce, 1 << 18, 4, 4, true};
  const std::string table = explain(question, machine, {});
  INFO(table);
  const Choice choice = choose(question, machine, {});
  CHECK_THAT(table, ContainsSubstring("allreduce of 1M bytes on 4 ranks (4 ranks share 2 cores): " + text(choice)));
  for (const Candidate& candidate : candidates(question, machine))
    CHECK_THAT(table, ContainsSubstring(text(candidate)));
  CHECK_THAT(table, ContainsSubstring("cannot run: it does not combine in rank order"));
  const std::size_t head = table.find("switches\n") + std::size("switches\n") - 1;
  CHECK(table.substr(head + 2).starts_with(text(choice)));

  const std::string forced = explain(question, machine, Overrides::parse("allreduce=ring", "TUTTI_ALGORITHM"));
  CHECK_THAT(forced, ContainsSubstring("error: TUTTI_ALGORITHM forces \"allreduce=ring\""));
}
