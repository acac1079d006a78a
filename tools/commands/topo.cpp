// `tutti topo`: the node and the network as the library sees them, as text, JSON, or a picture.
#include <fmt/format.h>
#include <sys/wait.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "bootstrap/environment.hpp"
#include "error.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/topo_load.hpp"
#include "topology/network/drawing.hpp"
#include "topology/network/network.hpp"
#include "topology/network/units.hpp"
#include "topology/node/node.hpp"

namespace tutti {
namespace {

enum class Format { text, dot, svg, json };

struct TopoOptions {
  std::string network;
  std::string node;
  Format format = Format::text;
  LoadOptions load;
};

constexpr const char* description =
    "Show what the library sees: this node by hwloc, and the network that a file describes.\n"
    "The picture (dot, svg) is of the network where one is given, else of the node.\n"
    "Examples: tutti topo\n"
    "          tutti topo --network frontier.toml --format svg > frontier.svg\n"
    "          tutti topo --network frontier.toml --load allreduce --algorithm circulant --format svg > load.svg";

constexpr std::int64_t most_listed = 16;  // hosts of a switch, or switches, that a text names one by one

// ---- the node

std::string bytes_text(std::int64_t bytes) {
  constexpr std::int64_t kibi = 1024, mebi = kibi * kibi, gibi = kibi * mebi;
  if (bytes >= gibi) return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / static_cast<double>(gibi));
  if (bytes >= mebi) return fmt::format("{:.3g} MiB", static_cast<double>(bytes) / static_cast<double>(mebi));
  return fmt::format("{:.3g} KiB", static_cast<double>(bytes) / static_cast<double>(kibi));
}

std::string joined(const std::vector<std::string>& names, const char* between) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : between) + name;
  return text;
}

int count_allowed(const Node& node) {
  int allowed = 0;
  for (const Node::Core& core : node.cores) allowed += core.allowed > 0 ? 1 : 0;
  return allowed;
}

std::string device_text(const Node::Device& device) {
  const bool interface = device.kind == Node::DeviceKind::interface;
  std::string text = interface ? "interface " : "accelerator ";
  text += device.names.empty() ? "without driver" : joined(device.names, ", ");
  if (!device.model.empty()) text += ": " + device.model;
  if (!device.bus.empty()) text += ", PCI " + device.bus;
  if (device.link_gigabytes_per_second > 0)
    text += fmt::format(", {:.1f} GB/s to the host", device.link_gigabytes_per_second);
  return text;
}

// The caches and cores of one domain: a line for each L3, or for the cores where there is none.
void print_cores(const Node& node, int numa) {
  std::map<int, std::vector<const Node::Core*>> by_cache;
  for (const Node::Core& core : node.cores)
    if (core.numa == numa) by_cache[core.l3].push_back(&core);
  for (const auto& [cache, cores] : by_cache) {
    std::string l2;
    if (cores.front()->l2 >= 0) l2 = ", L2 " + bytes_text(node.l2s[static_cast<std::size_t>(cores.front()->l2)].bytes);
    const std::string head =
        cache < 0 ? "" : fmt::format("L3 {}: ", bytes_text(node.l3s[static_cast<std::size_t>(cache)].bytes));
    std::string units = cache < 0 ? "" : " on units " + node.l3s[static_cast<std::size_t>(cache)].units;
    fmt::print("      {}{} core{} of {} unit{}{}{}\n", head, cores.size(), cores.size() == 1 ? "" : "s",
               cores.front()->units.size(), cores.front()->units.size() == 1 ? "" : "s", units, l2);
  }
}

void print_devices(const Node& node, int numa) {
  for (const Node::Device& device : node.devices)
    if (device.numa == numa) fmt::print("      {}\n", device_text(device));
}

void print_memory(const Node& node, const Node::Memory& memory) {
  fmt::print("    NUMA {}: {}{}\n", memory.number, memory.technology.empty() ? "" : memory.technology + ", ",
             bytes_text(memory.bytes));
  print_cores(node, memory.number);
  print_devices(node, memory.number);
}

void print_node(const Node& node) {
  fmt::print("Node: {}\n", node.origin);
  fmt::print("  {} package{}, {} cores; this process may use {} of them: units {}\n", node.packages,
             node.packages == 1 ? "" : "s", node.cores.size(), count_allowed(node), node.allowed);
  if (!node.processor.empty()) fmt::print("  {}\n", node.processor);
  for (int package = 0; package < node.packages; ++package) {
    fmt::print("  package {}\n", package);
    for (const Node::Memory& memory : node.memories)
      if (memory.package == package) print_memory(node, memory);
  }
  for (const Node::Memory& memory : node.memories)
    if (memory.package < 0) print_memory(node, memory);
  print_devices(node, -1);
}

