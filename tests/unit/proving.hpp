// Builds the schedules of all ranks, for the tests that prove them.
#pragma once

#include <functional>
#include <vector>

#include "algorithms/algorithm.hpp"
#include "schedule/checker.hpp"

namespace tutti::testing {

// `key.position` is ignored.
inline std::vector<Schedule> all_ranks(ScheduleKey key) {
  std::vector<Schedule> schedules;
  schedules.reserve(static_cast<std::size_t>(key.size));
  for (key.position = 0; key.position < key.size; ++key.position) schedules.push_back(build_schedule(key));
  return schedules;
}

inline Proof prove_key(const ScheduleKey& key) { return prove(collective_of(key), all_ranks(key)); }

// The same for steps written in a test. The view has one part for each block.
inline std::vector<Schedule> all_ranks(const Collective& collective, const std::function<void(View&)>& steps,
                                       bool in_place = false) {
  std::vector<Schedule> schedules;
  for (int rank = 0; rank < collective.size; ++rank) {
    Builder builder(collective, rank, in_place, collective.name);
    View view(builder, Members::rotated(collective.size, 0), Partition::runs(collective.blocks, 1));
    steps(view);
    schedules.push_back(builder.finish());
  }
  return schedules;
}

}  // namespace tutti::testing
