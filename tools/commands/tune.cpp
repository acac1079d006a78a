// `tutti tune`: measures the collectives on this machine, or on the hosts of tools/cluster, fits the constants of the
// time model to what it found, and writes them as a tuning file.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "bootstrap/environment.hpp"
#include "error.hpp"
#include "tools/commands/commands.hpp"
#include "tools/commands/measured_files.hpp"
#include "tools/commands/schedules.hpp"
#include "topology/node/cores.hpp"

extern char** environ;

namespace tutti {
namespace {

namespace fs = std::filesystem;

constexpr const char* description =
    "Measure the collectives here, fit the constants of the time model, and write them for TUTTI_TUNING=FILE.\n"
    "Every algorithm runs with every number of ranks at five sizes, by tutti-perf: a minute or two. Under mpirun, "
    "srun\n"
    "or torchrun measure with `tutti-perf COLLECTIVE --algorithm all --json FILE` and give the files to --from.\n"
    "Examples: tutti tune --output here.toml\n"
    "          tutti tune --ranks 2,4,8 --output here.toml\n"
    "          tutti tune --from allreduce.json broadcast.json --output cluster.toml";

constexpr const char* collectives[] = {"allreduce", "broadcast", "reduce", "reduce-scatter", "allgather", "barrier"};
constexpr const char* sizes = "8,2K,32K,512K,8M";

struct TuneOptions {
  std::string output = "tuning.toml";
  std::string ranks;
  std::string transport;
  std::vector<std::string> from;
  double seconds = 0.05;
};

// A line that is written over where standard error is a terminal; nothing in a pipe.
class Progress {
 public:
  Progress() : on_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() { show(""); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text) const {
    if (on_) fmt::print(stderr, "\r\033[K{}", text);
  }

