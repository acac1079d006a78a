// The builder: homes, hazards and copies, seen in the steps that come out.
#include "schedule/builder.hpp"

#include "error.hpp"
#include "schedule/view.hpp"
#include "tests/catch.hpp"

using namespace tutti;

namespace {

constexpr Place input{Space::input, 0}, output{Space::output, 0}, scratch{Space::scratch, 0};

std::vector<Part> parts_of(const Schedule& schedule, std::size_t step) {
  const auto parts = schedule.parts_of(schedule.steps[step]);
  return {parts.begin(), parts.end()};
}

bool same(const Part& part, Interval blocks, Place from, Place to) {
  return part.blocks == blocks && part.from == from && part.to == to;
}

// Bit d of waits: the step d + 1 before.
std::uint64_t waits_for(std::initializer_list<int> distances) {
  std::uint64_t mask = 0;
  for (int distance : distances) mask |= std::uint64_t{1} << (distance - 1);
  return mask;
}

}  // namespace

TEST_CASE("an interval map cuts entries at the borders of what is assigned") {
  IntervalMap<int> map;
  map.assign({0, 10}, 1);
  map.assign({3, 5}, 2);
  map.assign({8, 12}, 3);
  std::vector<std::pair<Interval, int>> seen;
  map.inside({1, 20}, [&](Interval interval, int& value) { seen.push_back({interval, value}); });
  const std::vector<std::pair<Interval, int>> expected = {{{1, 3}, 1}, {{3, 5}, 2}, {{5, 8}, 1}, {{8, 12}, 3}};
  CHECK(seen == expected);
}

TEST_CASE("blocks join where they touch and stay apart where they do not") {
  Blocks blocks{{2, 4}, {4, 6}, {7, 7}, {0, 1}};
  CHECK(blocks == Blocks{{2, 6}, {0, 1}});
  CHECK(blocks.count() == 5);
}

TEST_CASE("a block is read where it was last written, at first in the input") {
  const Collective collective = allreduce(2, 1);
  Builder builder(collective, 0, false, "test");
  builder.send(1, {{0, 1}});
  builder.recv_reduce(1, {{0, 1}}, false);
  builder.send(1, {{0, 1}});
  const Schedule schedule = builder.finish();
  REQUIRE(schedule.steps.size() == 3);
  CHECK(same(parts_of(schedule, 0)[0], {0, 1}, input, {}));
  CHECK(same(parts_of(schedule, 1)[0], {0, 1}, input, output));
  CHECK(parts_of(schedule, 2)[0].from == output);
  CHECK(schedule.steps[1].waits == 0);  // it writes to the output, so the first send still reads the input undisturbed
  CHECK(schedule.steps[2].waits == waits_for({1}));
  CHECK(schedule.steps[0].match == 0);
  CHECK(schedule.steps[2].match == 1);
}

TEST_CASE("in place the input of a wanted block is its output, and a write waits for its readers") {
  const Collective collective = allreduce(2, 1);
  Builder builder(collective, 0, true, "test");
  builder.send(1, {{0, 1}});
  builder.recv_reduce(1, {{0, 1}}, true);
  const Schedule schedule = builder.finish();
  REQUIRE(schedule.steps.size() == 2);
  CHECK(same(parts_of(schedule, 1)[0], {0, 1}, output, output));
  CHECK(schedule.steps[1].waits == waits_for({1}));
  CHECK(schedule.steps[1].left);
}

TEST_CASE("what is not wanted here goes to scratch, and the input is never written") {
  const Collective collective = reduce_scatter(3);
  for (bool in_place : {false, true}) {
    Builder builder(collective, 1, in_place, "test");
    builder.recv_reduce(0, {{0, 3}}, false);
    const Schedule schedule = builder.finish();
    REQUIRE(schedule.steps.size() == 1);
    const std::vector<Part> parts = parts_of(schedule, 0);
    REQUIRE(parts.size() == 3);
    CHECK(same(parts[0], {0, 1}, input, scratch));
    CHECK(same(parts[1], {1, 2}, in_place ? output : input, output));
    CHECK(same(parts[2], {2, 3}, input, scratch));
    CHECK(schedule.uses_scratch);
  }
}

TEST_CASE("hazards follow intervals: steps on different blocks do not wait for one another") {
  const Collective collective = allreduce(4, 8);
  Builder builder(collective, 0, true, "test");
  builder.send(1, {{0, 4}});
  builder.send(2, {{4, 8}});
  builder.recv(1, {{4, 6}});
  builder.recv(2, {{3, 5}});
  const Schedule schedule = builder.finish();
  CHECK(schedule.steps[2].waits == waits_for({1}));
  CHECK(schedule.steps[3].waits == waits_for({1, 3}));  // step 2 has waited for step 1 already
}

TEST_CASE("blocks that nobody touched are copied in the end, in place none") {
  const Collective collective = allgather(3, 2);
  Builder out_of_place(collective, 1, false, "test");
  out_of_place.recv(0, {{0, 2}});
  out_of_place.recv(2, {{4, 6}});
  const Schedule schedule = out_of_place.finish();
  REQUIRE(schedule.steps.size() == 3);
  CHECK(schedule.steps[2].kind == StepKind::copy);
  CHECK(schedule.steps[2].waits == 0);
  CHECK(same(parts_of(schedule, 2)[0], {2, 4}, input, output));
  Builder in_place(collective, 1, true, "test");
  in_place.recv(0, {{0, 2}});
  in_place.recv(2, {{4, 6}});
  CHECK(in_place.finish().steps.size() == 2);
}

