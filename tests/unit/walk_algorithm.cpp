// The walk of docs/adding-an-algorithm.md, compiled and proven: the algorithm between the two lines is the one that the
// guide shows, and algorithm_commands_test.py compares them.
#include "error.hpp"
#include "tests/catch.hpp"
#include "tests/unit/proving.hpp"

// ---- algorithms/two_way_ring.cpp
// Two-way ring: blocks travel in both directions at once, so an allgather takes half the rounds of a ring.
//   allgather  ceil((p-1)/2) a + (p-1)/p n b through two ports
// Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void steps(View& v, std::int64_t) {
  for (int s = 0; s < v.size() / 2; ++s) {
    v.send(v.rank() + 1, v.block(v.rank() - s));
    v.recv(v.rank() - 1, v.block(v.rank() - s - 1));
    if (2 * s + 2 == v.size()) break;  // the last block comes from one side only
    v.send(v.rank() - 1, v.block(v.rank() + s));
    v.recv(v.rank() + 1, v.block(v.rank() + s + 1));
  }
}

std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  std::vector<Round> list;
  if (size > 2) list.push_back({Pattern::shift, 1, 2, {2, size}, {0, 1}, (size - 1) / 2});
  if (size % 2 == 0) list.push_back({Pattern::shift, 1, 1, {1, size}, {0, 1}, 1});
  return list;
}

}  // namespace

extern const Algorithm two_way_ring_for_allgather{Kind::allgather,
                                                  "two-way-ring",
                                                  "folklore; both directions of a ring",
                                                  "ceil((p-1)/2) a + (p-1)/p n b through two ports",
                                                  no_parameter,
                                                  true,
                                                  &one_block_each,
                                                  &steps,
                                                  &rounds,
                                                  &no_combine,
                                                  &never};

}  // namespace tutti
// ---- end of algorithms/two_way_ring.cpp

using namespace tutti;

TEST_CASE("the algorithm of the walk is right, and has the rounds that it states") {
  for (int size = 1; size <= 64; ++size)
    for (bool in_place : {false, true}) {
      INFO(size);
      Proof proof;
      REQUIRE_NOTHROW(proof = tutti::testing::prove_key({&two_way_ring_for_allgather, 0, size, 0, in_place, false, 0}));
      std::int64_t stated = 0;
      for (const Round& round : two_way_ring_for_allgather.rounds(size, 0)) stated += round.times;
      CHECK(proof.rounds == stated);
    }
}
