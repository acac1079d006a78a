// Broadcast of large vectors (van de Geijn, 1994; Barnett et al., 1994): a binomial scatter, then an allgather, by a
// ring
// (`scatter-allgather`) or by Traeff's circulant one (`scatter-circulant`, arXiv 2410.14234): L rounds for every p.
//   scatter-allgather  (L + p - 1) a + 2(p-1)/p n b;   scatter-circulant  2L a + 2(p-1)/p n b
// The scatter leaves inner ranks with more than their own block: what the receiver holds already is not sent again, so
// the root receives nothing. Any number of ranks, any root.
#include <algorithm>

#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

// What a position holds after the scatter: the parts [position, position + held).
std::int64_t held_by(std::int64_t position, std::int64_t size) {
  const std::int64_t reach = position == 0 ? size : position & -position;
  return std::min(reach, size - position);
}

// The parts [first, first + count), which may wrap around, less those that `receiver` holds after the scatter.
Blocks missing(const View& v, std::int64_t first, std::int64_t count, std::int64_t receiver) {
  const std::int64_t size = v.size();
  first = (first + size) % size;
  receiver = (receiver + size) % size;
  const std::int64_t begin = receiver, end = receiver + held_by(receiver, size);
  Blocks blocks;
  const auto add = [&](std::int64_t from, std::int64_t to) {
    blocks.add(v.blocks(from, std::min(to, begin) - from));
    blocks.add(v.blocks(std::max(from, end), to - std::max(from, end)));
  };
  const std::int64_t straight = std::min(first + count, size);
  add(first, straight);
  if (first + count > size) add(0, first + count - size);
  return blocks;
}

void ring_steps(View& v, std::int64_t) {
  binomial_scatter(v);
  for (int s = 0; s < v.size() - 1; ++s) {
    v.send(v.rank() + 1, missing(v, v.rank() - s, 1, v.rank() + 1));
    v.recv(v.rank() - 1, missing(v, v.rank() - s - 1, 1, v.rank()));
  }
}

void circulant_steps(View& v, std::int64_t) {
  binomial_scatter(v);
  for (const Round& round : circulant_rounds(v.size(), false)) {
    const std::int64_t half = round.distance, count = round.bytes.part;
    v.send(v.rank() - half, missing(v, v.rank(), count, v.rank() - half));
    v.recv(v.rank() + half, missing(v, v.rank() + half, count, v.rank()));
  }
}

std::vector<Round> ring_total(std::int64_t size, std::int64_t) {
  return joined(scatter_rounds(size), ring_rounds(size, false));
}
std::vector<Round> circulant_total(std::int64_t size, std::int64_t) {
  return joined(scatter_rounds(size), circulant_rounds(size, false));
}

}  // namespace

extern const Algorithm scatter_allgather_for_broadcast{Kind::broadcast,
                                                       "scatter-allgather",
                                                       "van de Geijn, 1994; Barnett et al., 1994",
                                                       "(L + p - 1) a + 2(p-1)/p n b",
                                                       no_parameter,
                                                       true,
                                                       &one_block_each,
                                                       &ring_steps,
                                                       &ring_total,
                                                       &no_combine,
                                                       &never};

extern const Algorithm scatter_circulant_for_broadcast{Kind::broadcast,
                                                       "scatter-circulant",
                                                       "binomial scatter, then Traeff, arXiv 2410.14234",
                                                       "2L a + 2(p-1)/p n b",
                                                       no_parameter,
                                                       true,
                                                       &one_block_each,
                                                       &circulant_steps,
                                                       &circulant_total,
                                                       &no_combine,
                                                       &never};

}  // namespace tutti
