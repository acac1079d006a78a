// Positions to ranks and blocks; see view.hpp.
#include "schedule/view.hpp"

#include <algorithm>

#include "error.hpp"

namespace tutti {

Members Members::chosen(int size, int own, Choose choose) const {
  Members members(size, 0, {});
  members.own_ = own;
  members.choose_ = [all = *this, choose = std::move(choose)](std::int64_t position) { return all[choose(position)]; };
  return members;
}

Members Members::turned(int first) const {
  Members members = *this;
  members.first_ = (first_ + first) % size_;
  return members;
}

int Members::position_of(int rank) const {
  int position = rank;
  if (choose_) {
    position = own_ >= 0 && choose_(own_) == rank ? own_ : -1;
  } else if (!ranks_.empty()) {
    auto found = std::find(ranks_.begin(), ranks_.end(), rank);
    position = found == ranks_.end() ? -1 : static_cast<int>(found - ranks_.begin());
  }
  return position < 0 ? -1 : (position - first_ + size_) % size_;
}

void Partition::append(std::int64_t position, std::int64_t count, Blocks& to) const {
  position = ((position % parts_) + parts_) % parts_;
  if (!list_.empty()) {
    for (std::int64_t i = 0; i < count; ++i) to.add(list_[static_cast<std::size_t>((position + i) % parts_)]);
    return;
  }
  const std::int64_t straight = std::min(count, parts_ - position);
  if (append_) {
    append_(position, straight, to);
    if (count > straight) append_(0, count - straight, to);
    return;
  }
  to.add({position * width_, (position + straight) * width_});
  to.add({0, (count - straight) * width_});
}

View::View(Builder& builder, Members members, Partition partition, int root)
    : builder_(&builder),
      members_(std::move(members)),
      partition_(std::move(partition)),
      rank_(members_.position_of(builder.rank())),
      root_(root) {
  if (rank_ < 0) throw error(TUTTI_ERROR_INTERNAL, "rank {} is not a member of this view", builder.rank());
}

Blocks View::blocks(std::int64_t position, std::int64_t count) const {
  Blocks blocks;
  if (count > 0) partition_.append(position, count, blocks);
  return blocks;
}

void View::send(std::int64_t to, const Blocks& blocks) {
  if (!blocks.empty()) builder_->send(members_[to], blocks);
}

void View::send(std::int64_t to, const Held& held) {
  if (!held.blocks.empty()) builder_->send(members_[to], held);
}

void View::recv(std::int64_t source, const Blocks& blocks) {
  if (!blocks.empty()) builder_->recv(members_[source], blocks);
}

void View::recv_reduce(std::int64_t source, const Blocks& blocks, Side arriving) {
  if (!blocks.empty()) builder_->recv_reduce(members_[source], blocks, arriving == Side::left);
}

Held View::recv_aside(std::int64_t source, const Blocks& blocks) {
  return blocks.empty() ? Held{} : builder_->recv_aside(members_[source], blocks);
}

Held View::here(const Blocks& blocks) { return builder_->here(blocks); }

void View::fold(const std::vector<Held>& sources, const Blocks& blocks) {
  if (blocks.empty()) return;
  std::vector<const Held*> pointers;
  for (const Held& held : sources) pointers.push_back(&held);
  builder_->fold(pointers, blocks);
}

View View::group(const std::vector<int>& members, std::vector<Blocks> parts) const {
  std::vector<int> ranks;
  for (int member : members) ranks.push_back(members_[member]);
  return View(*builder_, Members::listed(std::move(ranks)), Partition::listed(std::move(parts)));
}

View View::group(int size, int own, const Members::Choose& member, Partition partition) const {
  return View(*builder_, members_.chosen(size, own, member), std::move(partition));
}

View View::turned(int first) const { return View(*builder_, members_.turned(first), partition_); }

View View::rooted(int root) const { return View(*builder_, members_, partition_, root); }

}  // namespace tutti
