// See candidates.hpp.
#include "scheduler/candidates.hpp"

#include <algorithm>
#include <bit>

#include "error.hpp"
#include "scheduler/bytes.hpp"
#include "scheduler/model.hpp"

namespace tutti {
namespace {

// Blocks begin on cache lines, so that no two ranks write into one line.
constexpr std::int64_t line = 64;
// One window computes while others travel both ways; a fourth covers the jitter between ranks. More only fills the
// cache.
constexpr std::int64_t usual_in_flight = 4;

// What a question, an algorithm and its parameter say together, found once for all windows.
struct Plan {
  std::int64_t bytes = 0;
  std::int64_t most_window = 0;  // 0: any
  bool sliced = false;           // a window takes a slice of each rank's block
  std::int64_t blocks = 1;
  std::int64_t largest_message = 0;  // in blocks
  std::vector<Traffic> rounds;
};

std::int64_t divided_up(std::int64_t value, std::int64_t divisor) { return value / divisor + (value % divisor != 0); }

std::int64_t in_lines(std::int64_t bytes) { return scale(divided_up(bytes, line), line); }

Hierarchy hierarchy_of(const Question& question, const std::vector<Layer>& layers, const Stage& across) {
  return {layers, across, question.shape.get(), question.size};
}

// Without the rounds, which cutting does not ask for.
Plan shape_of(const Question& question, const Hierarchy& hierarchy) {
  Plan plan;
  plan.bytes = static_cast<std::int64_t>(bytes_of(question));
  plan.most_window = static_cast<std::int64_t>(question.most_window);
  plan.sliced = is_sliced(question.kind);
  plan.blocks = blocks_of(hierarchy);
  return plan;
}

Plan plan_of(const Question& question, const Hierarchy& hierarchy) {
  Plan plan = shape_of(question, hierarchy);
  plan.rounds = traffic_of(hierarchy, question.shape.get());
  plan.largest_message = largest_message(hierarchy);
  return plan;
}

// A window of less than one line per block would be cut into lines all the same: the least there is.
std::int64_t least_window_of(const Plan& plan) { return std::min(plan.bytes, scale(line, plan.blocks)); }

// See Cut: of the vector, or of each rank's block.
std::int64_t whole_of(const Plan& plan) { return plan.sliced ? divided_up(plan.bytes, plan.blocks) : plan.bytes; }
std::int64_t stride_of(const Plan& plan, std::int64_t window) {
  return std::min(whole_of(plan), in_lines(plan.sliced ? divided_up(window, plan.blocks) : window));
}

std::int64_t block_bytes(const Plan& plan, std::int64_t window) {
  const std::int64_t stride = stride_of(plan, window);
  return plan.sliced ? stride : in_lines(divided_up(stride, plan.blocks));
}

std::int64_t message_bytes(const Plan& plan, std::int64_t window) {
  return std::min(plan.bytes, scale(block_bytes(plan, window), plan.largest_message));
}

Pipeline pipeline_of(const Plan& plan, std::int64_t window, std::optional<int> in_flight) {
  const std::int64_t stride = stride_of(plan, window);
  Pipeline pipeline{plan.bytes, plan.sliced ? scale(stride, plan.blocks) : stride, 1, 1};
  if (plan.bytes > 0) pipeline.windows = divided_up(whole_of(plan), stride);
  pipeline.in_flight = std::min<std::int64_t>(in_flight.value_or(usual_in_flight), pipeline.windows);
  return pipeline;
}

// Why messages of this window cannot be sent; empty where they can.
std::string refuses_window(const Plan& plan, const Machine& machine, std::int64_t window) {
  if (window < least_window_of(plan))
    return fmt::format("window={} is too small: {} blocks of at least {} bytes each make {}",
                       format_bytes(static_cast<std::uint64_t>(window)), plan.blocks, line,
                       format_bytes(static_cast<std::uint64_t>(least_window_of(plan))));
  const auto message = static_cast<std::uint64_t>(message_bytes(plan, window));
  if (machine.max_message == 0 || message <= machine.max_message) return {};
  std::string reason =
      fmt::format("its largest message is {} with a window of {}, and the transport takes {}", format_bytes(message),
                  format_bytes(static_cast<std::uint64_t>(window)), format_bytes(machine.max_message));
  const auto most = static_cast<std::int64_t>(std::min<std::uint64_t>(machine.max_message, std::uint64_t{1} << 62));
  const std::int64_t fitting = scale(most / plan.largest_message / line * line, plan.blocks);
  if (fitting > 0)
    reason += fmt::format("; at most window={} is right", format_bytes(static_cast<std::uint64_t>(fitting)));
  return reason;
}

// Below this a window costs more to run than its overlap brings, which the model's few terms do not see.
constexpr std::int64_t least_worth = 64 * 1024;

// Windows worth a look, the largest first: the whole vector, then powers of two, then the least there is.
std::vector<std::int64_t> windows_of(const Plan& plan) {
  std::vector<std::int64_t> windows = {plan.bytes};
  const std::int64_t least = least_window_of(plan);
  if (plan.bytes > 1) {
    auto power = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(plan.bytes - 1)));
    for (; power > least; power /= 2) windows.push_back(power);
  }
  if (least < plan.bytes) windows.push_back(least);
  if (plan.most_window != 0)
    std::erase_if(windows, [&](std::int64_t window) { return window > plan.most_window && window > least; });
  return windows;
}

