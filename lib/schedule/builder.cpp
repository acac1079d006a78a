// Homes, hazards and last copies; see builder.hpp.
#include "schedule/builder.hpp"

#include <algorithm>

#include "error.hpp"

namespace tutti {

Builder::Builder(const Collective& collective, int rank, bool in_place, std::string name) : collective_(&collective) {
  schedule_.name = std::move(name);
  schedule_.rank = rank;
  schedule_.size = collective.size;
  schedule_.blocks = collective.blocks;
  schedule_.in_place = in_place;
  schedule_.token = collective.token;
  const Blocks after = collective.after(rank);
  wanted_.assign(after.begin(), after.end());
  std::sort(wanted_.begin(), wanted_.end(), [](Interval a, Interval b) { return a.begin < b.begin; });
  for (Interval interval : collective.before(rank))
    by_wish(interval, [&](Interval piece, bool wanted) { homes_.assign(piece, settled({Space::input, 0}, wanted)); });
}

// In place, the input of a block that is wanted in the end *is* its output.
Place Builder::settled(Place place, bool wanted) const {
  return schedule_.in_place && wanted && place.space == Space::input ? Place{Space::output, 0} : place;
}

// Cuts an interval into pieces that are wanted here in the end and pieces that are not.
template <class Visit>
void Builder::by_wish(Interval interval, Visit visit) const {
  auto next = std::upper_bound(wanted_.begin(), wanted_.end(), interval.begin,
                               [](std::int64_t at, Interval wish) { return at < wish.end; });
  std::int64_t at = interval.begin;
  for (; at < interval.end && next != wanted_.end() && next->begin < interval.end; ++next) {
    if (at < next->begin) visit(Interval{at, next->begin}, false);
    visit(Interval{std::max(at, next->begin), std::min(next->end, interval.end)}, true);
    at = std::min(next->end, interval.end);
  }
  if (at < interval.end) visit(Interval{at, interval.end}, false);
}

// Fills `from` with the homes of the blocks, cut where the home changes.
void Builder::locate(const Blocks& blocks, std::vector<Part>& parts) {
  for (Interval interval : blocks) {
    std::int64_t at = interval.begin;
    homes_.inside(interval, [&](Interval piece, Place& place) {
      if (piece.begin != at) return;
      if (parts.empty() || parts.back().from != place || parts.back().blocks.end != piece.begin)
        parts.push_back({piece, place, {}});
      else
        parts.back().blocks.end = piece.end;
      at = piece.end;
    });
    if (at != interval.end)
      throw error(TUTTI_ERROR_INTERNAL, "{}: rank {} of {} uses block {}, which it does not hold", schedule_.name,
                  schedule_.rank, schedule_.size, at);
  }
}

// A write goes to the output if the block is wanted there in the end, else to scratch.
std::vector<Part> Builder::landing(const std::vector<Part>& parts) const {
  std::vector<Part> cut;
  for (const Part& part : parts)
    by_wish(part.blocks, [&](Interval piece, bool wanted) {
      cut.push_back({piece, part.from, {wanted ? Space::output : Space::scratch, 0}});
    });
  return cut;
}

void Builder::wait_for(Step& step, std::int32_t earlier) const {
  const auto distance = static_cast<std::int64_t>(schedule_.steps.size()) - earlier;
  if (earlier >= 0 && distance >= 1 && distance <= 64) step.waits |= std::uint64_t{1} << (distance - 1);
}

void Builder::note_read(Step& step, Place place, Interval interval) {
  const auto here = static_cast<std::int32_t>(schedule_.steps.size());
  IntervalMap<Access>& map = accesses_[place];
  std::int64_t at = interval.begin;
  std::vector<Interval> gaps;
  map.inside(interval, [&](Interval piece, Access& access) {
    if (at < piece.begin) gaps.push_back({at, piece.begin});
    wait_for(step, access.writer);
    if (access.readers.empty() || access.readers.back() != here) access.readers.push_back(here);
    at = piece.end;
  });
  if (at < interval.end) gaps.push_back({at, interval.end});
  for (Interval gap : gaps) map.assign(gap, Access{-1, {here}});
}

void Builder::note_write(Step& step, Place place, Interval interval) {
  const auto here = static_cast<std::int32_t>(schedule_.steps.size());
  IntervalMap<Access>& map = accesses_[place];
  map.inside(interval, [&](Interval, Access& access) {
    wait_for(step, access.writer);
    for (std::int32_t reader : access.readers) wait_for(step, reader);
  });
  map.assign(interval, Access{here, {}});
}

void Builder::append(Step step, const std::vector<Part>& parts, std::vector<Place> sources) {
  const bool writes = step.kind != StepKind::send;
  const bool reads = step.kind != StepKind::recv && step.kind != StepKind::fold;
  for (const Part& part : parts)
    if (reads) note_read(step, part.from, part.blocks);
  for (std::size_t i = 0; i < sources.size(); ++i)
    note_read(step, sources[i], parts[i / static_cast<std::size_t>(step.source_count)].blocks);
  for (const Part& part : parts) {
    if (!writes) break;
    note_write(step, part.to, part.blocks);
    if (part.to.space == Space::scratch) schedule_.uses_scratch = true;
  }
  step.first_part = static_cast<std::int32_t>(schedule_.parts.size());
  step.part_count = static_cast<std::int32_t>(parts.size());
  step.first_source = static_cast<std::int32_t>(schedule_.sources.size());
  schedule_.parts.insert(schedule_.parts.end(), parts.begin(), parts.end());
  schedule_.sources.insert(schedule_.sources.end(), sources.begin(), sources.end());
  schedule_.steps.push_back(step);
}

void Builder::settle(const std::vector<Part>& parts) {
  for (const Part& part : parts) homes_.assign(part.blocks, part.to);
}

void Builder::send(int to, const Blocks& blocks) { send(to, here(blocks)); }

void Builder::send(int to, const Held& held) {
  append({.kind = StepKind::send, .peer = to, .match = sent_[to]++}, held.parts);
}

void Builder::recv(int source, const Blocks& blocks) {
  std::vector<Part> parts;
  for (Interval interval : blocks) parts.push_back({interval, {}, {}});
  parts = landing(parts);
  append({.kind = StepKind::recv, .peer = source, .match = received_[source]++}, parts);
  settle(parts);
}

void Builder::recv_reduce(int source, const Blocks& blocks, bool left) {
  std::vector<Part> parts;
  locate(blocks, parts);
  parts = landing(parts);
  append({.kind = StepKind::recv_reduce, .left = left, .peer = source, .match = received_[source]++}, parts);
  settle(parts);
}

Held Builder::recv_aside(int source, const Blocks& blocks) {
  const Place aside{Space::aside, ++schedule_.aside_areas};
  Held held{blocks, {}};
  for (Interval interval : blocks) held.parts.push_back({interval, {}, aside});
  append({.kind = StepKind::recv, .peer = source, .match = received_[source]++}, held.parts);
  for (Part& part : held.parts) part.from = aside;
  return held;
}

Held Builder::here(const Blocks& blocks) {
  Held held{blocks, {}};
  locate(blocks, held.parts);
  return held;
}

void Builder::fold(std::span<const Held* const> sources, const Blocks& blocks) {
  // Cut the blocks wherever any source changes its place.
  std::vector<std::int64_t> borders;
  for (const Held* held : sources)
    for (const Part& part : held->parts) borders.insert(borders.end(), {part.blocks.begin, part.blocks.end});
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  std::vector<Part> parts;
  for (Interval interval : blocks) {
    std::int64_t at = interval.begin;
    for (std::int64_t border : borders)
      if (border > at && border < interval.end) {
        parts.push_back({{at, border}, {}, {}});
        at = border;
      }
    parts.push_back({{at, interval.end}, {}, {}});
  }
  parts = landing(parts);
  std::vector<Place> places;
  for (const Part& part : parts)
    for (const Held* held : sources) {
      auto found = std::find_if(held->parts.begin(), held->parts.end(), [&](const Part& other) {
        return other.blocks.begin <= part.blocks.begin && part.blocks.end <= other.blocks.end;
      });
      if (found == held->parts.end())
        throw error(TUTTI_ERROR_INTERNAL, "{}: rank {} folds block {}, which one source does not hold", schedule_.name,
                    schedule_.rank, part.blocks.begin);
      places.push_back(found->from);
    }
  append({.kind = StepKind::fold, .source_count = static_cast<std::int32_t>(sources.size())}, parts, std::move(places));
  settle(parts);
}

Schedule Builder::finish() {
  std::vector<Part> late;
  for (Interval wish : wanted_) {
    if (schedule_.token) break;
    std::vector<Part> parts;
    locate({wish}, parts);
    for (Part part : parts)
      if (part.from.space != Space::output) late.push_back({part.blocks, part.from, {Space::output, 0}});
  }
  if (!late.empty()) append({.kind = StepKind::copy}, late);
  return std::move(schedule_);
}

}  // namespace tutti
