// Hierarchies are proven: every collective, form, algorithm inside and across, on shapes of one size and of many, two
// and three levels, with ranks laid out in any way, in place and not, in rank order and not, for several roots. A slice
// by default; with --full every pair of what runs inside and across.
#include "algorithms/hierarchy.hpp"

#include <fmt/format.h>

#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/proving.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

constexpr Kind kinds[] = {Kind::allreduce,      Kind::broadcast, Kind::reduce,
                          Kind::reduce_scatter, Kind::allgather, Kind::barrier};
constexpr Form forms[] = {Form::leader, Form::lanes};
constexpr Placement placements[] = {Placement::block, Placement::cyclic, Placement::random};

struct Nodes {
  std::vector<int> sizes;
  std::vector<int> groups = {};
};

const std::vector<Nodes>& one_level() {
  static const std::vector<Nodes> all = {{{3, 1, 4, 2}}, {{1, 1, 1}}, {{4}}, {{2, 2}}, {{5, 3}}, {{1, 6}}, {{1}}};
  return all;
}

const std::vector<Nodes>& two_levels() {
  static const std::vector<Nodes> all = {
      {{3, 1, 4, 2}, {0, 0, 1, 1}}, {{2, 2, 2, 2, 2, 2}, {0, 0, 1, 1, 2, 2}}, {{1, 2, 3}, {0, 1, 1}}, {{2, 1}, {0, 0}}};
  return all;
}

std::vector<Stage> across(Kind kind) {
  std::vector<Stage> list;
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind) list.push_back({&algorithm, algorithm.parameter.fallback});
  return list;
}

bool rooted(Kind kind) { return kind == Kind::broadcast || kind == Kind::reduce; }
bool combines(Kind kind) { return kind == Kind::allreduce || kind == Kind::reduce || kind == Kind::reduce_scatter; }

// Proves a hierarchy in every way in which it can be asked for; how many proofs those were.
int prove_hierarchy(const std::vector<Layer>& layers, const Stage& top, const ShapePtr& shape) {
  const Hierarchy hierarchy{layers, top, shape.get(), shape->ranks()};
  const Kind kind = top.algorithm->kind;
  int proofs = 0;
  for (bool ordered : {false, true}) {
    if ((ordered && !combines(kind)) || !refuses(hierarchy, ordered).empty()) continue;
    for (int root : {0, shape->ranks() / 2, shape->ranks() - 1}) {
      if (root > 0 && !rooted(kind)) continue;
      for (bool in_place : {false, true}) {
        INFO(kind_name(kind) << " " << hierarchy_name(layers, top) << " on " << shape->ranks() << " ranks in "
                             << shape->groups() << " groups, root " << root << (in_place ? ", in place" : "")
                             << (ordered ? ", ordered" : ""));
        const ScheduleKey key{top.algorithm, top.parameter, shape->ranks(), 0, in_place, ordered, root, layers, shape};
        Proof proof;
        REQUIRE_NOTHROW(proof = prove_key(key));
        const bool moved = ordered && rooted(kind);
        CHECK((proof.depth <= depth_of(hierarchy) || moved));
        ++proofs;
      }
    }
  }
  return proofs;
}

// Each inside and each algorithm across at least once; `all`: every pair of them.
int prove_form(Kind kind, Form form, const ShapePtr& shape, bool all) {
  const auto inner = inner_layers(kind, form);
  const std::vector<Stage> outer = across(kind);
  if (inner.empty()) return 0;
  int proofs = 0;
  for (std::size_t i = 0; i < inner.size(); ++i)
    for (std::size_t o = 0; o < outer.size(); ++o)
      if (all || (inner.size() >= outer.size() ? i % outer.size() == o : o % inner.size() == i))
        proofs += prove_hierarchy({inner[i]}, outer[o], shape);
  return proofs;
}

int prove_two_forms(Kind kind, Form fine, Form coarse, const ShapePtr& shape, bool all) {
  const auto first = inner_layers(kind, fine), second = inner_layers(kind, coarse);
  const std::vector<Stage> outer = across(kind);
  if (first.empty() || second.empty()) return 0;
  int proofs = 0;
  for (std::size_t i = 0; i < first.size(); ++i)
    for (std::size_t o = 0; o < outer.size(); ++o)
      if (all || i == o % first.size())
        proofs += prove_hierarchy({first[i], second[(i + o) % second.size()]}, outer[o], shape);
  return proofs;
}

void prove_all(bool all) {
  int proofs = 0;
  for (Placement placement : placements)
    for (Kind kind : kinds)
      for (Form form : forms) {
        for (const Nodes& nodes : one_level()) proofs += prove_form(kind, form, placed(nodes.sizes, placement), all);
        for (Form coarse : forms)
          for (const Nodes& nodes : two_levels())
            proofs += prove_two_forms(kind, form, coarse, placed(nodes.sizes, placement, nodes.groups), all);
      }
  fmt::print("hierarchies: {} proofs\n", proofs);
  CHECK(proofs > 1000);
}

ScheduleKey key_on(Kind kind, std::string_view across, const std::vector<Layer>& layers, const ShapePtr& shape) {
  return {&find_algorithm(kind, across), 0, shape ? shape->ranks() : 4, 0, false, false, 0, layers, shape};
}

Layer inner(Kind kind, Form form, std::string_view name) {
  for (const Layer& layer : inner_layers(kind, form))
    if (layer.inner == name) return layer;
  FAIL(name << " does not run inside");
  return {};
}

}  // namespace

TEST_CASE("every hierarchy is right on nodes of any sizes, with ranks laid out in any way") { prove_all(false); }

