// Split and gather (SparCML's SSAR and DSAR): each rank owns a part of the index space, gets everybody's slice of it,
// sums them, and sends the sum to everybody: as pairs where they are shorter, else as the dense part.
#include <algorithm>
#include <cstring>

#include "runtime/sparse_allreduce.hpp"

namespace tutti {

namespace {
// From here on a part is summed in a dense vector: one in so many of its positions arrives.
constexpr std::uint64_t sparse_sum_share = 4;
}  // namespace

Execution* SparseAllreduce::split() {
  const auto ranks = static_cast<std::size_t>(size());
  cuts_.clear();
  for (const std::uint64_t bound : bounds_) cuts_.push_back(kernels_.find(own_.indices(), own_.count(), bound));
  words_out_.clear();
  for (std::size_t part = 0; part < ranks; ++part) words_out_.push_back(cuts_[part + 1] - cuts_[part]);
  words_in_.assign(ranks, 0);
  words_in_[static_cast<std::size_t>(rank())] = words_out_[static_cast<std::size_t>(rank())];
  Exchange plan(size());
  constexpr std::uint64_t word = sizeof(std::uint64_t);
  for (std::size_t peer = 0; peer < ranks; ++peer) {
    if (static_cast<int>(peer) == rank()) continue;
    plan.send[peer] = {{peer * word, word}};
    plan.receive[peer] = {{peer * word, word}};
  }
  then_ = &SparseAllreduce::exchange_slices;
  return exchange(plan, words_out_.data(), words_in_.data(), true);
}

Execution* SparseAllreduce::exchange_slices() {
  const auto ranks = static_cast<std::size_t>(size());
  starts_.assign(1, 0);
  for (std::size_t peer = 0; peer < ranks; ++peer) starts_.push_back(starts_.back() + words_in_[peer]);
  arrivals_ = make_pairs(starts_.back());
  arrivals_.set_count(starts_.back());
  Exchange plan(size());
  for (int peer = 0; peer < size(); ++peer) {
    const auto at = static_cast<std::size_t>(peer);
    if (peer == rank()) {
      copy_pairs(arrivals_, starts_[at], own_, cuts_[at], words_in_[at]);
      continue;
    }
    send_pairs(plan, peer, own_, cuts_[at], cuts_[at + 1] - cuts_[at]);
    receive_pairs(plan, peer, arrivals_, starts_[at], words_in_[at]);
  }
  then_ = &SparseAllreduce::merge_slices;
  return exchange(plan, own_.base(), arrivals_.base());
}

// Few pairs: a tree of merges, neighbours first, lower ranks on the left. Many: into a dense part, in rank order.
Execution* SparseAllreduce::merge_slices() {
  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t first = bounds_[static_cast<std::size_t>(rank())], length = part_length(rank());
  if (arrivals_.count() * sparse_sum_share >= length) {
    auto part = std::make_unique<std::byte[]>(length * kernels_.value_bytes);
    for (std::size_t peer = 0; peer < ranks; ++peer)
      kernels_.scatter_add(part.get(), first, arrivals_.view(starts_[peer], starts_[peer + 1] - starts_[peer]));
    current_ = make_pairs(length);
    current_.set_count(kernels_.collect(part.get(), nullptr, length, 1, first, current_.indices(), current_.values()));
  } else {
    std::vector<PairsView> streams;
    for (std::size_t peer = 0; peer < ranks; ++peer)
      streams.push_back(arrivals_.view(starts_[peer], starts_[peer + 1] - starts_[peer]));
    std::vector<Pairs> sums, earlier;
    while (streams.size() > 1) {
      std::vector<PairsView> next;
      sums.clear();
      for (std::size_t i = 0; i + 1 < streams.size(); i += 2) {
        Pairs& sum = sums.emplace_back(make_pairs(streams[i].count + streams[i + 1].count));
        sum.set_count(kernels_.merge(sum.indices(), sum.values(), streams[i], streams[i + 1]));
        next.push_back(sum.view());
      }
      if (streams.size() % 2 == 1) {  // waits for its turn, in memory that stays
        Pairs& last = sums.emplace_back(make_pairs(streams.back().count));
        if (streams.back().count != 0) {
          std::memcpy(last.indices(), streams.back().indices, streams.back().count * kernels_.index_bytes);
          std::memcpy(last.values(), streams.back().values, streams.back().count * kernels_.value_bytes);
        }
        last.set_count(streams.back().count);
        next.push_back(last.view());
      }
      earlier.swap(sums);
      streams = std::move(next);
    }
    current_ = std::move(earlier.front());
    current_.set_count(kernels_.drop_zeros(current_.indices(), current_.values(), current_.count()));
  }
  arrivals_ = make_pairs(0);
  return choice_.algorithm->name == "ok-topk" ? count_magnitudes() : tell_part();
}

Execution* SparseAllreduce::tell_part() {
  words_out_.assign(1, current_.count());
  then_ = &SparseAllreduce::gather_pairs;
  return share_words(1);
}

// Of dense parts no pairs travel.
Execution* SparseAllreduce::gather_pairs() {
  part_pairs_ = words_in_;
  for (int part = 0; part < size(); ++part) {
    if (!is_dense_part(part)) continue;
    dense_result_ = true;
    part_pairs_[static_cast<std::size_t>(part)] = 0;
  }
  Execution* running = gather_parts();
  if (dense_result_) then_ = &SparseAllreduce::gather_dense;
  return running;
}

bool SparseAllreduce::is_dense_part(int part) const {
  return part_length(part) > 0 &&
         (all_dense() || is_dense(kernels_, words_in_[static_cast<std::size_t>(part)], part_length(part)));
}

// The parts that are pairs go straight to their places in the result.
Execution* SparseAllreduce::gather_parts() {
  std::uint64_t total = 0;
  std::vector<std::uint64_t> places;
  for (const std::uint64_t pairs : part_pairs_) {
    places.push_back(total);
    total += pairs;
  }
  result_ = make_pairs(total);
  result_.set_count(total);
  Exchange plan(size());
  const auto me = static_cast<std::size_t>(rank());
  copy_pairs(result_, places[me], current_, 0, part_pairs_[me]);
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    const auto at = static_cast<std::size_t>(peer);
    send_pairs(plan, peer, current_, 0, part_pairs_[me]);
    receive_pairs(plan, peer, result_, places[at], part_pairs_[at]);
  }
  return exchange(plan, current_.base(), result_.base());
}

Execution* SparseAllreduce::gather_dense() {
  std::byte* dense = dense_vector();
  const std::uint64_t value = kernels_.value_bytes;
  Exchange plan(size());
  for (int part = 0; part < size(); ++part) {
    const Region region{bounds_[static_cast<std::size_t>(part)] * value, part_length(part) * value};
    if (!is_dense_part(part) || part == rank()) std::memset(dense + region.offset, 0, region.bytes);
    if (!is_dense_part(part)) continue;
    if (part == rank()) {
      kernels_.scatter(dense, 0, current_.view());
      for (int peer = 0; peer < size(); ++peer)
        if (peer != rank()) plan.send[static_cast<std::size_t>(peer)] = {region};
    } else {
      plan.receive[static_cast<std::size_t>(part)] = {region};
    }
  }
  then_ = &SparseAllreduce::gathered;
  return exchange(plan, dense, dense);
}

Execution* SparseAllreduce::gathered() {
  kernels_.scatter(dense_, 0, result_.view());
  return nullptr;
}

}  // namespace tutti
