// `tutti schedule`: shows schedules as text, as a graph for Graphviz, or as GOAL for LogGOPSim; lists the catalogue.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "error.hpp"
#include "schedule/export.hpp"
#include "scheduler/bytes.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/schedules.hpp"

namespace tutti {
namespace {

enum class Format { text, dot, goal };

struct ScheduleOptions {
  std::string collective;
  std::string algorithm;
  std::string ranks;
  std::string nodes;
  std::string placement = "block";
  std::optional<int> rank;
  Format format = Format::text;
  std::string bytes = "1M";
  bool in_place = false;
  bool ordered = false;
  int root = 0;
  bool list = false;
};

constexpr const char* description =
    "Show the schedule of an algorithm: the steps of one rank or of all.\n"
    "Peers of broadcast and reduce are counted from the root, which is 0, except with --ordered and in hierarchies.\n"
    "Examples: tutti schedule allreduce --algorithm ring --ranks 4 --rank 0\n"
    "          tutti schedule broadcast --algorithm knomial(k=3) --ranks 9 --format dot | dot -Tsvg > tree.svg";

// A table in Markdown; docs/algorithms.md holds it.
void print_catalogue() {
  fmt::print("| Collective | Algorithm | Time | Rank order | Source |\n|---|---|---|---|---|\n");
  for (const Algorithm& algorithm : catalogue()) {
    const Parameter& parameter = algorithm.parameter;
    const std::string name = parameter.name.empty() ? std::string(algorithm.name)
                                                    : fmt::format("{}({}={}), {} to {}", algorithm.name, parameter.name,
                                                                  parameter.fallback, parameter.least, parameter.most);
    fmt::print("| {} | {} | {} | {} | {} |\n", kind_name(algorithm.kind), name, algorithm.cost,
               algorithm.keeps_order ? "yes" : "no", algorithm.source);
  }
}

void check_given(const ScheduleOptions& options) {
  if (options.collective.empty() || options.algorithm.empty() || (options.ranks.empty() && options.nodes.empty()))
    throw error(TUTTI_ERROR_ARGUMENT,
                "schedule: a collective, --algorithm and --ranks are needed (or --nodes, for hierarchies), such as: "
                "tutti schedule allreduce --algorithm ring --ranks 4");
  if (options.algorithm == "all")
    throw error(TUTTI_ERROR_ARGUMENT, "schedule: one algorithm and one number of ranks are shown at a time");
}

ScheduleKey key_of(const ScheduleOptions& options) {
  check_given(options);
  const Chosen chosen = chosen_algorithms(parse_kind(options.collective), options.algorithm)[0];
  const ShapePtr shape = options.nodes.empty() ? nullptr : parse_nodes(options.nodes, options.placement);
  const std::vector<int> sizes = shape ? std::vector{shape->ranks()} : parse_ranks(options.ranks);
  if (sizes.size() != 1)
    throw error(TUTTI_ERROR_ARGUMENT, "schedule: one algorithm and one number of ranks are shown at a time");
  if (!chosen.layers.empty() && !shape)
    throw error(TUTTI_ERROR_ARGUMENT, "--algorithm {}: a hierarchy needs --nodes, such as --nodes 3,1,4,2",
                options.algorithm);
  if (options.rank && (*options.rank < 0 || *options.rank >= sizes[0]))
    throw error(TUTTI_ERROR_ARGUMENT, "--rank {} is not one of the {} ranks, which are 0 to {}", *options.rank,
                sizes[0], sizes[0] - 1);
  return {chosen.algorithm, chosen.parameter, sizes[0], options.rank.value_or(0), options.in_place, options.ordered,
          options.root,     chosen.layers,    shape};
}

// The blocks of the vector of which --bytes are told.
std::int64_t of_one_vector(const ScheduleKey& key, std::int64_t blocks) {
  return key.algorithm->kind == Kind::alltoall ? key.size : blocks;
}

// Rounded up, as the executor cuts a vector.
std::int64_t bytes_per_block(const ScheduleOptions& options, std::int64_t blocks) {
  const auto bytes = static_cast<std::int64_t>(parse_bytes(options.bytes));
  return bytes / blocks + (bytes % blocks == 0 ? 0 : 1);
}

void show(const ScheduleOptions& options) {
  if (options.list) return print_catalogue();
  const ScheduleKey key = key_of(options);
  if (options.format == Format::goal && options.rank)
    throw error(TUTTI_ERROR_ARGUMENT, "--format goal describes all ranks; leave --rank out");
  const std::vector<Schedule> schedules =
      options.rank ? std::vector<Schedule>{build_schedule(key)} : schedules_of_all(key);
  if (options.format == Format::dot) fmt::print("{}", to_dot(schedules));
  if (options.format == Format::goal)
    fmt::print("{}", to_goal(schedules, bytes_per_block(options, of_one_vector(key, schedules[0].blocks))));
  if (options.format != Format::text) return;
  for (const Schedule& schedule : schedules) fmt::print("{}", to_text(schedule));
}

}  // namespace

void add_schedule(CLI::App& app) {
  auto options = std::make_shared<ScheduleOptions>();
  CLI::App* command = app.add_subcommand("schedule", description);
  command->add_option("collective", options->collective, "allreduce, broadcast, reduce, ...");
  command->add_option("-a,--algorithm", options->algorithm, "ring, knomial(k=3), ...");
  command->add_option("-n,--ranks", options->ranks, "How many ranks");
  command
      ->add_option("--nodes", options->nodes,
                   "Instead: the ranks of each node, such as 3,1,4,2 or 8x4; a slash ends a "
                   "group of nodes: 3,1/4,2")
      ->excludes(command->get_option("--ranks"));
  command->add_option("--placement", options->placement, "How ranks are laid out over the nodes (default block)")
      ->option_text("block|cyclic|random");
  command->add_option("--rank", options->rank, "Only this one");
  const std::map<std::string, Format> formats = {{"text", Format::text}, {"dot", Format::dot}, {"goal", Format::goal}};
  command->add_option("--format", options->format, "How it is written (default text)")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case))
      ->option_text("text|dot|goal");
  command->add_option("--bytes", options->bytes, "Bytes of the whole vector, for goal (default 1M)");
  command->add_flag("--in-place", options->in_place, "Input and output are one buffer");
  command->add_flag("--ordered", options->ordered, "Combine in rank order, for operations that do not commute");
  command->add_option("--root", options->root, "The root, with --ordered and in hierarchies (default 0)");
  command->add_flag("--list", options->list, "All algorithms as a table in Markdown");
  command->callback([options] { show(*options); });
}

}  // namespace tutti
