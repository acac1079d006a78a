// What ibnetdiscover prints of an InfiniBand subnet: records of switches and channel adapters with their ports.
//
//   Switch  24 "S-005442ba00003080"          # "leaf1" base port 0 lid 6 lmc 0
//   [22]    "H-0008f10403961354"[1](8f10403961355)   # "node07 mlx5_0" lid 4 4xEDR
//   Ca      2 "H-0008f10403960984"           # "node07 mlx5_0"
//
// An adapter's description is a host's name and, behind a space, its device: adapters of the same host are its
// interfaces. One without a device is a host by itself. Rates are those of the data, after the line's coding; latencies
// are not in the file.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "topology/network/forms.hpp"
#include "topology/network/graph.hpp"
#include "topology/network/lines.hpp"
#include "topology/network/units.hpp"

namespace tutti {
namespace {

constexpr std::int64_t assumed_latency_ps = 300'000;  // a switch of some 130 ns, its cables and its ports
constexpr std::size_t longest_name = 200;

struct Speed {
  std::string_view name;
  std::int64_t bytes_per_second;  // of one lane
};
constexpr std::array speeds{Speed{"SDR", 250'000'000},     Speed{"DDR", 500'000'000},    Speed{"QDR", 1'000'000'000},
                            Speed{"FDR10", 1'250'000'000}, Speed{"FDR", 1'704'545'454},  Speed{"EDR", 3'125'000'000},
                            Speed{"HDR", 6'250'000'000},   Speed{"NDR", 12'500'000'000}, Speed{"XDR", 25'000'000'000}};

// "4xEDR"
std::optional<std::int64_t> rate_of(std::string_view text) {
  const std::size_t times = text.find('x');
  if (times == std::string_view::npos || times == 0 || times > 2) return std::nullopt;
  int lanes = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + times, lanes);
  if (failure != std::errc{} || stop != text.data() + times || lanes < 1 || lanes > 12) return std::nullopt;
  for (const Speed& speed : speeds)
    if (speed.name == text.substr(times + 1)) return lanes * speed.bytes_per_second;
  return std::nullopt;
}

// Of other people's text only what may stand in the name of a host.
std::string clean(std::string_view text) {
  std::string name(text.substr(0, longest_name));
  for (char& c : name) {
    const bool good =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
    if (!good) c = '_';
  }
  return name;
}

class InfinibandTopology {
 public:
  InfinibandTopology(std::string_view text, const std::string& file, const GivenRates& rates)
      : file_(file), rates_(rates), builder_(file) {
    for_each_line(text, [&](std::string_view line, std::int64_t number) { read_line(line, {number, 0}); });
  }

  Network finish() {
    name_nodes();
    for (const Node& node : nodes_)
      if (node.is_switch) builder_.add_switch(node.name, node.position);
    for (const Port& port : ports_) connect(port);
    return builder_.finish("graph", assumptions());
  }

 private:
  struct Node {
    std::string id;
    std::string description;
    bool is_switch;
    Position position;
    std::string name;
  };
  struct Port {
    std::size_t node;
    std::int64_t number;
    std::string remote;
    std::int64_t remote_number;
    std::optional<std::int64_t> rate;
    Position position;
  };

  Error wrong(Position position, const std::string& what) const {
    return Error(TUTTI_ERROR_ARGUMENT, at(file_, position) + what);
  }

  void read_line(std::string_view line, Position position) {
    if (line.empty() || line.front() == '#') return;
    if (line.front() == '[') return read_port(line, position);
    std::string_view rest = line;
    const std::string_view word = next_word(rest);
    if (word == "Switch" || word == "Ca" || word == "Hca" || word == "Rt") return read_node(word, rest, position);
    constexpr std::array<std::string_view, 6> ignored{
        "vendid=", "devid=", "sysimgguid=", "switchguid=", "caguid=", "rtguid="};
    for (const std::string_view start : ignored)
      if (line.starts_with(start)) return;
    if (line.starts_with("Chassis") || line.starts_with("DR path")) return;
    throw wrong(position, "this is not a line of ibnetdiscover: Switch, Ca, [port] or a guid is right");
  }

  // The text between the next two quotes; `text` is what follows them.
  std::string quoted_in(std::string_view& text, Position position) const {
    const std::size_t begin = text.find('"');
    const std::size_t end = begin == std::string_view::npos ? begin : text.find('"', begin + 1);
    if (end == std::string_view::npos)
      throw wrong(position, "a name in quotes is missing, such as \"S-0002c9000100d051\"");
    std::string found(text.substr(begin + 1, end - begin - 1));
    text.remove_prefix(end + 1);
    return found;
  }

  // "[22]" at the head of `text`, which is then what follows it.
  std::int64_t number_in(std::string_view& text, Position position) const {
    text = without_spaces(text);
    const std::size_t end = text.find(']');
    std::int64_t number = -1;
    if (text.starts_with("[") && end != std::string_view::npos) {
      const auto [stop, failure] = std::from_chars(text.data() + 1, text.data() + end, number);
      if (failure != std::errc{} || stop != text.data() + end) number = -1;
    }
    if (number < 0 || number > 65535) throw wrong(position, "a number of a port is missing, such as [22]");
    text.remove_prefix(end + 1);
    return number;
  }

  void read_node(std::string_view word, std::string_view rest, Position position) {
    Node node{quoted_in(rest, position), "", word == "Switch", position, ""};
    if (const std::size_t comment = rest.find('#'); comment != std::string_view::npos) {
      rest.remove_prefix(comment);
      if (rest.find('"') != std::string_view::npos) node.description = quoted_in(rest, position);
    }
    if (!numbers_.emplace(node.id, nodes_.size()).second)
      throw wrong(position, fmt::format("node {} is described twice", clean(node.id)));
    nodes_.push_back(std::move(node));
  }

  void read_port(std::string_view line, Position position) {
    if (nodes_.empty()) throw wrong(position, "a port before the first Switch or Ca: its record is missing");
    Port port{nodes_.size() - 1, number_in(line, position), "", 0, std::nullopt, position};
    port.remote = quoted_in(line, position);
    port.remote_number = number_in(line, position);
    for (std::string_view rest = line; !(rest = without_spaces(rest)).empty();)
      if (const auto rate = rate_of(next_word(rest))) port.rate = rate;
    ports_.push_back(std::move(port));
  }

  // Switches are called by their description where it is theirs alone, else by their id.
  void name_nodes() {
    std::map<std::string, int> uses;
    for (const Node& node : nodes_) ++uses[clean(node.description)];
    for (Node& node : nodes_) {
      const std::size_t space = node.description.find(' ');
      const bool has_device = !node.is_switch && space != std::string::npos && space > 0;
      const std::string name = clean(node.description);
      node.name = has_device                         ? clean(node.description.substr(0, space))
                  : !name.empty() && uses[name] == 1 ? name
                                                     : clean(node.id);
    }
  }

  const Node& node_named(const std::string& id, Position position) const {
    const auto found = numbers_.find(id);
    if (found == numbers_.end())
      throw wrong(position, fmt::format("node {} has no record of its own in the file", clean(id)));
    return nodes_[found->second];
  }

  Network::Link rate_of_port(const Port& port, const std::optional<Network::Link>& given) {
    if (given) return *given;
    if (!port.rate)
      throw wrong(port.position,
                  "the rate is missing at the end of the line, such as 4xEDR; a TOML file with file = and "
                  "[link] can give it");
    assumed_ = true;
    return {*port.rate, assumed_latency_ps};
  }

  // Each cable stands at both of its ends; the second time it is known.
  void connect(const Port& port) {
    const Node& here = nodes_[port.node];
    const Node& there = node_named(port.remote, port.position);
    if (!here.is_switch && !there.is_switch)
      throw wrong(port.position,
                  "two adapters are joined to each other without a switch: only switched networks are read");
    const std::pair one(here.id, port.number), other(there.id, port.remote_number);
    if (!seen_.insert(std::minmax(one, other)).second) return;
    if (here.is_switch && there.is_switch)
      return builder_.join(here.name, there.name, 1, rate_of_port(port, rates_.fabric), "switch", port.position);
    const Node& adapter = here.is_switch ? there : here;
    builder_.attach((here.is_switch ? here : there).name, Hostlist::parse(adapter.name, at(file_, port.position)),
                    rate_of_port(port, rates_.host), port.position);
  }

  std::string assumptions() const {
    if (!assumed_) return "";
    return fmt::format("ibnetdiscover does not state latencies: {} a link are assumed", time_text(assumed_latency_ps));
  }

  using End = std::pair<std::string, std::int64_t>;
  std::string file_;
  GivenRates rates_;
  GraphBuilder builder_;
  std::vector<Node> nodes_;
  std::vector<Port> ports_;
  std::map<std::string, std::size_t> numbers_;
  std::set<std::pair<End, End>> seen_;
  bool assumed_ = false;
};

}  // namespace

Network network_of_infiniband(std::string_view text, const std::string& file, const GivenRates& rates) {
  return InfinibandTopology(text, file, rates).finish();
}

}  // namespace tutti
