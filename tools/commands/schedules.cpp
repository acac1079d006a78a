// Algorithms, sizes and schedules from the command line; see schedules.hpp.
#include "tools/commands/schedules.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "error.hpp"
#include "scheduler/overrides.hpp"

namespace tutti {

namespace {

// More ranks than any machine has; a schedule numbers its peers with 32 bits.
constexpr int most_ranks = 1 << 24;
// About 10 GB with their parts.
constexpr std::size_t most_steps = 100'000'000;

Form other(Form form) { return form == Form::lanes ? Form::leader : Form::lanes; }

int parse_rank_count(std::string_view option, std::string_view text, const std::string& whole) {
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size())
    throw error(TUTTI_ERROR_ARGUMENT, "{} {}: \"{}\" is not a number of ranks; right are {}", option, whole, text,
                option == "--ranks" ? "a number, a list or ranges, such as 2,4,8-16"
                                    : "the ranks of each node, such as 3,1,4,2 or 8x4");
  if (value < 1 || value > most_ranks)
    throw error(TUTTI_ERROR_ARGUMENT, "{} {}: {} is out of range, it is from 1 to {}", option, whole, value,
                most_ranks);
  return value;
}

}  // namespace

std::vector<Chosen> chosen_algorithms(Kind kind, const std::string& text) {
  if (text == "all") {
    std::vector<Chosen> all;
    for (const Algorithm& algorithm : catalogue())
      if (algorithm.kind == kind) all.push_back({&algorithm, algorithm.parameter.fallback});
    return all;
  }
  const ChosenRun chosen = chosen_run(kind, text);
  if (chosen.window_bytes || chosen.in_flight)
    throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: a schedule knows no windows, the executor cuts them", text);
  return {chosen};
}

ChosenRun chosen_run(Kind kind, const std::string& text) {
  const Overrides parsed = Overrides::parse(fmt::format("{}={}", kind_name(kind), text), "--algorithm");
  const Override* found = parsed.find(kind, 0);
  if (found == nullptr) throw error(TUTTI_ERROR_ARGUMENT, "--algorithm names no algorithm; tutti info lists them all");
  if (found->algorithm == nullptr)
    throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: outer= is missing, what runs across the groups", text);
  ChosenRun chosen{{found->algorithm, found->parameter.value_or(found->algorithm->parameter.fallback)},
                   found->window_bytes,
                   found->in_flight};
  for (const ForcedLayer& layer : found->layers) {
    if (!layer.inner)
      throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: inner= is missing, what runs inside the groups", text);
    chosen.layers.push_back(*layer.inner);
  }
  return chosen;
}

std::vector<Chosen> all_hierarchies(Kind kind, int levels) {
  std::vector<Chosen> list;
  std::vector<const Algorithm*> across;
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind) across.push_back(&algorithm);
  for (Form form : {Form::leader, Form::lanes}) {
    const auto inner = inner_layers(kind, form);
    if (inner.empty()) continue;
    for (std::size_t i = 0; i < std::max(inner.size(), across.size()); ++i) {
      const Algorithm* outer = across[i % across.size()];
      Chosen chosen{outer, outer->parameter.fallback, {inner[i % inner.size()]}};
      // Of two levels the forms alternate, so that all four pairs of forms come up.
      const auto second = inner_layers(kind, i % 2 == 0 || kind == Kind::barrier ? form : other(form));
      if (levels > 1) chosen.layers.push_back(second[(i + 1) % second.size()]);
      list.push_back(chosen);
    }
  }
  return list;
}

ShapePtr parse_nodes(const std::string& nodes, const std::string& placement) {
  const std::map<std::string, Placement> placements = {
      {"block", Placement::block}, {"cyclic", Placement::cyclic}, {"random", Placement::random}};
  const auto found = placements.find(placement);
  if (found == placements.end())
    throw error(TUTTI_ERROR_ARGUMENT, "--placement {}: there are block, cyclic and random", placement);
  std::vector<int> sizes, groups;
  std::int64_t ranks = 0;
  for (std::size_t begin = 0, group = 0; begin <= nodes.size();) {
    const std::size_t end = std::min(nodes.find_first_of(",/", begin), nodes.size());
    const std::string_view item = std::string_view(nodes).substr(begin, end - begin);
    const std::size_t by = item.find('x');
    const bool several = by != std::string_view::npos;
    const int count = several ? parse_rank_count("--nodes", item.substr(0, by), nodes) : 1;
    const int size = parse_rank_count("--nodes", several ? item.substr(by + 1) : item, nodes);
    ranks += std::int64_t{count} * size;
    if (ranks > most_ranks) throw error(TUTTI_ERROR_ARGUMENT, "--nodes {}: more than {} ranks", nodes, most_ranks);
    sizes.insert(sizes.end(), static_cast<std::size_t>(count), size);
    groups.insert(groups.end(), static_cast<std::size_t>(count), static_cast<int>(group));
    if (end < nodes.size() && nodes[end] == '/') ++group;
    begin = end + 1;
  }
  if (nodes.find('/') == std::string::npos) groups.clear();
  return placed(sizes, found->second, groups);
}

std::vector<int> parse_ranks(const std::string& text) {
  std::vector<int> ranks;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view item = std::string_view(text).substr(begin, end - begin);
    const std::size_t dash = item.find('-', 1);
    const int first = parse_rank_count("--ranks", item.substr(0, dash), text);
    const int last = dash == std::string_view::npos ? first : parse_rank_count("--ranks", item.substr(dash + 1), text);
    if (last < first) throw error(TUTTI_ERROR_ARGUMENT, "--ranks {}: the range {} runs backwards", text, item);
    for (int size = first; size <= last; ++size) ranks.push_back(size);
    begin = end + 1;
  }
  return ranks;
}

std::string full_name(const Chosen& chosen) {
  return hierarchy_name(chosen.layers, {chosen.algorithm, chosen.parameter});
}

std::vector<Schedule> schedules_of_all(ScheduleKey key) {
  key.position = 0;
  std::vector<Schedule> schedules{build_schedule(key)};
  const std::size_t steps = schedules[0].steps.size() * static_cast<std::size_t>(key.size);
  if (steps > most_steps)
    throw error(TUTTI_ERROR_ARGUMENT, "{} on {} ranks has about {} million steps; at most {} million fit into memory",
                schedules[0].name, key.size, steps / 1'000'000, most_steps / 1'000'000);
  for (key.position = 1; key.position < key.size; ++key.position) schedules.push_back(build_schedule(key));
  return schedules;
}

}  // namespace tutti
