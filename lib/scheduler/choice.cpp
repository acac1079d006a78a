// See choice.hpp.
#include "scheduler/choice.hpp"

#include <algorithm>

#include "error.hpp"
#include "scheduler/bytes.hpp"

namespace tutti {
namespace {

// The first of the fastest that can run; null where none can.
const Candidate* fastest(const std::vector<Candidate>& list) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : list)
    if (candidate.refused.empty() && (best == nullptr || candidate.total_ps < best->total_ps)) best = &candidate;
  return best;
}

Choice choice_of(const Candidate& candidate, bool forced, std::string reason) {
  return {candidate.algorithm,
          candidate.parameter,
          candidate.window_bytes,
          candidate.windows,
          candidate.in_flight,
          candidate.total_ps,
          forced,
          candidate.layers,
          std::move(reason)};
}

// With the layers of a hierarchy: window and number in flight stand behind what they are made of.
std::string setting_text(const std::vector<Layer>& layers, const Stage& across, std::uint64_t windows,
                         std::uint64_t window_bytes, int in_flight) {
  std::string text = hierarchy_name(layers, across);
  if (windows <= 1) return text;
  const bool has_settings = text.ends_with(')');
  if (has_settings) text.pop_back();
  return fmt::format("{}{}window={}, in-flight={})", text, has_settings ? ", " : "(", format_bytes(window_bytes),
                     in_flight);
}

// Why a hierarchy cannot run where no groups are to be composed; empty where they are.
std::string refuses_levels(const Question& question, const Override& entry) {
  const bool apart = question.shape != nullptr && question.shape->groups() > 1;
  const int levels = apart ? question.shape->levels() : 0;
  if (entry.layers.empty() || static_cast<std::size_t>(levels) >= entry.layers.size()) return {};
  if (levels == 0) return "it composes groups of ranks, such as nodes, and all ranks are on one node";
  return fmt::format("it composes {} levels of groups of ranks, and {} {} known here", entry.layers.size(), levels,
                     levels == 1 ? "is" : "are");
}

// What a parameter that is not given may be, for so many ranks.
std::vector<std::int64_t> parameters_for(const Override& entry, int size) {
  return entry.parameter ? std::vector{*entry.parameter} : parameters_of(*entry.algorithm, size);
}

std::vector<Candidate> forced_candidates(const Question& question, const Machine& machine, const Override& entry) {
  std::vector<Candidate> list;
  if (entry.layers.empty()) {
    for (const std::int64_t parameter : parameters_for(entry, question.size))
      list.push_back(consider(question, machine, *entry.algorithm, parameter, entry.window_bytes, entry.in_flight));
    return list;
  }
  OpenHierarchy open;
  const Shape* coarsest = question.shape.get();
  for (const ForcedLayer& layer : entry.layers) {
    if (!open.layers.empty()) coarsest = coarsest->above().get();
    open.layers.push_back({layer.form, layer.inner});
  }
  if (entry.algorithm != nullptr)
    for (const std::int64_t parameter : parameters_for(entry, coarsest->groups()))
      open.across.push_back({entry.algorithm, parameter});
  return hierarchies(question, machine, open, entry.window_bytes, entry.in_flight);
}

Choice forced_choice(const Question& question, const Machine& machine, const Override& entry) {
  std::string reason = refuses_levels(question, entry);
  std::vector<Candidate> list;
  if (reason.empty()) list = forced_candidates(question, machine, entry);
  const Candidate* best = fastest(list);
  if (best == nullptr)
    throw error(TUTTI_ERROR_UNSUPPORTED,
                "{} forces \"{}\" (column {}), which cannot run {} of {} bytes on {} ranks: {}", entry.origin,
                entry.text, entry.column, kind_name(question.kind), bytes_of(question), question.size,
                reason.empty() ? list.front().refused : reason);
  return choice_of(*best, true, fmt::format("forced by {}, column {}: {}", entry.origin, entry.column, entry.text));
}

std::string why_none(const Question& question, const std::vector<Candidate>& list) {
  std::string reasons;
  for (const Candidate& candidate : list)
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ",
                           candidate.layers.empty() ? std::string(candidate.algorithm->name) : text(candidate),
                           candidate.refused);
  return fmt::format("no algorithm can run {} of {} bytes on {} ranks: {}", kind_name(question.kind),
                     bytes_of(question), question.size, reasons);
}

Choice free_choice(const Question& question, const std::vector<Candidate>& list) {
  const Candidate* best = fastest(list);
  if (best == nullptr) throw error(TUTTI_ERROR_UNSUPPORTED, "{}", why_none(question, list));
  const auto able = std::count_if(list.begin(), list.end(), [](const Candidate& each) { return each.refused.empty(); });
  return choice_of(*best, false, fmt::format("fastest of {} candidate{}", able, able == 1 ? "" : "s"));
}

