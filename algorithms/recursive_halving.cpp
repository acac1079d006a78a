// Recursive halving (Thakur, Rabenseifner and Gropp, 2005): the far half of the blocks goes to the far partner first,
// until each rank holds its own.
//   reduce-scatter  lg p a + (p-1)/p n b + (p-1)/p n g, and 2a + 2n b + n g more where p is no power of two
// Far ranks meet first, so operations must commute. Excess ranks fold into a neighbour. Any number of ranks.
#include "algorithms/excess.hpp"
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, v.all());
    v.recv(v.rank() - 1, v.block(v.rank()));
    return;
  }
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  const auto of_places = [&](std::int64_t first, std::int64_t count) {
    return v.blocks(excess.position_of(first), excess.position_of(first + count) - excess.position_of(first));
  };
  for (std::int64_t distance = excess.places / 2; distance > 0; distance /= 2) {
    const std::int64_t partner = me ^ distance;
    v.send(excess.position_of(partner), of_places(partner & -distance, distance));
    v.recv_reduce(excess.position_of(partner), of_places(me & -distance, distance));
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.block(v.rank() + 1));
}

std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  const Excess excess(size);
  std::vector<Round> list;
  if (excess.guests > 0) list.push_back({Pattern::tree, 1, 1, {1, 1}, {1, 1}, 1});
  for (std::int64_t distance = excess.places / 2; distance > 0; distance /= 2) {
    const Share half{excess.position_of(distance), size};
    list.push_back({Pattern::exchange, distance, 1, half, half, 1});
  }
  if (excess.guests > 0) list.push_back({Pattern::tree, 1, 1, {1, size}, {0, 1}, 1});
  return list;
}

}  // namespace

extern const Algorithm recursive_halving_for_reduce_scatter{
    Kind::reduce_scatter,
    "recursive-halving",
    "Thakur, Rabenseifner and Gropp, 2005",
    "lg p a + (p-1)/p n b + (p-1)/p n g, and 2a + n b + n g more where p is no power of two",
    no_parameter,
    false,
    &one_block_each,
    &steps,
    &rounds,
    [](std::int64_t size, std::int64_t) { return ceil_log2(size); },
    &never};

}  // namespace tutti
