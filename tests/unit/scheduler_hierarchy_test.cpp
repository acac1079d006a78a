// Ranks on several nodes: what of an algorithm crosses them is what its schedules send, hierarchies are candidates and
// can be forced, and the network's costs move the choice.
#include <chrono>
#include <map>

#include "error.hpp"
#include "scheduler/choice.hpp"
#include "scheduler/model.hpp"
#include "scheduler/traffic.hpp"
#include "tests/catch.hpp"
#include "tests/unit/proving.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

constexpr Kind kinds[] = {Kind::allreduce,      Kind::broadcast, Kind::reduce,
                          Kind::reduce_scatter, Kind::allgather, Kind::barrier};
constexpr Placement placements[] = {Placement::block, Placement::cyclic, Placement::random};

Machine cluster(int ranks) {
  Machine machine = described_machine(ranks, ranks);
  machine.network = described_network();
  return machine;
}

Question ask(Kind kind, std::uint64_t bytes, const ShapePtr& shape, bool ordered = false) {
  const std::uint64_t count = kind == Kind::barrier ? 0 : bytes;
  return {kind, count, 1, shape->ranks(), ordered, shape};
}

ScheduleKey key_of(const Candidate& candidate, const Question& question) {
  return {candidate.algorithm,
          candidate.parameter,
          question.size,
          0,
          false,
          question.ordered,
          0,
          candidate.layers,
          candidate.layers.empty() ? nullptr : question.shape};
}

struct Sent {
  std::int64_t messages = 0;  // across nodes, of the busiest node, out or in
  std::int64_t blocks = 0;
  std::int64_t largest = 0;  // blocks of the largest message of all
};

Sent sent(const std::vector<Schedule>& schedules, const Shape& shape) {
  std::map<int, std::array<std::int64_t, 4>> nodes;
  Sent most;
  for (const Schedule& schedule : schedules)
    for (const Step& step : schedule.steps) {
      if (step.kind != StepKind::send) continue;
      std::int64_t blocks = 0;
      for (const Part& part : schedule.parts_of(step)) blocks += part.blocks.count();
      most.largest = std::max(most.largest, blocks);
      const int from = shape.group_of(schedule.rank), to = shape.group_of(step.peer);
      if (from == to) continue;
      ++nodes[from][0];
      nodes[from][1] += blocks;
      ++nodes[to][2];
      nodes[to][3] += blocks;
    }
  for (const auto& [node, counts] : nodes) {
    most.messages = std::max({most.messages, counts[0], counts[2]});
    most.blocks = std::max({most.blocks, counts[1], counts[3]});
  }
  return most;
}

// What the traffic says of the same.
Sent stated(const std::vector<Traffic>& rounds, std::int64_t blocks) {
  Sent total;
  double moved = 0;
  for (const Traffic& traffic : rounds) {
    total.messages += traffic.through_in_all;
    if (traffic.round.messages > 0)
      moved += static_cast<double>(blocks * traffic.round.bytes.part * traffic.through_in_all) /
               static_cast<double>(traffic.round.bytes.whole * traffic.round.messages);
  }
  total.blocks = static_cast<std::int64_t>(moved + 0.999);
  return total;
}

