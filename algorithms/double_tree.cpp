// Double binary tree (Sanders, Speck and Traeff, "Two-tree algorithms for full bandwidth broadcast, reduction and
// scan", 2009): two binary trees over all ranks but the root, in each of which half of the vector travels. Who has
// children in one tree is a leaf in the other, so all ranks send and receive all the time, once the vector comes in
// windows.
//   broadcast  (2L + 2c) (a + n b/2c) in c windows;   reduce the same + n g/2c for each;   allreduce: both
// Labels 1 to m = p-1 in symmetric order; the second tree mirrors them (m even) or shifts them by one (m odd). The
// shift breaks rank order, so operations must commute. Any number of ranks.
#include <bit>

#include "algorithms/pieces.hpp"

namespace tutti {

namespace {

// One of the two trees; position 0 stands above its top.
struct Tree {
  std::int64_t m;
  bool second;

  std::int64_t label_of(std::int64_t position) const {
    if (!second) return position;
    return m % 2 == 0 ? m + 1 - position : position % m + 1;
  }
  std::int64_t position_of(std::int64_t label) const {
    if (!second || label == 0) return label;
    return m % 2 == 0 ? m + 1 - label : (label + m - 2) % m + 1;
  }
  std::int64_t parent(std::int64_t position) const {
    const std::int64_t label = label_of(position), bit = label & -label;
    const std::int64_t up = (label ^ bit) | (bit << 1);
    return position_of(up <= m ? up : label ^ bit);
  }
  // At most two; position 0 has the top of the tree.
  std::vector<std::int64_t> children(std::int64_t position) const {
    if (position == 0) return {position_of(power_of_two_below(m))};
    const std::int64_t label = label_of(position);
    std::int64_t half = (label & -label) / 2;
    if (half == 0) return {};
    std::vector<std::int64_t> found{position_of(label - half)};
    while (half > 0 && label + half > m) half /= 2;
    if (half > 0) found.push_back(position_of(label + half));
    return found;
  }
};

void reduce_steps(View& v, std::int64_t) {
  for (int t = 0; t < 2 && v.size() > 1; ++t) {
    const Tree tree{v.size() - 1, t == 1};
    for (std::int64_t child : tree.children(v.rank())) v.recv_reduce(child, v.block(t));
    if (v.rank() != 0) v.send(tree.parent(v.rank()), v.block(t));
  }
}

void broadcast_steps(View& v, std::int64_t) {
  for (int t = 0; t < 2 && v.size() > 1; ++t) {
    const Tree tree{v.size() - 1, t == 1};
    if (v.rank() != 0) v.recv(tree.parent(v.rank()), v.block(t));
    for (std::int64_t child : tree.children(v.rank())) v.send(child, v.block(t));
  }
}

void allreduce_steps(View& v, std::int64_t) {
  reduce_steps(v, 0);
  broadcast_steps(v, 0);
}

// From the top down to label 1, and from position 0 to the top.
std::int64_t height(std::int64_t size) { return size < 2 ? 0 : std::bit_width(static_cast<std::uint64_t>(size - 1)); }

template <std::int64_t combining>
std::vector<Round> rounds(std::int64_t size, std::int64_t) {
  std::vector<Round> list;
  for (std::int64_t i = 0; i < height(size); ++i)
    list.push_back({Pattern::tree, std::int64_t{1} << i, 2, {1, 1}, {combining, 1}, 1});
  return list;
}

std::vector<Round> allreduce_rounds(std::int64_t size, std::int64_t) {
  return joined(rounds<1>(size, 0), rounds<0>(size, 0));
}

// Two children a level, but the top may have one, and so has position 0.
std::int64_t combines(std::int64_t size, std::int64_t) {
  const std::int64_t levels = height(size) - 1;
  if (levels < 1) return levels + 1;
  return 2 * levels + (size - 1 > std::int64_t{1} << levels ? 1 : 0);
}

constexpr std::string_view paper = "Sanders, Speck and Traeff, 2009";
std::int64_t two_blocks(std::int64_t, std::int64_t) { return 2; }

}  // namespace

extern const Algorithm double_tree_for_allreduce{
    Kind::allreduce,   "double-tree", paper,       "2 (2L + 2c) (a + n b/2c) + (2L + 2c) n g/2c in c windows",
    no_parameter,      false,         &two_blocks, &allreduce_steps,
    &allreduce_rounds, &combines,     &never};

extern const Algorithm double_tree_for_broadcast{
    Kind::broadcast, "double-tree", paper,       "(2L + 2c) (a + n b/2c) in c windows",
    no_parameter,    true,          &two_blocks, &broadcast_steps,
    &rounds<0>,      &no_combine,   &never};

extern const Algorithm double_tree_for_reduce{
    Kind::reduce, "double-tree", paper,       "(2L + 2c) (a + n b/2c + n g/2c) in c windows",
    no_parameter, false,         &two_blocks, &reduce_steps,
    &rounds<1>,   &combines,     &never};

}  // namespace tutti
