// See listener.hpp.
#include "simulator/listener.hpp"

namespace tutti::simulation {

Listener::Listener(const Collective& collective)
    : Builder(0),
      collective_(&collective),
      blocks_per_rank_(collective.blocks % collective.size == 0 ? collective.blocks / collective.size : 0),
      sent_(static_cast<std::size_t>(collective.size)),
      received_(static_cast<std::size_t>(collective.size)) {
  turn_to(0);
}

void Listener::turn_to(int rank) {
  for (const Heard& step : steps_) {
    if (step.peer < 0) continue;
    sent_[static_cast<std::size_t>(step.peer)] = 0;
    received_[static_cast<std::size_t>(step.peer)] = 0;
  }
  listen_as(rank);
  rotation_ = rank * blocks_per_rank_;
  held_ = 0;
  steps_.clear();
  intervals_.clear();
  signature_.clear();
  say(Word::before);
  say(collective_->before(rank));
  say(Word::after);
  say(collective_->after(rank));
}

// Intervals on the circle of blocks, seen from the rank's own; those that touch there are one.
void Listener::say(const Blocks& blocks) {
  const std::int64_t whole = collective_->blocks;
  const std::size_t head = signature_.size();
  signature_.push_back(0);
  for (Interval interval : blocks) {
    const std::int64_t turned = interval.begin - rotation_;
    const std::int64_t begin = turned < 0 ? turned + whole : turned;
    if (signature_.size() > head + 1) {
      const auto last_begin = static_cast<std::int64_t>(signature_[signature_.size() - 2]);
      const auto last_count = static_cast<std::int64_t>(signature_.back());
      const std::int64_t last_end = last_begin + last_count;
      if ((last_end >= whole ? last_end - whole : last_end) == begin) {
        signature_.back() = static_cast<std::uint64_t>(last_count + interval.count());
        continue;
      }
    }
    signature_.push_back(static_cast<std::uint64_t>(begin));
    signature_.push_back(static_cast<std::uint64_t>(interval.count()));
  }
  // The whole circle begins anywhere.
  if (signature_.size() == head + 3 && signature_.back() == static_cast<std::uint64_t>(whole)) signature_[head + 1] = 0;
  signature_[head] = signature_.size() - head - 1;
}

void Listener::say(const Held& held) {
  for (const Part& part : held.parts) signature_.push_back(static_cast<std::uint64_t>(part.from.area));
}

// What an algorithm holds in its hand is known by a number, which travels where a place would.
Held Listener::new_held(const Blocks& blocks) {
  return {blocks, {Part{{0, 0}, {Space::aside, static_cast<std::int32_t>(++held_)}, {}}}};
}

std::int32_t Listener::next_match(std::vector<std::int32_t>& counts, int peer) {
  return counts[static_cast<std::size_t>(peer)]++;
}

void Listener::add(Heard step, const Blocks& blocks) {
  step.first_interval = static_cast<std::uint32_t>(intervals_.size());
  intervals_.insert(intervals_.end(), blocks.begin(), blocks.end());
  step.interval_count = static_cast<std::uint32_t>(intervals_.size()) - step.first_interval;
  steps_.push_back(step);
}

void Listener::send(int to, const Blocks& blocks) {
  const std::int32_t match = next_match(sent_, to);
  say(Word::send, match);
  say(blocks);
  add({StepKind::send, to, match}, blocks);
}

void Listener::send(int to, const Held& held) {
  const std::int32_t match = next_match(sent_, to);
  say(Word::send_held, match);
  say(held);
  add({StepKind::send, to, match}, held.blocks);
}

void Listener::recv(int source, const Blocks& blocks) {
  const std::int32_t match = next_match(received_, source);
  say(Word::recv, match);
  say(blocks);
  add({StepKind::recv, source, match}, blocks);
}

void Listener::recv_reduce(int source, const Blocks& blocks, bool) {
  const std::int32_t match = next_match(received_, source);
  say(Word::recv_reduce, match);
  say(blocks);
  add({StepKind::recv_reduce, source, match}, blocks);
}

Held Listener::recv_aside(int source, const Blocks& blocks) {
  const std::int32_t match = next_match(received_, source);
  say(Word::recv_aside, match);
  say(blocks);
  add({StepKind::recv, source, match}, blocks);
  return new_held(blocks);
}

Held Listener::here(const Blocks& blocks) {
  say(Word::here);
  say(blocks);
  return new_held(blocks);
}

void Listener::fold(std::span<const Held* const> sources, const Blocks& blocks) {
  say(Word::fold, static_cast<std::int32_t>(sources.size()));
  for (const Held* held : sources) say(*held);
  say(blocks);
  add({StepKind::fold, -1, 0, static_cast<std::int32_t>(sources.size())}, blocks);
}

}  // namespace tutti::simulation
