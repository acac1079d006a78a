// What all ranks of a job will do, small enough for a million ranks: the steps with their dependencies once for all
// ranks that share them (an outline), and for each step of each rank 12 bytes: its peer, its size, and which step of
// the peer it meets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "scheduler/candidates.hpp"
#include "simulator/large_array.hpp"
#include "simulator/listener.hpp"

namespace tutti::simulation {

// One collective that some ranks of the job perform together, starting with all other groups of the job.
struct Group {
  ScheduleKey key;  // its position is not looked at
  std::uint64_t bytes = 0;
  std::uint64_t window_bytes = 0;  // as in Candidate; 0: the vector is not cut
  int in_flight = 1;               // windows
  // Member -> rank of the job. Members are counted from 0, whatever the root; empty: rank i is member i.
  std::vector<std::int32_t> ranks;
  int root = 0;  // a member
};

// More than this is refused, with the number: a message takes about 40 bytes while it is simulated, and 100 ns or more.
struct Limits {
  std::int64_t messages = 500'000'000;  // of all windows together
  std::int64_t steps = 400'000'000;     // of one window, of all ranks together
};

struct OutlineStep {
  std::uint64_t waits = 0;   // bit 63 - d: must wait for the step d + 1 before this one
  std::uint64_t wakes = 0;   // bit d: the step d + 1 after this one waits for it
  std::int32_t match = 0;    // see Heard
  std::int32_t arrival = 0;  // how many receives stand before it
  std::int32_t sources = 0;  // of a fold
  StepKind kind = StepKind::send;
};

struct Outline {
  std::vector<OutlineStep> steps;
  std::vector<Interval> copied;  // by the last step, where that is a copy; rotated as the signature is
  std::int32_t receives = 0;
};

inline constexpr std::uint32_t no_partner = 0xffffffffU;

struct Bound {
  std::uint32_t peer = 0;              // strand
  std::uint32_t size = 0;              // index into sizes()
  std::uint32_t partner = no_partner;  // the peer's step that this message meets
};

// Bytes of a step in every window but the last, and in the last.
struct Size {
  std::int64_t full = 0;
  std::int64_t last = 0;
  bool token = false;  // sent although it has no bytes
  bool operator==(const Size&) const = default;
};

// A member of a group: what one rank does in one collective. A rank in several groups has a strand in each.
struct Strand {
  std::int64_t first_step = 0;
  std::uint32_t outline = 0;
  std::uint32_t rank = 0;
  std::uint32_t group = 0;
};

class Programs {
 public:
  explicit Programs(int ranks, Limits limits = {}) : ranks_(ranks), limits_(limits) {}

  // Throws TUTTI_ERROR_ARGUMENT for what cannot be understood or is too large, TUTTI_ERROR_UNSUPPORTED where the
  // algorithm refuses.
  void add(const Group& group);

  int ranks() const { return ranks_; }
  std::int64_t messages() const { return messages_; }
  std::span<const Strand> strands() const { return strands_; }
  const Outline& outline(std::size_t index) const { return outlines_[index]; }
  std::size_t outlines() const { return outlines_.size(); }
  std::span<const Bound> steps_of(const Strand& strand) const {
    return {steps_.data() + strand.first_step, outlines_[strand.outline].steps.size()};
  }
  std::span<const Bound> steps() const { return steps_; }
  std::span<const Size> sizes() const { return sizes_; }

  struct Shape {
    std::uint32_t windows = 1;
    int in_flight = 1;
  };
  const Shape& shape(std::size_t group) const { return shapes_[group]; }

 private:
  struct Layout;

  void check(const Group& group) const;
  std::int64_t estimate(const Group& group, const Collective& collective, std::int64_t windows) const;
  void hear(const Group& group, const Collective& collective, const Layout& layout);
  std::uint32_t outline_of(const Listener& listener, ScheduleKey key);
  std::uint32_t build_outline(const Listener& listener, const ScheduleKey& key);
  std::uint32_t size_index(const Size& size, std::uint32_t guess);
  void meet(std::size_t first_strand);
  void bind(const Listener& listener, const Outline& outline, const Layout& layout, std::size_t base);

  int ranks_;
  Limits limits_;
  std::int64_t messages_ = 0;
  LargeArray<Strand> strands_;
  std::vector<Outline> outlines_;
  std::vector<std::vector<std::uint64_t>> signatures_;  // of the outlines of the group that is being added
  std::size_t first_outline_ = 0;                       // of that group
  std::unordered_multimap<std::uint64_t, std::uint32_t> outline_index_;
  LargeArray<Bound> steps_;
  std::vector<Size> sizes_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> size_index_;
  std::vector<Shape> shapes_;
};

}  // namespace tutti::simulation
