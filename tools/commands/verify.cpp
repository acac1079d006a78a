// `tutti verify`: the checker's proof, for any algorithm of the catalogue and any sizes.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "error.hpp"
#include "schedule/checker.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/schedules.hpp"

namespace tutti {
namespace {

struct VerifyOptions {
  std::string collective;
  std::string algorithm = "all";
  std::string ranks = "1-64";
  std::string nodes;
  std::string placement;
};

// A hierarchy's proofs where no nodes are named: nodes of one size and of many, one node alone, one rank on each, and
// nodes in groups; with ranks that fill them one after the other, in turn, and at random.
constexpr const char* usual_nodes[] = {"2,2", "3,1,4,2", "5,3", "4", "1,1,1", "3,1/4,2", "2,2/2,2/2"};

constexpr const char* description =
    "Prove schedules: that messages match, nothing deadlocks, no steps race, every contribution counts exactly once, "
    "and\n"
    "all ranks get the same bits, for every order of events that can happen.\n"
    "Each is proven in place and out of place, and in rank order where the algorithm keeps it, for the first, a "
    "middle\n"
    "and the last rank as root. Exit code 1 where a proof fails.\n"
    "A hierarchy runs on --nodes, or on a set of usual ones; \"all\" are the algorithms, and then hierarchies of "
    "them.\n"
    "Examples: tutti verify allreduce --algorithm all --ranks 1-64,1021\n"
    "          tutti verify allreduce --algorithm 'lanes(inner=circulant, outer=ring)' --nodes 3,1,4,2 --placement "
    "random";

// What the proofs of one algorithm found.
struct Outcome {
  int proofs = 0;
  int failures = 0;
  bool staging = false;
};

ScheduleKey key_of(const Chosen& chosen, int size, bool in_place, bool ordered, int root, const ShapePtr& shape) {
  return {chosen.algorithm, chosen.parameter, size, 0, in_place, ordered, root, chosen.layers, shape};
}

std::string refusal(const Chosen& chosen, int size, bool ordered, const ShapePtr& shape) {
  return refuses({chosen.layers, {chosen.algorithm, chosen.parameter}, shape.get(), size}, ordered);
}

// Every way in which a schedule of so many ranks can be asked for. The root counts in rank order and in hierarchies.
std::vector<ScheduleKey> variants(const Chosen& chosen, int size, const ShapePtr& shape) {
  const Kind kind = chosen.algorithm->kind;
  const bool combines = kind == Kind::allreduce || kind == Kind::reduce || kind == Kind::reduce_scatter;
  const bool rooted = kind == Kind::broadcast || kind == Kind::reduce;
  std::vector<ScheduleKey> keys;
  for (bool ordered : {false, true}) {
    if ((ordered && !combines) || !refusal(chosen, size, ordered, shape).empty()) continue;
    std::vector<int> roots{0};
    if (rooted && (ordered || !chosen.layers.empty()) && size > 1) roots.push_back(size - 1);
    if (roots.size() > 1 && size > 2) roots.push_back(size / 2);
    for (int root : roots)
      for (bool in_place : {false, true})
        if (!in_place || runs_in_place(kind)) keys.push_back(key_of(chosen, size, in_place, ordered, root, shape));
  }
  return keys;
}

void prove_one(const ScheduleKey& key, Outcome& outcome) {
  const std::vector<Schedule> schedules = schedules_of_all(key);
  ++outcome.proofs;
  try {
    outcome.staging = prove(collective_of(key), schedules).needs_staging || outcome.staging;
  } catch (const Error& failure) {
    ++outcome.failures;
    fmt::print("FAILED {} {}{}\n", kind_name(key.algorithm->kind), key.in_place ? "in place, " : "", failure.what());
  }
}

// What is to be proven: algorithms on numbers of ranks, and hierarchies on shapes.
struct Task {
  std::vector<int> sizes;
  std::vector<ShapePtr> shapes;
  std::vector<Chosen> chosen;
};

std::vector<ShapePtr> shapes_of(const VerifyOptions& options) {
  std::vector<std::string> placements{options.placement};
  if (options.placement.empty() && options.nodes.empty()) placements = {"block", "cyclic", "random"};
  if (options.placement.empty() && !options.nodes.empty()) placements = {"block"};
  std::vector<ShapePtr> shapes;
  for (const std::string& placement : placements) {
    if (!options.nodes.empty()) shapes.push_back(parse_nodes(options.nodes, placement));
    for (const char* nodes : usual_nodes)
      if (options.nodes.empty()) shapes.push_back(parse_nodes(nodes, placement));
  }
  return shapes;
}

Task task_of(const VerifyOptions& options) {
  const Kind kind = parse_kind(options.collective);
  Task task{parse_ranks(options.ranks), shapes_of(options), chosen_algorithms(kind, options.algorithm)};
  if (options.algorithm != "all") return task;
  if (!options.nodes.empty()) task.chosen.clear();
  const auto add = [&](int levels) {
    const std::vector<Chosen> more = all_hierarchies(kind, levels);
    task.chosen.insert(task.chosen.end(), more.begin(), more.end());
  };
  add(1);
  if (options.nodes.empty() || task.shapes[0]->levels() > 1) add(2);
  return task;
}

Outcome prove_all(const Chosen& chosen, const Task& task) {
  const bool watched = isatty(STDERR_FILENO) != 0;
  Outcome outcome;
  const auto prove_size = [&](int size, const ShapePtr& shape) {
    if (watched) fmt::print(stderr, "\r{} on {} ranks...\033[K", full_name(chosen), size);
    for (const ScheduleKey& key : variants(chosen, size, shape)) prove_one(key, outcome);
  };
  if (chosen.layers.empty()) {
    for (int size : task.sizes) prove_size(size, nullptr);
  } else {
    for (const ShapePtr& shape : task.shapes) prove_size(shape->ranks(), shape);
  }
  if (watched) fmt::print(stderr, "\r\033[K");
  return outcome;
}

void verify(const VerifyOptions& options) {
  const Task task = task_of(options);
  int failures = 0;
  for (const Chosen& chosen : task.chosen) {
    const Outcome outcome = prove_all(chosen, task);
    if (outcome.proofs == 0 && !chosen.layers.empty())
      throw error(TUTTI_ERROR_UNSUPPORTED, "{} {} cannot run: {}", options.collective, full_name(chosen),
                  refusal(chosen, task.shapes[0]->ranks(), false, task.shapes[0]));
    failures += outcome.failures;
    fmt::print("{:<15} {:<20} {} of {} proofs hold{}\n", options.collective, full_name(chosen),
               outcome.proofs - outcome.failures, outcome.proofs,
               outcome.staging ? "; with bounded slots some combine needs staging" : "");
    std::fflush(stdout);
  }
  if (failures > 0) throw CommandFailed(fmt::format("verify: {} proofs failed", failures));
}

}  // namespace

void add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* command = app.add_subcommand("verify", description);
  command->add_option("collective", options->collective, "allreduce, broadcast, reduce, ...")->required();
  command->add_option("-a,--algorithm", options->algorithm, "ring, knomial(k=3), ... or all (the default)");
  command->add_option("-n,--ranks", options->ranks, "A number, a list or ranges (default 1-64)");
  CLI::Option* ranks = command->get_option("--ranks");
  command
      ->add_option("--nodes", options->nodes,
                   "The ranks of each node, such as 3,1,4,2 or 8x4; a slash ends a group of "
                   "nodes: 3,1/4,2")
      ->excludes(ranks);
  command->add_option("--placement", options->placement, "How ranks are laid out over the nodes (default block)")
      ->option_text("block|cyclic|random");
  command->callback([options] { verify(*options); });
}

}  // namespace tutti
