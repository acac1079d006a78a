// A network: hosts joined by directed links through switches, described by a file (docs/networks.md has the form).
//
// Links and routes are computed from coordinates wherever the network is regular, so that a million hosts cost no more
// memory than one; only kind `graph` and the importers store their links. Nothing in here changes after it was made:
// any number of threads may read the same network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tutti {

struct NetworkParts;

class Network {
 public:
  struct Link {
    std::int64_t bytes_per_second;
    std::int64_t latency_ps;  // from one end to the other, the switch that it leads into included
    bool operator==(const Link&) const = default;
  };
  // What a link joins: vertices, of which hosts are the first ones and switches follow.
  struct Ends {
    std::int64_t from;
    std::int64_t to;
  };

  // For readers of descriptions; everybody else calls read_network.
  explicit Network(std::shared_ptr<const NetworkParts> parts);

  std::int64_t hosts() const;
  std::int64_t switches() const;
  std::int64_t links() const;  // directed, numbered from 0; those of the hosts come first
  Link link(std::int64_t id) const;
  Ends ends(std::int64_t id) const;
  // How many network interfaces a host has: flows 0, 1, ... leave it through one after the other.
  std::int64_t interfaces(std::int64_t host) const;

  // Groups of switches, as those of a dragonfly; 0 where the kind has none.
  std::int64_t groups() const;
  std::int64_t group_of(std::int64_t number_of_switch) const;

  // Appends the links that a message takes from one host to another, in order; nothing for a host to itself. The
  // minimal route unless the description asks for another; deterministic. `flow` lets several equal paths be used:
  // which interface, which parallel link or spine.
  void route(std::int64_t from, std::int64_t to, std::uint64_t flow, std::vector<std::int64_t>& path) const;

  // For people.
  std::string host_name(std::int64_t host) const;
  std::string link_name(std::int64_t id) const;
  std::string vertex_name(std::int64_t vertex) const;
  // The class of a link as the description names it: host, global, level2, ...
  std::string link_class(std::int64_t id) const;
  const std::string& kind() const;
  const std::string& file() const;
  // What the file did not say and the reader assumed; empty where it said all.
  const std::string& assumptions() const;

  // The host of that name. A name with a domain is also found without it.
  std::optional<std::int64_t> find_host(std::string_view name) const;

 private:
  std::shared_ptr<const NetworkParts> parts_;
};

// Reads a description: the TOML form, Slurm's topology.conf or ibnetdiscover's output; the content says which. Throws
// Error(TUTTI_ERROR_ARGUMENT) with file:line: what is wrong, and what would be right.
Network read_network(const std::string& path);
// The same of a text; `name` stands for the file in messages, and files that the text names lie beside it.
Network parse_network(std::string_view text, const std::string& name);

// The place in the network of each of the named hosts, for a job that runs on them. An unknown one is an
// Error(TUTTI_ERROR_ARGUMENT) that names it and the nearest known one.
std::vector<std::int64_t> place_hosts(const Network& network, const std::vector<std::string>& names);

}  // namespace tutti
