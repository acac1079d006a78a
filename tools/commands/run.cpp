// `tutti run`: starts the ranks of a job on this machine, or on several hosts.
#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "bootstrap/environment.hpp"
#include "error.hpp"
#include "tools/commands/commands.hpp"
#include "tools/launcher/hosts_job.hpp"
#include "tools/launcher/job.hpp"

namespace tutti {
namespace {

struct RunOptions {
  JobOptions job;
  bool label = false;
  double grace_seconds = 5;
  std::string hosts;
  std::string agent;
  std::string address;
};

constexpr const char* description =
    "Start the ranks of a job, on this machine or on several hosts, and wait for them.\n"
    "The first rank that fails is named, the others are ended, and the exit code is 1.\n"
    "Output lines bear their rank; standard input goes to rank 0; SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2\n"
    "are passed on. Example: tutti run -n 4 ./program --its-own-option";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// Inside tools/cluster the hosts are known, unless others are named.
bool run_anywhere(const RunOptions& options) {
  const auto around = environment_text("TUTTI_CLUSTER_HOSTS");
  const bool named = !options.hosts.empty();
  if (!named && !around) return run_job(options.job);
  HostsOptions hosts;
  hosts.hosts =
      deal_ranks(named ? options.hosts : *around, options.job.ranks, named ? "--hosts" : "TUTTI_CLUSTER_HOSTS");
  hosts.agent =
      words_of(!options.agent.empty() ? options.agent : environment_text("TUTTI_CLUSTER_AGENT").value_or("ssh"));
  hosts.address = options.address;
  if (hosts.agent.empty()) throw error(TUTTI_ERROR_ARGUMENT, "run: --agent is empty; such as: --agent \"ssh -q\"");
  return run_job_on_hosts(options.job, hosts);
}

void run(const CLI::App& command, RunOptions& options) {
  auto& job = options.job;
  job.command = command.remaining();
  if (!job.command.empty() && job.command.front() == separator) job.command.erase(job.command.begin());
  std::replace(job.command.begin(), job.command.end(), std::string(separator), std::string("--"));
  if (job.command.empty())
    throw error(TUTTI_ERROR_ARGUMENT, "run: no program is named; such as: tutti run -n 4 PROGRAM ARGS...");
  if (job.command.front().starts_with("-")) {
    throw error(TUTTI_ERROR_ARGUMENT, "run: \"{}\" is not an option of `tutti run`; see tutti run --help",
                job.command.front());
  }
  const bool label_given = command.count("--label") > 0;
  job.label = label_given ? options.label : job.ranks > 1;
  job.grace = std::chrono::milliseconds(static_cast<long long>(options.grace_seconds * 1000));
  if (!run_anywhere(options)) throw CommandFailed("");  // the job has said why
}

}  // namespace

void add_run(CLI::App& app) {
  constexpr int most_ranks = 65536;
  constexpr double most_seconds = 1e6;
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand("run", description);
  command->prefix_command();
  command->add_option("-n,--ranks", options->job.ranks, "How many ranks")->required()->check(CLI::Range(1, most_ranks));
  command->add_flag("--label,!--no-label", options->label,
                    "Begin each line of output with its rank, \"[2] \" (default: when there are several ranks)");
  const std::map<std::string, Binding> bindings = {
      {"auto", Binding::automatic}, {"core", Binding::core}, {"none", Binding::none}};
  command
      ->add_option("--bind", options->job.binding,
                   "core: each rank may run on a core of its own only, rank r on the r-th that this process may use; "
                   "none: anywhere; auto "
                   "(default): core where there are enough of them. Programs with threads want none")
      ->transform(CLI::CheckedTransformer(bindings, CLI::ignore_case))
      ->option_text("auto|core|none");
  command
      ->add_option("--timeout-kill", options->grace_seconds,
                   "Seconds between SIGTERM and SIGKILL when ranks are ended (default 5)")
      ->check(CLI::Range(0.0, most_seconds));
  command->add_option("--hosts", options->hosts,
                      "Hosts, with how many ranks each may take: h1:2,h2:2; without numbers ranks are dealt evenly "
                      "(default: this machine alone)");
  command->add_option("--agent", options->agent, "What starts a command on a host, as ssh does (default ssh)");
  command->add_option("--address", options->address,
                      "Where the hosts reach this machine (default: as the routes to them say)");
  command->callback([command, options] { run(*command, *options); });
  CLI::App* part = app.add_subcommand("run-part", "The ranks of one host, for `tutti run --hosts`");
  part->group("");  // not for people
  part->callback([] {
    if (!run_part_of_job()) throw CommandFailed("");
  });
}

}  // namespace tutti
