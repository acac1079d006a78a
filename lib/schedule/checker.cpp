// The order of the proof, and the form that its parts rely on; see checker.hpp.
#include "schedule/checker.hpp"

#include <algorithm>

#include "schedule/checker_parts.hpp"

namespace tutti {

namespace checking {

namespace {

void check_place(const Schedule& schedule, std::size_t step, Place place) {
  const bool aside = place.space == Space::aside;
  if (place.area < (aside ? 1 : 0) || place.area > (aside ? schedule.aside_areas : 0))
    throw flaw(schedule, step, "there is no area {}", place.area);
  if (place.space == Space::scratch && !schedule.uses_scratch)
    throw flaw(schedule, step, "the schedule says that it uses no scratch");
}

void check_step(const Schedule& schedule, std::size_t at) {
  const Step& step = schedule.steps[at];
  if (is_message(step) && (step.peer < 0 || step.peer >= schedule.size || step.peer == schedule.rank))
    throw flaw(schedule, at, "the peer is not another of the {} ranks", schedule.size);
  if (at < 64 && step.waits >> at != 0) throw flaw(schedule, at, "it waits for a step before the first");
  for (const Part& part : schedule.parts_of(step)) {
    if (part.blocks.begin < 0 || part.blocks.end > schedule.blocks || part.blocks.count() <= 0)
      throw flaw(schedule, at, "there are no blocks {} to {}", part.blocks.begin, part.blocks.end - 1);
    if (step.kind != StepKind::recv && step.kind != StepKind::fold) check_place(schedule, at, part.from);
    if (step.kind == StepKind::send) continue;
    check_place(schedule, at, part.to);
    if (part.to.space == Space::input) throw flaw(schedule, at, "it writes to the input");
  }
  if (step.kind != StepKind::fold) return;
  for (int part = 0; part < step.part_count; ++part)
    for (Place place : schedule.sources_of(step, part)) check_place(schedule, at, place);
}

// Steps own consecutive runs of the part and source lists.
void check_lists(const Schedule& schedule, std::size_t at) {
  const Step& step = schedule.steps[at];
  const auto inside = [](std::int64_t first, std::int64_t count, std::size_t size) {
    return first >= 0 && count >= 0 && first + count <= static_cast<std::int64_t>(size);
  };
  const std::int64_t sources = std::int64_t{step.source_count} * step.part_count;
  if (!inside(step.first_part, step.part_count, schedule.parts.size()) || step.part_count == 0)
    throw error(TUTTI_ERROR_INTERNAL, "{}: rank {}, step {}: no parts", schedule.name, schedule.rank, at);
  if (!inside(step.first_source, sources, schedule.sources.size()) ||
      (step.kind == StepKind::fold) != (step.source_count > 0))
    throw error(TUTTI_ERROR_INTERNAL, "{}: rank {}, step {}: no sources", schedule.name, schedule.rank, at);
}

}  // namespace

void check_form(const Collective& collective, std::span<const Schedule> schedules) {
  if (schedules.size() != static_cast<std::size_t>(collective.size))
    throw error(TUTTI_ERROR_INTERNAL, "{} of {} ranks, and {} schedules", collective.name, collective.size,
                schedules.size());
  for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
    const Schedule& schedule = schedules[rank];
    if (schedule.rank != static_cast<int>(rank) || schedule.size != collective.size ||
        schedule.blocks != collective.blocks || schedule.token != collective.token ||
        schedule.in_place != schedules[0].in_place)
      throw error(TUTTI_ERROR_INTERNAL, "{}: the schedule at place {} is of rank {}, or of another collective",
                  schedule.name, rank, schedule.rank);
    for (std::size_t at = 0; at < schedule.steps.size(); ++at) {
      check_lists(schedule, at);
      check_step(schedule, at);
    }
  }
}

Cells::Cells(const Collective& collective, const Schedule& schedule)
    : ranges_(static_cast<std::size_t>(schedule.aside_areas) + 3), in_place_(schedule.in_place) {
  const Blocks after = collective.after(schedule.rank);
  wanted_.assign(after.begin(), after.end());
  std::sort(wanted_.begin(), wanted_.end(), [](Interval a, Interval b) { return a.begin < b.begin; });
  for (Interval interval : collective.before(schedule.rank)) cover({Space::input, 0}, interval);
  for (Interval interval : wanted_) cover({Space::output, 0}, interval);
  for (const Step& step : schedule.steps) {
    for (int i = 0; i < step.part_count; ++i) {
      const Part& part = schedule.parts_of(step)[static_cast<std::size_t>(i)];
      if (step.kind != StepKind::recv && step.kind != StepKind::fold) cover(part.from, part.blocks);
      if (step.kind != StepKind::send) cover(part.to, part.blocks);
      if (step.kind == StepKind::fold)
        for (Place place : schedule.sources_of(step, i)) cover(place, part.blocks);
    }
  }
  for (Range& range : ranges_) {
    range.base = count_;
    count_ += static_cast<std::size_t>(range.end - range.begin);
  }
}

void Cells::cover(Place place, Interval interval) {
  Range& range = ranges_[index(place)];
  if (range.begin == range.end)
    range = {interval.begin, interval.end, 0};
  else
    range = {std::min(range.begin, interval.begin), std::max(range.end, interval.end), 0};
}

bool Cells::wants(std::int64_t block) const {
  auto next = std::upper_bound(wanted_.begin(), wanted_.end(), block,
                               [](std::int64_t at, Interval wish) { return at < wish.end; });
  return next != wanted_.end() && next->begin <= block;
}

}  // namespace checking

namespace {

class Nobody : public checking::Listener {
 public:
  void started(std::size_t, std::size_t) override {}
  void ended(std::size_t, std::size_t) override {}
};

}  // namespace

Proof prove(const Collective& collective, std::span<const Schedule> schedules) {
  using namespace checking;
  check_form(collective, schedules);
  const Pairs pairs = match_messages(schedules);
  std::vector<Cells> cells;
  cells.reserve(schedules.size());
  for (const Schedule& schedule : schedules) {
    cells.emplace_back(collective, schedule);
    check_races(schedule, cells.back());
  }
  Proof proof;
  check_values(collective, schedules, pairs, cells, proof);
  try {
    Nobody nobody;
    follow_order(schedules, pairs, false, nobody);
  } catch (const Error&) {
    proof.needs_staging = true;
  }
  return proof;
}

}  // namespace tutti
