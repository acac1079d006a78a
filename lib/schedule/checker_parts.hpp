// What the parts of the checker share: the pairing of messages, the cells of a rank's storage, the order of events.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "error.hpp"
#include "schedule/checker.hpp"
#include "schedule/export.hpp"

namespace tutti::checking {

inline bool is_receive(const Step& step) { return step.kind == StepKind::recv || step.kind == StepKind::recv_reduce; }
inline bool is_message(const Step& step) { return step.kind == StepKind::send || is_receive(step); }

// An error that names algorithm, rank, step and what the step is.
template <class... Args>
Error flaw(const Schedule& schedule, std::size_t step, fmt::format_string<Args...> format, Args&&... args) {
  return error(TUTTI_ERROR_INTERNAL, "{} on {} ranks: rank {}, step {} ({}): {}", schedule.name, schedule.size,
               schedule.rank, step, describe(schedule, step), fmt::format(format, std::forward<Args>(args)...));
}

// Indices in range, nothing written to the input, what the steps use is declared. Later parts rely on it.
void check_form(const Collective& collective, std::span<const Schedule> schedules);

// For each rank and step, the step of the peer at the other end; -1 for steps that are no messages.
using Pairs = std::vector<std::vector<std::int32_t>>;
Pairs match_messages(std::span<const Schedule> schedules);

// Numbers the storage of one rank, one cell for each place and block. In place, the input of a block that is wanted in
// the end is the cell of its output.
class Cells {
 public:
  Cells(const Collective& collective, const Schedule& schedule);
  std::size_t count() const { return count_; }
  std::size_t operator()(Place place, std::int64_t block) const {
    if (in_place_ && place.space == Space::input && wants(block)) place.space = Space::output;
    const Range& range = ranges_[index(place)];
    return range.base + static_cast<std::size_t>(block - range.begin);
  }

 private:
  struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::size_t base = 0;
  };
  static std::size_t index(Place place) {
    return place.space == Space::aside ? static_cast<std::size_t>(place.area) + 2
                                       : static_cast<std::size_t>(place.space);
  }
  bool wants(std::int64_t block) const;
  void cover(Place place, Interval interval);

  std::vector<Range> ranges_;
  std::vector<Interval> wanted_;
  bool in_place_;
  std::size_t count_ = 0;
};

// Two steps of a rank that touch one cell, one of them writing, must be ordered by waits or by the lookahead.
void check_races(const Schedule& schedule, const Cells& cells);

// Follows starts and ends of steps in one possible order.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void started(std::size_t rank, std::size_t step) = 0;
  virtual void ended(std::size_t rank, std::size_t step) = 0;
};

// Goes through all starts and ends in a topological order; throws where some can never happen. A cycle of the graph is
// the same as a run that gets stuck, because an event that can happen is never made impossible by another.
// Without `staging` a recv_reduce cannot be posted before its combine may run.
void follow_order(std::span<const Schedule> schedules, const Pairs& pairs, bool staging, Listener& listener);

// Moves symbolic values through the schedules in one order and compares the outputs with the statement. Fills depth
// and rounds of the proof.
void check_values(const Collective& collective, std::span<const Schedule> schedules, const Pairs& pairs,
                  const std::vector<Cells>& cells, Proof& proof);

}  // namespace tutti::checking
