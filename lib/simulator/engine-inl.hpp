// The members of Engine, for the modes alone; see engine.hpp.
#pragma once

#include "simulator/engine.hpp"

namespace tutti::simulation {

template <class Mode>
Engine<Mode>::Engine(const Programs& programs, const Settings& settings, Trace* trace)
    : noise_(settings.noise, programs.ranks()),
      programs_(&programs),
      strands_(programs.strands()),
      steps_(programs.steps()),
      trace_(trace),
      ranks_(static_cast<std::size_t>(programs.ranks())),
      states_(programs.strands().size()) {
  outcome_.finished_ps.resize(ranks_.size());
  if (!(settings.combine_ps_per_byte >= 0) || !(settings.copy_ps_per_byte >= 0))
    throw error(TUTTI_ERROR_ARGUMENT, "the times to combine and to copy a byte cannot be negative");
  for (const bool last : {false, true})
    for (const Size& size : programs.sizes()) {
      const std::int64_t bytes = last ? size.last : size.full;
      const auto times = [&](double factor) { return std::llround(static_cast<double>(bytes) * factor); };
      costs_.push_back(
          {bytes, times(settings.combine_ps_per_byte), times(settings.copy_ps_per_byte), bytes == 0 && !size.token});
    }
  std::int64_t arrivals = 0;
  std::uint32_t slots = 0;
  for (std::size_t at = 0; at < strands_.size(); ++at) {
    states_[at].first_arrival = arrivals;
    states_[at].first_slot = slots;
    const int in_flight = programs.shape(strands_[at].group).in_flight;
    arrivals += std::int64_t{in_flight} * programs.outline(strands_[at].outline).receives;
    slots += static_cast<std::uint32_t>(in_flight);
  }
  slots_.resize(slots);
  arrivals_.resize(static_cast<std::size_t>(arrivals));
  start(settings);
}

template <class Mode>
void Engine<Mode>::start(const Settings& settings) {
  std::vector<std::int64_t> delays(ranks_.size());
  for (const auto& [rank, delay] : settings.stragglers) {
    if (rank < 0 || static_cast<std::size_t>(rank) >= ranks_.size())
      throw error(TUTTI_ERROR_ARGUMENT, "straggler {} is not one of the {} ranks", rank, ranks_.size());
    if (delay < 0) throw error(TUTTI_ERROR_ARGUMENT, "straggler {}: the delay cannot be negative", rank);
    delays[static_cast<std::size_t>(rank)] += delay;
  }
  unfinished_ = static_cast<std::int64_t>(strands_.size());
  for (std::uint32_t at = 0; at < strands_.size(); ++at) push(delays[strands_[at].rank], begin, at);
}

template <class Mode>
Outcome Engine<Mode>::run() {
  for (;;) {
    for (Event event; queue_.take(event);) {
      fetch_ahead();
      handle(event);
    }
    if (looked_ < looks_.size()) {
      if (looked_ + 8 < looks_.size()) __builtin_prefetch(&ranks_[looks_[looked_ + 8]]);
      if (looked_ + 4 < looks_.size()) {
        const std::uint32_t place = ranks_[looks_[looked_ + 4]].waiting;
        if (place != none) __builtin_prefetch(&waiting_[place]);
      }
      look(looks_[looked_++]);
      continue;
    }
    looks_.clear();
    looked_ = 0;
    if (mode().settle()) continue;
    if (!queue_.advance()) break;
  }
  if (unfinished_ > 0)
    throw error(TUTTI_ERROR_INTERNAL, "{} of {} strands of the simulation never end: their schedules deadlock",
                unfinished_, strands_.size());
  outcome_.messages = outcome_.events / 2;
  for (std::int64_t time : outcome_.finished_ps) outcome_.time_ps = std::max(outcome_.time_ps, time);
  return std::move(outcome_);
}

// With a million ranks nearly every access misses the caches, and what comes next is known: first where a strand's data
// lie, a little later the data.
template <class Mode>
void Engine<Mode>::fetch_ahead() const {
  if (const Event* far = queue_.peek(24); far != nullptr && far->subject < states_.size()) {
    __builtin_prefetch(&states_[far->subject]);
    __builtin_prefetch(&strands_[far->subject]);
  }
  const Event* near = queue_.peek(12);
  if (near == nullptr || near->subject >= states_.size() || near->kind == wake || near->kind >= first_of_mode) return;
  const Strand& strand = strands_[near->subject];
  __builtin_prefetch(&slots_[states_[near->subject].first_slot]);
  __builtin_prefetch(&ranks_[strand.rank]);
  __builtin_prefetch(&steps_[static_cast<std::size_t>(strand.first_step) + near->step]);
  if (near->kind == begin) return;
  // Of the step itself where a message has arrived, else of a receive that may follow it.
  const std::int32_t receive = programs_->outline(strand.outline).steps[near->step].arrival;
  __builtin_prefetch(&arrivals_[static_cast<std::size_t>(states_[near->subject].first_arrival + receive)]);
}

template <class Mode>
void Engine<Mode>::handle(const Event& event) {
  switch (event.kind) {
    case wake:
      return ask_to_look(event.subject);
    case begin:
      for (int slot = 0; slot < programs_->shape(strands_[event.subject].group).in_flight; ++slot)
        begin_slot(event.subject, static_cast<std::uint32_t>(slot));
      break;
    case done:
      end_step(event.subject, event.window, event.step);
      break;
    case received:
      end_receive(event.subject, event.window, event.step);
      break;
    case parted:
      part(event.subject, event.window, event.step);
      break;
    case released:
      part(event.subject, slot_with(event.subject, event.window), event.step);
      break;
    case arrived:
      arrive(event.subject, event.step, event.window);
      break;
    default:
      return mode().handle_own(event);
  }
  ask_to_look(strands_[event.subject].rank);
}

template <class Mode>
void Engine<Mode>::open_window(std::uint32_t strand, std::uint32_t at) {
  State& state = states_[strand];
  Slot& slot = slot_of(strand, at);
  const Outline& outline = outline_of(strand);
  const std::uint32_t windows = programs_->shape(strands_[strand].group).windows;
  slot = {};
  if (outline.steps.empty()) state.next_window = windows;
  if (state.next_window == windows) {
    if (state.open > 0 || slot_with(strand, windows) != none) return;
    slot.window = windows;  // marks the strand as finished, once
    --unfinished_;
    std::int64_t& finished = outcome_.finished_ps[strands_[strand].rank];
    finished = std::max(finished, now());
    return;
  }
  slot.window = state.next_window++;
  ++state.open;
  for (std::int32_t receive = 0; receive < outline.receives; ++receive) arrival_of(strand, at, receive) = -1;
  const std::uint64_t key = std::uint64_t{strand} << 32 | slot.window;
  if (const auto early = early_.empty() ? early_.end() : early_.find(key); early != early_.end()) {
    for (const Early& message : early->second)
      arrival_of(strand, at, outline.steps[message.step].arrival) = message.time;
    early_.erase(early);
  }
  const auto reach = std::min<std::size_t>(lookahead, outline.steps.size());
  for (std::uint32_t step = 0; step < reach; ++step) try_begin(strand, at, step);
}

template <class Mode>
void Engine<Mode>::begin_slot(std::uint32_t strand, std::uint32_t at) {
  open_window(strand, at);
  if (!ending_.empty()) drain(strand, at);
}

template <class Mode>
std::uint32_t Engine<Mode>::slot_with(std::uint32_t strand, std::uint32_t window) {
  const Slot* const first = slots_.data() + states_[strand].first_slot;
  const int count = programs_->shape(strands_[strand].group).in_flight;
  for (int at = 0; at < count; ++at)
    if (first[at].window == window) return static_cast<std::uint32_t>(at);
  return none;
}

// Only called for steps within reach of the lookahead.
template <class Mode>
void Engine<Mode>::try_begin(std::uint32_t strand, std::uint32_t at, std::uint32_t index) {
  Slot& slot = slot_of(strand, at);
  const OutlineStep& step = outline_of(strand).steps[index];
  const std::uint64_t bit = std::uint64_t{1} << (index - slot.oldest);
  if ((slot.begun & bit) != 0) return;
  const std::size_t cost = cost_of(strand, index, slot.window);
  if (costs_[cost].idle) {
    slot.begun |= bit;
    ending_.push_back(index);
    return;
  }
  // A receive that combines is posted at once; only its combine waits.
  if (step.kind != StepKind::recv_reduce && !waits_over(step, slot, index)) return;
  slot.begun |= bit;
  switch (step.kind) {
    case StepKind::send:
      return wait(strand, at, index, Task::send);
    case StepKind::recv:
    case StepKind::recv_reduce:
      if (arrival_of(strand, at, step.arrival) >= 0) mode().match(strand, at, index);
      return;
    case StepKind::copy:
    case StepKind::fold:
      if (work_time(strand, at, index) == 0)
        ending_.push_back(index);
      else
        wait(strand, at, index, Task::work);
  }
}

template <class Mode>
std::int64_t Engine<Mode>::work_time(std::uint32_t strand, std::uint32_t at, std::uint32_t index) const {
  const OutlineStep& step = outline_of(strand).steps[index];
  const Slot& slot = slots_[states_[strand].first_slot + at];
  const Cost& cost = costs_[cost_of(strand, index, slot.window)];
  if (step.kind == StepKind::copy) return cost.copy;
  return step.kind == StepKind::fold ? cost.combine * std::max(1, step.sources - 1) : cost.combine;
}

template <class Mode>
void Engine<Mode>::mark_over(std::uint32_t strand, std::uint32_t at, std::uint32_t index) {
  Slot& slot = slot_of(strand, at);
  const std::vector<OutlineStep>& steps = outline_of(strand).steps;
  slot.over |= std::uint64_t{1} << (index - slot.oldest);
  for (std::uint64_t left = steps[index].wakes; left != 0; left &= left - 1) {
    const std::uint32_t later = index + 1 + static_cast<std::uint32_t>(std::countr_zero(left));
    const std::uint32_t ahead = later - slot.oldest;
    if (ahead >= lookahead) continue;
    if ((slot.begun >> ahead & 1) == 0)
      try_begin(strand, at, later);
    else if ((slot.half >> ahead & 1) != 0 && steps[later].kind == StepKind::recv_reduce &&
             waits_over(steps[later], slot, later))
      combine(strand, at, later);
  }
  const auto over = static_cast<std::uint32_t>(std::countr_one(slot.over));
  if (over == 0) return;
  const std::uint32_t reach = slot.oldest + lookahead;
  slot.oldest += over;
  const auto shifted = [&](std::uint64_t bits) { return over == 64 ? 0 : bits >> over; };
  slot.over = shifted(slot.over);
  slot.begun = shifted(slot.begun);
  slot.half = shifted(slot.half);
  for (std::uint32_t next = reach; next < slot.oldest + lookahead && next < steps.size(); ++next)
    try_begin(strand, at, next);
}

// All that ends at this instant in one slot, and what follows from it; the next window, once all steps are over.
template <class Mode>
void Engine<Mode>::drain(std::uint32_t strand, std::uint32_t at) {
  do {
    while (!ending_.empty()) {
      const std::uint32_t index = ending_.back();
      ending_.pop_back();
      mark_over(strand, at, index);
    }
    if (slot_of(strand, at).oldest < outline_of(strand).steps.size()) return;
    --states_[strand].open;
    open_window(strand, at);
  } while (!ending_.empty());
}

template <class Mode>
void Engine<Mode>::end_step(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
  ending_.push_back(step);
  drain(strand, slot);
}

template <class Mode>
void Engine<Mode>::end_receive(std::uint32_t strand, std::uint32_t at, std::uint32_t index) {
  const OutlineStep& step = outline_of(strand).steps[index];
  if (step.kind == StepKind::recv) return end_step(strand, at, index);
  Slot& slot = slot_of(strand, at);
  slot.half |= std::uint64_t{1} << (index - slot.oldest);
  if (!waits_over(step, slot, index)) return;
  combine(strand, at, index);
  drain(strand, at);
}

template <class Mode>
void Engine<Mode>::combine(std::uint32_t strand, std::uint32_t at, std::uint32_t index) {
  if (work_time(strand, at, index) == 0)
    ending_.push_back(index);
  else
    wait(strand, at, index, Task::work);
}

template <class Mode>
void Engine<Mode>::part(std::uint32_t strand, std::uint32_t at, std::uint32_t index) {
  Slot& slot = slot_of(strand, at);
  const std::uint64_t bit = std::uint64_t{1} << (index - slot.oldest);
  if ((slot.half & bit) != 0) return end_step(strand, at, index);
  slot.half |= bit;
}

template <class Mode>
void Engine<Mode>::arrive(std::uint32_t strand, std::uint32_t index, std::uint32_t window) {
  const std::uint32_t at = slot_with(strand, window);
  if (at == none) {
    early_[std::uint64_t{strand} << 32 | window].push_back({index, now()});
    return;
  }
  const Slot& slot = slot_of(strand, at);
  arrival_of(strand, at, outline_of(strand).steps[index].arrival) = now();
  const std::uint32_t ahead = index - slot.oldest;
  if (ahead < lookahead && (slot.begun >> ahead & 1) != 0) mode().match(strand, at, index);
}

template <class Mode>
void Engine<Mode>::wait(std::uint32_t strand, std::uint32_t slot, std::uint32_t step, Task task) {
  std::uint32_t place = free_waiting_;
  if (place == none) {
    place = static_cast<std::uint32_t>(waiting_.size());
    waiting_.push_back({});
  } else {
    free_waiting_ = waiting_[place].next;
  }
  const std::uint32_t rank = strands_[strand].rank;
  waiting_[place] = {now(), strand, step, ranks_[rank].waiting, static_cast<std::uint16_t>(slot), task};
  ranks_[rank].waiting = place;
}

template <class Mode>
void Engine<Mode>::ask_to_look(std::uint32_t rank) {
  if (ranks_[rank].looking || ranks_[rank].waiting == none) return;
  ranks_[rank].looking = true;
  looks_.push_back(rank);
}

template <class Mode>
std::int64_t Engine<Mode>::earliest(const Rank& rank, Task task) const {
  if (task == Task::send) return std::max(rank.processor_free, rank.send_free);
  if (task == Task::receive) return std::max(rank.processor_free, rank.receive_free);
  return rank.processor_free;
}

template <class Mode>
bool Engine<Mode>::before(const Waiting& left, std::int64_t left_time, const Waiting& right,
                          std::int64_t right_time) const {
  if (left_time != right_time) return left_time < right_time;
  if (left.ready != right.ready) return left.ready < right.ready;
  if (left.strand != right.strand) return left.strand < right.strand;
  if (left.slot != right.slot)
    return slots_[states_[left.strand].first_slot + left.slot].window <
           slots_[states_[right.strand].first_slot + right.slot].window;
  return left.step < right.step;
}

// Begins one of the things that wait for this rank's processor, if any may begin now, and sees to it that the rest is
// looked at in time.
template <class Mode>
void Engine<Mode>::look(std::uint32_t index) {
  ranks_[index].looking = false;
  for (bool taken = false;; taken = true) {
    Rank& rank = ranks_[index];
    std::uint32_t chosen = none, chosen_before = none;
    std::int64_t chosen_time = 0;
    for (std::uint32_t previous = none, at = rank.waiting; at != none; previous = at, at = waiting_[at].next) {
      const std::int64_t time = std::max(earliest(rank, waiting_[at].task), now());
      if (chosen != none && !before(waiting_[at], time, waiting_[chosen], chosen_time)) continue;
      chosen = at;
      chosen_before = previous;
      chosen_time = time;
    }
    if (chosen == none) return;
    if (chosen_time > now()) {
      if (rank.next_look > now() && rank.next_look <= chosen_time) return;
      rank.next_look = chosen_time;
      return push(chosen_time, wake, index);
    }
    if (taken) return ask_to_look(index);
    take(index, chosen_before, chosen);
  }
}

template <class Mode>
void Engine<Mode>::take(std::uint32_t rank, std::uint32_t before, std::uint32_t chosen) {
  const Waiting taken = waiting_[chosen];
  (before == none ? ranks_[rank].waiting : waiting_[before].next) = taken.next;
  waiting_[chosen].next = free_waiting_;
  free_waiting_ = chosen;
  switch (taken.task) {
    case Task::send:
      ++outcome_.events;
      outcome_.bytes += bytes_of(cost_of(taken.strand, taken.step, slot_of(taken.strand, taken.slot).window));
      return mode().start_send(taken.strand, taken.slot, taken.step);
    case Task::receive:
      ++outcome_.events;
      return mode().start_receive(taken.strand, taken.slot, taken.step);
    case Task::work:
      return work(taken.strand, taken.slot, taken.step);
  }
}

template <class Mode>
void Engine<Mode>::work(std::uint32_t strand, std::uint32_t slot, std::uint32_t step) {
  Rank& rank = rank_of(strand);
  rank.processor_free = noise_.end_of(strands_[strand].rank, now(), work_time(strand, slot, step));
  const bool copies = outline_of(strand).steps[step].kind == StepKind::copy;
  note(copies ? Activity::copy : Activity::combine, strand, slot, step, rank.processor_free);
  push_own(rank, rank.processor_free, done, strand, step, slot);
}

template <class Mode>
void Engine<Mode>::note(Activity activity, std::uint32_t strand, std::uint32_t slot, std::uint32_t step,
                        std::int64_t end) {
  if (trace_ == nullptr) return;
  const std::uint32_t window = slot_of(strand, slot).window;
  const Bound& bound = bound_of(strand, step);
  // Both ends of a message call it by its sender's step.
  const bool receives = activity == Activity::receive;
  const Strand& sender = strands_[receives ? bound.peer : strand];
  const std::uint64_t message = static_cast<std::uint64_t>(sender.first_step) + (receives ? bound.partner : step) +
                                std::uint64_t{window} * steps_.size();
  trace_->push_back({now(), end, bytes_of(cost_of(strand, step, window)), message, strands_[strand].rank,
                     strands_[bound.peer].rank, activity});
}

template <class Mode>
void Engine<Mode>::note_message(std::int64_t began, std::uint32_t strand, std::uint32_t step, std::uint32_t window) {
  if (trace_ == nullptr) return;
  const std::uint64_t message =
      static_cast<std::uint64_t>(strands_[strand].first_step) + step + std::uint64_t{window} * steps_.size();
  trace_->push_back({began, now(), bytes_of(cost_of(strand, step, window)), message, strands_[strand].rank,
                     strands_[bound_of(strand, step).peer].rank, Activity::flow});
}

}  // namespace tutti::simulation