nlohmann::json json_of(const Node& node) {
  nlohmann::json cores = nlohmann::json::array(), memories = cores, devices = cores;
  for (const Node::Core& core : node.cores)
    cores.push_back({{"package", core.package},
                     {"numa", core.numa},
                     {"l3", core.l3},
                     {"l2", core.l2},
                     {"units", core.units},
                     {"allowed", core.allowed},
                     {"speed", core.speed}});
  for (const Node::Memory& memory : node.memories)
    memories.push_back({{"number", memory.number},
                        {"bytes", memory.bytes},
                        {"technology", memory.technology},
                        {"units", memory.units}});
  for (const Node::Device& device : node.devices)
    devices.push_back({{"kind", device.kind == Node::DeviceKind::interface ? "interface" : "accelerator"},
                       {"names", device.names},
                       {"model", device.model},
                       {"bus", device.bus},
                       {"numa", device.numa},
                       {"package", device.package},
                       {"link_gigabytes_per_second", device.link_gigabytes_per_second}});
  return {
      {"origin", node.origin}, {"processor", node.processor}, {"packages", node.packages}, {"allowed", node.allowed},
      {"cores", cores},        {"memories", memories},        {"devices", devices}};
}

// Text of other people's files between quotes of Graphviz.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char character : text) {
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return result;
}

std::string dot_of(const Node& node) {
  std::string dot = "graph machine {\n  compound=true; rankdir=LR;\n  node [shape=box, fontsize=10];\n";
  for (const Node::Memory& memory : node.memories) {
    dot += fmt::format("  subgraph cluster_numa{} {{\n    label=\"NUMA {}, {}{}\";\n", memory.number, memory.number,
                       memory.technology.empty() ? "" : escaped(memory.technology) + ", ", bytes_text(memory.bytes));
    dot += fmt::format("    memory{} [label=\"units {}\"];\n", memory.number, memory.units);
    std::map<int, int> caches;
    for (const Node::Core& core : node.cores)
      if (core.numa == memory.number) ++caches[core.l3];
    for (const auto& [cache, cores] : caches)
      dot += fmt::format(
          "    cores{}_{} [label=\"{}{} cores\"];\n", memory.number, cache + 1,
          cache < 0 ? "" : fmt::format("L3 {}\\n", bytes_text(node.l3s[static_cast<std::size_t>(cache)].bytes)), cores);
    dot += "  }\n";
  }
  for (std::size_t i = 0; i < node.devices.size(); ++i) {
    const Node::Device& device = node.devices[i];
    dot += fmt::format("  device{} [label=\"{}\\n{}\", style=rounded];\n", i, escaped(joined(device.names, ", ")),
                       escaped(device.model));
    if (device.numa >= 0) dot += fmt::format("  memory{} -- device{};\n", device.numa, i);
  }
  return dot + "}\n";
}

// ---- the network

std::string some_hosts(const Network& network) {
  if (network.hosts() == 1) return network.host_name(0);
  return fmt::format("{} to {}", network.host_name(0), network.host_name(network.hosts() - 1));
}

void print_classes(const Network& network) {
  const auto classes = link_classes(network);
  if (!classes) fmt::print("  their classes are not counted: there are too many\n");
  for (const LinkClass& links : classes.value_or(std::vector<LinkClass>()))
    fmt::print("    {:<8} {:>10} of {}, {}\n", links.name, links.links, bandwidth_text(links.rate.bytes_per_second),
               time_text(links.rate.latency_ps));
}

// The hosts of each switch, in a small network.
void print_places(const Network& network) {
  if (network.switches() > most_listed || network.hosts() > most_listed * most_listed) return;
  std::map<std::int64_t, std::vector<std::string>> places;
  for (std::int64_t id = 0; id < network.links(); ++id) {
    const Network::Ends ends = network.ends(id);
    if (ends.from < network.hosts()) places[ends.to].push_back(network.host_name(ends.from));
  }
  for (auto& [place, hosts] : places) {
    const std::size_t count = hosts.size();
    if (count > most_listed) hosts.resize(most_listed);
    fmt::print("  {}: {}{}\n", network.vertex_name(place), joined(hosts, " "),
               count > most_listed ? fmt::format(" and {} more", count - most_listed) : "");
  }
}

