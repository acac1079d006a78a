// One call of tutti-perf.
#include "perf/session.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>

#include "algorithms/algorithm.hpp"
#include "error.hpp"
#include "perf/bound.hpp"
#include "perf/cluster.hpp"
#include "perf/lossy.hpp"
#include "perf/plans.hpp"
#include "perf/progress.hpp"
#include "perf/setup.hpp"
#include "perf/sizes.hpp"

namespace tutti::perf {
namespace {

// Our calls: what the scheduler chooses, one algorithm that is forced, or every one beside the choice.
std::vector<OurCall> our_calls(const Options& options) {
  if (is_lossy(options.collective)) return lossy_calls(options);
  if (options.algorithm.empty()) return {{options.collective, ""}};
  const Kind kind = parse_kind(options.collective);
  if (options.algorithm != "all") {
    find_algorithm(kind, options.algorithm.substr(0, options.algorithm.find('(')));
    return {{options.collective, options.algorithm}};
  }
  std::vector<OurCall> calls = {{options.collective, ""}};
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == kind) calls.push_back({options.collective, std::string(algorithm.name)});
  return calls;
}

struct Plans {
  std::vector<JobPlan> libraries;  // ours first
  std::vector<JobPlan> bound;      // the machine's, and the switch's where ranks share cores
};

Plans make_plans(const Options& options, const Machine& machine, const std::vector<Cell>& cells,
                 const std::optional<LaunchedRank>& launched) {
  // Room for one vector, or for what stands for it in a bound.
  const std::uint64_t longest = std::max<std::uint64_t>(cells.back().bytes, 1u << 20);
  Plans plans;
  std::vector<Peer> peers;  // all found before the first job is started
  for (const std::string& text : options.against) peers.push_back(find_peer(text));
  plans.libraries.push_back(launched ? plan_of_launched(*launched, options, machine, longest)
                                     : plan_of_tutti(options, machine, longest));
  for (const Peer& peer : peers) plans.libraries.push_back(plan_of_peer(peer, options, machine, longest));
  plans.bound.push_back(plan_of_bound(options.ranks, machine, longest));
  if (machine.more_ranks_than_cores) plans.bound.push_back(plan_of_switch(machine));
  return plans;
}

struct Jobs {
  std::vector<std::unique_ptr<Job>> libraries, bound;
};

Jobs start_jobs(const Plans& plans, const ProgressLine& progress) {
  Jobs jobs;
  for (const JobPlan& plan : plans.bound) jobs.bound.push_back(std::make_unique<Job>(plan));
  for (const JobPlan& plan : plans.libraries) {
    progress.show("starting " + plan.name);
    jobs.libraries.push_back(std::make_unique<Job>(plan));
  }
  return jobs;
}

// Empty series for every cell, to which the launches add.
std::vector<CellResult> empty_results(const Options& options, const Machine& machine, const Plans& plans,
                                      const std::vector<Cell>& cells) {
  std::vector<CellResult> results;
  for (const Cell& cell : cells) {
    CellResult result{cell, {}, {}, 0};
    for (const OurCall& call : our_calls(options)) {
      Series series;
      series.library = "tutti";
      series.collective = call.collective;
      series.algorithm = call.forced;
      series.density = call.density;
      series.bits = call.bits;
      result.libraries.push_back(series);
    }
    for (std::size_t i = 1; i < plans.libraries.size(); ++i) {
      Series series;
      series.library = plans.libraries[i].name;
      series.collective = is_lossy(options.collective) ? "allreduce" : options.collective;
      result.libraries.push_back(series);
    }
    for (const BoundPart& part : bound_parts(options, cell, machine.more_ranks_than_cores)) {
      Series series;
      series.library = "bound";
      series.part = part.part;
      series.algorithm = part.variant;
      result.parts.push_back(series);
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<Candidate> candidates_of(const Options& options, const Machine& machine, const Jobs& jobs,
                                     CellResult& cell) {
  std::vector<Candidate> candidates;
  const std::vector<OurCall> calls = our_calls(options);
  for (std::size_t i = 0; i < cell.libraries.size(); ++i) {
    Candidate candidate;
    const bool ours = i < calls.size();
    candidate.job = jobs.libraries[ours ? 0 : i - calls.size() + 1].get();
    candidate.forced = ours ? calls[i].forced : "";
    candidate.reports_choice = ours;
    candidate.series = &cell.libraries[i];
    candidates.push_back(candidate);
  }
  const std::vector<BoundPart> parts = bound_parts(options, cell.cell, machine.more_ranks_than_cores);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Candidate candidate;
    candidate.job = parts[i].part == "switch" ? jobs.bound[1].get() : jobs.bound[0].get();
    candidate.forced = parts[i].variant;
    candidate.part = parts[i].part;
    candidate.bytes = parts[i].bytes;
    candidate.series = &cell.parts[i];
    candidates.push_back(candidate);
  }
  return candidates;
}

std::string note_for(const Options& options, const std::string& library) {
  if (library == "tutti" || options.type != "bfloat16" || !reduces(options.collective)) return "";
  return "bfloat16 through a user-defined operation where this MPI has no such type";
}

void note_jobs(const Jobs& jobs, Results& results) {
  results.setup["jobs"] = nlohmann::json::array();
  for (const auto& job : jobs.libraries) {
    const PeerFacts facts{job->plan().name, job->version(), command_text(job->plan()),
                          note_for(results.options, job->plan().name)};
    results.jobs.push_back(facts);
    results.setup["jobs"].push_back(
        {{"name", facts.name}, {"version", facts.version}, {"command", facts.command}, {"note", facts.note}});
  }
}

// What a job printed is shown, never swallowed: a warning of a library belongs to its figures.
void show_output(const Jobs& jobs, const ProgressLine& progress) {
  for (const auto& job : jobs.libraries) {
    const std::string text = job->output();
    if (text.empty()) continue;
    progress.show("");
    std::cerr << job->plan().name << " printed:\n" << text << (text.ends_with('\n') ? "" : "\n");
  }
}

void write_file(const std::string& path, const std::function<void(std::ostream&)>& write) {
  if (path.empty()) return;
  std::ofstream file(path);
  write(file);
  file.flush();
  if (!file) throw error(TUTTI_ERROR_SYSTEM, "{} cannot be written", path);
}

}  // namespace

Results run_session(const Options& options, const std::optional<LaunchedRank>& launched) {
  check(options);
  const Machine machine = machine_for(options.ranks);
  const std::vector<Cell> cells = cells_of(options);
  const Plans plans = make_plans(options, machine, cells, launched);
  Results results{options, describe_setup(options, machine), {}, empty_results(options, machine, plans, cells)};
  const nlohmann::json links_before = link_counters();
  const ProgressLine progress;
  for (int launch = 0; launch < options.launches; ++launch) {
    const Jobs jobs = start_jobs(plans, progress);
    if (launch == 0) note_jobs(jobs, results);
    for (std::size_t i = 0; i < results.cells.size(); ++i) {
      CellResult& cell = results.cells[i];
      std::vector<Candidate> candidates = candidates_of(options, machine, jobs, cell);
      measure_cell(options, cell.cell, launch, candidates, [&](const std::string& text) {
        progress.show(fmt::format("launch {} of {}, {} {} ({} of {}), {}", launch + 1, options.launches,
                                  options.collective, size_text(cell.cell.bytes), i + 1, cells.size(), text));
      });
    }
    if (launch == 0) show_output(jobs, progress);
  }
  // What all libraries together sent: one after the other, so no share of it is anybody's.
  if (!links_before.empty()) results.setup["links"] = {{"before", links_before}, {"after", link_counters()}};
  for (CellResult& cell : results.cells)
    cell.bound_us = bound_us(options, machine.cores.size(), cell.libraries.front().batch, cell.parts);
  return results;
}

int publish(const Results& results) {
  for (const PeerFacts& facts : results.jobs)
    std::cout << fmt::format("{}: {}\n    {}\n{}", facts.name, facts.version, facts.command,
                             facts.note.empty() ? "" : "    " + facts.note + "\n");
  std::cout << '\n' << table_text(results) << std::flush;
  const Options& o = results.options;
  write_file(o.csv, [&](std::ostream& out) { write_csv(out, results); });
  write_file(o.json, [&](std::ostream& out) { out << to_json(results).dump(1) << '\n'; });
  write_file(o.raw, [&](std::ostream& out) { write_raw(out, results); });
  for (const CellResult& cell : results.cells)
    for (const Series& series : cell.libraries)
      // With --algorithm all, one that cannot run on so many ranks is a row that says so, not a failure.
      if (!series.correct || (!series.ran && (o.algorithm != "all" || series.chosen))) return 1;
  return 0;
}

}  // namespace tutti::perf