TEST_CASE("what arrives aside leaves the block as it is, until a fold combines them in the order given") {
  const Collective collective = allreduce(3, 1);
  Builder builder(collective, 1, false, "test");
  const Held own = builder.here({{0, 1}});
  const Held left = builder.recv_aside(0, {{0, 1}});
  const Held right = builder.recv_aside(2, {{0, 1}});
  builder.send(0, own);
  const std::vector<const Held*> sources = {&left, &own, &right};
  builder.fold(sources, {{0, 1}});
  const Schedule schedule = builder.finish();
  REQUIRE(schedule.steps.size() == 4);
  CHECK(parts_of(schedule, 2)[0].from == input);
  CHECK(schedule.aside_areas == 2);
  const Step& fold = schedule.steps[3];
  REQUIRE(fold.source_count == 3);
  CHECK(schedule.sources_of(fold, 0)[0] == Place{Space::aside, 1});
  CHECK(schedule.sources_of(fold, 0)[1] == input);
  CHECK(schedule.sources_of(fold, 0)[2] == Place{Space::aside, 2});
  CHECK(fold.waits == waits_for({2, 3}));
}

TEST_CASE("a fold is cut where a source changes its place") {
  const Collective collective = reduce_scatter(2, 2);
  Builder builder(collective, 0, false, "test");
  builder.recv_reduce(1, {{1, 3}}, false);
  const Held own = builder.here({{0, 4}});
  const Held came = builder.recv_aside(1, {{0, 4}});
  const std::vector<const Held*> sources = {&own, &came};
  builder.fold(sources, {{0, 4}});
  const Schedule schedule = builder.finish();
  const std::vector<Part> parts = parts_of(schedule, 2);
  REQUIRE(parts.size() == 4);
  const std::vector<Place> homes = {input, output, scratch, input};
  for (int i = 0; i < 4; ++i) {
    CHECK(parts[static_cast<std::size_t>(i)].blocks == Interval{i, i + 1});
    CHECK(parts[static_cast<std::size_t>(i)].to == (i < 2 ? output : scratch));
    CHECK(schedule.sources_of(schedule.steps[2], i)[0] == homes[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("a token needs no copy") {
  const Collective collective = barrier(2);
  Builder builder(collective, 0, false, "test");
  builder.send(1, {{0, 1}});
  CHECK(builder.finish().steps.size() == 1);
}

TEST_CASE("steps further back than the lookahead have ended and are not waited for") {
  const Collective collective = allreduce(2, 100);
  Builder builder(collective, 0, true, "test");
  for (std::int64_t i = 0; i < 100; ++i) builder.send(1, {{i, i + 1}});
  builder.recv(1, {{0, 100}});
  const Schedule schedule = builder.finish();
  CHECK(schedule.steps[100].waits == ~std::uint64_t{0});
}

TEST_CASE("an algorithm that uses a block which the rank does not hold gets an error that names both") {
  const Collective collective = broadcast(3, 4);
  Builder builder(collective, 2, false, "careless");
  CHECK_THROWS_WITH(builder.send(0, {{1, 3}}), ContainsSubstring("careless: rank 2 of 3 uses block 1"));
  const Collective gathering = allgather(3);
  Builder other(gathering, 2, false, "careless");
  CHECK_THROWS_WITH(other.recv_reduce(0, {{0, 1}}, false), ContainsSubstring("block 0"));
}

TEST_CASE("a view wraps positions and peers around, and a step without blocks is none") {
  const Collective collective = allreduce(4, 4);
  Builder builder(collective, 3, false, "test");
  View view(builder, Members::rotated(4, 0), Partition::runs(4, 1));
  CHECK(view.block(-1) == Blocks{{3, 4}});
  CHECK(view.blocks(3, 2) == Blocks{{3, 4}, {0, 1}});
  view.send(4, view.block(7));
  view.send(0, Blocks{});
  view.fold({view.recv_aside(1, Blocks{})}, Blocks{});
  const Schedule schedule = builder.finish();
  CHECK(schedule.steps[0].peer == 0);
  CHECK(schedule.steps.size() == 2);  // the send, and the last copy
}

TEST_CASE("a group of a view speaks of its own positions and parts") {
  const Collective collective = allreduce(6, 4);
  Builder builder(collective, 4, false, "test");
  View view(builder, Members::rotated(6, 0), Partition::runs(4, 1));
  View group = view.group({2, 4, 5}, {view.blocks(0, 2), view.blocks(3, 2), Blocks{}});
  CHECK(group.rank() == 1);
  CHECK(group.size() == 3);
  CHECK(group.block(1) == Blocks{{3, 4}, {0, 1}});
  group.send(2, group.block(0));
  CHECK(builder.finish().steps[0].peer == 5);
  CHECK_THROWS_WITH(view.group({0, 1}, {view.all()}), ContainsSubstring("rank 4 is not a member"));
}
