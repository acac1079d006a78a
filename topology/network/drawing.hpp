// A network for people: counts of its links by class, and a picture for Graphviz.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "topology/network/network.hpp"

namespace tutti {

struct LinkClass {
  std::string name;
  Network::Link rate;
  std::int64_t links;
};
// Links that have the same name of class and the same rate, in the order of their numbers; nothing where there are too
// many links to look at each.
std::optional<std::vector<LinkClass>> link_classes(const Network& network);

// What is drawn on the links, by their numbers: bytes, or whatever else is compared. Empty for none.
using LinkLoad = std::span<const double>;

inline constexpr std::int64_t most_drawn = 600;  // vertices of a picture that a person can still read

// The network as an undirected graph in Graphviz's language: links of both directions and parallel ones are one line,
// whose load is the greatest of theirs. With too many vertices hosts are left out; with still too many a dragonfly's
// groups and a Slim Fly's columns are drawn as one; `remark` then says what was left out. Throws
// Error(TUTTI_ERROR_ARGUMENT) where the network is too large for all that.
struct Drawing {
  std::string dot;
  std::string remark;
};
Drawing draw(const Network& network, LinkLoad load = {});

}  // namespace tutti
