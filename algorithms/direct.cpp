// Direct alltoall: each block goes straight to where it belongs, to near ranks first, so that no rank is everybody's
// first goal at one time. One round of p-1 messages: for all but small blocks.
//   alltoall  a + (p-1)/p n b, n the bytes of one rank's vector
// Any number of ranks.
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void steps(View& v, std::int64_t) {
  const std::int64_t p = v.size();
  const std::int64_t me = v.rank();
  for (std::int64_t q = 1; q < p; ++q) {
    const std::int64_t source = (me - q + p) % p;
    v.send(me + q, v.block(me * p + (me + q) % p));
    v.recv(source, v.block(source * p + me));
  }
}

std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  if (size == 1) return {};
  return {{Pattern::direct, size - 1, size - 1, {size - 1, size}, {0, 1}, 1}};
}

}  // namespace

extern const Algorithm direct_for_alltoall{Kind::alltoall,    "direct",     "folklore; all to all in one round",
                                           "a + (p-1)/p n b", no_parameter, true,
                                           &one_block_each,   &steps,       &rounds,
                                           &no_combine,       &never};

}  // namespace tutti
