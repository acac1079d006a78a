// A network whose switches and cables are listed: by the TOML form's kind `graph`, or by another system's file. The
// only kind that stores its links. Routes are shortest paths, found by a search from each goal when it is first asked
// for.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "topology/network/fabric.hpp"
#include "topology/network/hostlist.hpp"
#include "topology/network/network.hpp"

namespace tutti {

struct NetworkParts;

inline constexpr std::size_t most_listed_switches = 8192;  // a distance to each goal from each switch is kept
inline constexpr std::int64_t most_listed_cables = std::int64_t{1} << 20;

class Graph final : public Fabric {
 public:
  struct Cable {  // in both directions
    int from;
    int to;
    int link_class;
    std::int64_t parallel;  // which of several between the same two
  };
  Graph(std::vector<std::string> names, std::vector<Cable> cables, int classes);

  std::int64_t switches() const override { return static_cast<std::int64_t>(names_.size()); }
  std::int64_t links() const override { return static_cast<std::int64_t>(2 * cables_.size()); }
  FabricLink link(std::int64_t id) const override;
  int classes() const override { return classes_; }
  std::string switch_name(std::int64_t id) const override { return names_[static_cast<std::size_t>(id)]; }
  std::int64_t edge_switches() const override { return switches(); }
  std::int64_t hosts_per_switch() const override { return most_hosts; }
  void route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const override;

  // A switch that another cannot reach, where there is one.
  std::optional<std::pair<std::int64_t, std::int64_t>> parted() const;

 private:
  using Distances = std::vector<std::uint16_t>;
  const Distances& distances_to(std::int64_t goal) const;

  std::vector<std::string> names_;
  std::vector<Cable> cables_;
  int classes_;
  std::vector<std::vector<std::int64_t>> out_;  // links that leave each switch
  mutable std::unique_ptr<std::once_flag[]> searched_;
  mutable std::vector<Distances> distances_;
};

// Collects what a file lists and makes the network of it. Switches and hosts are told apart by name.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string file) : file_(std::move(file)) {}

  // An error where the name stands already.
  void add_switch(const std::string& name, Position position);
  bool knows_switch(std::string_view name) const { return switches_.find(name) != switches_.end(); }
  // Hosts of a switch, each with one interface of this rate there; one that is known already gets a further interface.
  void attach(const std::string& name, const Hostlist& hosts, const Network::Link& rate, Position position);
  void join(const std::string& one, const std::string& other, std::int64_t parallel, const Network::Link& rate,
            std::string_view link_class, Position position);

  // An error where a switch cannot be reached or there are no hosts.
  Network finish(std::string_view kind, std::string assumptions);

 private:
  struct Port {
    int at;
    Network::Link rate;
  };
  int number_of(const std::string& name, Position position) const;
  Error wrong(Position position, const std::string& what) const;
  void fill_hosts(NetworkParts& parts);

  std::string file_;
  std::vector<std::string> names_;
  std::map<std::string, int, std::less<>> switches_;
  std::vector<std::string> hosts_;
  std::map<std::string, std::size_t, std::less<>> host_numbers_;
  std::vector<std::vector<Port>> ports_;  // by host
  std::vector<Graph::Cable> cables_;
  std::map<std::pair<int, int>, std::int64_t> parallels_;
  std::vector<std::pair<std::string, Network::Link>> classes_;
};

}  // namespace tutti
