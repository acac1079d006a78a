// Process topologies: an order is a permutation, never worse than the ranks' own, and finds what there is to find.
#include "topology/network/reordering.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/catch.hpp"

using namespace tutti;

namespace {

// Four racks of four hosts under one switch, by slow uplinks.
constexpr const char* racks =
    "[network]\nkind = \"fat-tree\"\nlevels = 2\ndown = [4, 4]\nup = [1, 1]\n[link]\n"
    "host = { bandwidth = \"100 Gb/s\", latency = \"1 us\" }\nlevel2 = { bandwidth = \"100 Gb/s\", latency = \"1 us\" "
    "}\n";

std::vector<std::int32_t> in_order(std::size_t ranks) {
  std::vector<std::int32_t> seats(ranks);
  std::iota(seats.begin(), seats.end(), 0);
  return seats;
}

bool is_permutation(std::vector<std::int32_t> seats) {
  std::sort(seats.begin(), seats.end());
  return seats == in_order(seats.size());
}

// A ring along each line of an axis.
void add_rings(std::vector<RankPair>& pairs, const std::vector<int>& sizes, std::size_t axis, double bytes) {
  int stride = 1, ranks = 1;
  for (std::size_t later = axis + 1; later < sizes.size(); ++later) stride *= sizes[later];
  for (const int size : sizes) ranks *= size;
  for (int rank = 0; rank < ranks; ++rank) {
    const int place = rank / stride % sizes[axis];
    pairs.push_back({rank, rank + ((place + 1) % sizes[axis] - place) * stride, bytes});
  }
}

}  // namespace

TEST_CASE("a grid's heavy axis comes into the racks, whichever axis it is") {
  const Network network = parse_network(racks, "racks");
  const Seats seats = seated(network, 16, 1);
  const std::vector<int> sizes = {4, 4};
  for (const std::size_t heavy : {std::size_t{0}, std::size_t{1}}) {
    std::vector<RankPair> pairs;
    add_rings(pairs, sizes, heavy, 1e9);
    const auto order = reorder_grid(seats, pairs, sizes);
    REQUIRE(is_permutation(order));
    // Nothing leaves a rack: every host sends 1e9 bytes once.
    CHECK(link_times(seats, pairs, order).busiest == Approx(1e9 / 12.5e9));
    CHECK(link_times(seats, pairs, in_order(16)).busiest == Approx((heavy == 0 ? 4 : 1) * 1e9 / 12.5e9));
  }
}

TEST_CASE("a graph of hidden cliques is found, and no order is worse than the ranks' own") {
  const Network network = parse_network(racks, "racks");
  const Seats seats = seated(network, 16, 1);
  std::mt19937_64 random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::int32_t> hidden = in_order(16);
    std::shuffle(hidden.begin(), hidden.end(), random);
    std::vector<RankPair> pairs;
    for (std::size_t one = 0; one < 16; ++one)
      for (std::size_t other = 0; other < 16; ++other)
        if (one != other && one / 4 == other / 4) pairs.push_back({hidden[one], hidden[other], 1e9});
    const auto order = reorder_graph(seats, pairs);
    REQUIRE(is_permutation(order));
    CHECK(link_times(seats, pairs, order).busiest == Approx(3e9 / 12.5e9));
    // Noise has no order to be found; whatever is returned is no worse.
    std::vector<RankPair> noise;
    for (int i = 0; i < 60; ++i)
      noise.push_back({static_cast<std::int32_t>(random() % 16), static_cast<std::int32_t>(random() % 16),
                       static_cast<double>(random() % 1000)});
    const auto any = reorder_graph(seats, noise);
    REQUIRE(is_permutation(any));
    CHECK(!(link_times(seats, noise, in_order(16)) < link_times(seats, noise, any)));
  }
}

TEST_CASE("grids of any sizes are reordered, primes and ones among them") {
  const Network network = parse_network(racks, "racks");
  for (const std::vector<int>& sizes : {std::vector<int>{1}, {3, 5}, {2, 1, 7}, {2, 2, 2, 2}, {16}}) {
    const int ranks = std::accumulate(sizes.begin(), sizes.end(), 1, std::multiplies<>());
    const Seats seats = seated(network, ranks, 1);
    std::vector<RankPair> pairs;
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) add_rings(pairs, sizes, axis, 1e6);
    const auto order = reorder_grid(seats, pairs, sizes);
    CHECK(is_permutation(order));
    CHECK(order.size() == static_cast<std::size_t>(ranks));
    CHECK(reseated(seats, order).host[0] == seats.host[static_cast<std::size_t>(order[0])]);
  }
}
