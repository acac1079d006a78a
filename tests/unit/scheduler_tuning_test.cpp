// Tuning files: what they say, what is refused and where, and what a fit finds in calls whose constants are known.
#include <cmath>

#include "error.hpp"
#include "scheduler/choice.hpp"
#include "scheduler/model.hpp"
#include "scheduler/tuning_fit.hpp"
#include "tests/catch.hpp"

using namespace tutti;

namespace {

constexpr std::string_view made = R"([made]
version = "0.1.0"
processor = "a processor"
topology = "1 package"
transport = "shm"
)";
constexpr std::string_view node = R"([node]
hop = 1000
message = 2000
bytes_1024 = 3000
copy_1024 = 4000
combine_1024 = 5000
switch = 6000
)";
const std::string whole = std::string(made) + std::string(node);

std::string refusal(const std::string& text) {
  try {
    Tuning::parse(text, "t.toml");
  } catch (const Error& failure) {
    CHECK(failure.code() == TUTTI_ERROR_ARGUMENT);
    return failure.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a tuning file that is written is read as the same") {
  Tuning tuning = Tuning::parse(whole, "t.toml");
  tuning.made.processor = "quotes \" and \\";
  tuning.network = NetworkCosts{7, 8, 9, 10, 0};
  tuning.corrections = {{Kind::allreduce, "ring", 900}, {Kind::allreduce, "lanes", 1100}, {Kind::barrier, "leader", 5}};
  tuning.algorithms = "allreduce@1M-=ring";
  const Tuning again = Tuning::parse(tuning.text(), "t.toml");
  CHECK(again.text() == tuning.text());
  CHECK(again.made == tuning.made);
  CHECK(again.node.hop_ps == 1000);
  CHECK(again.node.message_ps == 2000);
  CHECK(again.node.byte_ps_1024 == 3000);
  CHECK(again.node.copy_ps_1024 == 4000);
  CHECK(again.node.combine_ps_1024 == 5000);
  CHECK(again.node.switch_ps == 6000);
  REQUIRE(again.network);
  CHECK(again.network->hop_ps == 7);
  CHECK(again.network->message_ps == 8);
  CHECK(again.network->gap_ps == 9);
  CHECK(again.network->byte_ps_1024 == 10);
  CHECK(again.corrections.size() == 3);
  CHECK(again.algorithms == "allreduce@1M-=ring");
}

TEST_CASE("a mistake in a tuning file is told with file, line, column and what was expected") {
  struct Mistake {
    std::string text;
    std::string where;
    std::string expected;
  };
  const Mistake mistakes[] = {
      {"", "t.toml:1:1: ", "[made] is missing"},
      {std::string(made), "t.toml:1:1: ", "[node] is missing"},
      {"made = 1\n", "t.toml:1:8: ", "must be a table"},
      {whole + "[nod]\n", "t.toml:13:2: ", "nearest is node"},
      {whole + "x = ", "t.toml:13:", "not TOML"},
      {whole + "hops = 1\n", "t.toml:13:1: ", "nearest is hop"},
      {"[made]\nversion = 1\n", "t.toml:2:11: ", "a text in quotes"},
      {"[made]\nversion = \"1\"\n" + std::string(node), "t.toml:1:1: ", "\"processor\" is missing"},
      {std::string(made) + "[node]\nhop = 0\n", "t.toml:7:7: ", "1 to 1000000000000 is right"},
      {std::string(made) + "[node]\nhop = 1.5\n", "t.toml:7:7: ", "a whole number"},
      {whole + "[correction.alreduce]\nring = 1\n", "t.toml:13:13: ", "nearest is allreduce"},
      {whole + "[correction.allreduce]\nrng = 1\n", "t.toml:14:1: ", "nearest is ring"},
      {whole + "[correction]\nallreduce = 1\n", "t.toml:14:13: ", "[correction.allreduce]"},
      {whole + "[correction.barrier]\nlanes = 1\n", "t.toml:14:1: ", "dissemination"},
      {whole + "[correction.allreduce]\nring = -1\n", "t.toml:14:8: ", "1 to 1048576 is right"},
      {whole + "[forced]\nalgorithms = \"allreduce=rng\"\n", "t.toml:14:14: ", "the nearest is ring"},
      {whole + "[forced]\nalgorithms = \"topk-allreduce=rng\"\n", "t.toml:14:14: ", "the nearest is"},
  };
  for (const Mistake& mistake : mistakes) {
    INFO(mistake.text);
    const std::string message = refusal(mistake.text);
    CHECK_THAT(message, ContainsSubstring(mistake.where));
    CHECK_THAT(message, ContainsSubstring(mistake.expected));
  }
}

TEST_CASE("measured constants take the place of the described ones, and explain names their file") {
  const Tuning tuning = Tuning::parse(whole + "[correction.allreduce]\nring = 2048\n", "t.toml");
  Machine machine = described_machine(4, 4);
  const Question question{Kind::allreduce, 1024, 4, 4};
  tuning.apply(machine);
  CHECK(machine.hop_ps == 1000);
  CHECK_FALSE(machine.network.described());
  const Candidate ring = consider(question, machine, find_algorithm(Kind::allreduce, "ring"), 0);
  machine.corrections.clear();
  const Candidate uncorrected = consider(question, machine, find_algorithm(Kind::allreduce, "ring"), 0);
  CHECK(ring.total_ps == 2 * uncorrected.total_ps);
  CHECK(ring.total_ps == ring.latency_ps + ring.bandwidth_ps + ring.combine_ps + ring.switches_ps);
  CHECK_THAT(explain(question, machine, {}), ContainsSubstring("by the constants of t.toml"));
  CHECK_THAT(explain(question, described_machine(4, 4), {}), !ContainsSubstring("constants of"));
}

TEST_CASE("a file made elsewhere is refused with what differs and how to go on") {
  const Tuning tuning = Tuning::parse(whole, "t.toml");
  CHECK_NOTHROW(require_made_here(tuning, tuning.made));
  TuningStamp here = tuning.made;
  here.processor = "another";
  here.transport = "ofi:tcp";
  CHECK_THROWS_WITH(require_made_here(tuning, here), ContainsSubstring("processor \"a processor\", here \"another\"") &&
                                                         ContainsSubstring("transport \"shm\", here \"ofi:tcp\"") &&
                                                         ContainsSubstring("TUTTI_TUNING=force:t.toml") &&
                                                         !ContainsSubstring("topology"));
  CHECK(TuningWish::parse("force:a").forced);
  CHECK(TuningWish::parse("force:a").path == "a");
  CHECK_FALSE(TuningWish::parse("a").forced);
}

namespace {

// What a machine with other constants would take for each candidate at a few sizes.
std::vector<MeasuredCall> calls_of(const Machine& truth, double ring_factor) {
  std::vector<MeasuredCall> calls;
  for (Kind kind : {Kind::allreduce, Kind::broadcast, Kind::allgather})
    for (int size : {2, 4, 8})
      for (std::uint64_t bytes : {8u, 2048u, 65536u, 4u << 20}) {
        Machine machine = truth;
        machine.ranks = size;
        machine.cores = 4;
        const Question question{kind, bytes / 4, 4, size};
        for (const Candidate& each : candidates(question, machine)) {
          if (!each.refused.empty()) continue;
          MeasuredCall call{question, described_machine(size, 4), text(each), each.total_ps};
          call.machine.max_message = 0;
          if (each.algorithm->name == "ring")
            call.time_ps = std::llround(static_cast<double>(call.time_ps) * ring_factor);
          calls.push_back(call);
        }
      }
  return calls;
}

}  // namespace

TEST_CASE("a fit predicts a machine with other constants, and chooses well at sizes that it has not seen") {
  constexpr double ring_factor = 1.5;
  Machine truth = described_machine(8, 4);
  truth.hop_ps *= 3;
  truth.message_ps /= 2;
  truth.byte_ps_1024 *= 2;
  truth.switch_ps *= 4;
  const Fit fit = fit_tuning(calls_of(truth, ring_factor));
  CHECK(fit.error_before > 0.2);
  CHECK(fit.error_after < 0.1);
  CHECK_FALSE(fit.network);
  truth.corrections = {{Kind::allreduce, "ring", 1536}, {Kind::allgather, "ring", 1536}};

  Tuning tuning;
  tuning.node = fit.node;
  tuning.corrections = fit.corrections;
  int cells = 0, near = 0;
  for (Kind kind : {Kind::allreduce, Kind::broadcast, Kind::allgather})
    for (int size : {2, 3, 4, 6, 8})
      for (std::uint64_t bytes : {256u, 16384u, 262144u, 1u << 20}) {
        Machine fitted = described_machine(size, 4);
        tuning.apply(fitted);
        truth.ranks = size;
        const Question question{kind, bytes / 4, 4, size};
        const Choice chosen = choose(question, fitted, {});
        const Candidate taken =
            consider(question, truth, *chosen.algorithm, chosen.parameter, chosen.window_bytes, chosen.in_flight);
        const Choice best = choose(question, truth, {});
        ++cells;
        near += taken.total_ps <= best.predicted_ps + best.predicted_ps / 10;
      }
  CHECK(near * 10 >= cells * 9);
}

TEST_CASE("too few calls that can be understood are no base for a fit") {
  std::vector<MeasuredCall> calls = calls_of(described_machine(8, 4), 1);
  for (MeasuredCall& call : calls) call.setting = "of-another-version";
  CHECK_THROWS_WITH(fit_tuning(calls), ContainsSubstring("0 measured calls"));
}
