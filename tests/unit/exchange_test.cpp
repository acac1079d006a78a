// The exchanges of composites are proven as all schedules are, for lengths of every kind.
#include "lib/runtime/exchange.hpp"

#include <random>

#include "lib/schedule/checker.hpp"
#include "tests/catch.hpp"

namespace tutti::test {
namespace {

using Counts = std::vector<std::vector<std::uint64_t>>;  // messages from the first to the second rank

Collective statement(const Counts& counts, std::int64_t stride) {
  const auto size = static_cast<int>(counts.size());
  const auto blocks_between = [counts, size, stride](int rank, bool sent) {
    Blocks blocks;
    for (int a = 0; a < size; ++a)
      for (int b = 0; b < size; ++b) {
        if (a == b || (sent ? a : b) != rank) continue;
        const std::int64_t first = (std::int64_t{a} * size + b) * stride;
        const std::uint64_t messages = counts[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
        blocks.add({first, first + static_cast<std::int64_t>(messages)});
      }
    return blocks;
  };
  Collective collective;
  collective.name = "exchange";
  collective.size = size;
  collective.blocks = std::int64_t{size} * size * stride;
  collective.before = [=](int rank) { return blocks_between(rank, true); };
  collective.after = [=](int rank) { return blocks_between(rank, false); };
  collective.contributors = [=](int, std::int64_t block) {
    const std::int64_t source = block / stride / size;
    return Contributors{source, source + 1};
  };
  return collective;
}

std::vector<Schedule> schedules(const Counts& counts, std::int64_t stride) {
  std::vector<Schedule> all;
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    std::vector<std::uint64_t> receives;
    for (const auto& from : counts) receives.push_back(from[rank]);
    all.push_back(exchange_schedule(static_cast<int>(rank), counts[rank], receives, stride));
  }
  return all;
}

}  // namespace

TEST_CASE("an exchange of any numbers of messages is right and cannot lock") {
  std::mt19937 random(4);
  for (std::size_t size = 1; size <= 9; ++size)
    for (const unsigned most : {0u, 1u, 5u, 90u}) {
      Counts counts(size, std::vector<std::uint64_t>(size));
      for (std::size_t a = 0; a < size; ++a)
        for (std::size_t b = 0; b < size; ++b)
          if (a != b) counts[a][b] = random() % 3 == 0 ? 0 : random() % (most + 1);
      prove(statement(counts, 100), schedules(counts, 100));
    }
}

TEST_CASE("the proof of an exchange sees a message that is missing") {
  const Counts counts = {{0, 2}, {1, 0}};
  std::vector<Schedule> all = schedules(counts, 100);
  all[1].steps.pop_back();
  REQUIRE_THROWS(prove(statement(counts, 100), all));
}

}  // namespace tutti::test
