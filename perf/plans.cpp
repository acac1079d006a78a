// The jobs of a call, with their command lines. Binding is left to the drivers, so every launcher is told not to bind.
#include "perf/plans.hpp"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>

#include "error.hpp"
#include "perf/cluster.hpp"
#include "perf/files.hpp"

namespace tutti::perf {
namespace fs = std::filesystem;
namespace {

std::string fresh_socket_name() {
  static std::atomic<int> next{0};
  const std::string name = fmt::format("tutti-perf-{}-{}", getpid(), next++);
  const auto cluster = cluster_around();
  return cluster ? (cluster->folder / name).string() : name;
}

JobPlan plan_for(const std::string& name, int ranks, const Machine& machine, std::uint64_t buffer_bytes) {
  JobPlan plan;
  plan.name = name;
  plan.ranks = ranks;
  plan.more_ranks_than_cores = machine.more_ranks_than_cores;
  plan.buffer_bytes = buffer_bytes;
  plan.socket_name = fresh_socket_name();
  return plan;
}

std::vector<std::string> words_for(const fs::path& program, const JobPlan& plan, const Machine& machine) {
  return {program.string(),
          "--socket",
          plan.socket_name,
          "--cores",
          fmt::format("{}", fmt::join(machine.cores, ",")),
          "--share-cores",
          plan.more_ranks_than_cores ? "1" : "0"};
}

void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t fingerprint(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  return hash;
}

// Compiled once for each state of the sources and each version of the peer.
fs::path compile_driver(const Peer& peer, const std::string& mpiexec_version) {
  const fs::path sources = driver_sources();
  std::string identity = peer.prefix + mpiexec_version;
  const std::vector<std::string> files = {"driver.c",   "data.c",         "measure.c",
                                          "accuracy.c", "distribution.c", "library_mpi.c"};
  for (const std::string& file : files) identity += read_file(sources / file);
  for (const char* header :
       {"protocol.h", "library.h", "data.h", "measure.h", "clock.h", "accuracy.h", "distribution.h"})
    identity += read_file(sources / header);
  const fs::path program = driver_cache() / fmt::format("{}-{:016x}", peer.name, fingerprint(identity));
  if (fs::exists(program)) return program;
  const std::string unfinished = fmt::format("{}.{}", program.string(), getpid());
  std::vector<std::string> words = {peer.prefix + "/bin/mpicc", "-std=gnu11", "-O3", "-march=native", "-o", unfinished};
  for (const std::string& file : files) words.push_back((sources / file).string());
  words.push_back("-lm");
  const Printed printed = run_command(words);
  if (printed.status != 0)
    throw error(TUTTI_ERROR_START, "the driver for {} cannot be compiled: {}\n{}", peer.name, fmt::join(words, " "),
                printed.text);
  fs::rename(unfinished, program);
  return program;
}

}  // namespace

std::vector<std::string> driver_words(const std::string& library, const JobPlan& plan, const Machine& machine) {
  return words_for(driver_program(library), plan, machine);
}

std::vector<int> cores_for_ranks() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) throw error(TUTTI_ERROR_SYSTEM, "sched_getaffinity failed");
  std::map<std::string, int> threads_of_core;
  std::vector<std::pair<int, int>> order;  // (hardware thread within its core, number)
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(static_cast<std::size_t>(cpu), &set)) continue;
    std::string core = read_file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    if (core.empty()) core = std::to_string(cpu);
    order.emplace_back(threads_of_core[core]++, cpu);
  }
  std::sort(order.begin(), order.end());
  std::vector<int> cores;
  for (const auto& [thread, cpu] : order) cores.push_back(cpu);
  return cores;
}

Machine machine_for(int ranks) {
  Machine machine{cores_for_ranks(), false};
  machine.more_ranks_than_cores = static_cast<std::size_t>(ranks) > machine.cores.size();
  return machine;
}

JobPlan plan_of_tutti(const Options& options, const Machine& machine, std::uint64_t buffer_bytes) {
  JobPlan plan = plan_for("tutti", options.ranks, machine, buffer_bytes);
  if (!options.transport.empty()) plan.environment.emplace_back("TUTTI_TRANSPORT", options.transport);
  std::vector<std::string> words = {tutti_command().string(),     "run", "--bind", "none", "--no-label", "-n",
                                    std::to_string(options.ranks)};
  append(words, driver_words("tutti", plan, machine));
  plan.commands = {words};
  return plan;
}

