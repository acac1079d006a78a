// Slurm's topology.conf: a tree of switches (topology/tree), or blocks of nodes (topology/block, as of Slurm 24).
//
//   SwitchName=s0 Nodes=dev[0-5]          BlockName=b1 Nodes=node[01-30]
//   SwitchName=s2 Switches=s[0-1]         BlockSizes=30,120
//
// The nodes of a block share a switch; blocks are joined in groups as large as the further sizes say, and at the top
// all. The file knows nothing of rates: what [link] of a TOML file does not say is assumed.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "nearest.hpp"
#include "topology/network/forms.hpp"
#include "topology/network/graph.hpp"
#include "topology/network/lines.hpp"
#include "topology/network/units.hpp"

namespace tutti {
namespace {

constexpr Network::Link assumed{12'500'000'000, 500'000};  // 100 Gb/s and 500 ns, as of a common InfiniBand or Ethernet

constexpr std::array<std::string_view, 7> known_keys{
    "SwitchName", "Switches", "Nodes", "LinkSpeed", "BlockName", "BlockSizes", "PlanningBlockSize"};

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& character : result)
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  return result;
}

class SlurmTopology {
 public:
  SlurmTopology(std::string_view text, const std::string& file, const GivenRates& rates)
      : file_(file), rates_(rates), builder_(file) {
    for_each_line(text, [&](std::string_view line, std::int64_t number) { read_line(line, {number, 0}); });
  }

  Network finish() {
    if (!blocks_.empty() && !switches_.empty())
      throw wrong(blocks_.front().position, "both SwitchName and BlockName are in the file: one of them is right");
    for (const Named& entry : switches_) join_children(entry);
    if (!blocks_.empty()) join_blocks();
    return builder_.finish("graph", assumptions());
  }

 private:
  struct Named {
    std::string name;
    std::string children;
    Position position;
  };

  Error wrong(Position position, const std::string& what) const {
    return Error(TUTTI_ERROR_ARGUMENT, at(file_, position) + what);
  }
  Network::Link host_rate() const { return rates_.host.value_or(assumed); }
  Network::Link fabric_rate() const { return rates_.fabric.value_or(assumed); }

  std::string assumptions() const {
    if (rates_.host && rates_.fabric) return "";
    const std::string which = rates_.host ? "links between switches" : rates_.fabric ? "links of hosts" : "links";
    return fmt::format("topology.conf does not state rates: {} of {} and {} are assumed", which,
                       bandwidth_text(assumed.bytes_per_second), time_text(assumed.latency_ps));
  }

  void read_line(std::string_view line, Position position) {
    line = without_spaces(line.substr(0, line.find('#')));
    std::map<std::string, std::string> values;
    while (!(line = without_spaces(line)).empty()) {
      const std::string_view word = next_word(line);
      const std::size_t equals = word.find('=');
      const std::string key = lower(word.substr(0, equals));
      require_known(word.substr(0, equals), position);
      if (equals == std::string_view::npos || equals + 1 == word.size())
        throw wrong(position, fmt::format("{} has no value: {}=... is right", known_name(key), known_name(key)));
      if (!values.emplace(key, word.substr(equals + 1)).second)
        throw wrong(position, fmt::format("{} stands twice in a line", known_name(key)));
    }
    if (!values.empty()) take(values, position);
  }

  static std::string_view known_name(const std::string& key) {
    for (const std::string_view known : known_keys)
      if (lower(known) == key) return known;
    return "a key";
  }

  void require_known(std::string_view key, Position position) const {
    for (const std::string_view known : known_keys)
      if (lower(known) == lower(key)) return;
    std::string clean;
    for (const char character : key.substr(0, 40)) clean += character > ' ' && character < 127 ? character : '?';
    throw wrong(position, fmt::format("\"{}\" is not a key of topology.conf; the nearest is {}", clean,
                                      nearest_name(key.substr(0, 40), known_keys)));
  }

