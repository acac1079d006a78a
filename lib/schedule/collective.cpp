// The statements of the collectives.
#include "schedule/collective.hpp"

namespace tutti {

namespace {

std::function<Blocks(int)> everybody(std::int64_t blocks) {
  return [blocks](int) { return Blocks{{0, blocks}}; };
}

std::function<Blocks(int)> only(int root, std::int64_t blocks) {
  return [=](int rank) { return rank == root ? Blocks{{0, blocks}} : Blocks{}; };
}

std::function<Blocks(int)> own(std::int64_t blocks_per_rank) {
  return [=](int rank) { return Blocks{{rank * blocks_per_rank, (rank + 1) * blocks_per_rank}}; };
}

std::function<Contributors(int, std::int64_t)> all(int size) {
  return [size](int, std::int64_t) { return Contributors{0, size}; };
}

}  // namespace

Collective allreduce(int size, std::int64_t blocks, bool ordered) {
  return {"allreduce", size, blocks, everybody(blocks), everybody(blocks), all(size), ordered, false};
}

Collective broadcast(int size, std::int64_t blocks, int root) {
  return {"broadcast",
          size,
          blocks,
          only(root, blocks),
          everybody(blocks),
          [root](int, std::int64_t) {
            return Contributors{root, root + 1};
          },
          false,
          false};
}

Collective reduce(int size, std::int64_t blocks, int root, bool ordered) {
  return {"reduce", size, blocks, everybody(blocks), only(root, blocks), all(size), ordered, false};
}

Collective reduce_scatter(int size, std::int64_t blocks_per_rank, bool ordered) {
  return {"reduce-scatter",
          size,
          size * blocks_per_rank,
          everybody(size * blocks_per_rank),
          own(blocks_per_rank),
          all(size),
          ordered,
          false};
}

Collective allgather(int size, std::int64_t blocks_per_rank) {
  auto owner = [=](int, std::int64_t block) {
    return Contributors{block / blocks_per_rank, block / blocks_per_rank + 1};
  };
  return {"allgather", size, size * blocks_per_rank, own(blocks_per_rank), everybody(size * blocks_per_rank), owner,
          false,       false};
}

Collective barrier(int size) { return {"barrier", size, 1, everybody(1), everybody(1), all(size), false, true}; }

Collective scan(int size, std::int64_t blocks) {
  return {"scan",
          size,
          blocks,
          everybody(blocks),
          everybody(blocks),
          [](int rank, std::int64_t) {
            return Contributors{0, rank + 1};
          },
          true,
          false};
}

Collective alltoall(int size) {
  auto arriving = [size](int rank) {
    Blocks blocks;
    for (std::int64_t source = 0; source < size; ++source) blocks.add({source * size + rank, source * size + rank + 1});
    return blocks;
  };
  auto source = [size](int, std::int64_t block) { return Contributors{block / size, block / size + 1}; };
  return {"alltoall", size, std::int64_t{size} * size, own(size), arriving, source, false, false};
}

}  // namespace tutti
