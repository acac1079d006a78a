// A collective is stated once, for every algorithm, as who holds what before and who must hold what after.
#pragma once

#include <functional>
#include <string>

#include "schedule/blocks.hpp"

namespace tutti {

// Ranks whose contributions a block holds: [first, last), in rank order where `ordered`.
struct Contributors {
  std::int64_t first = 0;
  std::int64_t last = 0;
  bool operator==(const Contributors&) const = default;
};

// `before(rank)`: the blocks of which rank holds its own contribution in its input; `after(rank)`: the blocks
// that it must hold in its output in the end, and `contributors(rank, block)` what such a block consists of.
struct Collective {
  std::string name;
  int size = 1;             // ranks
  std::int64_t blocks = 1;  // of the whole logical vector
  std::function<Blocks(int rank)> before;
  std::function<Blocks(int rank)> after;
  std::function<Contributors(int rank, std::int64_t block)> contributors;
  bool ordered = false;  // combine in rank order only
  bool token = false;    // blocks have no bytes and carry only "has entered"; at least once is enough
};

// The vector of allreduce, broadcast and reduce may be cut into any number of blocks. Reduce-scatter and
// allgather have blocks_per_rank blocks for each rank, in rank order.
Collective allreduce(int size, std::int64_t blocks, bool ordered = false);
Collective broadcast(int size, std::int64_t blocks, int root = 0);
Collective reduce(int size, std::int64_t blocks, int root = 0, bool ordered = false);
Collective reduce_scatter(int size, std::int64_t blocks_per_rank = 1, bool ordered = false);
Collective allgather(int size, std::int64_t blocks_per_rank = 1);
Collective barrier(int size);
Collective scan(int size, std::int64_t blocks);  // inclusive, in rank order
Collective alltoall(int size);                   // block s * size + d goes from s to d

}  // namespace tutti