JobPlan plan_of_bound(int ranks, const Machine& machine, std::uint64_t buffer_bytes) {
  JobPlan plan = plan_for("bound", ranks, machine, buffer_bytes);
  plan.is_bound = true;
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<std::string> words = driver_words("bound", plan, machine);
    append(words, {"--rank", std::to_string(rank), "--size", std::to_string(ranks)});
    plan.commands.push_back(words);
  }
  return plan;
}

JobPlan plan_of_switch(const Machine& machine) {
  const Machine one_core{{machine.cores.front()}, true};
  JobPlan plan = plan_of_bound(2, one_core, 0);
  plan.name = "switch";
  return plan;
}

Peer find_peer(const std::string& text) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (equals != std::string::npos) {
    const std::string prefix = text.substr(equals + 1);
    for (const char* program : {"mpicc", "mpiexec"})
      if (name.empty() || !fs::exists(fs::path(prefix) / "bin" / program))
        throw error(TUTTI_ERROR_ARGUMENT, "peer '{}': there is no {}/bin/{}; --against takes NAME=PREFIX of an MPI",
                    text, prefix, program);
    return {name, fs::absolute(prefix).string()};
  }
  bool known = false;
  for (const char* ours : {"openmpi", "mpich", "openmpi5", "mpich5"}) known |= name == ours;
  if (!known)
    throw error(
        TUTTI_ERROR_ARGUMENT,
        "peer '{}' is not one of openmpi, mpich, openmpi5, mpich5; any other MPI is given as NAME=PREFIX, where "
        "PREFIX/bin holds its mpicc and mpiexec",
        name);
  for (const fs::path& folder : peer_folders())
    if (fs::exists(folder / name / "bin/mpiexec")) return {name, fs::canonical(folder / name).string()};
  throw error(TUTTI_ERROR_ARGUMENT, "peer '{}' is not set up at {}: run tools/peers", name,
              peer_folders().front().lexically_normal().string());
}

// How a peer's launcher reaches the hosts of a cluster. Between them it finds TCP by itself: nothing else is there.
static std::vector<std::string> words_for_hosts(const Cluster& cluster, bool open_mpi, bool open_mpi_4) {
  if (!open_mpi) {
    return {"-launcher", "rsh", "-launcher-exec", cluster.agent, "-f", (cluster.folder / "hydra-hosts").string()};
  }
  const std::string hosts = (cluster.folder / "openmpi-hosts").string();
  if (open_mpi_4) return {"--mca", "plm_rsh_agent", cluster.agent, "--hostfile", hosts};
  return {"--prtemca", "plm_ssh_agent", cluster.agent, "--hostfile", hosts};
}

JobPlan plan_of_peer(const Peer& peer, const Options& options, const Machine& machine, std::uint64_t buffer_bytes) {
  JobPlan plan = plan_for(peer.name, options.ranks, machine, buffer_bytes);
  const std::string mpiexec = peer.prefix + "/bin/mpiexec";
  const std::string version = run_command({mpiexec, "--version"}).text;
  std::vector<std::string> words = {mpiexec};
  const bool open_mpi_4 = version.find("OpenRTE") != std::string::npos;
  const bool open_mpi = open_mpi_4 || version.find("Open MPI") != std::string::npos;
  if (open_mpi) {
    if (geteuid() == 0) words.push_back("--allow-run-as-root");
    append(words, {"--bind-to", "none"});
    if (machine.more_ranks_than_cores) {
      append(words, open_mpi_4 ? std::vector<std::string>{"--oversubscribe"}
                               : std::vector<std::string>{"--map-by", ":OVERSUBSCRIBE"});
      append(words, {"--mca", "mpi_yield_when_idle", "1"});
    }
  } else if (machine.more_ranks_than_cores) {
    // MPICH's ways to let other ranks run. Its plain sched_yield changes nothing with four ranks on two cores; the
    // throttled progress with a sleep does, where the version has it (5.0: 60 times faster). Versions ignore what they
    // do not know.
    for (const char* name : {"MPIR_CVAR_POLLS_BEFORE_YIELD", "MPIR_CVAR_ENABLE_HEAVY_YIELD",
                             "MPIR_CVAR_CH4_PROGRESS_THROTTLE", "MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT"})
      plan.environment.emplace_back(name, "1");
  }
  if (const auto cluster = cluster_around()) append(words, words_for_hosts(*cluster, open_mpi, open_mpi_4));
  append(words, {"-n", std::to_string(options.ranks)});
  append(words, words_for(compile_driver(peer, version), plan, machine));
  plan.commands = {words};
  return plan;
}

}  // namespace tutti::perf
