// See job.hpp.
#include "tools/commands/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>

#include "error.hpp"
#include "nearest.hpp"
#include "scheduler/bytes.hpp"
#include "tools/commands/schedules.hpp"
#include "topology/network/toml_document.hpp"

namespace tutti {
namespace {

constexpr std::size_t most_axes = 6;
constexpr std::int64_t most_ranks = 1 << 20;

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<JobAxis> axes_of(const std::string& grid) {
  std::vector<JobAxis> axes;
  for (const std::string_view part : parts_of(grid, ',')) {
    const std::size_t equals = part.find('=');
    const std::string_view number = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    JobAxis axis;
    const auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), axis.size);
    if (equals == 0 || number.empty() || failure != std::errc() || end != number.data() + number.size() ||
        axis.size < 1)
      throw error(TUTTI_ERROR_ARGUMENT, "--grid {}: \"{}\" is no axis; right would be data=10,pipeline=10,tensor=10",
                  grid, part);
    axis.name = part.substr(0, equals);
    axes.push_back(std::move(axis));
  }
  return axes;
}

void say_axis(std::vector<JobAxis>& axes, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::vector<std::string_view> words = equals == std::string::npos
                                                  ? std::vector<std::string_view>{}
                                                  : parts_of(std::string_view(text).substr(equals + 1), ':');
  if (words.size() < 2 || words.size() > 3)
    throw error(TUTTI_ERROR_ARGUMENT,
                "--axis {}: right would be NAME=COLLECTIVE:BYTES or NAME=COLLECTIVE:BYTES:ALGORITHM, such as "
                "data=allreduce:64M",
                text);
  const std::string name = text.substr(0, equals);
  const auto found = std::find_if(axes.begin(), axes.end(), [&](const JobAxis& axis) { return axis.name == name; });
  if (found == axes.end()) {
    std::vector<std::string_view> names;
    for (const JobAxis& axis : axes) names.push_back(axis.name);
    throw error(TUTTI_ERROR_ARGUMENT, "--axis {}: \"{}\" is no axis of the grid; the nearest is {}", text, name,
                nearest_name(name, names));
  }
  if (found->kind) throw error(TUTTI_ERROR_ARGUMENT, "--axis {}: axis {} is given twice", text, name);
  found->kind = parse_kind(std::string(words[0]));
  found->bytes = parse_bytes(words[1]);
  if (words.size() == 3) found->algorithm = words[2];
}

constexpr std::array axis_keys{
    Key{"name", KeyType::text, "", "how the axis is called"},
    Key{"size", KeyType::integer, "", "ranks along it", 1, most_ranks},
    Key{"collective", KeyType::text, "nothing is said along it", "allreduce, broadcast, ..."},
    Key{"bytes", KeyType::text, "0", "of each group's whole vector: \"64M\""},
    Key{"algorithm", KeyType::text, "what the model says", "as --algorithm has it"},
};

std::vector<JobAxis> axes_of_file(const std::string& file) {
  const TomlDocument document(text_of_file(file), file);
  document.require_known(document.root(), "the file", std::array<std::string_view, 1>{"axis"});
  std::vector<JobAxis> axes;
  for (const toml::table* table : document.tables("axis", most_axes)) {
    const TableSettings settings = document.settings_of(*table, "axis", axis_keys);
    JobAxis axis;
    axis.name = settings.text("name");
    axis.size = static_cast<int>(settings.integer("size"));
    try {
      if (settings.has("collective")) axis.kind = parse_kind(settings.text("collective"));
    } catch (const Error& failure) {
      throw settings.wrong("collective", failure.what());
    }
    try {
      axis.bytes = parse_bytes(settings.text("bytes", "0"));
    } catch (const Error& failure) {
      throw settings.wrong("bytes", failure.what());
    }
    axis.algorithm = settings.text("algorithm", "");
    axes.push_back(std::move(axis));
  }
  return axes;
}

void check(const Job& job) {
  if (job.axes.empty() || job.axes.size() > most_axes)
    throw error(TUTTI_ERROR_ARGUMENT, "a job's grid has {} axes, and 1 to {} are right", job.axes.size(), most_axes);
  std::set<std::string> names;
  std::int64_t ranks = 1;
  for (const JobAxis& axis : job.axes) {
    if (!names.insert(axis.name).second)
      throw error(TUTTI_ERROR_ARGUMENT, "a job's axes have different names, and two are called {}", axis.name);
    ranks *= axis.size;
    if (ranks > most_ranks) throw error(TUTTI_ERROR_ARGUMENT, "a job has at most {} ranks", most_ranks);
  }
  if (std::none_of(job.axes.begin(), job.axes.end(), [](const JobAxis& axis) { return axis.kind.has_value(); }))
    throw error(TUTTI_ERROR_ARGUMENT,
                "nothing is said along any axis of the job; right would be --axis {}=allreduce:64M",
                job.axes.front().name);
}

}  // namespace

