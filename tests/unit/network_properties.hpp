// What must be true of the routes of every network, whatever its kind.
#pragma once

#include <string>

#include "topology/network/network.hpp"

namespace tutti {

// A description whose [network] has these lines, with the same rate on all links.
Network network_of(const std::string& lines);

// How long minimal routes are: as the shortest path, or as the shortest of those that cross `most` links of a class.
struct Shortest {
  std::string limited_class;
  int most = 0;
};

// Between all pairs of hosts and for some flows: a route starts at the one host and ends at the other, its links join,
// none is used twice, all exist, and it is the same when asked again. Every link id has ends, a name and a rate.
void require_good_routes(const Network& network);
// The routes alone, between about `most` of the hosts.
void require_good_routes_among(const Network& network, std::int64_t most);
// The first besides, and that each is as short as a search among the links finds.
void require_minimal_routes(const Network& network, const Shortest& shortest = {});

}  // namespace tutti
