// See network.hpp. Link 2i leads from port i into its switch, link 2i+1 back; those of the fabric follow.
#include "topology/network/network.hpp"

#include <algorithm>

#include "nearest.hpp"
#include "topology/network/parts.hpp"

namespace tutti {

void NetworkParts::add_run(std::int64_t count, std::vector<Network::Link> interfaces) {
  if (count <= 0) return;
  if (!runs.empty() && runs.back().interfaces == interfaces) {
    runs.back().hosts += count;
    return;
  }
  runs.push_back({hosts(), ports(), count, std::move(interfaces)});
}

std::int64_t NetworkParts::ports() const {
  if (runs.empty()) return 0;
  const HostRun& last = runs.back();
  return last.first_port + last.hosts * static_cast<std::int64_t>(last.interfaces.size());
}

const HostRun& NetworkParts::run_of_host(std::int64_t host) const {
  const auto after = std::upper_bound(runs.begin(), runs.end(), host,
                                      [](std::int64_t wanted, const HostRun& run) { return wanted < run.first_host; });
  return *(after - 1);
}

const HostRun& NetworkParts::run_of_port(std::int64_t port) const {
  const auto after = std::upper_bound(runs.begin(), runs.end(), port,
                                      [](std::int64_t wanted, const HostRun& run) { return wanted < run.first_port; });
  return *(after - 1);
}

std::int64_t NetworkParts::switch_of_port(std::int64_t host, std::int64_t interface, std::int64_t port) const {
  if (!switch_of.empty()) return switch_of[static_cast<std::size_t>(port)];
  const std::int64_t per_switch = fabric->hosts_per_switch();
  if (!rails) return host / per_switch;
  // As many switches as a host has interfaces form a unit; interface k of each of its hosts sits on the unit's switch
  // k.
  const auto unit = static_cast<std::int64_t>(runs.front().interfaces.size());
  return host / (per_switch * unit) * unit + interface;
}

namespace {

struct Port {
  std::int64_t host;
  std::int64_t interface;
  std::int64_t number;
};

Port port_of(const NetworkParts& parts, std::int64_t number) {
  const HostRun& run = parts.run_of_port(number);
  const auto width = static_cast<std::int64_t>(run.interfaces.size());
  const std::int64_t inside = number - run.first_port;
  return {run.first_host + inside / width, inside % width, number};
}

Port port_for(const NetworkParts& parts, std::int64_t host, std::uint64_t flow) {
  const HostRun& run = parts.run_of_host(host);
  const std::uint64_t width = run.interfaces.size();
  const auto interface = static_cast<std::int64_t>(flow % width);
  return {host, interface, run.first_port + (host - run.first_host) * static_cast<std::int64_t>(width) + interface};
}

std::int64_t switch_at(const NetworkParts& parts, const Port& port) {
  return parts.switch_of_port(port.host, port.interface, port.number);
}

bool takes_detour(Routing routing, std::uint64_t draw) {
  // Adaptive routing looks at queues that a description does not have; half of the pairs go a detour instead.
  return routing == Routing::valiant || (routing == Routing::adaptive && (draw >> 63) != 0);
}

// A detour that comes by its goal stops there.
void stop_at(const Fabric& fabric, std::int64_t goal, std::size_t begin, std::vector<std::int64_t>& path) {
  for (std::size_t i = begin; i < path.size(); ++i)
    if (fabric.link(path[i]).to == goal) path.resize(i + 1);
}

void route_between_switches(const NetworkParts& parts, std::int64_t from, std::int64_t to, std::uint64_t choice,
                            std::vector<std::int64_t>& path) {
  const Fabric& fabric = *parts.fabric;
  const std::uint64_t draw = mix(mix(static_cast<std::uint64_t>(from)) ^ choice);
  const bool around = takes_detour(parts.routing, draw);
  const std::int64_t over = around ? fabric.detour(from, to, draw & ~(std::uint64_t{1} << 63)) : to;
  if (over == from || over == to) return fabric.route(from, to, choice, path);
  const std::size_t begin = path.size();
  fabric.route(from, over, choice, path);
  fabric.route(over, to, choice, path);
  stop_at(fabric, to, begin, path);
}

std::string arrow(const std::string& from, const std::string& to, std::int64_t parallel) {
  return parallel == 0 ? from + " -> " + to : fmt::format("{} -> {} ({})", from, to, parallel + 1);
}

}  // namespace

Network::Network(std::shared_ptr<const NetworkParts> parts) : parts_(std::move(parts)) {}

std::int64_t Network::hosts() const { return parts_->hosts(); }
std::int64_t Network::switches() const { return parts_->fabric->switches(); }
std::int64_t Network::links() const { return 2 * parts_->ports() + parts_->fabric->links(); }

std::int64_t Network::groups() const { return parts_->fabric->groups(); }
std::int64_t Network::group_of(std::int64_t number) const { return parts_->fabric->group_of(number); }

Network::Link Network::link(std::int64_t id) const {
  const std::int64_t of_hosts = 2 * parts_->ports();
  if (id >= of_hosts)
    return parts_->class_rates[static_cast<std::size_t>(parts_->fabric->link(id - of_hosts).link_class)];
  const HostRun& run = parts_->run_of_port(id / 2);
  return run.interfaces[static_cast<std::size_t>(id / 2 - run.first_port) % run.interfaces.size()];
}

Network::Ends Network::ends(std::int64_t id) const {
  const std::int64_t of_hosts = 2 * parts_->ports();
  if (id >= of_hosts) {
    const FabricLink link = parts_->fabric->link(id - of_hosts);
    return {hosts() + link.from, hosts() + link.to};
  }
  const Port port = port_of(*parts_, id / 2);
  const std::int64_t at_switch = hosts() + switch_at(*parts_, port);
  return id % 2 == 0 ? Ends{port.host, at_switch} : Ends{at_switch, port.host};
}

std::int64_t Network::interfaces(std::int64_t host) const {
  return static_cast<std::int64_t>(parts_->run_of_host(host).interfaces.size());
}

void Network::route(std::int64_t from, std::int64_t to, std::uint64_t flow, std::vector<std::int64_t>& path) const {
  if (from == to) return;
  const Port out = port_for(*parts_, from, flow);
  const Port in = port_for(*parts_, to, flow);
  const std::uint64_t round = flow / static_cast<std::uint64_t>(interfaces(to));
  path.push_back(2 * out.number);
  const std::size_t begin = path.size();
  const std::int64_t source = switch_at(*parts_, out), goal = switch_at(*parts_, in);
  if (source != goal)
    route_between_switches(*parts_, source, goal, static_cast<std::uint64_t>(in.number) + round, path);
  for (std::size_t i = begin; i < path.size(); ++i) path[i] += 2 * parts_->ports();
  path.push_back(2 * in.number + 1);
}

std::string Network::host_name(std::int64_t host) const { return parts_->names.name(host); }

std::string Network::vertex_name(std::int64_t vertex) const {
  return vertex < hosts() ? host_name(vertex) : parts_->fabric->switch_name(vertex - hosts());
}

std::string Network::link_name(std::int64_t id) const {
  const Ends joined = ends(id);
  const std::int64_t of_hosts = 2 * parts_->ports();
  const std::int64_t parallel =
      id < of_hosts ? port_of(*parts_, id / 2).interface : parts_->fabric->link(id - of_hosts).parallel;
  return arrow(vertex_name(joined.from), vertex_name(joined.to), parallel);
}

std::string Network::link_class(std::int64_t id) const {
  const std::int64_t of_hosts = 2 * parts_->ports();
  if (id < of_hosts) return "host";
  return parts_->class_names[static_cast<std::size_t>(parts_->fabric->link(id - of_hosts).link_class)];
}

const std::string& Network::kind() const { return parts_->kind; }
const std::string& Network::file() const { return parts_->file; }
const std::string& Network::assumptions() const { return parts_->assumptions; }

std::optional<std::int64_t> Network::find_host(std::string_view name) const {
  if (const auto found = parts_->names.find(name)) return found;
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::nullopt : parts_->names.find(name.substr(0, dot));
}

namespace {

// Among the first hosts alone: a message need not search a million names.
std::string nearest_host(const Network& network, const std::string& name) {
  constexpr std::int64_t most_compared = 4096;
  const std::int64_t count = std::min(network.hosts(), most_compared);
  std::vector<std::string> known;
  for (std::int64_t host = 0; host < count; ++host) known.push_back(network.host_name(host));
  const std::vector<std::string_view> views(known.begin(), known.end());
  return std::string(nearest_name(name, views));
}

}  // namespace

std::vector<std::int64_t> place_hosts(const Network& network, const std::vector<std::string>& names) {
  std::vector<std::int64_t> places;
  places.reserve(names.size());
  for (const std::string& name : names) {
    const auto place = network.find_host(name);
    if (!place)
      throw error(TUTTI_ERROR_ARGUMENT, "{}: host {} of this job is not one of its {} hosts; the nearest is {}",
                  network.file(), name, network.hosts(), nearest_host(network, name));
    places.push_back(*place);
  }
  return places;
}

}  // namespace tutti