 private:
  bool on_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "tutti-tune-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw error(TUTTI_ERROR_SYSTEM, "no folder can be made at {}", name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

// Beside this command where it is installed, in the folder beside its own where it was built.
std::string perf_program() {
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  for (const fs::path& place : {here / "tutti-perf", here / "../perf/tutti-perf"})
    if (fs::exists(place)) return place.lexically_normal().string();
  throw error(TUTTI_ERROR_START, "tune: tutti-perf measures, and it is not beside {}", here.string());
}

std::string last_lines(const fs::path& file) {
  std::ifstream stream(file);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  constexpr std::size_t most = 2000;
  return text.size() > most ? "..." + text.substr(text.size() - most) : text;
}

void run(const std::vector<std::string>& words, const fs::path& output) {
  std::vector<std::string> copies = words;
  std::vector<char*> arguments;
  for (std::string& word : copies) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failure = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw error(TUTTI_ERROR_START, "tune: {} cannot be started", words.front());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw CommandFailed(fmt::format("tune: {} failed: {}", fmt::join(words, " "), last_lines(output)));
}

void add(MeasuredFile& all, MeasuredFile more, const std::string& path) {
  if (!all.calls.empty() &&
      (all.version != more.version || all.processor != more.processor || all.transport != more.transport))
    throw error(TUTTI_ERROR_ARGUMENT,
                "tune: {} was measured with Tutti {} on \"{}\" over {}, what came before it with {} on \"{}\" over {}; "
                "one file of constants holds for one machine",
                path, more.version, more.processor, more.transport, all.version, all.processor, all.transport);
  all.version = more.version;
  all.processor = more.processor;
  all.transport = more.transport;
  all.calls.insert(all.calls.end(), std::make_move_iterator(more.calls.begin()),
                   std::make_move_iterator(more.calls.end()));
}

// As many ranks as cores, and twice as many, which shows what a context switch costs; in a cluster, all of its slots.
std::vector<int> rank_counts(const TuneOptions& options) {
  if (!options.ranks.empty()) return parse_ranks(options.ranks);
  int slots = 0;
  for (const std::string& host : environment_list("TUTTI_CLUSTER_HOSTS"))
    slots += std::atoi(host.substr(std::min(host.find(':') + 1, host.size())).c_str());
  if (slots > 1) return {slots};
  const int cores = std::max(count_cores({allowed_cores()}), 2);
  return {cores, 2 * cores};
}

MeasuredFile measure(const TuneOptions& options, const Progress& progress) {
  if (environment_text("TUTTI_RANK"))
    throw error(TUTTI_ERROR_ARGUMENT,
                "tune: it starts ranks itself, and this is a rank of a job already; in such a job measure with "
                "`tutti-perf COLLECTIVE --algorithm all --json FILE` and give the files to `tutti tune --from`");
  const TemporaryFolder folder;
  const std::string perf = perf_program();
  const std::vector<int> counts = rank_counts(options);
  MeasuredFile all;
  std::size_t done = 0;
  for (const int ranks : counts)
    for (const std::string collective : collectives) {
      progress.show(fmt::format("tune: {} on {} ranks, {} of {}", collective, ranks, ++done,
                                counts.size() * std::size(collectives)));
      const std::string file = (folder / "result.json").string();
      std::vector<std::string> words{
          perf,     collective,   "-n", std::to_string(ranks), "--algorithm",
          "all",    "--launches", "1",  "--seconds",           fmt::format("{}", options.seconds),
          "--json", file};
      if (collective != std::string("barrier")) words.insert(words.end(), {"--bytes", sizes});
      if (!options.transport.empty()) words.insert(words.end(), {"--transport", options.transport});
      run(words, folder / "output");
      add(all, read_measured(file), file);
    }
  return all;
}

void write(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) throw error(TUTTI_ERROR_ARGUMENT, "tune: {} cannot be written", path);
}

void tune(const TuneOptions& options) {
  // A file that cannot be written is told before the minutes of measuring.
  if (const fs::path folder = fs::path(options.output).parent_path(); !folder.empty() && !fs::is_directory(folder))
    throw error(TUTTI_ERROR_ARGUMENT, "tune: there is no folder {} for {}", folder.string(), options.output);
  const Progress progress;
  MeasuredFile all;
  if (options.from.empty()) all = measure(options, progress);
  for (const std::string& path : options.from) add(all, read_measured(path), path);
  const Fit fit =
      fit_tuning(all.calls, [&](double share) { progress.show(fmt::format("tune: fitting, {:.0f} %", 100 * share)); });
  Tuning tuning;
  tuning.file = options.output;
  tuning.made = stamp_here(all.transport);
  if (!options.from.empty() && tuning.made.processor != all.processor)
    throw error(TUTTI_ERROR_ARGUMENT, "tune: the files were measured on \"{}\", this is \"{}\"; fit them there",
                all.processor, tuning.made.processor);
  tuning.node = fit.node;
  tuning.network = fit.network;
  tuning.corrections = fit.corrections;
  write(options.output, tuning.text());
  progress.show("");
  fmt::print(
      "{}: {} calls measured; the median error of a prediction was {:.0f} % as described, is {:.0f} % as fitted\n",
      options.output, fit.calls, 100 * fit.error_before, 100 * fit.error_after);
}

}  // namespace

void add_tune(CLI::App& app) {
  constexpr double least_seconds = 0.001, most_seconds = 60;
  auto options = std::make_shared<TuneOptions>();
  CLI::App* command = app.add_subcommand("tune", description);
  command->add_option("-o,--output", options->output, "The file to write")->capture_default_str();
  CLI::Option* ranks = command->add_option("-n,--ranks", options->ranks,
                                           "Numbers of ranks, such as 2,4,8 (default: one for each core, and two)");
  CLI::Option* transport =
      command->add_option("--transport", options->transport, "What TUTTI_TRANSPORT takes, such as ofi:tcp");
  CLI::Option* seconds = command->add_option("--seconds", options->seconds, "Limit for each algorithm at each size")
                             ->check(CLI::Range(least_seconds, most_seconds))
                             ->capture_default_str();
  command->add_option("--from", options->from, "Instead of measuring: files that tutti-perf --json wrote here")
      ->excludes(ranks)
      ->excludes(transport)
      ->excludes(seconds);
  command->callback([options] { tune(*options); });
}

}  // namespace tutti
