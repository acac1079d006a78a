// The shape of a communicator: which of its ranks share a node, which nodes share a switch, and so on. A hierarchy is
// built from it, so a schedule depends on it; it is made once for a communicator, hashed once and shared by pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace tutti {

class Shape;
using ShapePtr = std::shared_ptr<const Shape>;

class Shape {
 public:
  // labels[0][rank]: which group of the finest level (a node) a rank is in; labels[1][rank] the same of the next level
  // (a switch), and so on; any numbers. Throws TUTTI_ERROR_ARGUMENT where a group lies in two groups of the next level.
  static ShapePtr of(const std::vector<std::vector<int>>& labels);

  int ranks() const { return static_cast<int>(group_of_.size()); }
  // Groups are numbered in the order of their lowest ranks.
  int groups() const { return static_cast<int>(starts_.size()) - 1; }
  int group_of(int rank) const { return group_of_[at(rank)]; }
  // Where a rank stands among those of its group, which are in rank order.
  int place_of(int rank) const { return place_of_[at(rank)]; }
  int size_of(int group) const { return starts_[at(group) + 1] - starts_[at(group)]; }
  int member(int group, int place) const { return members_[at(starts_[at(group)] + place)]; }
  // The sizes that groups have, each once, ascending.
  const std::vector<int>& sizes() const { return sizes_; }
  int largest() const { return sizes_.back(); }
  int smallest() const { return sizes_.front(); }
  // The ranks of each group follow one another, here and above: combining group by group keeps rank order.
  bool keeps_order() const { return keeps_order_; }
  // The shape of the groups among themselves; null where nothing more is known of them.
  const ShapePtr& above() const { return above_; }
  int levels() const { return 1 + (above_ ? above_->levels() : 0); }

  std::size_t hash() const { return hash_; }
  bool operator==(const Shape& other) const;

 private:
  Shape() = default;
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  void fill(const std::vector<int>& labels);

  std::vector<int> group_of_, place_of_;
  std::vector<int> starts_, members_;  // the ranks of group g are members_[starts_[g]], ..., up to starts_[g + 1]
  std::vector<int> sizes_;
  bool keeps_order_ = true;
  ShapePtr above_;
  std::size_t hash_ = 0;
};

// How ranks are laid out over nodes: one node after the other, in turn over the nodes that have room, or at random
// (always the same).
enum class Placement : std::uint8_t { block, cyclic, random };

// sizes[i]: the ranks of node i; where `above` is given, above[i] is the group of node i at the next level.
ShapePtr placed(const std::vector<int>& sizes, Placement placement, const std::vector<int>& above = {});

}  // namespace tutti