// Three significant digits, by whole numbers: "870 ns", "47.1 us", "5.08 ms".
std::string time_text(std::int64_t ps) {
  constexpr std::string_view units[] = {"ps", "ns", "us", "ms", "s"};
  std::size_t unit = 0;
  std::int64_t thousandths = 0;
  for (; ps >= 1000 && unit + 1 < std::size(units); ++unit) {
    thousandths = ps % 1000;
    ps /= 1000;
  }
  if (unit == 0 || ps >= 100) return fmt::format("{} {}", ps, units[unit]);
  if (ps >= 10) return fmt::format("{}.{} {}", ps, thousandths / 100, units[unit]);
  return fmt::format("{}.{:02} {}", ps, thousandths / 10, units[unit]);
}

std::string headline(const Question& question, const Machine& machine, const Overrides& overrides) {
  const std::string nodes =
      question.shape && question.shape->groups() > 1 ? fmt::format(" on {} nodes", question.shape->groups()) : "";
  const std::string payload = question.payload.empty() ? "" : fmt::format(" ({})", question.payload);
  const std::string call =
      fmt::format("{} of {} bytes{} on {} ranks{} ({} ranks share {} cores)", kind_name(question.kind),
                  format_bytes(bytes_of(question)), payload, question.size, nodes, machine.ranks, machine.cores);
  try {
    const Choice chosen = choose(question, machine, overrides);
    const std::string constants =
        machine.constants.empty() ? "" : fmt::format(", by the constants of {}", machine.constants);
    return fmt::format("{}: {}, predicted {}, {}{}\n", call, text(chosen), time_text(chosen.predicted_ps),
                       chosen.reason, constants);
  } catch (const Error& impossible) {
    return fmt::format("{}: error: {}\n", call, impossible.what());
  }
}

}  // namespace

Choice choose(const Question& question, const Machine& machine, const Overrides& overrides) {
  const Override* entry = overrides.find(question.kind, bytes_of(question));
  return entry != nullptr ? forced_choice(question, machine, *entry)
                          : free_choice(question, candidates(question, machine));
}

Choice choose_whole(const Question& question, const Machine& machine, const Choice& like) {
  const std::uint64_t whole = std::max<std::uint64_t>(bytes_of(question), 1);
  const bool is_alike = like.algorithm != nullptr && like.algorithm->kind == question.kind;
  std::vector<Candidate> list;
  if (is_alike) list.push_back(consider(question, machine, like.layers, {like.algorithm, like.parameter}, whole));
  if (is_alike && like.forced) return free_choice(question, list);
  for (const Algorithm& algorithm : catalogue())
    if (algorithm.kind == question.kind)
      for (const std::int64_t parameter : parameters_of(algorithm, question.size))
        list.push_back(consider(question, machine, algorithm, parameter, whole));
  return free_choice(question, list);
}

std::string text(const Choice& choice) {
  return setting_text(choice.layers, {choice.algorithm, choice.parameter}, choice.windows, choice.window_bytes,
                      choice.in_flight);
}

std::string text(const Candidate& candidate) {
  return setting_text(candidate.layers, {candidate.algorithm, candidate.parameter},
                      candidate.refused.empty() ? candidate.windows : 1, candidate.window_bytes, candidate.in_flight);
}

std::string explain(const Question& question, const Machine& machine, const Overrides& overrides) {
  std::string table = headline(question, machine, overrides);
  std::vector<Candidate> list = candidates(question, machine);
  std::stable_sort(list.begin(), list.end(), [](const Candidate& left, const Candidate& right) {
    if (left.refused.empty() != right.refused.empty()) return left.refused.empty();
    return left.refused.empty() && left.total_ps < right.total_ps;
  });
  std::size_t width = std::size("candidate") - 1;
  for (const Candidate& candidate : list) width = std::max(width, text(candidate).size());
  // Only ranks on several nodes can be in each other's way on a network.
  const bool networked = machine.network.described() && question.shape && question.shape->groups() > 1;
  const auto congestion = [&](const std::string& text) { return networked ? fmt::format("  {:>10}", text) : ""; };
  table += fmt::format("  {:<{}}  {:>8}  {:>8}  {:>9}{}  {:>8}  {:>8}\n", "candidate", width, "total", "latency",
                       "bandwidth", congestion("congestion"), "combine", "switches");
  for (const Candidate& each : list) {
    table += fmt::format("  {:<{}}  ", text(each), width);
    table += each.refused.empty() ? fmt::format("{:>8}  {:>8}  {:>9}{}  {:>8}  {:>8}\n", time_text(each.total_ps),
                                                time_text(each.latency_ps), time_text(each.bandwidth_ps),
                                                congestion(time_text(each.congestion_ps)), time_text(each.combine_ps),
                                                time_text(each.switches_ps))
                                  : fmt::format("cannot run: {}\n", each.refused);
  }
  return table;
}

}  // namespace tutti
