// See network_properties.hpp. Distances come from a search over the links that the network lists, not from its routes.
#include "network_properties.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <vector>

#include "tests/catch.hpp"

namespace tutti {
namespace {

constexpr std::uint64_t flows = 5;

// The adjacency that the links themselves state.
struct Graph {
  explicit Graph(const Network& network) : out(static_cast<std::size_t>(network.hosts() + network.switches())) {
    for (std::int64_t id = 0; id < network.links(); ++id) {
      const Network::Ends ends = network.ends(id);
      REQUIRE(ends.from >= 0);
      REQUIRE(ends.to >= 0);
      REQUIRE(ends.from < static_cast<std::int64_t>(out.size()));
      REQUIRE(ends.to < static_cast<std::int64_t>(out.size()));
      REQUIRE(ends.from != ends.to);
      out[static_cast<std::size_t>(ends.from)].push_back(id);
    }
  }
  std::vector<std::vector<std::int64_t>> out;
};

// Links from one vertex to all others, over at most so many of the limited class.
std::vector<int> distances(const Network& network, const Graph& graph, std::int64_t from, const Shortest& shortest) {
  const int states = shortest.limited_class.empty() ? 1 : shortest.most + 1;
  std::vector<int> distance(graph.out.size() * static_cast<std::size_t>(states), -1);
  std::deque<std::size_t> next{static_cast<std::size_t>(from) * static_cast<std::size_t>(states)};
  distance[next.front()] = 0;
  while (!next.empty()) {
    const std::size_t here = next.front();
    next.pop_front();
    const int used = static_cast<int>(here % static_cast<std::size_t>(states));
    for (const std::int64_t id : graph.out[here / static_cast<std::size_t>(states)]) {
      const bool limited = !shortest.limited_class.empty() && network.link_class(id) == shortest.limited_class;
      if (limited && used == shortest.most) continue;
      const std::size_t there = static_cast<std::size_t>(network.ends(id).to) * static_cast<std::size_t>(states) +
                                static_cast<std::size_t>(used + (limited ? 1 : 0));
      if (distance[there] >= 0) continue;
      distance[there] = distance[here] + 1;
      next.push_back(there);
    }
  }
  std::vector<int> least(graph.out.size(), -1);
  for (std::size_t i = 0; i < distance.size(); ++i) {
    int& best = least[i / static_cast<std::size_t>(states)];
    if (distance[i] >= 0 && (best < 0 || distance[i] < best)) best = distance[i];
  }
  return least;
}

// What is wrong with a route; empty where nothing is. Millions of them are looked at, so no assertion is made for each
// step.
std::string fault_of_path(const Network& network, std::int64_t from, std::int64_t to,
                          const std::vector<std::int64_t>& path) {
  std::int64_t here = from;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] < 0 || path[i] >= network.links()) return "a link that does not exist";
    if (network.ends(path[i]).from != here) return "a link that does not begin where the one before it ends";
    if (std::count(path.begin(), path.end(), path[i]) != 1) return "a link that is used twice";
    here = network.ends(path[i]).to;
  }
  return here == to ? "" : "the end is another";
}

void require_good_route(const Network& network, std::int64_t from, std::int64_t to, std::uint64_t flow, int length) {
  std::vector<std::int64_t> path, again;
  network.route(from, to, flow, path);
  network.route(from, to, flow, again);
  std::string fault = fault_of_path(network, from, to, path);
  if (path != again) fault = "it is another when asked again";
  if (from == to && !path.empty()) fault = "a host needs no link to itself";
  if (length >= 0 && static_cast<int>(path.size()) != length)
    fault = fmt::format("{} links, but {} are enough", path.size(), length);
  if (fault.empty()) return;
  FAIL(network.host_name(from) << " to " << network.host_name(to) << ", flow " << flow << ": " << fault);
}

void require_good_links(const Network& network) {
  std::set<std::string> names;
  for (std::int64_t id = 0; id < network.links(); ++id) {
    REQUIRE(network.link(id).bytes_per_second > 0);
    REQUIRE(network.link(id).latency_ps >= 0);
    REQUIRE(names.insert(network.link_name(id)).second);
  }
}

}  // namespace

Network network_of(const std::string& lines) {
  const std::string rate = "{ bandwidth = \"200 Gb/s\", latency = \"300 ns\" }";
  return parse_network("[network]\n" + lines + "\n[link]\nhost = " + rate + "\nswitch = " + rate + "\n", "test.toml");
}

void require_good_routes(const Network& network) {
  require_good_links(network);
  require_good_routes_among(network, network.hosts());
}

void require_good_routes_among(const Network& network, std::int64_t most) {
  const std::int64_t step = std::max<std::int64_t>(1, network.hosts() / most);
  for (std::int64_t from = 0; from < network.hosts(); from += step)
    for (std::int64_t to = 0; to < network.hosts(); to += step)
      for (std::uint64_t flow = 0; flow < flows; ++flow) require_good_route(network, from, to, flow, -1);
}

void require_minimal_routes(const Network& network, const Shortest& shortest) {
  require_good_links(network);
  const Graph graph(network);
  for (std::int64_t from = 0; from < network.hosts(); ++from) {
    const std::vector<int> distance = distances(network, graph, from, shortest);
    for (std::int64_t to = 0; to < network.hosts(); ++to)
      for (std::uint64_t flow = 0; flow < flows; ++flow)
        require_good_route(network, from, to, flow, distance[static_cast<std::size_t>(to)]);
  }
}

}  // namespace tutti