void add_job_options(CLI::App& command, GridOptions& options) {
  CLI::Option* grid = command.add_option(
      "--grid", options.grid, "A job in place of a collective: its axes, the last fastest: data=10,tensor=8");
  command
      .add_option("--axis", options.axes, "What is said along an axis: data=allreduce:64M, or data=allreduce:64M:ring")
      ->needs(grid);
  command.add_option("--job", options.file, "TOML file of a job")->excludes(grid);
}

int Job::ranks() const {
  int ranks = 1;
  for (const JobAxis& axis : axes) ranks *= axis.size;
  return ranks;
}

std::vector<int> Job::sizes() const {
  std::vector<int> sizes;
  for (const JobAxis& axis : axes) sizes.push_back(axis.size);
  return sizes;
}

Job read_job(const GridOptions& options) {
  Job job;
  job.axes = options.file.empty() ? axes_of(options.grid) : axes_of_file(options.file);
  for (const std::string& axis : options.axes) say_axis(job.axes, axis);
  check(job);
  return job;
}

Machine machine_of_group(const Network& network, std::int64_t overhead_ps, std::uint64_t eager_bytes) {
  Machine machine = described_machine(1, 1);
  // Windows that only keep bytes in the cache, or in a slot of shared memory, would multiply messages, and the network
  // does not feel them.
  machine.cache_bytes = std::numeric_limits<std::uint64_t>::max();
  machine.max_message = 0;
  std::vector<std::int64_t> path;
  if (network.hosts() < 2) return machine;
  network.route(0, network.hosts() - 1, 0, path);
  constexpr std::int64_t ps_1024 = 1024 * std::int64_t{1'000'000'000'000};
  for (const std::int64_t link : path) machine.network.hop_ps += network.link(link).latency_ps;
  machine.network.byte_ps_1024 = ps_1024 / network.link(path.front()).bytes_per_second;
  machine.network.message_ps = overhead_ps;
  machine.network.inline_bytes = eager_bytes;
  return machine;
}

void choose_algorithms(Job& job, const Machine& machine) {
  for (JobAxis& axis : job.axes) {
    if (!axis.kind) continue;
    const Question question{
        .kind = *axis.kind,
        .count = axis.bytes,
        .size = axis.size,
        .shape = placed(std::vector<int>(static_cast<std::size_t>(axis.size), 1), Placement::block)};
    if (axis.algorithm.empty()) {
      axis.choice = choose_whole(question, machine, {});
      continue;
    }
    const ChosenRun run = chosen_run(*axis.kind, axis.algorithm);
    if (!run.layers.empty())
      throw error(TUTTI_ERROR_ARGUMENT, "axis {}: {} is a hierarchy, and a group of a job runs one algorithm",
                  axis.name, axis.algorithm);
    const Candidate candidate = consider(question, machine, *run.algorithm, run.parameter,
                                         run.window_bytes.value_or(axis.bytes), run.in_flight.value_or(4));
    if (!candidate.refused.empty())
      throw error(TUTTI_ERROR_UNSUPPORTED, "axis {}: {} cannot run: {}", axis.name, axis.algorithm, candidate.refused);
    axis.choice.algorithm = candidate.algorithm;
    axis.choice.parameter = candidate.parameter;
    axis.choice.window_bytes = candidate.window_bytes;
    axis.choice.windows = candidate.windows;
    axis.choice.in_flight = candidate.in_flight;
    axis.choice.predicted_ps = candidate.total_ps;
  }
}

void add_groups(simulation::Programs& programs, const Job& job) {
  int stride = job.ranks();
  for (const JobAxis& axis : job.axes) {
    stride /= axis.size;
    if (!axis.kind || axis.size == 1) continue;
    simulation::Group group;
    group.key.algorithm = axis.choice.algorithm;
    group.key.parameter = axis.choice.parameter;
    group.key.size = axis.size;
    group.bytes = axis.bytes;
    group.window_bytes = axis.choice.windows > 1 ? axis.choice.window_bytes : 0;
    group.in_flight = axis.choice.in_flight;
    group.ranks.resize(static_cast<std::size_t>(axis.size));
    for (int first = 0; first < job.ranks(); ++first) {
      if (first / stride % axis.size != 0) continue;
      for (int member = 0; member < axis.size; ++member)
        group.ranks[static_cast<std::size_t>(member)] = first + member * stride;
      programs.add(group);
    }
  }
}

std::string text(const Job& job) {
  std::string sizes, names;
  for (const JobAxis& axis : job.axes) {
    sizes += fmt::format("{}{}", sizes.empty() ? "" : " x ", axis.size);
    names += (names.empty() ? "" : ", ") + axis.name;
  }
  return fmt::format("{} ranks ({})", sizes, names);
}

std::string text(const JobAxis& axis) {
  if (!axis.kind) return fmt::format("{}: nothing", axis.name);
  return fmt::format("{}: {} of {} bytes by {}", axis.name, kind_name(*axis.kind), format_bytes(axis.bytes),
                     text(axis.choice));
}

}  // namespace tutti
