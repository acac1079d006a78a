// Text, DOT and GOAL; see export.hpp.
#include "schedule/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>

namespace tutti {

namespace {

std::string_view name_of(StepKind kind) {
  switch (kind) {
    case StepKind::send:
      return "send to";
    case StepKind::recv:
      return "recv from";
    case StepKind::recv_reduce:
      return "recv_reduce from";
    case StepKind::copy:
      return "copy";
    case StepKind::fold:
      return "fold";
  }
  return "?";
}

std::string name_of(Place place) {
  switch (place.space) {
    case Space::input:
      return "input";
    case Space::output:
      return "output";
    case Space::scratch:
      return "scratch";
    case Space::aside:
      return fmt::format("aside {}", place.area);
  }
  return "?";
}

std::string name_of(Interval blocks) {
  if (blocks.count() == 1) return fmt::format("{}", blocks.begin);
  return fmt::format("{}-{}", blocks.begin, blocks.end - 1);
}

// A fold of a thousand sources names the first few.
std::string sources_of(const Schedule& schedule, const Step& step, int part) {
  constexpr std::size_t shown = 8;
  const std::span<const Place> sources = schedule.sources_of(step, part);
  std::string text;
  for (std::size_t i = 0; i < sources.size() && i < shown; ++i) text += (i == 0 ? "" : " + ") + name_of(sources[i]);
  if (sources.size() > shown) text += fmt::format(" + ... ({} sources)", sources.size());
  return text;
}

std::string storage_of(const Schedule& schedule, const Step& step, int at) {
  const Part& part = schedule.parts_of(step)[static_cast<std::size_t>(at)];
  switch (step.kind) {
    case StepKind::send:
      return name_of(part.from);
    case StepKind::recv:
      return name_of(part.to);
    case StepKind::fold:
      return sources_of(schedule, step, at) + " -> " + name_of(part.to);
    case StepKind::recv_reduce:
    case StepKind::copy:
      return part.from == part.to ? name_of(part.to) : name_of(part.from) + " -> " + name_of(part.to);
  }
  return "?";
}

template <class Visit>
void each_wait(const Step& step, std::size_t at, Visit visit) {
  for (std::uint64_t left = step.waits; left != 0; left &= left - 1)
    visit(at - static_cast<std::size_t>(std::countr_zero(left)) - 1);
}

std::int64_t bytes_of(const Schedule& schedule, const Step& step, std::int64_t bytes_per_block) {
  std::int64_t blocks = 0;
  for (const Part& part : schedule.parts_of(step)) blocks += part.blocks.count();
  return blocks * (schedule.token ? 0 : bytes_per_block);
}

}  // namespace

std::string describe(const Schedule& schedule, std::size_t at) {
  const Step& step = schedule.steps[at];
  std::string text(name_of(step.kind));
  if (step.peer >= 0) text += fmt::format(" {}", step.peer);
  if (step.kind == StepKind::recv_reduce && step.left) text += " on the left";
  text += ": blocks";
  for (int i = 0; i < step.part_count; ++i)
    text += fmt::format("{} {} ({})", i == 0 ? "" : ",",
                        name_of(schedule.parts_of(step)[static_cast<std::size_t>(i)].blocks),
                        storage_of(schedule, step, i));
  return text;
}

std::string to_text(const Schedule& schedule) {
  std::string text =
      fmt::format("{}, rank {} of {}, {} block{}{}\n", schedule.name, schedule.rank, schedule.size, schedule.blocks,
                  schedule.blocks == 1 ? "" : "s", schedule.in_place ? ", in place" : "");
  for (std::size_t at = 0; at < schedule.steps.size(); ++at) {
    std::string waits;
    each_wait(schedule.steps[at], at,
              [&](std::size_t earlier) { waits += fmt::format("{} {}", waits.empty() ? "" : ",", earlier); });
    text += fmt::format("{:>4}  {}{}{}\n", at, describe(schedule, at), waits.empty() ? "" : "; after", waits);
  }
  return text;
}

std::string to_dot(std::span<const Schedule> schedules) {
  std::string text = "digraph schedule {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  auto out = std::back_inserter(text);
  for (const Schedule& schedule : schedules) {
    fmt::format_to(out, "  subgraph cluster_{0} {{\n    label=\"rank {0}\";\n", schedule.rank);
    for (std::size_t at = 0; at < schedule.steps.size(); ++at)
      fmt::format_to(out, "    r{}s{} [label=\"{} {}\"];\n", schedule.rank, at, at, describe(schedule, at));
    for (std::size_t at = 0; at < schedule.steps.size(); ++at)
      each_wait(schedule.steps[at], at, [&](std::size_t earlier) {
        fmt::format_to(out, "    r{0}s{1} -> r{0}s{2};\n", schedule.rank, earlier, at);
      });
    text += "  }\n";
  }
  for (const Schedule& sender : schedules)
    for (std::size_t at = 0; at < sender.steps.size(); ++at) {
      const Step& send = sender.steps[at];
      if (send.kind != StepKind::send) continue;
      for (const Schedule& receiver : schedules)
        for (std::size_t there = 0; receiver.rank == send.peer && there < receiver.steps.size(); ++there) {
          const Step& recv = receiver.steps[there];
          if ((recv.kind == StepKind::recv || recv.kind == StepKind::recv_reduce) && recv.peer == sender.rank &&
              recv.match == send.match)
            fmt::format_to(out, "  r{}s{} -> r{}s{} [style=dashed, color=blue];\n", sender.rank, at, receiver.rank,
                           there);
        }
    }
  return text + "}\n";
}

// LogGOPSim matches by source and tag in order of arrival, so the tag carries the turn. A recv_reduce is a receive and
// a calculation: only the latter waits for the steps before, because the receive is posted at once.
std::string to_goal(std::span<const Schedule> schedules, std::int64_t bytes_per_block) {
  std::string text = fmt::format("num_ranks {}\n", schedules.size());
  auto out = std::back_inserter(text);
  for (const Schedule& schedule : schedules) {
    fmt::format_to(out, "\nrank {} {{\n", schedule.rank);
    for (std::size_t at = 0; at < schedule.steps.size(); ++at) {
      const Step& step = schedule.steps[at];
      const std::int64_t bytes = bytes_of(schedule, step, bytes_per_block);
      if (step.kind == StepKind::send)
        fmt::format_to(out, "l{}: send {}b to {} tag {}\n", at, bytes, step.peer, step.match);
      else if (step.kind == StepKind::recv)
        fmt::format_to(out, "l{}: recv {}b from {} tag {}\n", at, bytes, step.peer, step.match);
      else if (step.kind == StepKind::recv_reduce)
        fmt::format_to(out, "l{0}r: recv {1}b from {2} tag {3}\nl{0}: calc {1}\nl{0} requires l{0}r\n", at, bytes,
                       step.peer, step.match);
      else
        fmt::format_to(out, "l{}: calc {}\n", at, bytes * std::max(1, step.source_count - 1));
      each_wait(step, at, [&](std::size_t earlier) { fmt::format_to(out, "l{} requires l{}\n", at, earlier); });
    }
    text += "}\n";
  }
  return text;
}

}  // namespace tutti
