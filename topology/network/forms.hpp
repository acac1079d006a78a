// The forms in which a network is described, each read by a file of its own. All throw Error(TUTTI_ERROR_ARGUMENT) with
// the place in the text.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "topology/network/network.hpp"
#include "topology/network/settings.hpp"

namespace tutti {

class TomlDocument;

Network network_of_toml(std::string_view text, const std::string& file);
// Kind `graph` of the TOML form, whose switches and cables are listed there or in another system's file.
Network network_of_listed(const TomlDocument& document);

// What another system's file leaves open, as [link] of a TOML file says it; what that does not say either is assumed.
struct GivenRates {
  std::optional<Network::Link> host;
  std::optional<Network::Link> fabric;
};
// Slurm's topology.conf: topology/tree and topology/block.
Network network_of_slurm(std::string_view text, const std::string& file, const GivenRates& rates);
// What ibnetdiscover prints of an InfiniBand subnet.
Network network_of_infiniband(std::string_view text, const std::string& file, const GivenRates& rates);

enum class Form { toml, slurm, infiniband };
Form form_of(std::string_view text);

// The keys of kind graph: in [network], in [[switch]], in [[cable]].
std::span<const Key> graph_keys();
std::span<const Key> graph_switch_keys();
std::span<const Key> graph_cable_keys();

// The keys of [network] that all kinds with computed switches share, beside their own.
std::span<const Key> common_keys();
// Those of [[partition]].
std::span<const Key> partition_keys();

}  // namespace tutti