std::string refusal(const Question& question, std::string_view spec) {
  try {
    choose(question, cluster(question.size), Overrides::parse(spec, "TUTTI_ALGORITHM"));
  } catch (const Error& wrong) {
    CHECK(wrong.code() == TUTTI_ERROR_UNSUPPORTED);
    return wrong.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("what algorithms are said to send between nodes is what their schedules send") {
  for (const Algorithm& algorithm : catalogue())
    for (Placement placement : placements)
      for (const std::vector<int>& sizes : {std::vector<int>{4, 4, 4, 4}, {3, 1, 4, 2}, {1, 1, 1, 1, 1}, {5, 3}}) {
        const ShapePtr shape = placed(sizes, placement);
        const Question question = ask(algorithm.kind, 1 << 20, shape);
        const Candidate candidate =
            consider(question, cluster(shape->ranks()), algorithm, algorithm.parameter.fallback);
        const std::vector<Schedule> schedules = all_ranks(key_of(candidate, question));
        const Sent done = sent(schedules, *shape);
        const Hierarchy flat{{}, {&algorithm, algorithm.parameter.fallback}, nullptr, shape->ranks()};
        const Sent said = stated(traffic_of(flat, shape.get()), schedules[0].blocks);
        INFO(kind_name(algorithm.kind) << ' ' << algorithm.name << " on " << sizes.size() << " nodes of " << sizes[0]
                                       << ", placement " << static_cast<int>(placement));
        // Where the busiest node is another one in each round, their sum is more than any node sends.
        const bool same_each_round = algorithm.name == "ring" || algorithm.name == "circulant" ||
                                     algorithm.name == "dissemination" || algorithm.name == "one-shot" ||
                                     algorithm.name == "two-shot";
        const bool symmetric = algorithm.kind != Kind::reduce && algorithm.kind != Kind::broadcast;
        if (same_each_round && symmetric && sizes.size() != 2) CHECK(said.messages >= done.messages);
        if (same_each_round && symmetric && shape->sizes().size() == 1 && placement != Placement::random)
          CHECK(said.messages == done.messages);
        if (algorithm.kind != Kind::barrier && symmetric && same_each_round) CHECK(said.blocks >= done.blocks);
        // However the excess ranks fold, what is exchanged across is seen.
        if (algorithm.name == "recursive-doubling" && shape->largest() > 1) CHECK(said.messages >= done.messages);
        if (algorithm.name == "chain") CHECK(said.messages == done.messages);
      }
}

TEST_CASE("what hierarchies are said to send is what their schedules send, and no message is larger") {
  for (Kind kind : kinds)
    for (Placement placement : placements)
      for (const auto& [sizes, groups] : {std::pair<std::vector<int>, std::vector<int>>{{4, 4, 4, 4}, {}},
                                          {{3, 1, 4, 2}, {}},
                                          {{5, 3}, {}},
                                          {{3, 1, 4, 2}, {0, 0, 1, 1}},
                                          {{2, 2, 2, 2}, {0, 0, 1, 1}}}) {
        const ShapePtr shape = placed(sizes, placement, groups);
        const Question question = ask(kind, 1 << 20, shape);
        for (const Candidate& candidate : all_hierarchies(question, cluster(shape->ranks()))) {
          INFO(kind_name(kind) << ' ' << text(candidate) << " on " << sizes.size() << " nodes, the first of "
                               << sizes[0] << (groups.empty() ? "" : " in groups"));
          REQUIRE(candidate.refused.empty());
          const std::vector<Schedule> schedules = all_ranks(key_of(candidate, question));
          const Hierarchy hierarchy{
              candidate.layers, {candidate.algorithm, candidate.parameter}, shape.get(), shape->ranks()};
          const Sent done = sent(schedules, *shape);
          CHECK(done.largest <= largest_message(hierarchy));
          if (sizes[0] == 4) CHECK(done.largest == largest_message(hierarchy));
          const Sent said = stated(traffic_of(hierarchy, shape.get()), schedules[0].blocks);
          if (kind == Kind::allreduce && sizes[0] == 4) CHECK(said.blocks >= done.blocks);
        }
      }
}

TEST_CASE("hierarchies are candidates where nodes have several ranks, and nowhere else") {
  for (Kind kind : kinds) {
    const auto has_layers = [&](const ShapePtr& shape) {
      for (const Candidate& candidate : candidates(ask(kind, 1 << 16, shape), cluster(shape->ranks())))
        if (!candidate.layers.empty()) return true;
      return false;
    };
    CHECK(has_layers(placed({4, 4}, Placement::block)));
    CHECK(has_layers(placed({3, 1, 4, 2}, Placement::random)));
    CHECK_FALSE(has_layers(placed({4}, Placement::block)));
    CHECK_FALSE(has_layers(placed({1, 1, 1, 1}, Placement::block)));
  }
}

TEST_CASE("over a slow network large vectors go by lanes, and small ones by few messages across") {
  // Where ranks fill one node after the other, Rabenseifner's algorithm is as good for large vectors: it halves them
  // among neighbours first. Where they take the nodes in turn, circulant is: its large halves go as far as 16 and 8
  // ranks, which is the same node again.
  const ShapePtr shape = placed({8, 8, 8, 8}, Placement::random);
  const Machine machine = cluster(32);
  const Choice large = choose(ask(Kind::allreduce, 64 << 20, shape), machine, {});
  INFO(text(large));
  const Choice flat =
      choose(ask(Kind::allreduce, 64 << 20, shape), machine, Overrides::parse("allreduce=circulant", "test"));
  CHECK(!large.layers.empty());
  CHECK(large.predicted_ps < flat.predicted_ps);
  const Choice small = choose(ask(Kind::allreduce, 8, shape), machine, {});
  INFO(text(small));
  CHECK(!small.layers.empty());
  CHECK(small.layers[0].form == Form::leader);
  // One rank on each node: nothing to compose.
  CHECK(choose(ask(Kind::allreduce, 64 << 20, placed({1, 1, 1, 1}, Placement::block)), cluster(4), {}).layers.empty());
}

TEST_CASE("a slower network, or more ranks behind one NIC, never makes a prediction faster") {
  for (Kind kind : kinds)
    for (std::uint64_t bytes : {8, 1 << 16, 16 << 20}) {
      const Question question = ask(kind, bytes, placed({4, 4, 4}, Placement::cyclic));
      const Machine usual = cluster(12);
      const std::int64_t time = choose(question, usual, {}).predicted_ps;
      for (std::int64_t NetworkCosts::*cost :
           {&NetworkCosts::hop_ps, &NetworkCosts::message_ps, &NetworkCosts::gap_ps, &NetworkCosts::byte_ps_1024}) {
        Machine slower = usual;
        slower.network.*cost *= 2;
        CHECK(choose(question, slower, {}).predicted_ps >= time);
      }
      const Machine near = described_machine(12, 12);
      CHECK(choose(question, near, {}).predicted_ps < time);
    }
}

TEST_CASE("the text of a hierarchy forces the same hierarchy") {
  for (Kind kind : kinds)
    for (const ShapePtr& shape :
         {placed({4, 4}, Placement::block), placed({3, 1, 4, 2}, Placement::random, {0, 0, 1, 1})})
      for (std::uint64_t bytes : {8, 5000, 4 << 20}) {
        const Question question = ask(kind, bytes, shape);
        for (const Candidate& candidate : all_hierarchies(question, cluster(shape->ranks()))) {
          const std::string spec = std::string(kind_name(kind)) + "=" + text(candidate);
          INFO(spec);
          const Choice again = choose(question, cluster(shape->ranks()), Overrides::parse(spec, "test"));
          CHECK(text(again) == text(candidate));
          CHECK(again.layers == candidate.layers);
          CHECK(again.windows == candidate.windows);
          CHECK(again.predicted_ps == candidate.total_ps);
        }
      }
}

TEST_CASE("what a forced hierarchy leaves open is chosen") {
  const Question question = ask(Kind::allreduce, 1 << 20, placed({4, 4}, Placement::block));
  const auto chosen = [&](std::string_view spec) {
    return choose(question, cluster(8), Overrides::parse(spec, "test"));
  };
  const Choice any = chosen("allreduce=lanes");
  CHECK(any.layers.size() == 1);
  CHECK(any.layers[0].form == Form::lanes);
  const Choice inner = chosen("allreduce=lanes(inner=ring)");
  CHECK(inner.layers[0].inner == "ring");
  const Choice outer = chosen("allreduce=leader(outer=ring, window=64K)");
  CHECK(outer.algorithm->name == "ring");
  CHECK(outer.window_bytes == 65536);
  CHECK(outer.layers[0].form == Form::leader);
  CHECK(any.predicted_ps <= inner.predicted_ps);
}

TEST_CASE("a forced hierarchy that cannot run is an error with the reason") {
  const Question one_node{Kind::allreduce, 8, 1, 4, false};
  CHECK_THAT(refusal(one_node, "allreduce=lanes(inner=two-shot, outer=circulant)"),
             ContainsSubstring("all ranks are on one node"));
  CHECK_THAT(refusal(ask(Kind::allreduce, 8, placed({2, 2}, Placement::block)), "allreduce=lanes(outer=lanes)"),
             ContainsSubstring("2 levels of groups of ranks, and 1 is known"));
  CHECK_THAT(refusal(ask(Kind::allreduce, 8, placed({2, 2}, Placement::cyclic), true), "allreduce=lanes"),
             ContainsSubstring("do not follow one another"));
  CHECK_THAT(refusal(ask(Kind::allreduce, 8, placed({2, 2}, Placement::block), true), "allreduce=lanes(inner=ring)"),
             ContainsSubstring("does not combine in rank order"));
  CHECK(refusal(ask(Kind::allreduce, 8, placed({2, 2}, Placement::block), true), "allreduce=lanes") == "accepted");
}

TEST_CASE("explain names hierarchies, nodes and the congestion of shared NICs") {
  const Question question = ask(Kind::allreduce, 1 << 20, placed({4, 4}, Placement::block));
  const std::string table = explain(question, cluster(8), {});
  INFO(table);
  CHECK_THAT(table, ContainsSubstring("on 8 ranks on 2 nodes"));
  CHECK_THAT(table, ContainsSubstring("congestion"));
  CHECK_THAT(table, ContainsSubstring("lanes(inner="));
  for (const Candidate& candidate : candidates(question, cluster(8)))
    CHECK_THAT(table, ContainsSubstring(text(candidate)));
}
