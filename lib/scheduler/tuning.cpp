// The text of a tuning file, both ways; see tuning.hpp.
#include "scheduler/tuning.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include "algorithms/hierarchy.hpp"
#include "error.hpp"
#include "scheduler/overrides.hpp"
#include "scheduler/sparse_choice.hpp"
#include "topology/network/toml_document.hpp"

namespace tutti {
namespace {

constexpr std::int64_t most_ps = 1'000'000'000'000;  // a second: whatever takes longer is no cost of a message
constexpr std::int64_t most_factor = 1024 * 1024;

constexpr std::array keys_of_made{
    Key{"version", KeyType::text, "", "of Tutti"},
    Key{"processor", KeyType::text, "", "as the system names it"},
    Key{"topology", KeyType::text, "", "packages, NUMA domains, cores, units"},
    Key{"transport", KeyType::text, "", "what carried the messages"},
};

template <class Costs>
struct Cost {
  Key key;
  std::int64_t Costs::*value;
};

constexpr Key time_key(std::string_view name, std::int64_t least) {
  return {name, KeyType::integer, "", "picoseconds", least, most_ps};
}
constexpr std::array costs_of_node{
    Cost<Machine>{time_key("hop", 1), &Machine::hop_ps},
    Cost<Machine>{time_key("message", 0), &Machine::message_ps},
    Cost<Machine>{time_key("bytes_1024", 0), &Machine::byte_ps_1024},
    Cost<Machine>{time_key("copy_1024", 0), &Machine::copy_ps_1024},
    Cost<Machine>{time_key("combine_1024", 0), &Machine::combine_ps_1024},
    Cost<Machine>{time_key("switch", 0), &Machine::switch_ps},
};
constexpr std::array costs_of_network{
    Cost<NetworkCosts>{time_key("hop", 1), &NetworkCosts::hop_ps},
    Cost<NetworkCosts>{time_key("message", 0), &NetworkCosts::message_ps},
    Cost<NetworkCosts>{time_key("gap", 0), &NetworkCosts::gap_ps},
    Cost<NetworkCosts>{time_key("bytes_1024", 0), &NetworkCosts::byte_ps_1024},
};
constexpr Key key_of_algorithms{"algorithms", KeyType::text, "", "as TUTTI_ALGORITHM has them"};
constexpr std::array<std::string_view, 5> tables{"made", "node", "network", "correction", "forced"};

std::vector<std::string_view> names_of(Kind kind) {
  std::vector<std::string_view> names;
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind) names.push_back(algorithm.name);
  for (Form form : {Form::leader, Form::lanes})
    if (!inner_layers(kind, form).empty()) names.push_back(form_name(form));
  return names;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : document_(text, file) {}

  Tuning read() {
    document_.require_known(document_.root(), "a tuning file", tables);
    Tuning tuning;
    tuning.file = document_.file();
    const TableSettings made = document_.settings_of(needed("made"), "made", keys_of_made);
    tuning.made = {made.text("version"), made.text("processor"), made.text("topology"), made.text("transport")};
    read_costs(needed("node"), "node", costs_of_node, tuning.node);
    if (const toml::table* network = optional("network")) {
      tuning.network.emplace();
      read_costs(*network, "network", costs_of_network, *tuning.network);
    }
    if (const toml::table* corrections = optional("correction")) read_corrections(*corrections, tuning.corrections);
    if (const toml::table* forced = optional("forced")) read_forced(*forced, tuning);
    return tuning;
  }

 private:
  const toml::table* optional(std::string_view name) const {
    return document_.root().get(name) == nullptr ? nullptr : &document_.table(name);
  }

  const toml::table& needed(std::string_view name) const {
    if (const toml::table* table = optional(name)) return *table;
    throw error(TUTTI_ERROR_ARGUMENT, "{}:1:1: table [{}] is missing: `tutti tune` writes it", document_.file(), name);
  }

  template <class Costs, std::size_t count>
  void read_costs(const toml::table& table, const std::string& name, const std::array<Cost<Costs>, count>& costs,
                  Costs& into) const {
    std::vector<Key> keys;
    for (const Cost<Costs>& cost : costs) keys.push_back(cost.key);
    const TableSettings settings = document_.settings_of(table, name, keys);
    for (const Cost<Costs>& cost : costs) into.*cost.value = settings.integer(cost.key.name);
  }

