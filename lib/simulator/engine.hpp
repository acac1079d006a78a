// The executor of the schedules in simulated time, for both modes: which step may begin, in which order a rank's
// processor takes what is ready, what follows from an end. How long things take, a mode says (Mode, the deriving
// class).
//
// A rank has one processor. What is ready waits for it, and for the gaps that a mode keeps between messages; what can
// begin first does, of equals the one that was ready first, then the earlier in the program. At one instant all that
// ends or arrives is seen before anything begins. So the result depends on nothing but the input.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <vector>

#include "error.hpp"
#include "simulator/event_queue.hpp"
#include "simulator/programs.hpp"
#include "simulator/settings.hpp"

namespace tutti::simulation {

template <class Mode>
class Engine {
 public:
  Engine(const Programs& programs, const Settings& settings, Trace* trace);

  Outcome run();

 protected:
  enum Kind : std::uint32_t {
    begin,     // a strand starts
    wake,      // a rank looks again at what waits
    done,      // of a step that is now over; `window` is the slot
    received,  // the processor has taken a message; `window` is the slot
    parted,    // one of the two things that end a send: its processor time, its release; `window` is the slot
    released,  // the same, from the peer, which knows the window
    arrived,   // a message is there; `subject` is the receiving strand
    first_of_mode
  };
  enum class Task : std::uint16_t { send, receive, work };

  // Nobody knows time beyond this: 53 days, far from overflow.
  static constexpr std::int64_t end_of_time = std::int64_t{1} << 62;
  static constexpr std::uint32_t none = 0xffffffffU;

  // When the processor and the two sides of the network interface are free again.
  struct Rank {
    std::int64_t processor_free = 0;
    std::int64_t send_free = 0;
    std::int64_t receive_free = 0;
    std::int64_t next_look = -1;   // an event at that time will look at `waiting`, unless it is past
    std::uint32_t waiting = none;  // first of a list
    bool looking = false;          // stands in `looks_`
  };
  // A window in flight. Bits count from the oldest step that is not over.
  struct Slot {
    std::uint64_t begun = 0;
    std::uint64_t half = 0;  // a receive: arrived and not yet combined; a send: one of two ends has come
    std::uint64_t over = 0;
    std::uint32_t oldest = 0;
    std::uint32_t window = none;
  };
  struct State {
    std::int64_t first_arrival = 0;  // of slot 0, then of the others
    std::uint32_t first_slot = 0;
    std::uint32_t next_window = 0;
    std::uint32_t open = 0;  // windows
  };
  struct Waiting {
    std::int64_t ready = 0;
    std::uint32_t strand = 0;
    std::uint32_t step = 0;
    std::uint32_t next = none;
    std::uint16_t slot = 0;
    Task task = Task::send;
  };

  Mode& mode() { return static_cast<Mode&>(*this); }
  std::int64_t now() const { return queue_.now(); }
  void push(std::int64_t time, Kind kind, std::uint32_t subject, std::uint32_t step = 0, std::uint32_t window = 0) {
    if (time > end_of_time)
      throw error(TUTTI_ERROR_ARGUMENT, "the simulated time goes beyond 53 days; smaller costs would be right");
    queue_.push({time, subject, step, window, kind});
  }
  // An event of this rank itself, at which it will look at what waits.
  void push_own(Rank& rank, std::int64_t time, Kind kind, std::uint32_t subject, std::uint32_t step,
                std::uint32_t window) {
    if (rank.next_look <= now() || time < rank.next_look) rank.next_look = time;
    push(time, kind, subject, step, window);
  }

