// The TOML form of a network's description: [network], [link], [[partition]]. docs/networks.md is its manual.
#include <algorithm>
#include <array>

#include "nearest.hpp"
#include "topology/network/forms.hpp"
#include "topology/network/parts.hpp"
#include "topology/network/toml_document.hpp"

namespace tutti {
namespace {

constexpr std::array keys_of_all{
    Key{"kind", KeyType::text, "", "the kind of network"},
    Key{"hosts", KeyType::integer_or_text, "as many as there are places",
        "names of the hosts, a hostlist, in the order of their places; or how many there are", 1, most_hosts},
    Key{"nics_per_host", KeyType::integer, "1", "links that each host has into the network", 1, most_interfaces},
    Key{"nic_placement", KeyType::text, "together",
        "together: all of a host on one switch; rails: each on another one of as many switches"},
    Key{"routing", KeyType::text, "minimal", "minimal; where the kind has detours also valiant and adaptive"},
};
constexpr std::array keys_of_partitions{
    Key{"hosts", KeyType::integer_or_text, "", "as in [network], which then has no hosts of its own", 1, most_hosts},
    Key{"nics_per_host", KeyType::integer, "that of [network]", "links that each of these hosts has", 1,
        most_interfaces},
    Key{"link", KeyType::table, "host of [link]", "the rate of these links: { bandwidth, latency }"},
};

constexpr std::size_t most_partitions = 1024;

class TomlForm {
 public:
  explicit TomlForm(const TomlDocument& document) : document_(document) {}

  Network read(const NetworkKind& kind) {
    document_.require_known(document_.root(), "the file",
                            std::array<std::string_view, 3>{"network", "link", "partition"});
    std::vector<Key> keys(common_keys().begin(), common_keys().end());
    keys.insert(keys.end(), kind.keys.begin(), kind.keys.end());
    const TableSettings settings = document_.settings_of(document_.table("network"), "network", keys);
    parts_->file = document_.file();
    parts_->kind = kind.name;
    parts_->fabric = kind.make(settings);
    read_hosts(settings);
    read_rates(kind);
    read_routing(kind, settings);
    return Network(std::move(parts_));
  }

 private:
  // ---- hosts

  std::int64_t places() const {
    const std::int64_t per_switch = parts_->fabric->hosts_per_switch(), edge = parts_->fabric->edge_switches();
    return per_switch > most_hosts / edge ? most_hosts : per_switch * edge;
  }

  Hostlist names_of(const TableSettings& settings) const {
    const TableSettings::Value& value = settings.value("hosts");
    if (const auto* text = std::get_if<std::string>(&value))
      return Hostlist::parse(*text, at(document_.file(), settings.position_of("hosts")));
    return Hostlist::numbered(std::get<std::int64_t>(value));
  }

  void read_hosts(const TableSettings& settings) {
    const std::int64_t interfaces = settings.integer("nics_per_host", 1);
    const std::vector<const toml::table*> partitions = document_.tables("partition", most_partitions);
    if (!partitions.empty()) {
      if (settings.has("hosts"))
        throw settings.wrong("hosts", "both [network] hosts and [[partition]] are given: partitions name all hosts");
      read_partitions(partitions, interfaces);
    } else {
      if (!settings.has("hosts") && parts_->fabric->hosts_per_switch() == most_hosts)
        throw settings.wrong("hosts", "hosts is missing in [network]: a hostlist or a number is right");
      parts_->names = settings.has("hosts") ? names_of(settings) : Hostlist::numbered(places());
      host_runs_.push_back({parts_->names.size(), interfaces, {}, false});
    }
    if (parts_->names.size() > places())
      throw settings.wrong(
          "hosts", fmt::format("{} hosts are named, but the network has {} places", parts_->names.size(), places()));
    parts_->names.require_unique(at(document_.file(), settings.position_of("hosts")));
    read_rails(settings);
  }

  void read_rails(const TableSettings& settings) {
    const std::string placement = settings.text("nic_placement", "together");
    if (placement != "together" && placement != "rails")
      throw settings.wrong("nic_placement",
                           fmt::format("nic_placement {} is unknown: together or rails is right", quoted(placement)));
    if (placement != "rails") return;
    for (const PlannedRun& run : host_runs_)
      if (run.interfaces != host_runs_.front().interfaces)
        throw settings.wrong("nic_placement", "rails need the same nics_per_host in every partition");
    const std::int64_t unit = host_runs_.front().interfaces;
    if (parts_->fabric->edge_switches() % unit != 0)
      throw settings.wrong("nic_placement",
                           fmt::format("rails of {} interfaces need a multiple of {} switches with hosts; "
                                       "there are {}",
                                       unit, unit, parts_->fabric->edge_switches()));
    parts_->rails = true;
  }

