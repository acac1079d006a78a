// Bruck's alltoall (Bruck, Ho, Kipnis, Upfal and Weathersby, "Efficient algorithms for all-to-all communications in
// multiport message-passing systems", 1997): a block whose way is w ranks long travels 2^i of them in round i if w has
// that bit, together with all others that do. Few messages, but a byte travels about L/2 times: for small blocks.
//   alltoall  L a + L/2 n b, n the bytes of one rank's vector
// Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

// The blocks that leave this rank in the round of this distance; those with a bit below it have come from elsewhere.
Blocks leaving(const View& v, std::int64_t rank, std::int64_t distance) {
  const std::int64_t p = v.size();
  Blocks blocks;
  for (std::int64_t way = distance; way < p; ++way) {
    if ((way & distance) == 0) continue;
    const std::int64_t source = (rank - way % distance + p) % p;
    blocks.add(v.block(source * p + (source + way) % p));
  }
  return blocks;
}

void steps(View& v, std::int64_t) {
  const std::int64_t p = v.size();
  for (std::int64_t distance = 1; distance < p; distance *= 2) {
    v.send(v.rank() + distance, leaving(v, v.rank(), distance));
    v.recv(v.rank() - distance, leaving(v, (v.rank() - distance + p) % p, distance));
  }
}

std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  std::vector<Round> list;
  for (std::int64_t distance = 1; distance < size; distance *= 2) {
    const std::int64_t whole = size / (2 * distance) * distance, rest = size % (2 * distance);
    const std::int64_t blocks = whole + (rest > distance ? rest - distance : 0);
    list.push_back({Pattern::shift, distance, 1, {blocks, size}, {0, 1}, 1});
  }
  return list;
}

}  // namespace

extern const Algorithm bruck_for_alltoall{
    Kind::alltoall, "bruck", "Bruck et al., 1997", "L a + L/2 n b", no_parameter, true, &one_block_each,
    &steps,         &rounds, &no_combine,          &never};

}  // namespace tutti
