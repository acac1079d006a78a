// A view: some of the ranks, over a partition of some of the blocks, as one member sees it. Algorithms are
// written against it, as in a paper; hierarchies are views of views.
#pragma once

#include <functional>
#include <utility>

#include "schedule/builder.hpp"

namespace tutti {

// Position -> rank of the collective: a rotation of all (no list needed), any list, or what a function says of some of
// the positions of other members.
class Members {
 public:
  using Choose = std::function<int(std::int64_t position)>;

  static Members rotated(int size, int first) { return Members(size, first, {}); }
  static Members listed(std::vector<int> ranks) {
    const int size = static_cast<int>(ranks.size());
    return Members(size, 0, std::move(ranks));
  }
  // Of these members, those at the positions that `choose` says; `own`: the caller's position among them.
  Members chosen(int size, int own, Choose choose) const;
  // The same, with position `first` in front.
  Members turned(int first) const;
  int size() const { return size_; }
  int operator[](std::int64_t position) const {
    const auto wrapped = static_cast<int>(((position % size_) + size_) % size_);
    if (choose_) [[unlikely]]
      return choose_((wrapped + first_) % size_);
    return ranks_.empty() ? (wrapped + first_) % size_ : ranks_[static_cast<std::size_t>((wrapped + first_) % size_)];
  }
  int position_of(int rank) const;  // -1 if not a member

 private:
  Members(int size, int first, std::vector<int> ranks) : size_(size), first_(first), ranks_(std::move(ranks)) {}
  int size_;
  int first_;
  std::vector<int> ranks_;
  Choose choose_;  // position -> rank
  int own_ = -1;   // with `choose_`: the caller's position before turning
};

// Position -> blocks: equal consecutive runs (no list needed), any list, or what a function says.
class Partition {
 public:
  // Appends the blocks of positions [first, first + count), which do not wrap around.
  using Append = std::function<void(std::int64_t first, std::int64_t count, Blocks& to)>;

  static Partition computed(std::int64_t parts, Append append) {
    Partition partition{parts, 0, {}};
    partition.append_ = std::move(append);
    return partition;
  }
  static Partition runs(std::int64_t parts, std::int64_t blocks_per_part) { return {parts, blocks_per_part, {}}; }
  static Partition listed(std::vector<Blocks> list) {
    const auto parts = static_cast<std::int64_t>(list.size());
    return {parts, 0, std::move(list)};
  }
  std::int64_t parts() const { return parts_; }
  void append(std::int64_t position, std::int64_t count, Blocks& to) const;  // positions wrap around

 private:
  Partition(std::int64_t parts, std::int64_t width, std::vector<Blocks> list)
      : parts_(parts), width_(width), list_(std::move(list)) {}
  std::int64_t parts_;
  std::int64_t width_;
  std::vector<Blocks> list_;
  Append append_;
};

enum class Side { right, left };  // where the arriving value stands

class View {
 public:
  View(Builder& builder, Members members, Partition partition, int root = 0);

  int rank() const { return rank_; }
  int size() const { return members_.size(); }
  std::int64_t parts() const { return partition_.parts(); }
  // The root's position: 0, except where operations do not commute and positions must be ranks.
  int root() const { return root_; }

  // The blocks of one position, or of `count` positions from `position` on; positions wrap around.
  Blocks block(std::int64_t position) const { return blocks(position, 1); }
  Blocks blocks(std::int64_t position, std::int64_t count) const;
  Blocks all() const { return blocks(0, parts()); }

  // Peers wrap around. A step without blocks is no step, on both sides alike.
  void send(std::int64_t to, const Blocks& blocks);
  void send(std::int64_t to, const Held& held);
  void recv(std::int64_t source, const Blocks& blocks);
  void recv_reduce(std::int64_t source, const Blocks& blocks, Side arriving = Side::right);

  // Receives into storage of its own and leaves the blocks as they are.
  Held recv_aside(std::int64_t source, const Blocks& blocks);
  // Where the blocks are now; a later write to them does not change what this names.
  Held here(const Blocks& blocks);
  // One pass over all sources, combined in the order given; the result is the blocks' new value.
  void fold(const std::vector<Held>& sources, const Blocks& blocks);

  // The same on some of the ranks (positions of this view) and some of the blocks. The caller must be a member.
  View group(const std::vector<int>& members, std::vector<Blocks> parts) const;
  // The same without lists: `member` says which position of this view stands at a position of the new one, where the
  // caller is at `own`. Costs nothing that grows with `size`.
  View group(int size, int own, const Members::Choose& member, Partition partition) const;
  // The same ranks, counted from `first`; parts stay where they are.
  View turned(int first) const;
  // The same ranks, for operations that do not commute: `root` stays where it is.
  View rooted(int root) const;

 private:
  Builder* builder_;
  Members members_;
  Partition partition_;
  int rank_;
  int root_;
};

}  // namespace tutti
