// Starts and ends of all steps, driven by what each of them waits for.
#include <bit>

#include "schedule/checker_parts.hpp"

namespace tutti::checking {

namespace {

class Order {
 public:
  Order(std::span<const Schedule> schedules, const Pairs& pairs, bool staging, Listener& listener)
      : schedules_(schedules), pairs_(pairs), staging_(staging), listener_(listener), ranks_(schedules.size()) {
    for (std::size_t rank = 0; rank < schedules.size(); ++rank) {
      ranks_[rank].states.resize(schedules[rank].steps.size());
      for (std::size_t at = 0; at < ranks_[rank].states.size(); ++at)
        ranks_[rank].states[at].waiting = static_cast<std::uint8_t>(std::popcount(schedules[rank].steps[at].waits));
    }
  }

  void follow() {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank)
      for (std::size_t at = 0; at < ranks_[rank].states.size() && at < lookahead; ++at) try_start(rank, at);
    while (!events_.empty()) {
      const Event event = events_.back();
      events_.pop_back();
      if (event.end)
        end(event.rank, event.step);
      else
        start(event.rank, event.step);
    }
    for (const Rank& rank : ranks_)
      if (rank.oldest < rank.states.size()) throw stuck();
  }

 private:
  enum Phase : std::uint8_t { idle, starting, started, ending, ended };
  struct State {
    Phase phase = idle;
    std::uint8_t waiting = 0;  // waits that have not ended; at most 64
  };
  struct Rank {
    std::vector<State> states;
    std::size_t oldest = 0;  // the first step that has not ended
  };
  struct Event {
    std::uint32_t rank;
    std::uint32_t step : 31;
    std::uint32_t end : 1;
  };

  const Step& step_of(std::size_t rank, std::size_t at) const { return schedules_[rank].steps[at]; }

  bool has_started(std::size_t rank, std::size_t at) const { return ranks_[rank].states[at].phase >= started; }

  void push(std::size_t rank, std::size_t at, bool is_end) {
    events_.push_back({static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(at) & 0x7fffffffU, is_end});
  }

  void try_start(std::size_t rank, std::size_t at) {
    State& state = ranks_[rank].states[at];
    const bool may_wait = staging_ && step_of(rank, at).kind == StepKind::recv_reduce;
    if (state.phase != idle || at >= ranks_[rank].oldest + lookahead || (state.waiting > 0 && !may_wait)) return;
    state.phase = starting;
    push(rank, at, false);
  }

  void try_end(std::size_t rank, std::size_t at) {
    State& state = ranks_[rank].states[at];
    if (state.phase != started || state.waiting > 0) return;
    const Step& step = step_of(rank, at);
    if (is_message(step) &&
        !has_started(static_cast<std::size_t>(step.peer), static_cast<std::size_t>(pairs_[rank][at])))
      return;
    state.phase = ending;
    push(rank, at, true);
  }

  void start(std::size_t rank, std::size_t at) {
    ranks_[rank].states[at].phase = started;
    listener_.started(rank, at);
    const Step& step = step_of(rank, at);
    if (is_message(step)) try_end(static_cast<std::size_t>(step.peer), static_cast<std::size_t>(pairs_[rank][at]));
    try_end(rank, at);
  }

  void end(std::size_t rank, std::size_t at) {
    Rank& here = ranks_[rank];
    here.states[at].phase = ended;
    listener_.ended(rank, at);
    const std::vector<Step>& steps = schedules_[rank].steps;
    for (std::size_t later = at + 1; later < steps.size() && later <= at + lookahead; ++later) {
      if ((steps[later].waits >> (later - at - 1) & 1) == 0 || --here.states[later].waiting > 0) continue;
      try_start(rank, later);
      try_end(rank, later);
    }
    const std::size_t before = here.oldest;
    while (here.oldest < steps.size() && here.states[here.oldest].phase == ended) ++here.oldest;
    for (std::size_t later = before + lookahead; later < here.oldest + lookahead && later < steps.size(); ++later)
      try_start(rank, later);
  }

  Error stuck() const {
    std::string who;
    int shown = 0;
    for (std::size_t rank = 0; rank < ranks_.size() && shown < 4; ++rank) {
      if (ranks_[rank].oldest == ranks_[rank].states.size()) continue;
      who += fmt::format("{}rank {} never ends step {} ({})", shown++ == 0 ? "" : "; ", rank, ranks_[rank].oldest,
                         describe(schedules_[rank], ranks_[rank].oldest));
    }
    return error(TUTTI_ERROR_INTERNAL, "{} on {} ranks: deadlock: {}", schedules_[0].name, schedules_.size(), who);
  }

  std::span<const Schedule> schedules_;
  const Pairs& pairs_;
  bool staging_;
  Listener& listener_;
  std::vector<Rank> ranks_;
  std::vector<Event> events_;
};

}  // namespace

void follow_order(std::span<const Schedule> schedules, const Pairs& pairs, bool staging, Listener& listener) {
  Order(schedules, pairs, staging, listener).follow();
}

}  // namespace tutti::checking
