// The switches of a network and the links between them: what a kind of network is made of. A kind is one file that
// computes these numbers from coordinates, and one line in kinds.cpp. Hosts, their links and their names are the same
// for all kinds and belong to Network.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "topology/network/limits.hpp"
#include "topology/network/settings.hpp"

namespace tutti {

// A directed link between two switches.
struct FabricLink {
  std::int64_t from;
  std::int64_t to;
  int link_class;         // index into the classes of its kind: what rate it has
  std::int64_t parallel;  // which of several between the same two
};

class Fabric {
 public:
  Fabric() = default;
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;
  virtual ~Fabric() = default;

  virtual std::int64_t switches() const = 0;
  virtual std::int64_t links() const = 0;  // numbered from 0
  virtual FabricLink link(std::int64_t id) const = 0;
  // The classes of links that there are: this many of the first ones of its kind.
  virtual int classes() const = 0;
  virtual std::string switch_name(std::int64_t id) const = 0;

  // Groups of switches that a picture may draw as one; 0 where the kind has none.
  virtual std::int64_t groups() const { return 0; }
  virtual std::int64_t group_of(std::int64_t /*id*/) const { return 0; }

  // Hosts sit on the first switches, so many on each, in order. Kind graph says itself where they sit.
  virtual std::int64_t edge_switches() const = 0;
  virtual std::int64_t hosts_per_switch() const = 0;

  // Appends the links of the minimal route between two switches. `choice` decides between equal ones: it counts up with
  // the destination and with the flow, as in the routing by destination of InfiniBand's fat trees.
  virtual void route(std::int64_t from, std::int64_t to, std::uint64_t choice,
                     std::vector<std::int64_t>& path) const = 0;

  // Valiant's method: a switch drawn by `draw` over which to go from one to another, or either of the two where a
  // detour makes no sense. Kinds without such a routing return `to`.
  virtual std::int64_t detour(std::int64_t /*from*/, std::int64_t to, std::uint64_t /*draw*/) const { return to; }
};

enum class Routing { minimal, valiant, adaptive };

// A kind of network: what its description must say, and how it is made.
struct NetworkKind {
  std::string_view name;
  std::string_view meaning;
  std::span<const Key> keys;
  std::span<const std::string_view> link_classes;
  bool detours;  // whether it can be routed otherwise than minimally
  std::unique_ptr<Fabric> (*make)(const TableSettings&);
};
std::span<const NetworkKind> network_kinds();

extern const NetworkKind single_switch, fat_tree, dragonfly, torus, hyperx, slim_fly, hamming_mesh;

// The product, or an error at `key` where it is larger than `most`.
std::int64_t bounded_product(const TableSettings& settings, std::string_view key, std::string_view what,
                             std::int64_t most, std::span<const std::int64_t> factors);

// Spreads numbers that differ in a few bits over all values (the finaliser of SplitMix64, Steele et al., 2014).
constexpr std::uint64_t mix(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15U;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace tutti
