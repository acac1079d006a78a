// Binomial scatter and gather: the subtree of position i at distance d owns the parts of positions [i, i + d), so each
// message is one interval. L rounds; the root sends or receives (p-1)/p n in all.
#include <algorithm>

#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

// From where a position hangs in the tree, and so how many positions its subtree could have.
std::int64_t reach_of(std::int64_t position, std::int64_t size) {
  std::int64_t distance = 1;
  while (distance < size && (position & distance) == 0) distance *= 2;
  return distance;
}

// The parts of the subtree of `position` that reaches `distance` far.
Blocks subtree(const View& v, std::int64_t position, std::int64_t distance) {
  return v.blocks(position, std::min<std::int64_t>(distance, v.size() - position));
}

}  // namespace

void binomial_scatter(View& v) {
  const std::int64_t me = v.rank(), reach = reach_of(me, v.size());
  if (me != 0) v.recv(me - reach, subtree(v, me, reach));
  for (std::int64_t distance = reach / 2; distance > 0; distance /= 2)
    if (me + distance < v.size()) v.send(me + distance, subtree(v, me + distance, distance));
}

void binomial_gather(View& v) {
  const std::int64_t me = v.rank(), reach = reach_of(me, v.size());
  for (std::int64_t distance = 1; distance < reach; distance *= 2)
    if (me + distance < v.size()) v.recv(me + distance, subtree(v, me + distance, distance));
  if (me != 0) v.send(me - reach, subtree(v, me, reach));
}

void move_to_root(View& v) {
  if (v.root() == 0) return;
  if (v.rank() == 0) v.send(v.root(), v.all());
  if (v.rank() == v.root()) v.recv(0, v.all());
}

std::vector<Round> gather_rounds(std::int64_t size) {
  std::vector<Round> rounds;
  for (std::int64_t distance = 1; distance < size; distance *= 2)
    rounds.push_back({Pattern::tree, distance, 1, {std::min(distance, size - distance), size}, {0, 1}, 1});
  return rounds;
}

std::vector<Round> scatter_rounds(std::int64_t size) {
  std::vector<Round> rounds = gather_rounds(size);
  std::reverse(rounds.begin(), rounds.end());
  return rounds;
}

}  // namespace tutti
