// The manual of descriptions states every key that the reader knows and no other, and the shipped examples are read.
#include <fstream>
#include <set>
#include <sstream>

#include "network_properties.hpp"
#include "tests/catch.hpp"
#include "topology/network/fabric.hpp"
#include "topology/network/forms.hpp"

using namespace tutti;

namespace {

std::string rows(std::span<const Key> keys) {
  std::string text;
  for (const Key& key : keys)
    text += fmt::format("| `{}` | {} | {} |\n", key.name, key.meaning,
                        key.otherwise.empty() ? "must be given" : key.otherwise);
  return text;
}

std::string section(const NetworkKind& kind) {
  std::string text = fmt::format("### {}: {}\n\n", kind.name, kind.meaning);
  if (!kind.keys.empty()) text += "| Key | Meaning | Otherwise |\n|---|---|---|\n" + rows(kind.keys) + "\n";
  text += "Links: `host`";
  for (const std::string_view name : kind.link_classes) text += fmt::format(", `{}`", name);
  text += kind.detours ? ". Routing: minimal, valiant, adaptive.\n" : ". Routing: minimal.\n";
  return text;
}

std::string manual() {
  std::ifstream file(std::string(SOURCE_ROOT) + "/docs/networks.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the manual of networks has the table of each kind, as the reader knows it") {
  const std::string text = manual();
  std::size_t sections = 0;
  for (const NetworkKind& kind : network_kinds()) {
    CHECK_THAT(text, ContainsSubstring(section(kind)));
    ++sections;
  }
  for (const auto keys : {common_keys(), partition_keys(), graph_keys(), graph_switch_keys(), graph_cable_keys()})
    CHECK_THAT(text, ContainsSubstring("|---|---|---|\n" + rows(keys) + "\n"));
  std::size_t found = 0;
  for (std::size_t at = text.find("\n### "); at != std::string::npos; at = text.find("\n### ", at + 1)) ++found;
  CHECK(found == sections + 1);  // and graph
}

TEST_CASE("every shipped example is read, and its hosts reach each other") {
  struct Example {
    std::string name;
    std::int64_t hosts;
    std::int64_t switches;
  };
  for (const Example& example : std::vector<Example>{{"alps", 2688, 21 * 32},
                                                     {"frontier", 9472, 74 * 32},
                                                     {"blue_waters", 27648, 13824},
                                                     {"oversubscribed_fat_tree", 512, 32},
                                                     {"cloud", 512, 32 + 16 + 16},
                                                     {"test_cluster", 4, 1},
                                                     {"test_cluster_two_racks", 4, 2}}) {
    const Network network = read_network(std::string(SOURCE_ROOT) + "/topology/examples/" + example.name + ".toml");
    INFO(example.name);
    CHECK(network.hosts() == example.hosts);
    CHECK(network.switches() == example.switches);
    require_good_routes_among(network, 50);
  }
}