  void read_partitions(const std::vector<const toml::table*>& partitions, std::int64_t interfaces) {
    for (const toml::table* partition : partitions) {
      const TableSettings settings = document_.settings_of(*partition, "partition", partition_keys());
      if (std::holds_alternative<std::int64_t>(settings.value("hosts")) && partitions.size() > 1)
        throw settings.wrong("hosts", "hosts of several partitions need names: a hostlist is right");
      const Hostlist names = names_of(settings);
      if (names.size() > most_hosts - parts_->names.size())
        throw settings.wrong("hosts", fmt::format("the partitions have more than {} hosts", most_hosts));
      parts_->names.append(names);
      PlannedRun run{names.size(), settings.integer("nics_per_host", interfaces), {}, false};
      if (const toml::node* link = partition->get("link"))
        run.rate = document_.rate_of("link", *link), run.has_rate = true;
      host_runs_.push_back(run);
    }
  }

  // ---- links

  // The rate of a class: its own, or that of "switch", which stands for all links between switches.
  Network::Link rate_of_class(const toml::table& links, std::string_view name) const {
    if (const toml::node* own = links.get(name)) return document_.rate_of(name, *own);
    if (const toml::node* all = links.get("switch"); all != nullptr && name != "host")
      return document_.rate_of("switch", *all);
    document_.wrong(links.source(),
                    fmt::format("[link] says nothing of \"{}\"{}: {} = {{ bandwidth = \"200 Gb/s\", latency = "
                                "\"300 ns\" }} is right",
                                name, name == "host" ? "" : " or \"switch\"", name));
  }

  void read_rates(const NetworkKind& kind) {
    const toml::table& links = document_.table("link");
    const auto count = static_cast<std::size_t>(parts_->fabric->classes());
    std::vector<std::string_view> known{"host", "switch"};
    for (std::size_t i = 0; i < count; ++i) known.push_back(kind.link_classes[i]);
    document_.require_known(links, "[link] of this network", known);
    for (std::size_t i = 0; i < count; ++i) {
      parts_->class_names.emplace_back(kind.link_classes[i]);
      parts_->class_rates.push_back(rate_of_class(links, kind.link_classes[i]));
    }
    for (const auto& [name, node] : links)
      document_.rate_of(name.str(), node);  // those that nothing uses must be right as well
    for (const PlannedRun& run : host_runs_) {
      const Network::Link rate = run.has_rate ? run.rate : rate_of_class(links, "host");
      parts_->add_run(run.hosts, std::vector<Network::Link>(static_cast<std::size_t>(run.interfaces), rate));
    }
  }

  void read_routing(const NetworkKind& kind, const TableSettings& settings) {
    const std::string routing = settings.text("routing", "minimal");
    constexpr std::array<std::string_view, 3> known{"minimal", "valiant", "adaptive"};
    const auto found = std::find(known.begin(), known.end(), routing);
    if (found == known.end())
      throw settings.wrong("routing",
                           fmt::format("routing {} is unknown; known are {}", quoted(routing), listed(known)));
    if (found != known.begin() && !kind.detours)
      throw settings.wrong("routing", fmt::format("kind {} has no detours: routing = \"minimal\" is right", kind.name));
    parts_->routing = static_cast<Routing>(found - known.begin());
  }

  struct PlannedRun {
    std::int64_t hosts;
    std::int64_t interfaces;
    Network::Link rate;
    bool has_rate;
  };

  const TomlDocument& document_;
  std::shared_ptr<NetworkParts> parts_ = std::make_shared<NetworkParts>();
  std::vector<PlannedRun> host_runs_;
};

const NetworkKind* kind_named(std::string_view name) {
  for (const NetworkKind& kind : network_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace

std::span<const Key> common_keys() { return keys_of_all; }
std::span<const Key> partition_keys() { return keys_of_partitions; }

Network network_of_toml(std::string_view text, const std::string& file) {
  const TomlDocument document(text, file);
  const toml::table& network = document.table("network");
  std::vector<std::string_view> names;
  for (const NetworkKind& kind : network_kinds()) names.push_back(kind.name);
  names.emplace_back("graph");
  const toml::node* node = network.get("kind");
  if (node == nullptr)
    document.wrong(network.source(), fmt::format("[network] has no kind: one of {} is right", listed(names)));
  const auto name = node->value<std::string_view>().value_or("");
  if (name == "graph") return network_of_listed(document);
  if (const NetworkKind* kind = kind_named(name)) return TomlForm(document).read(*kind);
  document.wrong(node->source(), fmt::format("kind {} is unknown; the nearest is {}; known are {}", quoted(name),
                                             nearest_name(name.substr(0, 60), names), listed(names)));
}

}  // namespace tutti