TEST_CASE("every pair of algorithms inside and across is right", "[.full]") { prove_all(true); }

TEST_CASE("a shape numbers its groups by their lowest ranks, whatever their labels") {
  const ShapePtr shape = Shape::of({{7, 3, 7, 9, 3, 7}, {1, 0, 1, 0, 0, 1}});
  CHECK(shape->groups() == 3);
  CHECK(shape->group_of(0) == 0);
  CHECK(shape->group_of(4) == 1);
  CHECK(shape->place_of(5) == 2);
  CHECK(shape->member(0, 2) == 5);
  CHECK(shape->sizes() == std::vector<int>{1, 2, 3});
  CHECK(shape->levels() == 2);
  CHECK(shape->above()->groups() == 2);
  CHECK(shape->above()->group_of(2) == 1);
  CHECK_FALSE(shape->keeps_order());
  CHECK(*shape == *Shape::of({{1, 2, 1, 3, 2, 1}, {5, 6, 5, 6, 6, 5}}));
  CHECK_FALSE(*shape == *Shape::of({{1, 2, 1, 3, 2, 1}}));
  CHECK(placed({3, 1, 4, 2}, Placement::block)->keeps_order());
  CHECK_FALSE(placed({2, 2}, Placement::cyclic)->keeps_order());
  CHECK_THROWS_WITH(Shape::of({{0, 0, 1}, {0, 1, 1}}), ContainsSubstring("ranks 0 and 1 share a group"));
  CHECK_THROWS_WITH(Shape::of({{0, 0, 1}, {0, 1}}), ContainsSubstring("2 ranks have a group"));
  CHECK_THROWS_AS(Shape::of({}), Error);
}

TEST_CASE("equal shapes share their schedules, others do not") {
  const Layer lanes = inner(Kind::allreduce, Form::lanes, "two-shot");
  const ShapePtr a = placed({3, 1}, Placement::block), b = placed({3, 1}, Placement::block),
                 c = placed({2, 2}, Placement::block);
  const ScheduleKeyHash hash;
  const auto key = [&](const ShapePtr& shape) { return key_on(Kind::allreduce, "ring", {lanes}, shape); };
  CHECK(key(a) == key(b));
  CHECK(hash(key(a)) == hash(key(b)));
  CHECK_FALSE(key(a) == key(c));
  CHECK_FALSE(key(a) == key_on(Kind::allreduce, "ring", {inner(Kind::allreduce, Form::lanes, "ring")}, a));
  CHECK_FALSE(key(a) == key_on(Kind::allreduce, "ring", {}, a));
}

TEST_CASE("a hierarchy that cannot run says why") {
  const ShapePtr cyclic = placed({2, 2}, Placement::cyclic), block = placed({2, 2}, Placement::block);
  const Layer lanes = inner(Kind::allreduce, Form::lanes, "two-shot");
  const Layer leader = inner(Kind::allreduce, Form::leader, "knomial");
  const Stage two_shot{&find_algorithm(Kind::allreduce, "two-shot"), 0};
  const auto reason = [&](const std::vector<Layer>& layers, const ShapePtr& shape, bool ordered) {
    return refuses({layers, two_shot, shape.get(), 4}, ordered);
  };
  CHECK(reason({lanes}, block, true).empty());
  CHECK_THAT(reason({lanes}, cyclic, true), ContainsSubstring("do not follow one another"));
  CHECK_THAT(reason({inner(Kind::allreduce, Form::lanes, "ring")}, block, true),
             ContainsSubstring("ring inside the groups does not combine in rank order"));
  CHECK_THAT(reason({lanes, leader}, block, false),
             ContainsSubstring("2 levels of groups") && ContainsSubstring("one is known here"));
  CHECK_THAT(reason({lanes}, nullptr, false), ContainsSubstring("none is known here"));
  CHECK_THROWS_WITH(build_schedule(key_on(Kind::allreduce, "ring", {lanes}, nullptr)),
                    ContainsSubstring("lanes(inner=two-shot, outer=ring) cannot run on 4 ranks"));
  CHECK(inner_layers(Kind::barrier, Form::lanes).empty());
}

TEST_CASE("lanes send over the network what a circulant allreduce of leaders does, shared by all ranks") {
  // Four nodes of four: each rank's lane carries a quarter of the vector, so 2 (N-1)/N n / 4 leave each rank's node.
  const ShapePtr shape = placed({4, 4, 4, 4}, Placement::random);
  const ScheduleKey key =
      key_on(Kind::allreduce, "circulant", {inner(Kind::allreduce, Form::lanes, "two-shot")}, shape);
  const std::vector<Schedule> schedules = all_ranks(key);
  CHECK(schedules[0].blocks == 16);
  for (const Schedule& schedule : schedules) {
    std::int64_t crossing = 0;
    for (const Step& step : schedule.steps)
      if (step.kind == StepKind::send && shape->group_of(step.peer) != shape->group_of(schedule.rank))
        for (const Part& part : schedule.parts_of(step)) crossing += part.blocks.count();
    CHECK(crossing == 2 * 3);  // of 16 blocks: 2 (N-1)/N n / 4
  }
}

TEST_CASE("the schedule of one of a million ranks names no more than its own group and its way across") {
  const ShapePtr shape = placed(std::vector<int>(1 << 17, 8), Placement::cyclic);
  ScheduleKey key = key_on(Kind::allreduce, "circulant", {inner(Kind::allreduce, Form::lanes, "two-shot")}, shape);
  key.position = 777777;
  const Schedule schedule = build_schedule(key);
  CHECK(schedule.size == 1 << 20);
  CHECK(schedule.steps.size() < 2 * 2 * 17 + 4 * 8);
}
