// Hears what an algorithm says for one rank and writes it down, without building a schedule: a few nanoseconds for a
// step, where homes and hazards cost a microsecond. Two ranks that say the same, but for the names of their peers and
// a rotation of the blocks, have the same dependencies, because homes and hazards depend on nothing else. So a
// schedule is built for one of them only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "schedule/builder.hpp"

namespace tutti::simulation {

// One step as it was said. A send or receive is the `match`-th one between this rank and its peer in that direction.
struct Heard {
  StepKind kind = StepKind::send;
  std::int32_t peer = -1;
  std::int32_t match = 0;
  std::int32_t sources = 0;  // of a fold
  std::uint32_t first_interval = 0;
  std::uint32_t interval_count = 0;
};

class Listener final : public Builder {
 public:
  // The collective must outlive the listener.
  explicit Listener(const Collective& collective);

  // Forgets everything and stands for this rank.
  void turn_to(int rank);

  std::span<const Heard> steps() const { return steps_; }
  std::span<const Interval> blocks_of(const Heard& step) const {
    return {intervals_.data() + step.first_interval, step.interval_count};
  }
  // What was said, with the rank's own blocks before and after, in a form that is equal for two ranks if one's blocks
  // are the other's, rotated.
  const std::vector<std::uint64_t>& signature() const { return signature_; }
  // By how many blocks that form is rotated.
  std::int64_t rotation() const { return rotation_; }

  void send(int to, const Blocks& blocks) override;
  void send(int to, const Held& held) override;
  void recv(int source, const Blocks& blocks) override;
  void recv_reduce(int source, const Blocks& blocks, bool left) override;
  Held recv_aside(int source, const Blocks& blocks) override;
  Held here(const Blocks& blocks) override;
  void fold(std::span<const Held* const> sources, const Blocks& blocks) override;

 private:
  enum class Word : std::uint8_t { send, send_held, recv, recv_reduce, recv_aside, here, fold, before, after };

  void say(Word word, std::int32_t match = 0) {
    signature_.push_back(static_cast<std::uint64_t>(word) | static_cast<std::uint64_t>(match) << 8);
  }
  void say(const Blocks& blocks);
  void say(const Held& held);
  Held new_held(const Blocks& blocks);
  std::int32_t next_match(std::vector<std::int32_t>& counts, int peer);
  void add(Heard step, const Blocks& blocks);

  const Collective* collective_;
  std::int64_t blocks_per_rank_ = 0;
  std::int64_t rotation_ = 0;
  std::int64_t held_ = 0;  // names given so far
  std::vector<Heard> steps_;
  std::vector<Interval> intervals_;
  std::vector<std::uint64_t> signature_;
  std::vector<std::int32_t> sent_, received_;  // by peer
};

}  // namespace tutti::simulation
