// What of an algorithm's rounds goes over the network: how many messages of the busiest rank leave its node, and how
// many messages the busiest node's NICs carry. Counted from the shape, in whole numbers.
#pragma once

#include <vector>

#include "algorithms/hierarchy.hpp"

namespace tutti {

struct Traffic {
  Round round;
  std::int64_t crossing =
      0;                     // of the round's messages, for the rank with most of them; 0: the round stays in the nodes
  std::int64_t through = 0;  // messages into or out of the busiest node, whichever are more, in the round
  // The same in all its repetitions. A tree's pass from level to level, mostly through other nodes; elsewhere it is
  // `through` times `times`.
  std::int64_t through_in_all = 0;
};

// Counted exactly for shapes of up to so many ranks; in larger ones, on nodes at equal distances with as many together.
inline constexpr int most_looked_at = 512;

// The rounds of an algorithm or a hierarchy. Where there is no shape, or a shape of one node, nothing crosses.
// Positions count as ranks, as if rank 0 were the root.
std::vector<Traffic> traffic_of(const Hierarchy& hierarchy, const Shape* shape);

}  // namespace tutti