  void take(std::map<std::string, std::string>& values, Position position) {
    if (values.contains("switchname")) return take_switch(values, position);
    if (values.contains("blockname")) return take_block(values, position);
    const std::string key = values.contains("blocksizes") ? "blocksizes" : "planningblocksize";
    if (!values.contains(key)) throw wrong(position, "a line must begin with SwitchName=, BlockName= or BlockSizes=");
    read_sizes(values[key], position);
  }

  void take_switch(std::map<std::string, std::string>& values, Position position) {
    const std::string name = values["switchname"];
    const bool leaf = values.contains("nodes"), inner = values.contains("switches");
    if (leaf == inner) throw wrong(position, "a switch must have either Nodes= or Switches=");
    builder_.add_switch(one_name(name, position), position);
    switches_.push_back({name, inner ? values["switches"] : "", position});
    if (leaf) builder_.attach(name, Hostlist::parse(values["nodes"], at(file_, position)), host_rate(), position);
  }

  void take_block(std::map<std::string, std::string>& values, Position position) {
    const std::string name = values["blockname"];
    if (!values.contains("nodes")) throw wrong(position, "a block must have Nodes=");
    const Hostlist nodes = Hostlist::parse(values["nodes"], at(file_, position));
    builder_.add_switch(one_name(name, position), position);
    blocks_.push_back({name, "", position});
    builder_.attach(name, nodes, host_rate(), position);
  }

  std::string one_name(const std::string& name, Position position) const {
    if (Hostlist::parse(name, at(file_, position)).size() != 1)
      throw wrong(position, "the name of a switch or a block is one name, not a list");
    return name;
  }

  void join_children(const Named& entry) {
    if (entry.children.empty()) return;
    const Hostlist children = Hostlist::parse(entry.children, at(file_, entry.position));
    for (std::int64_t i = 0; i < children.size(); ++i)
      builder_.join(children.name(i), entry.name, 1, fabric_rate(), "switch", entry.position);
  }

  void read_sizes(const std::string& text, Position position) {
    sizes_.clear();
    const char* next = text.data();
    const char* const end = text.data() + text.size();
    while (next != end) {
      std::int64_t size = 0;
      const auto [stop, failure] = std::from_chars(next, end, size);
      const bool grows =
          size > 0 && size <= most_hosts && (sizes_.empty() || (size > sizes_.back() && size % sizes_[0] == 0));
      if (failure != std::errc{} || (stop != end && *stop != ',') || stop + 1 == end || !grows || sizes_.size() == 16)
        throw wrong(position, "BlockSizes must be growing multiples of the first, such as 30,60,120");
      sizes_.push_back(size);
      next = stop == end ? end : stop + 1;
    }
  }

  // Level by level: as many of the blocks as a size holds get a switch in common.
  void join_blocks() {
    std::vector<std::string> level;
    for (const Named& block : blocks_) level.push_back(block.name);
    std::int64_t held = sizes_.empty() ? 1 : sizes_[0];
    for (std::size_t i = 1; i < sizes_.size() && level.size() > 1; ++i) {
      if (sizes_[i] % held != 0) throw wrong(blocks_.front().position, "each of BlockSizes must divide the next one");
      level = joined(level, static_cast<std::size_t>(sizes_[i] / held), fmt::format("aggregate{}", i));
      held = sizes_[i];
    }
    if (level.size() > 1) joined(level, level.size(), "core");
  }

  std::vector<std::string> joined(const std::vector<std::string>& level, std::size_t group, const std::string& name) {
    std::vector<std::string> upper;
    for (std::size_t i = 0; i < level.size(); ++i) {
      if (i % group == 0) {
        upper.push_back(fmt::format("{}.{}", name, i / group));
        builder_.add_switch(upper.back(), blocks_.front().position);
      }
      builder_.join(level[i], upper.back(), 1, fabric_rate(), "switch", blocks_.front().position);
    }
    return upper;
  }

  std::string file_;
  GivenRates rates_;
  GraphBuilder builder_;
  std::vector<Named> switches_;
  std::vector<Named> blocks_;
  std::vector<std::int64_t> sizes_;
};

}  // namespace

Network network_of_slurm(std::string_view text, const std::string& file, const GivenRates& rates) {
  return SlurmTopology(text, file, rates).finish();
}

}  // namespace tutti
