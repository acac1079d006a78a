// `tutti explain`: what would run a call and why, for ranks on hosts that need not be there.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/choice.hpp"
#include "scheduler/sparse_choice.hpp"
#include "scheduler/tuning.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/job.hpp"
#include "tools/commands/schedules.hpp"

namespace tutti {
namespace {

struct ExplainOptions {
  std::string collective;
  std::string bytes;
  std::string ranks;
  int ranks_per_host = 1;
  int cores_per_host = 0;  // 0: one for each rank
  std::string nodes;
  std::string placement = "block";
  std::string forced;
  std::string tuning;
  bool ordered = false;
  bool json = false;
  GridOptions job;
  std::string network;  // of a job
};

constexpr const char* description =
    "Show what would run a call and why: every candidate with its predicted time, term by term, the fastest first,\n"
    "then those that cannot run and the reason. Costs are described, or those of a tuning file; no rank is started.\n"
    "Examples: tutti explain allreduce --bytes 1M --ranks 64 --ranks-per-host 8\n"
    "          tutti explain broadcast --bytes 64K --nodes 3,1,4,2 --placement cyclic --json";

// Ranks fill the hosts one after the other; the last may have fewer.
ShapePtr shape_of(const ExplainOptions& options) {
  if (!options.nodes.empty()) return parse_nodes(options.nodes, options.placement);
  const std::vector<int> sizes = parse_ranks(options.ranks);
  if (sizes.size() != 1) throw error(TUTTI_ERROR_ARGUMENT, "explain: one number of ranks is explained at a time");
  std::vector<int> nodes(static_cast<std::size_t>(sizes[0] / options.ranks_per_host), options.ranks_per_host);
  if (sizes[0] % options.ranks_per_host != 0) nodes.push_back(sizes[0] % options.ranks_per_host);
  return placed(nodes, Placement::block);
}

Question question_of(const ExplainOptions& options) {
  if (options.ranks.empty() && options.nodes.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "explain: --ranks or --nodes is needed, such as: tutti explain allreduce --bytes 1M --ranks 64");
  Question question;
  question.kind = parse_kind(options.collective);
  if (options.bytes.empty() && question.kind != Kind::barrier)
    throw error(TUTTI_ERROR_ARGUMENT, "explain: --bytes is needed, those of the whole vector, such as --bytes 1M");
  question.count = question.kind == Kind::barrier ? 0 : parse_bytes(options.bytes);
  question.shape = shape_of(options);
  question.size = question.shape->ranks();
  question.ordered = options.ordered;
  return question;
}

Machine machine_of(const ExplainOptions& options, const Shape& shape, const Tuning* tuning) {
  const int cores = options.cores_per_host > 0 ? options.cores_per_host : shape.largest();
  Machine machine = described_machine(shape.largest(), cores);
  if (shape.groups() > 1) machine.network = described_network();
  if (tuning != nullptr) tuning->apply(machine);
  return machine;
}

nlohmann::json to_json(const Candidate& candidate) {
  nlohmann::json entry{{"name", text(candidate)}};
  if (!candidate.refused.empty()) {
    entry["refused"] = candidate.refused;
    return entry;
  }
  entry["total_ps"] = candidate.total_ps;
  entry["latency_ps"] = candidate.latency_ps;
  entry["bandwidth_ps"] = candidate.bandwidth_ps;
  entry["congestion_ps"] = candidate.congestion_ps;
  entry["combine_ps"] = candidate.combine_ps;
  entry["switches_ps"] = candidate.switches_ps;
  return entry;
}

nlohmann::json as_json(const Question& question, const Machine& machine, const Overrides& forced) {
  const Choice chosen = choose(question, machine, forced);
  nlohmann::json answer{{"collective", kind_name(question.kind)},
                        {"bytes", bytes_of(question)},
                        {"ranks", question.size},
                        {"hosts", question.shape->groups()}};
  answer["constants"] = machine.constants.empty() ? "described" : machine.constants;
  answer["chosen"] = {{"name", text(chosen)}, {"predicted_ps", chosen.predicted_ps}, {"reason", chosen.reason}};
  std::vector<Candidate> list = candidates(question, machine);
  std::stable_sort(list.begin(), list.end(), [](const Candidate& a, const Candidate& b) {
    if (a.refused.empty() != b.refused.empty()) return a.refused.empty();
    return a.refused.empty() && a.total_ps < b.total_ps;
  });
  answer["candidates"] = nlohmann::json::array();
  for (const Candidate& candidate : list) answer["candidates"].push_back(to_json(candidate));
  return answer;
}

Overrides forced_by(const ExplainOptions& options, Kind kind, const Tuning* tuning) {
  if (!options.forced.empty())
    return Overrides::parse(fmt::format("{}={}", kind_name(kind), options.forced), "--algorithm");
  if (tuning == nullptr) return {};
  std::string dense = tuning->algorithms;
  SparseOverrides::take(dense, tuning->algorithms_origin);
  return Overrides::parse(dense, tuning->algorithms_origin);
}

void show(const ExplainOptions& options) {
  if (options.job.given() && !options.tuning.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "explain: --tuning is of one collective; a job is priced on the network of --network");
  if (options.job.given()) return explain_job(options.job, options.network, options.ranks_per_host, options.json);
  if (options.collective.empty())
    throw error(TUTTI_ERROR_ARGUMENT,
                "explain: a collective is needed, such as: tutti explain allreduce --bytes 1M --ranks 64; or a job: "
                "--grid data=10,tensor=8 --axis data=allreduce:64M --network FILE");
  if (!options.network.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "explain: --network is of a job, which --grid or --job gives");
  std::optional<Tuning> file;
  if (!options.tuning.empty()) file = Tuning::parse(read_tuning_text(options.tuning), options.tuning);
  const Tuning* tuning = file ? &*file : nullptr;
  const Question question = question_of(options);
  const Machine machine = machine_of(options, *question.shape, tuning);
  const Overrides forced = forced_by(options, question.kind, tuning);
  if (options.json)
    fmt::print("{}\n", as_json(question, machine, forced).dump(2));
  else
    fmt::print("{}", explain(question, machine, forced));
}

}  // namespace

void add_explain(CLI::App& app) {
  constexpr int most_per_host = 65536;
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = app.add_subcommand("explain", description);
  command->add_option("collective", options->collective, "allreduce, broadcast, reduce, ...");
  command->add_option("-b,--bytes", options->bytes, "Bytes of the whole vector, such as 64K");
  CLI::Option* ranks = command->add_option("-n,--ranks", options->ranks, "How many ranks");
  CLI::Option* per_host =
      command->add_option("--ranks-per-host", options->ranks_per_host, "Ranks on each host (default 1)")
          ->check(CLI::Range(1, most_per_host));
  command->add_option("--cores-per-host", options->cores_per_host, "Cores of each host (default: one for each rank)")
      ->check(CLI::Range(1, most_per_host));
  command->add_option("--nodes", options->nodes, "Instead: the ranks of each host, such as 3,1,4,2 or 8x4")
      ->excludes(ranks)
      ->excludes(per_host);
  command->add_option("--placement", options->placement, "How ranks are laid out over --nodes (default block)")
      ->option_text("block|cyclic|random");
  command->add_option("-a,--algorithm", options->forced, "As if it were forced, such as lanes(outer=ring)");
  command->add_option("--tuning", options->tuning, "With the measured constants of this file, wherever it was made");
  command->add_flag("--ordered", options->ordered, "The operation does not commute");
  add_job_options(*command, options->job);
  command->add_option("--network", options->network, "File that describes the network of a job");
  command->add_flag("--json", options->json, "The same as JSON; times are whole picoseconds");
  command->callback([options] { show(*options); });
}

}  // namespace tutti
