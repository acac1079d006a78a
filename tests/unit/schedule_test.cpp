// Collectives that have no algorithm in the catalogue yet, and hierarchies: written here against the view, they need
// no change of the library. And what the checker says to schedules that are wrong on purpose.
#include <numeric>

#include "algorithms/pieces.hpp"
#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/proving.hpp"

using namespace tutti;
using namespace tutti::testing;

namespace {

using Steps = std::function<void(View&)>;

// Hillis and Steele, 1986: the arriving prefix stands on the left of what is here.
void doubling_scan(View& v) {
  for (int distance = 1; distance < v.size(); distance *= 2) {
    if (v.rank() + distance < v.size()) v.send(v.rank() + distance, v.all());
    if (v.rank() >= distance) v.recv_reduce(v.rank() - distance, v.all(), Side::left);
  }
}

// Bruck et al., 1997: log2 p rounds; blocks on their way lie in scratch, because nobody wants them here in the end.
void bruck_alltoall(View& v) {
  const int p = v.size();
  for (int distance = 1; distance < p; distance *= 2) {
    const auto moving = [&](int at) {
      Blocks blocks;
      for (int hop = 0; hop < p; ++hop) {
        const int source = ((at - hop % distance) % p + p) % p;
        if ((hop & distance) != 0) blocks.add(v.block(std::int64_t{source} * p + (source + hop) % p));
      }
      return blocks;
    };
    v.send(v.rank() + distance, moving(v.rank()));
    v.recv(v.rank() - distance, moving((v.rank() - distance + p) % p));
  }
}

Steps steps_of(std::string_view name) {
  return [name](View& v) { find_algorithm(Kind::allreduce, name).build(v, 0); };
}

// Reduce-scatter inside the node, `across` the nodes lane by lane, allgather inside; nodes may differ in size.
Steps lanes(std::vector<int> nodes, Steps across) {
  return [nodes, across](View& v) {
    const int count = static_cast<int>(nodes.size()), lane_count = *std::max_element(nodes.begin(), nodes.end());
    std::vector<int> starts{0};
    for (int node : nodes) starts.push_back(starts.back() + node);
    const auto node =
        static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), v.rank()) - starts.begin() - 1);
    std::vector<int> inside_ranks(static_cast<std::size_t>(nodes[node]));
    std::iota(inside_ranks.begin(), inside_ranks.end(), starts[node]);
    std::vector<Blocks> inside_parts(inside_ranks.size());
    for (int lane = 0; lane < lane_count; ++lane)
      inside_parts[static_cast<std::size_t>(lane % nodes[node])].add(v.blocks(lane * count, count));
    View inside = v.group(inside_ranks, inside_parts);
    direct_reduce_scatter(inside);
    for (int lane = 0; lane < lane_count; ++lane) {
      if (lane % nodes[node] != inside.rank()) continue;
      std::vector<int> owners;
      std::vector<Blocks> parts;
      for (int other = 0; other < count; ++other) {
        owners.push_back(starts[static_cast<std::size_t>(other)] + lane % nodes[static_cast<std::size_t>(other)]);
        parts.push_back(v.block(lane * count + other));
      }
      View group = v.group(owners, parts);
      across(group);
    }
    direct_allgather(inside);
  };
}

// An allreduce on two ranks by hand, to be spoilt.
std::vector<Schedule> pair() {
  return all_ranks(allreduce(2, 2), [](View& v) {
    v.send(v.rank() + 1, v.block(v.rank() + 1));
    v.recv_reduce(v.rank() + 1, v.block(v.rank()));
    v.send(v.rank() + 1, v.block(v.rank()));
    v.recv(v.rank() + 1, v.block(v.rank() + 1));
  });
}

Proof prove_pair(const std::vector<Schedule>& schedules) { return prove(allreduce(2, 2), schedules); }

}  // namespace

TEST_CASE("a scan of operations that do not commute is right on 1 to 64 ranks") {
  for (int size = 1; size <= 64; ++size)
    for (bool in_place : {false, true}) {
      INFO(size);
      const Collective collective = scan(size, 2);
      CHECK_NOTHROW(prove(collective, all_ranks(collective, doubling_scan, in_place)));
    }
}