  const Strand& strand_of(std::uint32_t strand) const { return strands_[strand]; }
  Rank& rank_of(std::uint32_t strand) { return ranks_[strands_[strand].rank]; }
  const Outline& outline_of(std::uint32_t strand) const { return programs_->outline(strands_[strand].outline); }
  const Bound& bound_of(std::uint32_t strand, std::uint32_t step) const {
    return steps_[static_cast<std::size_t>(strands_[strand].first_step) + step];
  }
  Slot& slot_of(std::uint32_t strand, std::uint32_t slot) { return slots_[states_[strand].first_slot + slot]; }
  // The slot in which a window is open; none where it is not open.
  std::uint32_t slot_with(std::uint32_t strand, std::uint32_t window);
  // Index into the costs of a step: sizes of the last window stand behind those of the others.
  std::size_t cost_of(std::uint32_t strand, std::uint32_t step, std::uint32_t window) const {
    const bool last = window + 1 == programs_->shape(strands_[strand].group).windows;
    return bound_of(strand, step).size + (last ? programs_->sizes().size() : 0);
  }
  std::int64_t bytes_of(std::size_t cost) const { return costs_[cost].bytes; }
  std::size_t costs() const { return costs_.size(); }

  void wait(std::uint32_t strand, std::uint32_t slot, std::uint32_t step, Task task);
  void ask_to_look(std::uint32_t rank);
  void end_step(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void end_receive(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void note(Activity activity, std::uint32_t strand, std::uint32_t slot, std::uint32_t step, std::int64_t end);
  // A message that was on its way since `began` and ends now, by its sender's step.
  void note_message(std::int64_t began, std::uint32_t strand, std::uint32_t step, std::uint32_t window);

  const Noise noise_;
  Outcome outcome_;

 private:
  struct Cost {
    std::int64_t bytes = 0;
    std::int64_t combine = 0;
    std::int64_t copy = 0;
    bool idle = false;
  };
  struct Early {
    std::uint32_t step = 0;
    std::int64_t time = 0;
  };

  void fetch_ahead() const;
  void handle(const Event& event);
  void start(const Settings& settings);
  void begin_slot(std::uint32_t strand, std::uint32_t slot);
  void open_window(std::uint32_t strand, std::uint32_t slot);
  void try_begin(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void mark_over(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void drain(std::uint32_t strand, std::uint32_t slot);
  void arrive(std::uint32_t strand, std::uint32_t step, std::uint32_t window);
  void part(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void combine(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  void look(std::uint32_t rank);
  void take(std::uint32_t rank, std::uint32_t before, std::uint32_t chosen);
  void work(std::uint32_t strand, std::uint32_t slot, std::uint32_t step);
  std::int64_t work_time(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) const;
  std::int64_t earliest(const Rank& rank, Task task) const;
  bool before(const Waiting& left, std::int64_t left_time, const Waiting& right, std::int64_t right_time) const;
  bool waits_over(const OutlineStep& step, const Slot& slot, std::uint32_t index) const {
    const std::uint32_t ahead = index - slot.oldest;
    return ahead == 0 || (step.waits >> (64 - ahead) & ~slot.over) == 0;
  }
  std::int64_t& arrival_of(std::uint32_t strand, std::uint32_t slot, std::int32_t receive) {
    const State& state = states_[strand];
    return arrivals_[static_cast<std::size_t>(state.first_arrival + std::int64_t{slot} * outline_of(strand).receives +
                                              receive)];
  }

  const Programs* programs_;
  std::span<const Strand> strands_;
  std::span<const Bound> steps_;
  Trace* trace_;
  EventQueue queue_;
  std::vector<Cost> costs_;  // by size: in full windows, then in last ones
  LargeArray<Rank> ranks_;
  LargeArray<State> states_;  // by strand
  LargeArray<Slot> slots_;
  LargeArray<std::int64_t> arrivals_;  // -1: not yet
  LargeArray<Waiting> waiting_;
  std::uint32_t free_waiting_ = none;
  LargeArray<std::uint32_t> looks_;  // ranks that may begin something at this instant, in order
  std::size_t looked_ = 0;
  std::vector<std::uint32_t> ending_;                            // steps of one slot that end at this instant
  std::unordered_map<std::uint64_t, std::vector<Early>> early_;  // messages of windows that are not open
  std::int64_t unfinished_ = 0;                                  // strands
};

}  // namespace tutti::simulation