// Why it would round too often for a quantised sum; empty where it would not.
std::string refuses_depth(const Question& question, const Hierarchy& hierarchy) {
  if (question.most_depth == 0) return {};
  const std::int64_t depth = depth_of(hierarchy);
  if (depth <= question.most_depth) return {};
  return fmt::format("it combines {} times on the longest way and would round as often; a quantised sum takes {}",
                     depth, question.most_depth);
}

void fill(Candidate& candidate, const Plan& plan, const Machine& machine, std::int64_t window,
          const Pipeline& pipeline) {
  const std::string_view name =
      candidate.layers.empty() ? candidate.algorithm->name : form_name(candidate.layers.front().form);
  const std::int64_t factor = machine.correction_1024(candidate.algorithm->kind, name);
  const Terms terms = times(predict(plan.rounds, machine, pipeline), factor, 1024);
  candidate.window_bytes = static_cast<std::uint64_t>(window);
  candidate.windows = static_cast<std::uint64_t>(pipeline.windows);
  candidate.in_flight = static_cast<int>(pipeline.in_flight);
  candidate.latency_ps = terms.latency;
  candidate.bandwidth_ps = terms.bandwidth;
  candidate.congestion_ps = terms.congestion;
  candidate.combine_ps = terms.combine;
  candidate.switches_ps = terms.switches;
  candidate.total_ps = terms.total();
}

}  // namespace

std::uint64_t bytes_of(const Question& question) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (question.size < 1)
    throw error(TUTTI_ERROR_ARGUMENT, "{} on {} ranks: there must be at least one", kind_name(question.kind),
                question.size);
  if (question.element_bytes != 0 && question.count > most / question.element_bytes)
    throw error(TUTTI_ERROR_ARGUMENT, "{} elements of {} bytes are more than the address space holds", question.count,
                question.element_bytes);
  return question.count * question.element_bytes;
}

Cut cut(const Question& question, const Algorithm& algorithm, std::int64_t parameter, std::uint64_t window_bytes) {
  const Plan plan = shape_of(question, {{}, {&algorithm, parameter}, nullptr, question.size});
  const auto window = static_cast<std::int64_t>(std::min(window_bytes, bytes_of(question)));
  const Pipeline pipeline = pipeline_of(plan, window, 1);
  return {plan.blocks, static_cast<std::uint64_t>(block_bytes(plan, window)),
          static_cast<std::uint64_t>(stride_of(plan, window)), static_cast<std::uint64_t>(pipeline.windows)};
}

Candidate consider(const Question& question, const Machine& machine, const Algorithm& algorithm, std::int64_t parameter,
                   std::optional<std::uint64_t> window_bytes, std::optional<int> in_flight) {
  return consider(question, machine, std::vector<Layer>{}, Stage{&algorithm, parameter}, window_bytes, in_flight);
}

Candidate consider(const Question& question, const Machine& machine, const std::vector<Layer>& layers,
                   const Stage& across, std::optional<std::uint64_t> window_bytes, std::optional<int> in_flight) {
  Candidate candidate;
  candidate.algorithm = across.algorithm;
  candidate.parameter = across.parameter;
  candidate.layers = layers;
  const Hierarchy hierarchy = hierarchy_of(question, layers, across);
  candidate.refused = refuses(hierarchy, question.ordered);
  if (candidate.refused.empty()) candidate.refused = refuses_depth(question, hierarchy);
  if (!candidate.refused.empty()) return candidate;

  const Plan plan = plan_of(question, hierarchy);
  std::vector<std::int64_t> windows = windows_of(plan);
  if (window_bytes) windows = {static_cast<std::int64_t>(std::min(*window_bytes, bytes_of(question)))};
  bool found = false;
  for (const std::int64_t window : windows) {
    if (found && window < least_worth) break;
    std::string reason = refuses_window(plan, machine, window);
    if (!reason.empty()) {
      candidate.refused = std::move(reason);
      continue;
    }
    const Pipeline pipeline = pipeline_of(plan, window, in_flight);
    Candidate tried = candidate;
    fill(tried, plan, machine, window, pipeline);
    if (found && tried.total_ps >= candidate.total_ps) continue;
    candidate = std::move(tried);
    found = true;
  }
  if (found) candidate.refused.clear();
  return candidate;
}

std::vector<std::int64_t> parameters_of(const Algorithm& algorithm, int size) {
  const Parameter& parameter = algorithm.parameter;
  if (parameter.name.empty()) return {0};
  // Beyond the number of ranks nothing changes. Powers of two divide ranks evenly, one less serves counts of peers.
  std::vector<std::int64_t> values = {parameter.fallback, size, size - 1};
  for (std::int64_t power = 2; power < size; power *= 2) {
    values.push_back(power - 1);
    values.push_back(power);
  }
  std::erase_if(values, [&](std::int64_t value) { return value < parameter.least || value > parameter.most; });
  if (std::any_of(values.begin(), values.end(), [&](std::int64_t value) { return value <= size; }))
    std::erase_if(values, [&](std::int64_t value) { return value > size; });
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

std::vector<Candidate> candidates(const Question& question, const Machine& machine) {
  std::vector<Candidate> list;
  for (const Algorithm& algorithm : catalogue()) {
    if (algorithm.kind != question.kind) continue;
    for (const std::int64_t parameter : parameters_of(algorithm, question.size))
      list.push_back(consider(question, machine, algorithm, parameter));
  }
  const std::vector<Candidate> composed = all_hierarchies(question, machine);
  list.insert(list.end(), composed.begin(), composed.end());
  return list;
}

}  // namespace tutti
