// See job_record.hpp.
#include "runtime/job_record.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "error.hpp"
#include "topology/node/cores.hpp"

namespace tutti {

namespace {

Error unreadable(std::string_view what) {
  return error(TUTTI_ERROR_START, "the store's record of {} cannot be understood: another version, or another job?",
               what);
}

}  // namespace

std::vector<int> JobRecord::members(int node) const {
  std::vector<int> ranks;
  for (std::size_t rank = 0; rank < nodes.size(); ++rank)
    if (nodes[rank] == node) ranks.push_back(static_cast<int>(rank));
  return ranks;
}

// "ranks 0*4 1*4 ...", "cores 16", then a line for each node; after "tuning NAME" to the end that file's text.
std::string JobRecord::text() const {
  std::string text = "ranks";
  for (std::size_t begin = 0; begin < nodes.size();) {
    std::size_t end = begin;
    while (end < nodes.size() && nodes[end] == nodes[begin]) ++end;
    text += fmt::format(" {}*{}", nodes[begin], end - begin);
    begin = end;
  }
  text += fmt::format("\ncores {}\n", cores);
  for (const NodeFacts& node : facts) text += fmt::format("node {:d} {:d} {}\n", node.shm, node.crowded, node.host);
  if (!tuning_file.empty()) text += fmt::format("tuning {}\n{}", tuning_file, tuning);
  return text;
}

JobRecord JobRecord::parse(std::string_view text, int size) {
  JobRecord record;
  std::istringstream lines{std::string(text)};
  std::string line, word;
  std::getline(lines, line);
  std::istringstream runs(line);
  runs >> word;
  if (word != "ranks") throw unreadable("the job");
  int node = 0, count = 0;
  for (char star = 0; runs >> node >> star >> count;) {
    if (star != '*' || node < 0 || node >= size || count < 1 || count > size) throw unreadable("the job");
    record.nodes.insert(record.nodes.end(), static_cast<std::size_t>(count), node);
    if (record.nodes.size() > static_cast<std::size_t>(size)) throw unreadable("the job");
  }
  lines >> word >> record.cores;
  std::getline(lines, line);
  constexpr std::string_view tuning_follows = "tuning ";
  while (std::getline(lines, line)) {
    if (line.starts_with(tuning_follows)) {
      record.tuning_file = line.substr(tuning_follows.size());
      record.tuning.assign(std::istreambuf_iterator<char>(lines), {});
      break;
    }
    std::istringstream words(line);
    NodeFacts facts;
    words >> word >> facts.shm >> facts.crowded >> facts.host;
    if (!words || word != "node") throw unreadable("the job");
    record.facts.push_back(std::move(facts));
  }
  const bool whole =
      record.nodes.size() == static_cast<std::size_t>(size) && !record.facts.empty() &&
      *std::max_element(record.nodes.begin(), record.nodes.end()) < static_cast<int>(record.facts.size());
  if (!whole) throw unreadable("the job");
  return record;
}

std::string RankFacts::text() const {
  std::string text =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{:d}\n{} {}", version, host, node, machine, cores, shm, process, port);
  for (const std::string& each : hosts) text += " " + each;
  return text;
}

RankFacts RankFacts::parse(std::string_view text, int rank) {
  RankFacts facts;
  std::istringstream lines{std::string(text)};
  std::string shm;
  for (std::string* field : {&facts.version, &facts.host, &facts.node, &facts.machine, &facts.cores, &shm})
    if (!std::getline(lines, *field)) throw unreadable(fmt::format("rank {}", rank));
  facts.shm = shm == "1";
  lines >> facts.process >> facts.port;
  for (std::string each; lines >> each;) facts.hosts.push_back(each);
  return facts;
}

JobRecord make_record(const std::vector<RankFacts>& facts) {
  struct Machine {
    int ranks = 0;
    std::vector<std::string> cores;
  };
  JobRecord record;
  std::map<std::string, int> numbers;
  std::map<std::string, Machine> machines;
  for (std::size_t rank = 0; rank < facts.size(); ++rank) {
    const RankFacts& own = facts[rank];
    if (own.version != facts[0].version)
      throw error(TUTTI_ERROR_START, "rank {} on {} runs Tutti {}, rank 0 on {} runs {}; all ranks need one version",
                  rank, own.host, own.version, facts[0].host, facts[0].version);
    const auto [found, is_new] = numbers.try_emplace(own.node, static_cast<int>(numbers.size()));
    if (is_new) record.facts.push_back({true, false, own.host});
    NodeFacts& node = record.facts[static_cast<std::size_t>(found->second)];
    node.shm = node.shm && own.shm;
    record.nodes.push_back(found->second);
    Machine& machine = machines[own.machine];
    ++machine.ranks;
    machine.cores.push_back(own.cores);
  }
  record.cores = 0;
  std::map<std::string, bool> crowded;
  for (const auto& [name, machine] : machines) {
    const int cores = std::max(count_cores(machine.cores), 1);
    record.cores += cores;
    crowded[name] = machine.ranks > cores;
  }
  for (std::size_t rank = 0; rank < facts.size(); ++rank)
    record.facts[static_cast<std::size_t>(record.nodes[rank])].crowded = crowded[facts[rank].machine];
  return record;
}

}  // namespace tutti
