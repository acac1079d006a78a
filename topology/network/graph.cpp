// See graph.hpp.
#include "topology/network/graph.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "nearest.hpp"
#include "topology/network/parts.hpp"

namespace tutti {

namespace {

constexpr std::uint16_t unreached = std::numeric_limits<std::uint16_t>::max();
constexpr std::int64_t most_listed_hosts = std::int64_t{1} << 18;

std::size_t at_index(std::int64_t number) { return static_cast<std::size_t>(number); }

}  // namespace

Graph::Graph(std::vector<std::string> names, std::vector<Cable> cables, int classes)
    : names_(std::move(names)),
      cables_(std::move(cables)),
      classes_(classes),
      out_(names_.size()),
      searched_(std::make_unique<std::once_flag[]>(names_.size())),
      distances_(names_.size()) {
  for (std::int64_t id = 0; id < links(); ++id) out_[at_index(link(id).from)].push_back(id);
}

FabricLink Graph::link(std::int64_t id) const {
  const Cable& cable = cables_[at_index(id / 2)];
  return id % 2 == 0 ? FabricLink{cable.from, cable.to, cable.link_class, cable.parallel}
                     : FabricLink{cable.to, cable.from, cable.link_class, cable.parallel};
}

const Graph::Distances& Graph::distances_to(std::int64_t goal) const {
  std::call_once(searched_[at_index(goal)], [&] {
    Distances distances(names_.size(), unreached);
    std::vector<std::int64_t> reached{goal};
    distances[at_index(goal)] = 0;
    for (std::size_t i = 0; i < reached.size(); ++i)
      for (const std::int64_t id : out_[at_index(reached[i])]) {
        const std::int64_t there = link(id).to;
        if (distances[at_index(there)] != unreached) continue;
        distances[at_index(there)] = static_cast<std::uint16_t>(distances[at_index(reached[i])] + 1);
        reached.push_back(there);
      }
    distances_[at_index(goal)] = std::move(distances);
  });
  return distances_[at_index(goal)];
}

// At each switch `choice` picks one of the links that lead nearer, by the digits of its number: in a fat tree that is
// the routing by destination.
void Graph::route(std::int64_t from, std::int64_t to, std::uint64_t choice, std::vector<std::int64_t>& path) const {
  const Distances& distances = distances_to(to);
  const auto nearer = [&](std::int64_t id, std::int64_t here) {
    return distances[at_index(link(id).to)] < distances[at_index(here)];
  };
  for (std::int64_t here = from; here != to; here = link(path.back()).to) {
    std::uint64_t equal = 0;
    for (const std::int64_t id : out_[at_index(here)]) equal += nearer(id, here) ? 1U : 0U;
    std::uint64_t skip = choice % equal;
    choice /= equal;
    for (const std::int64_t id : out_[at_index(here)])
      if (nearer(id, here) && skip-- == 0) {
        path.push_back(id);
        break;
      }
  }
}

std::optional<std::pair<std::int64_t, std::int64_t>> Graph::parted() const {
  const Distances& distances = distances_to(0);
  for (std::size_t id = 0; id < distances.size(); ++id)
    if (distances[id] == unreached) return std::pair(std::int64_t{0}, static_cast<std::int64_t>(id));
  return std::nullopt;
}

Error GraphBuilder::wrong(Position position, const std::string& what) const {
  return Error(TUTTI_ERROR_ARGUMENT, at(file_, position) + what);
}

void GraphBuilder::add_switch(const std::string& name, Position position) {
  if (names_.size() == most_listed_switches)
    throw wrong(position,
                fmt::format("more than {} switches are listed: a kind that computes them is right for so many",
                            most_listed_switches));
  if (!switches_.emplace(name, static_cast<int>(names_.size())).second)
    throw wrong(position, fmt::format("switch {} is described twice", name));
  names_.push_back(name);
}

int GraphBuilder::number_of(const std::string& name, Position position) const {
  if (const auto found = switches_.find(name); found != switches_.end()) return found->second;
  const std::vector<std::string_view> views(names_.begin(), names_.end());
  throw wrong(position, views.empty() ? fmt::format("switch {} is unknown: none is described", name)
                                      : fmt::format("switch {} is unknown; the nearest is {}", name.substr(0, 60),
                                                    nearest_name(name.substr(0, 60), views)));
}

void GraphBuilder::attach(const std::string& name, const Hostlist& hosts, const Network::Link& rate,
                          Position position) {
  const int number = number_of(name, position);
  for (std::int64_t i = 0; i < hosts.size(); ++i) {
    const auto [entry, fresh] = host_numbers_.emplace(hosts.name(i), hosts_.size());
    if (fresh) {
      if (static_cast<std::int64_t>(hosts_.size()) == most_listed_hosts)
        throw wrong(position,
                    fmt::format("more than {} hosts are listed: a kind that computes its links is right for so "
                                "many",
                                most_listed_hosts));
      hosts_.push_back(entry->first);
      ports_.emplace_back();
    }
    std::vector<Port>& ports = ports_[entry->second];
    if (static_cast<std::int64_t>(ports.size()) == most_interfaces)
      throw wrong(position, fmt::format("host {} has more than {} interfaces", entry->first, most_interfaces));
    ports.push_back({number, rate});
  }
}

void GraphBuilder::join(const std::string& one, const std::string& other, std::int64_t parallel,
                        const Network::Link& rate, std::string_view link_class, Position position) {
  const int from = number_of(one, position), to = number_of(other, position);
  if (from == to) throw wrong(position, fmt::format("switch {} is joined to itself", one));
  const std::pair wanted(std::string(link_class), rate);
  auto found = std::find(classes_.begin(), classes_.end(), wanted);
  if (found == classes_.end()) {
    if (classes_.size() == 4096) throw wrong(position, "more than 4096 different rates");
    found = classes_.insert(classes_.end(), wanted);
  }
  std::int64_t& already = parallels_[std::minmax(from, to)];
  if (parallel > most_listed_cables - static_cast<std::int64_t>(cables_.size()))
    throw wrong(position, fmt::format("more than {} cables are listed", most_listed_cables));
  for (std::int64_t i = 0; i < parallel; ++i)
    cables_.push_back({from, to, static_cast<int>(found - classes_.begin()), already++});
}

// Hosts lie in the order in which they were first named.
void GraphBuilder::fill_hosts(NetworkParts& parts) {
  std::string list;
  for (std::size_t host = 0; host < hosts_.size(); ++host) {
    list += (list.empty() ? "" : ",") + hosts_[host];
    std::vector<Network::Link> rates;
    for (const Port& port : ports_[host]) {
      parts.switch_of.push_back(port.at);
      rates.push_back(port.rate);
    }
    parts.add_run(1, std::move(rates));
  }
  parts.names = Hostlist::parse(list, at(file_, {}));
}

Network GraphBuilder::finish(std::string_view kind, std::string assumptions) {
  if (hosts_.empty()) throw wrong({}, "no hosts are described: a network has at least one");
  auto parts = std::make_shared<NetworkParts>();
  parts->file = file_;
  parts->kind = kind;
  parts->assumptions = std::move(assumptions);
  fill_hosts(*parts);
  for (const auto& [name, rate] : classes_) {
    parts->class_names.push_back(name);
    parts->class_rates.push_back(rate);
  }
  auto graph = std::make_unique<Graph>(names_, std::move(cables_), static_cast<int>(classes_.size()));
  if (const auto parted = graph->parted())
    throw wrong({}, fmt::format("no path joins switches {} and {}: all hosts of a network reach each other",
                                names_[at_index(parted->first)], names_[at_index(parted->second)]));
  parts->fabric = std::move(graph);
  return Network(std::move(parts));
}

}  // namespace tutti
