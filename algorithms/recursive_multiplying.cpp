// Recursive multiplying (Ruefenacht, Bull and Booth, "Generalisation of recursive doubling for AllReduce", 2017):
// recursive doubling in groups of up to k ranks, each of which sends to all others at once. Fewer rounds where several
// messages at a time cost little: many ports, shared memory.
//   allreduce  R a + (k-1) R n b + (k-1) R n g in R = about log_k p rounds
// Where the number of ranks has factors above k, a few fold into a neighbour first: 2a + 2n b + n g more. Each group
// folds in the order of its ranks: the same bits everywhere, and operations need not commute. Any number of ranks.
#include "algorithms/factors.hpp"
#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

void steps(View& v, std::int64_t k) {
  const Excess excess = excess_with_factors(v.size(), k);
  const std::int64_t me = excess.place_of(v.rank());
  if (me < 0) {
    v.send(v.rank() - 1, v.all());
    v.recv(v.rank() - 1, v.all());
    return;
  }
  if (excess.has_guest(me)) v.recv_reduce(v.rank() + 1, v.all());
  std::int64_t distance = 1;
  for (std::int64_t factor : factors_of(excess.places, k)) {
    const std::int64_t digit = me / distance % factor;
    const auto member = [&](std::int64_t other) { return excess.position_of(me + (other - digit) * distance); };
    std::vector<Held> values(static_cast<std::size_t>(factor));
    values[static_cast<std::size_t>(digit)] = v.here(v.all());
    for (std::int64_t i = 1; i < factor; ++i) {
      const std::int64_t source = (digit - i + factor) % factor;
      v.send(member((digit + i) % factor), values[static_cast<std::size_t>(digit)]);
      values[static_cast<std::size_t>(source)] = v.recv_aside(member(source), v.all());
    }
    v.fold(values, v.all());
    distance *= factor;
  }
  if (excess.has_guest(me)) v.send(v.rank() + 1, v.all());
}

std::vector<Round> rounds(std::int64_t size, std::int64_t k) {
  const Excess excess = excess_with_factors(size, k);
  std::vector<Round> list;
  if (excess.guests > 0) list.push_back({Pattern::tree, 1, 1, {1, 1}, {1, 1}, 1});
  std::int64_t distance = 1;
  for (std::int64_t factor : factors_of(excess.places, k)) {
    list.push_back({Pattern::exchange, distance, factor - 1, {factor - 1, 1}, {factor - 1, 1}, 1, excess.places});
    distance *= factor;
  }
  if (excess.guests > 0) list.push_back({Pattern::tree, 1, 1, {1, 1}, {0, 1}, 1});
  return list;
}

std::int64_t combines(std::int64_t size, std::int64_t k) {
  const Excess excess = excess_with_factors(size, k);
  return static_cast<std::int64_t>(factors_of(excess.places, k).size()) + (excess.guests > 0 ? 1 : 0);
}

}  // namespace

extern const Algorithm recursive_multiplying_for_allreduce{
    Kind::allreduce,
    "recursive-multiplying",
    "Ruefenacht, Bull and Booth, 2017",
    "R a + (k-1) R n b + (k-1) R n g in R = ceil(log_k p) rounds where p has no factor above k",
    {"k", 4, 2, 64},
    true,
    &one_block,
    &steps,
    &rounds,
    &combines,
    &never};

}  // namespace tutti
