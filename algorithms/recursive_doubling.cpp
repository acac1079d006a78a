// Recursive doubling (Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
// MPICH", 2005): in round i, ranks at distance 2^i exchange everything they have combined so far.
//   allreduce  L a + L n b + L n g,   L = floor(log2 p), and 2a + 2n b + n g more where p is no power of two
//   allgather  L a + (p-1)/p n b, and 2a + n b more
// The excess ranks fold into a neighbour first and get the result last. What is combined is always an interval of
// ranks, lower ranks on the left: operations need not commute. Any number of ranks.
#include "algorithms/excess.hpp"
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void allreduce_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, v.all());
    v.recv(v.rank() - 1, v.all());
    return;
  }
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  for (std::int64_t distance = 1; distance < excess.places; distance *= 2) {
    const std::int64_t partner = me ^ distance;
    v.send(excess.position_of(partner), v.all());
    v.recv_reduce(excess.position_of(partner), v.all(), partner < me ? Side::left : Side::right);
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.all());
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  const Excess excess(size);
  std::vector<Round> rounds;
  if (excess.guests > 0) rounds.push_back({Pattern::tree, 1, 1, {1, 1}, {1, 1}, 1});
  for (std::int64_t distance = 1; distance < excess.places; distance *= 2)
    rounds.push_back({Pattern::exchange, distance, 1, {1, 1}, {1, 1}, 1});
  if (excess.guests > 0) rounds.push_back({Pattern::tree, 1, 1, {1, 1}, {0, 1}, 1});
  return rounds;
}

std::int64_t combines(std::int64_t size, std::int64_t) { return ceil_log2(size); }

Blocks of_places(const View& v, const Excess& excess, std::int64_t first, std::int64_t last) {
  const std::int64_t begin = excess.position_of(first);
  return v.blocks(begin, excess.position_of(last) - begin);
}

void allgather_steps(View& v, std::int64_t) {
  const Excess excess(v.size());
  const std::int64_t me = excess.place_of(v.rank());
  const std::int64_t guest = me < 0 ? v.rank() : v.rank() + 1;
  Blocks others = v.blocks(0, guest);  // what a guest has not got itself
  others.add(v.blocks(guest + 1, v.size() - guest - 1));
  if (me < 0) {
    v.send(v.rank() - 1, v.block(v.rank()));
    v.recv(v.rank() - 1, others);
    return;
  }
  if (excess.has_guest(me)) v.recv(guest, v.block(guest));
  for (std::int64_t distance = 1; distance < excess.places; distance *= 2) {
    const std::int64_t partner = me ^ distance;
    const std::int64_t mine = me & -distance, theirs = partner & -distance;
    v.send(excess.position_of(partner), of_places(v, excess, mine, mine + distance));
    v.recv(excess.position_of(partner), of_places(v, excess, theirs, theirs + distance));
  }
  if (excess.has_guest(me)) v.send(guest, others);
}

std::vector<Round> allgather_rounds(std::int64_t size, std::int64_t) {
  const Excess excess(size);
  std::vector<Round> rounds;
  if (excess.guests > 0) rounds.push_back({Pattern::tree, 1, 1, {1, size}, {0, 1}, 1});
  for (std::int64_t distance = 1; distance < excess.places; distance *= 2)
    rounds.push_back({Pattern::exchange, distance, 1, {excess.position_of(distance), size}, {0, 1}, 1});
  if (excess.guests > 0) rounds.push_back({Pattern::tree, 1, 1, {size - 1, size}, {0, 1}, 1});
  return rounds;
}

constexpr std::string_view paper = "Thakur, Rabenseifner and Gropp, 2005";

}  // namespace

extern const Algorithm recursive_doubling_for_allreduce{
    Kind::allreduce,
    "recursive-doubling",
    paper,
    "L a + L n b + L n g, and 2a + 2n b + n g more where p is no power of two",
    no_parameter,
    true,
    &one_block,
    &allreduce_steps,
    &allreduce_rounds,
    &combines,
    &never};

extern const Algorithm recursive_doubling_for_allgather{
    Kind::allgather,
    "recursive-doubling",
    paper,
    "L a + (p-1)/p n b, and 2a + n b more where p is no power of two",
    no_parameter,
    true,
    &one_block_each,
    &allgather_steps,
    &allgather_rounds,
    &no_combine,
    &never};

}  // namespace tutti
