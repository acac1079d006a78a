// See link_loads.hpp.
#include "simulator/link_loads.hpp"

#include <algorithm>

namespace tutti::simulation {

namespace {

// Calls visit(from, to, bytes) for every message that has bytes, windows of one step together.
template <class Visit>
void each_message(const Programs& programs, Visit visit) {
  for (const Strand& strand : programs.strands()) {
    const double full_windows = programs.shape(strand.group).windows - 1.0;
    const std::vector<OutlineStep>& steps = programs.outline(strand.outline).steps;
    const std::span<const Bound> bounds = programs.steps_of(strand);
    for (std::size_t at = 0; at < steps.size(); ++at) {
      if (steps[at].kind != StepKind::send) continue;
      const Size& size = programs.sizes()[bounds[at].size];
      const double bytes = full_windows * static_cast<double>(size.full) + static_cast<double>(size.last);
      if (bytes > 0) visit(strand.rank, programs.strands()[bounds[at].peer].rank, bytes);
    }
  }
}

}  // namespace

std::vector<RankPair> pairs_of(const Programs& programs) {
  std::unordered_map<std::uint64_t, double> bytes_of;
  each_message(programs, [&](std::uint32_t from, std::uint32_t to, double bytes) {
    bytes_of[std::uint64_t{from} << 32 | to] += bytes;
  });
  std::vector<RankPair> pairs;
  for (const auto& [ends, bytes] : bytes_of)
    pairs.push_back({static_cast<std::int32_t>(ends >> 32), static_cast<std::int32_t>(ends & 0xffffffffU), bytes});
  return pairs;
}

std::unordered_map<std::int64_t, double> link_loads(const Programs& programs, const Seats& seats) {
  std::unordered_map<std::int64_t, double> loads;
  std::vector<std::int64_t> path;
  for (const RankPair& pair : pairs_of(programs)) {
    route(seats, static_cast<std::size_t>(pair.from), static_cast<std::size_t>(pair.to), path);
    for (const std::int64_t link : path) loads[link] += pair.bytes;
  }
  return loads;
}

}  // namespace tutti::simulation