  void read_corrections(const toml::table& table, std::vector<Correction>& into) const {
    constexpr std::array kinds{Kind::allreduce,      Kind::broadcast, Kind::reduce,
                               Kind::reduce_scatter, Kind::allgather, Kind::barrier};
    std::vector<std::string_view> known;
    for (Kind kind : kinds) known.push_back(kind_name(kind));
    document_.require_known(table, "[correction]", known);
    for (Kind kind : kinds) {
      const toml::node* node = table.get(kind_name(kind));
      if (node == nullptr) continue;
      if (!node->is_table())
        document_.wrong(node->source(), fmt::format("\"{0}\" must be a table: [correction.{0}]", kind_name(kind)));
      std::vector<Key> keys;
      for (std::string_view name : names_of(kind))
        keys.push_back({name, KeyType::integer, "1024", "1,024ths of what is predicted", 1, most_factor});
      const std::string name = fmt::format("correction.{}", kind_name(kind));
      const TableSettings settings = document_.settings_of(*node->as_table(), name, keys);
      for (const Key& key : keys)
        if (settings.has(key.name)) into.push_back({kind, std::string(key.name), settings.integer(key.name)});
    }
  }

  void read_forced(const toml::table& table, Tuning& tuning) const {
    const TableSettings settings = document_.settings_of(table, "forced", std::array{key_of_algorithms});
    tuning.algorithms = settings.text("algorithms");
    tuning.algorithms_origin = at(document_.file(), settings.position_of("algorithms")) + "the text of \"algorithms\"";
    std::string dense = tuning.algorithms;
    SparseOverrides::take(dense, tuning.algorithms_origin);
    Overrides::parse(dense, tuning.algorithms_origin);
  }

  TomlDocument document_;
};

// A basic string of TOML.
std::string in_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter >= ' ' && letter != 127 ? letter : '?';
  }
  return quoted + '"';
}

template <class Costs, std::size_t count>
std::string costs_text(std::string_view name, const std::array<Cost<Costs>, count>& costs, const Costs& from) {
  std::string text = fmt::format("\n[{}]\n", name);
  for (const Cost<Costs>& cost : costs) text += fmt::format("{} = {}\n", cost.key.name, from.*cost.value);
  return text;
}

}  // namespace

Tuning Tuning::parse(std::string_view text, const std::string& file) { return Reader(text, file).read(); }

std::string Tuning::text() const {
  std::string text = fmt::format(
      "# Constants of Tutti's time model, measured. Times are picoseconds, corrections 1,024ths of what is predicted;\n"
      "# docs/choosing.md explains them.\n\n"
      "[made]\nversion = {}\nprocessor = {}\ntopology = {}\ntransport = {}\n",
      in_quotes(made.version), in_quotes(made.processor), in_quotes(made.topology), in_quotes(made.transport));
  text += costs_text("node", costs_of_node, node);
  if (network) text += costs_text("network", costs_of_network, *network);
  const Correction* last = nullptr;
  for (const Correction& each : corrections) {
    if (last == nullptr || last->kind != each.kind) text += fmt::format("\n[correction.{}]\n", kind_name(each.kind));
    text += fmt::format("{} = {}\n", each.name, each.factor_1024);
    last = &each;
  }
  if (!algorithms.empty()) text += fmt::format("\n[forced]\nalgorithms = {}\n", in_quotes(algorithms));
  return text;
}

void Tuning::apply(Machine& machine) const {
  for (const Cost<Machine>& cost : costs_of_node) machine.*cost.value = node.*cost.value;
  if (network && machine.network.described())
    for (const Cost<NetworkCosts>& cost : costs_of_network) machine.network.*cost.value = (*network).*cost.value;
  machine.corrections = corrections;
  machine.constants = file;
}

std::string read_tuning_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text(most_tuning_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || (stream.gcount() == 0 && !stream.eof()))
    throw error(TUTTI_ERROR_ARGUMENT, "{} cannot be read; a tuning file is right, as `tutti tune` writes it", path);
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > most_tuning_bytes)
    throw error(TUTTI_ERROR_ARGUMENT, "{} is no tuning file: it has more than {} bytes", path, most_tuning_bytes);
  return text;
}

TuningWish TuningWish::parse(std::string_view text) {
  constexpr std::string_view force = "force:";
  const bool forced = text.starts_with(force);
  return {std::string(text.substr(forced ? force.size() : 0)), forced};
}

}  // namespace tutti
