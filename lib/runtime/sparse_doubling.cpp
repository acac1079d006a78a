// Sparse recursive doubling (SparCML's SSAR): in round i, ranks at distance 2^i exchange the sums that they have and
// add them; a sum that fills in becomes dense on the way. Where ranks are no power of two, the excess ones fold into a
// neighbour first and get the result last.
#include <cstring>

#include "algorithms/excess.hpp"
#include "runtime/sparse_allreduce.hpp"

namespace tutti {

namespace {
// How a stream is told: its pairs, or this for the dense vector.
constexpr std::uint64_t dense_stream = ~std::uint64_t{0};
}  // namespace

// distance_ 0: guests to hosts; then 1, 2, ...; at last back to the guests. Whoever has no part in a round goes on.
Execution* SparseAllreduce::double_round() {
  const Excess excess(size());
  const std::int64_t me = excess.place_of(rank());
  partner_ = -1;
  for (; distance_ <= excess.places; distance_ = distance_ == 0 ? 1 : 2 * distance_) {
    if (distance_ == 0 || distance_ == excess.places) {
      const bool ahead = distance_ == 0;
      if (me < 0) partner_ = rank() - 1;
      if (me >= 0 && excess.has_guest(me)) partner_ = rank() + 1;
      sends_ = ahead == (me < 0);
      receives_ = !sends_;
    } else if (me >= 0) {
      partner_ = static_cast<int>(excess.position_of(me ^ distance_));
      sends_ = receives_ = true;
    }
    if (partner_ >= 0) break;
  }
  if (partner_ < 0) return doubled();
  words_out_.assign(1, dense_result_ ? dense_stream : current_.count());
  words_in_.assign(1, 0);
  Exchange plan(size());
  const auto peer = static_cast<std::size_t>(partner_);
  if (sends_) plan.send[peer] = {{0, sizeof(std::uint64_t)}};
  if (receives_) plan.receive[peer] = {{0, sizeof(std::uint64_t)}};
  then_ = &SparseAllreduce::double_streams;
  return exchange(plan, words_out_.data(), words_in_.data(), true);
}

Execution* SparseAllreduce::double_streams() {
  const std::uint64_t told = words_in_[0], bytes = call_.count * kernels_.value_bytes;
  const auto peer = static_cast<std::size_t>(partner_);
  Exchange plan(size());
  const void* from = dense_result_ ? dense_ : current_.base();
  void* to = nullptr;
  if (sends_ && dense_result_) plan.send[peer] = {{0, bytes}};
  if (sends_ && !dense_result_) send_pairs(plan, partner_, current_, 0, current_.count());
  if (receives_ && told == dense_stream) {
    partner_room_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
    plan.receive[peer] = {{0, bytes}};
    to = partner_room_.get();
  } else if (receives_) {
    arrivals_ = make_pairs(told);
    arrivals_.set_count(told);
    receive_pairs(plan, partner_, arrivals_, 0, told);
    to = arrivals_.base();
  }
  then_ = &SparseAllreduce::doubled;
  return exchange(plan, from, to);
}

// Adds what came; both partners take the sum of the lower places as the left operand.
Execution* SparseAllreduce::doubled() {
  if (partner_ < 0) {
    if (!dense_result_) {
      current_.set_count(kernels_.drop_zeros(current_.indices(), current_.values(), current_.count()));
      result_ = std::move(current_);
    }
    return nullptr;
  }
  const bool came_dense = words_in_[0] == dense_stream, came_left = partner_ < rank();
  const std::uint64_t bytes = call_.count * kernels_.value_bytes;
  if (receives_ && !sends_ && distance_ != 0) {  // a guest gets the result
    dense_result_ = came_dense;
    if (came_dense)
      std::memcpy(dense_vector(), partner_room_.get(), bytes);
    else
      current_ = std::move(arrivals_);
  } else if (receives_ && !dense_result_ && !came_dense) {
    Pairs sum = make_pairs(current_.count() + arrivals_.count());
    const PairsView mine = current_.view(), theirs = arrivals_.view();
    sum.set_count(kernels_.merge(sum.indices(), sum.values(), came_left ? theirs : mine, came_left ? mine : theirs));
    current_ = std::move(sum);
    if (is_dense(kernels_, current_.count(), call_.count)) {
      std::memset(dense_vector(), 0, bytes);
      kernels_.scatter(dense_, 0, current_.view());
      dense_result_ = true;
    }
  } else if (receives_ && dense_result_ && came_dense) {
    const std::byte* theirs = partner_room_.get();
    add_dense(dense_, came_left ? theirs : dense_, came_left ? dense_ : theirs, call_.count);
  } else if (receives_ && dense_result_) {
    kernels_.scatter_add(dense_, 0, arrivals_.view());
  } else if (receives_) {
    std::memcpy(dense_vector(), partner_room_.get(), bytes);
    kernels_.scatter_add(dense_, 0, current_.view());
    dense_result_ = true;
  }
  partner_room_.reset();
  arrivals_ = make_pairs(0);
  distance_ = distance_ == 0 ? 1 : 2 * distance_;
  return double_round();
}

}  // namespace tutti
