// Kind `graph` of the TOML form: [[switch]] and [[cable]], or `file`, the list of another system.
#include <array>
#include <filesystem>

#include "topology/network/forms.hpp"
#include "topology/network/graph.hpp"
#include "topology/network/toml_document.hpp"

namespace tutti {
namespace {

constexpr std::array keys_of_network{
    Key{"kind", KeyType::text, "", "graph"},
    Key{"file", KeyType::text, "[[switch]] and [[cable]] list all",
        "a topology.conf or an output of ibnetdiscover, beside this file"},
};
constexpr std::array keys_of_switches{
    Key{"name", KeyType::text, "", "its name; a hostlist for several switches without hosts"},
    Key{"hosts", KeyType::text, "none",
        "the hosts on it, a hostlist; a host of several switches has an interface on each"},
    Key{"link", KeyType::table, "host of [link]", "the rate of their links: { bandwidth, latency }"},
};
constexpr std::array keys_of_cables{
    Key{"between", KeyType::texts, "", "two names of switches; two hostlists for each with each"},
    Key{"parallel", KeyType::integer, "1", "how many cables", 1, 4096},
    Key{"link", KeyType::table, "switch of [link]", "their rate: { bandwidth, latency }"},
};
constexpr std::size_t most_tables = std::size_t{1} << 20;

class ListedNetwork {
 public:
  explicit ListedNetwork(const TomlDocument& document) : document_(document), builder_(document.file()) {}

  Network read() {
    const toml::table& network = document_.table("network");
    document_.require_known(document_.root(), "the file",
                            std::array<std::string_view, 4>{"network", "link", "switch", "cable"});
    const TableSettings settings = document_.settings_of(network, "network", keys_of_network);
    read_rates(settings);
    if (settings.has("file")) return read_file(settings);
    read_switches();
    read_cables();
    return builder_.finish("graph", "");
  }

 private:
  void read_rates(const TableSettings& settings) {
    if (settings.has("file") && document_.root().get("link") == nullptr) return;
    const toml::table& links = document_.table("link");
    document_.require_known(links, "[link] of this network", std::array<std::string_view, 2>{"host", "switch"});
    if (const toml::node* host = links.get("host")) rates_.host = document_.rate_of("host", *host);
    if (const toml::node* all = links.get("switch")) rates_.fabric = document_.rate_of("switch", *all);
  }

  Network::Link rate_of(const toml::table& table, const std::optional<Network::Link>& otherwise,
                        std::string_view name) {
    if (const toml::node* own = table.get("link")) return document_.rate_of("link", *own);
    if (otherwise) return *otherwise;
    document_.wrong(table.source(), fmt::format("no rate is given: link = {{ bandwidth = \"200 Gb/s\", latency = \"300 "
                                                "ns\" }} here, or \"{}\" in [link], is right",
                                                name));
  }

  Network read_file(const TableSettings& settings) {
    for (const std::string_view table : {"switch", "cable"})
      if (const toml::node* node = document_.root().get(table))
        document_.wrong(node->source(), fmt::format("both [[{}]] and file are given: one of them is right", table));
    const std::string path = (std::filesystem::path(document_.file()).parent_path() / settings.text("file")).string();
    const std::string text = text_of_file(path);
    switch (form_of(text)) {
      case Form::slurm:
        return network_of_slurm(text, path, rates_);
      case Form::infiniband:
        return network_of_infiniband(text, path, rates_);
      case Form::toml:
        break;
    }
    throw settings.wrong("file",
                         "this is neither a topology.conf (SwitchName=... or BlockName=...) nor an output of "
                         "ibnetdiscover (Switch 36 \"S-...\")");
  }

  Hostlist list_of(const TableSettings& settings, const std::string& text, std::string_view key) {
    return Hostlist::parse(text, at(document_.file(), settings.position_of(key)));
  }

  void read_switches() {
    const auto tables = document_.tables("switch", most_tables);
    if (tables.empty())
      document_.wrong(document_.table("network").source(), "kind graph needs [[switch]] tables, or a file");
    for (const toml::table* table : tables) {
      const TableSettings settings = document_.settings_of(*table, "switch", keys_of_switches);
      const Hostlist names = list_of(settings, settings.text("name"), "name");
      if (names.size() > static_cast<std::int64_t>(most_listed_switches))
        throw settings.wrong("name", fmt::format("more than {} switches", most_listed_switches));
      for (std::int64_t i = 0; i < names.size(); ++i) builder_.add_switch(names.name(i), settings.position_of("name"));
      if (!settings.has("hosts")) continue;
      if (names.size() > 1)
        throw settings.wrong("hosts", "several switches cannot have the same hosts: one name is right");
      const Hostlist hosts = list_of(settings, settings.text("hosts"), "hosts");
      builder_.attach(names.name(0), hosts, rate_of(*table, rates_.host, "host"), settings.position_of("hosts"));
    }
  }

  void read_cables() {
    for (const toml::table* table : document_.tables("cable", most_tables)) {
      const TableSettings settings = document_.settings_of(*table, "cable", keys_of_cables);
      const std::vector<std::string> ends = settings.texts("between");
      if (ends.size() != 2)
        throw settings.wrong("between", "\"between\" must be two names, such as [\"leaf1\", \"spine1\"]");
      const Hostlist ones = list_of(settings, ends[0], "between");
      const Hostlist others = list_of(settings, ends[1], "between");
      const Network::Link rate = rate_of(*table, rates_.fabric, "switch");
      for (std::int64_t one = 0; one < ones.size(); ++one)
        for (std::int64_t other = 0; other < others.size(); ++other)
          builder_.join(ones.name(one), others.name(other), settings.integer("parallel", 1), rate, "switch",
                        settings.position_of("between"));
    }
  }

  const TomlDocument& document_;
  GraphBuilder builder_;
  GivenRates rates_;
};

}  // namespace

std::span<const Key> graph_keys() { return keys_of_network; }
std::span<const Key> graph_switch_keys() { return keys_of_switches; }
std::span<const Key> graph_cable_keys() { return keys_of_cables; }

Network network_of_listed(const TomlDocument& document) { return ListedNetwork(document).read(); }

}  // namespace tutti