TEST_CASE("a scan with the prefix on the wrong side is refused") {
  const Collective collective = scan(4, 1);
  const auto wrong = [](View& v) {
    for (int distance = 1; distance < v.size(); distance *= 2) {
      if (v.rank() + distance < v.size()) v.send(v.rank() + distance, v.all());
      if (v.rank() >= distance) v.recv_reduce(v.rank() - distance, v.all(), Side::right);
    }
  };
  CHECK_THROWS_WITH(prove(collective, all_ranks(collective, wrong)), ContainsSubstring("rank order"));
}

TEST_CASE("Bruck's alltoall is right on 1 to 33 ranks") {
  for (int size = 1; size <= 33; ++size)
    for (bool in_place : {false, true}) {
      INFO(size);
      const Collective collective = alltoall(size);
      CHECK_NOTHROW(prove(collective, all_ranks(collective, bruck_alltoall, in_place)));
    }
}

TEST_CASE("lanes over nodes of different sizes are right, whatever runs across them") {
  const std::vector<std::vector<int>> layouts = {{2, 2}, {3, 2}, {3, 1, 4, 2}, {5}, {1, 1, 1}, {7, 16, 1, 9}};
  for (const std::vector<int>& nodes : layouts)
    for (std::string_view across : {"ring", "circulant", "recursive-doubling", "rabenseifner", "two-shot"})
      for (bool in_place : {false, true}) {
        INFO(across << " across " << nodes.size() << " nodes");
        const int size = std::accumulate(nodes.begin(), nodes.end(), 0);
        const Collective collective =
            allreduce(size, *std::max_element(nodes.begin(), nodes.end()) * static_cast<std::int64_t>(nodes.size()));
        // Rabenseifner's vector has a power of two of blocks, which only some layouts have.
        if (across == "rabenseifner" && !std::has_single_bit(nodes.size())) continue;
        CHECK_NOTHROW(prove(collective, all_ranks(collective, lanes(nodes, steps_of(across)), in_place)));
      }
}

TEST_CASE("the checker names what is wrong, and where") {
  CHECK_NOTHROW(prove_pair(pair()));
  SECTION("a message without a receive") {
    auto schedules = pair();
    schedules[1].steps.pop_back();
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("rank 0, step 2 (send to 1: blocks 0 (output))") &&
                                                 ContainsSubstring("rank 1 has no receive for it"));
  }
  SECTION("a receive without a message") {
    auto schedules = pair();
    schedules[0].steps.erase(schedules[0].steps.begin() + 2);
    CHECK_THROWS_WITH(prove_pair(schedules),
                      ContainsSubstring("rank 1, step 3") && ContainsSubstring("rank 0 has no send for it"));
  }
  SECTION("other blocks at the two ends") {
    auto schedules = pair();
    schedules[0].parts[0].blocks = {0, 1};
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("takes other blocks"));
  }
  SECTION("a race") {
    auto schedules = pair();
    schedules[0].steps[2].waits = 0;
    CHECK_THROWS_WITH(prove_pair(schedules),
                      ContainsSubstring("rank 0, step 2") && ContainsSubstring("before step 1 has written it"));
  }
  SECTION("a deadlock") {
    auto schedules = pair();
    for (Schedule& schedule : schedules) {
      std::swap(schedule.steps[0], schedule.steps[1]);
      schedule.steps[1].waits = 1;
      schedule.steps[2].waits = 2;
    }
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("deadlock") && ContainsSubstring("rank 0 never ends"));
  }
  SECTION("a step that waits for one before the first") {
    auto schedules = pair();
    schedules[0].steps[0].waits = 1;
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("before the first"));
  }
  SECTION("a write to the input") {
    auto schedules = pair();
    schedules[0].parts[1].to = {Space::input, 0};
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("writes to the input"));
  }
  SECTION("a result that is not in the output") {
    auto schedules = pair();
    for (Schedule& schedule : schedules) {
      schedule.uses_scratch = true;
      schedule.parts[3].to = {Space::scratch, 0};
    }
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("the output was never written"));
  }
  SECTION("a contribution that counts twice") {
    auto schedules = pair();
    for (Schedule& schedule : schedules) schedule.steps[3].kind = StepKind::recv_reduce;
    for (Schedule& schedule : schedules) schedule.parts[3].from = {Space::input, 0};
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("exactly once"));
  }
  SECTION("schedules of other ranks") {
    auto schedules = pair();
    std::swap(schedules[0], schedules[1]);
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("is of rank 1"));
    schedules.pop_back();
    CHECK_THROWS_WITH(prove_pair(schedules), ContainsSubstring("1 schedules"));
  }
}