void print_route(const Network& network) {
  if (network.hosts() < 2) return;
  std::vector<std::int64_t> path;
  network.route(0, network.hosts() - 1, 0, path);
  std::int64_t latency = 0;
  std::string text = network.host_name(0);
  for (std::size_t i = 0; i < path.size(); ++i) {
    latency += network.link(path[i]).latency_ps;
    if (i < most_listed || i + 1 == path.size()) text += " > " + network.vertex_name(network.ends(path[i]).to);
    if (i == most_listed && i + 1 < path.size()) text += " > ...";
  }
  fmt::print("  a route of {} links and {}: {}\n", path.size(), time_text(latency), text);
}

void print_network(const Network& network) {
  fmt::print("\nNetwork: {}, {}\n", network.kind(), network.file());
  fmt::print("  {} hosts, {}\n", network.hosts(), some_hosts(network));
  fmt::print("  {} switches, {} links in one direction each\n", network.switches(), network.links());
  print_classes(network);
  print_places(network);
  print_route(network);
  if (!network.assumptions().empty()) fmt::print("  assumed: {}\n", network.assumptions());
}

nlohmann::json json_of(const Network& network) {
  nlohmann::json result = {{"file", network.file()},
                           {"kind", network.kind()},
                           {"hosts", network.hosts()},
                           {"switches", network.switches()},
                           {"links", network.links()},
                           {"first_host", network.host_name(0)},
                           {"last_host", network.host_name(network.hosts() - 1)},
                           {"assumptions", network.assumptions()}};
  if (const auto classes = link_classes(network)) {
    result["classes"] = nlohmann::json::array();
    for (const LinkClass& links : *classes)
      result["classes"].push_back({{"name", links.name},
                                   {"links", links.links},
                                   {"bytes_per_second", links.rate.bytes_per_second},
                                   {"latency_ps", links.rate.latency_ps}});
  }
  return result;
}

// ---- the formats

// Graphviz does the picture; its own messages go to standard error.
void print_svg(const std::string& dot) {
  std::fflush(stdout);
  std::FILE* pipe = popen("dot -Tsvg", "w");
  if (pipe == nullptr) throw error(TUTTI_ERROR_INTERNAL, "no process can be started for dot");
  const bool written = std::fwrite(dot.data(), 1, dot.size(), pipe) == dot.size();
  const int status = pclose(pipe);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    throw error(TUTTI_ERROR_UNSUPPORTED,
                "dot is missing: on Debian, apt-get install graphviz; --format dot needs it not");
  if (!written || status != 0) throw CommandFailed("dot could not draw the picture");
}

std::optional<Network> network_of(const TopoOptions& options) {
  if (!options.network.empty()) return read_network(options.network);
  if (const auto file = environment_text("TUTTI_NETWORK")) return read_network(*file);
  return std::nullopt;
}

void topo(const TopoOptions& options) {
  const auto network = network_of(options);
  const bool picture = options.format == Format::dot || options.format == Format::svg;
  if (options.load.given() && !network)
    throw error(TUTTI_ERROR_ARGUMENT, "--load {}: which --network?", options.load.collective);
  const std::vector<double> load = options.load.given() ? load_on(*network, options.load) : std::vector<double>();
  if (picture && network) {
    const Drawing drawing = draw(*network, load);
    if (!load.empty()) fmt::print(stderr, "tutti: {}\n", load_text(*network, options.load, load));
    if (!drawing.remark.empty()) fmt::print(stderr, "tutti: {}\n", drawing.remark);
    return options.format == Format::dot ? fmt::print("{}", drawing.dot) : print_svg(drawing.dot);
  }
  const Node node = options.node.empty() ? this_node() : node_of_file(options.node);
  if (options.format == Format::dot) return fmt::print("{}", dot_of(node));
  if (options.format == Format::svg) return print_svg(dot_of(node));
  if (options.format == Format::json) {
    nlohmann::json result = {{"node", json_of(node)}};
    if (network) result["network"] = json_of(*network);
    if (!load.empty()) result["network"]["load"] = load;  // bytes, by the links' numbers
    return fmt::print("{}\n", result.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  }
  print_node(node);
  if (network) print_network(*network);
  if (!load.empty()) fmt::print("  {}\n", load_text(*network, options.load, load));
}

}  // namespace

void add_topo(CLI::App& app) {
  const auto options = std::make_shared<TopoOptions>();
  CLI::App* command = app.add_subcommand("topo", description);
  const std::map<std::string, Format> formats{
      {"text", Format::text}, {"dot", Format::dot}, {"svg", Format::svg}, {"json", Format::json}};
  command->add_option("--network", options->network, "file that describes the network; else that of TUTTI_NETWORK");
  command->add_option("--node", options->node, "XML file of hwloc in place of this machine");
  command->add_option("--format", options->format, "text (the default), dot, svg or json")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case).description(""));
  add_load_options(*command, options->load);
  command->callback([options] { topo(*options); });
}

}  // namespace tutti