TEST_CASE("ranks that combine the same contributions in different ways are found") {
  // Everybody gets all, but rank r starts with its own: (0+1)+2, (1+2)+0, (2+0)+1.
  const Collective collective = allreduce(3, 1);
  const auto steps = [](View& v) {
    std::vector<Held> sources{v.here(v.all())};
    for (int q = 1; q < v.size(); ++q) {
      v.send(v.rank() - q, sources[0]);
      sources.push_back(v.recv_aside(v.rank() + q, v.all()));
    }
    v.fold(sources, v.all());
  };
  CHECK_THROWS_WITH(prove(collective, all_ranks(collective, steps)), ContainsSubstring("bits may differ"));
}

TEST_CASE("more sends than the lookahead before the first receive are a deadlock") {
  const auto steps = [](View& v) {
    for (int i = 0; i < v.parts(); ++i) v.send(v.rank() + 1, v.block(i));
    for (int i = 0; i < v.parts(); ++i) v.recv_reduce(v.rank() + 1, v.block(i));
  };
  const Collective fits = allreduce(2, lookahead - 1), exceeds = allreduce(2, lookahead);
  CHECK_NOTHROW(prove(fits, all_ranks(fits, steps)));
  CHECK_THROWS_WITH(prove(exceeds, all_ranks(exceeds, steps)), ContainsSubstring("deadlock"));
}

TEST_CASE("a barrier that some rank does not reach is refused") {
  const Collective collective = barrier(4);
  const auto steps = [](View& v) {
    v.send(v.rank() + 1, v.all());
    v.recv_reduce(v.rank() - 1, v.all());
  };
  CHECK_THROWS_WITH(prove(collective, all_ranks(collective, steps)), ContainsSubstring("does not know that rank"));
}

TEST_CASE("keys that make no sense get an error that says what would be right") {
  const Algorithm& knomial = find_algorithm(Kind::allreduce, "knomial");
  const Algorithm& ring = find_algorithm(Kind::allreduce, "ring");
  CHECK_THROWS_WITH(build_schedule({&knomial, 1, 4}), ContainsSubstring("k=1 is out of range, it is from 2 to 64"));
  CHECK_THROWS_WITH(build_schedule({&ring, 3, 4}), ContainsSubstring("takes no parameter"));
  CHECK_THROWS_WITH(build_schedule({&ring, 0, 0}), ContainsSubstring("at least one"));
  CHECK_THROWS_WITH(build_schedule({&ring, 0, 4, 4}), ContainsSubstring("rank 4 is not one of the 4 ranks"));
  CHECK_THROWS_WITH(build_schedule({&ring, 0, 4, 0, false, false, -1}), ContainsSubstring("root -1"));
  CHECK_THROWS_WITH(build_schedule({&ring, 0, 4, 0, false, true}), ContainsSubstring("rank order"));
  CHECK_THROWS_WITH(find_algorithm(Kind::barrier, "ring"),
                    ContainsSubstring("barrier has no algorithm 'ring'") && ContainsSubstring("dissemination"));
  CHECK_THROWS_WITH(parse_kind("allreduc"), ContainsSubstring("allreduce, broadcast"));
  CHECK(parse_kind("reduce-scatter") == Kind::reduce_scatter);
}
