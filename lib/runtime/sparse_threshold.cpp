// Ok-Topk (Li and Hoefler, PPoPP'22): the k largest of the sum at a volume of O(k). The index space is divided so that
// each part has about as many pairs; the least magnitude of the k largest is found by counting magnitudes, 256 bins a
// round; only what reaches it is gathered, from blocks of equal size. Differences to the paper: parts and threshold are
// agreed in every call, not kept over many, and the result is exact: where values tie, the lower index wins.
#include <algorithm>

#include "runtime/sparse_allreduce.hpp"

namespace tutti {

namespace {

constexpr std::uint32_t bin_bits = 8;
// So many pairs more than k may travel, if that saves a round of counting: one in 16.
constexpr std::uint64_t tolerance = 16;

}  // namespace

// Each rank proposes parts that divide its own pairs evenly; the mean of all proposals is taken.
Execution* SparseAllreduce::agree_on_parts() {
  const auto ranks = static_cast<std::uint64_t>(size());
  words_out_.clear();
  for (std::uint64_t part = 1; part < ranks; ++part)
    words_out_.push_back(own_.count() == 0 ? call_.count / ranks * part
                                           : kernels_.index_at(own_.indices(), own_.count() * part / ranks));
  then_ = &SparseAllreduce::split_by_agreement;
  return share_words(words_out_.size());
}

Execution* SparseAllreduce::split_by_agreement() {
  const auto ranks = static_cast<std::size_t>(size());
  bounds_.assign(1, 0);
  for (std::size_t part = 0; part + 1 < ranks; ++part) {
    std::uint64_t sum = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank) sum += words_in_[rank * (ranks - 1) + part];
    bounds_.push_back(sum / ranks);
  }
  bounds_.push_back(call_.count);
  low_ = 0;
  above_ = 0;
  above_by_rank_.assign(ranks, 0);
  shift_ = kernels_.magnitude_bits - bin_bits;
  bins_ = std::size_t{1} << bin_bits;
  return split();
}

Execution* SparseAllreduce::count_magnitudes() {
  words_out_.assign(bins_, 0);
  kernels_.histogram(current_.values(), current_.count(), low_, shift_, words_out_);
  then_ = &SparseAllreduce::narrow;
  return share_words(bins_);
}

// Looks for the bin of the k-th largest, from the top.
Execution* SparseAllreduce::narrow() {
  const auto ranks = static_cast<std::size_t>(size());
  const std::uint64_t k = call_.sparse.keep;
  std::size_t bin = bins_;
  std::uint64_t reached = above_, before = above_;
  while (bin > 0 && reached < k) {
    --bin;
    before = reached;
    for (std::size_t rank = 0; rank < ranks; ++rank) reached += words_in_[rank * bins_ + bin];
  }
  std::vector<std::uint64_t> above_bin = above_by_rank_;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    for (std::size_t above = bin + 1; above < bins_; ++above) above_bin[rank] += words_in_[rank * bins_ + above];
  const Magnitude least = low_ + (static_cast<Magnitude>(bin) << shift_);
  const bool few = reached <= k + k / tolerance;
  if (!few && shift_ > 0) {
    low_ = least;
    above_ = before;
    above_by_rank_ = std::move(above_bin);
    const std::uint32_t bits = std::min(bin_bits, shift_);
    bins_ = std::size_t{1} << bits;
    shift_ -= bits;
    return count_magnitudes();
  }
  // Found: all of this bin, or, where it is one magnitude, as many as are missing: the lowest ranks have the lowest
  // indices.
  part_pairs_ = std::move(above_bin);
  std::uint64_t ties = few ? reached : k - std::min(k, before), own_ties = 0;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::uint64_t taken = bin < bins_ ? std::min(ties, words_in_[rank * bins_ + bin]) : 0;
    ties -= taken;
    part_pairs_[rank] += taken;
    if (static_cast<int>(rank) == this->rank()) own_ties = taken;
  }
  current_.set_count(
      few ? kernels_.keep_above(current_.indices(), current_.values(), current_.count(),
                                std::max<Magnitude>(least, 1) - 1, 0)
          : kernels_.keep_above(current_.indices(), current_.values(), current_.count(), least, own_ties));
  return balance();
}

// Where one rank has half as much again as the mean, all blocks are made equal first.
Execution* SparseAllreduce::balance() {
  const auto ranks = static_cast<std::uint64_t>(size());
  std::vector<std::uint64_t> begins(1, 0);
  for (const std::uint64_t pairs : part_pairs_) begins.push_back(begins.back() + pairs);
  const std::uint64_t total = begins.back(), most = *std::max_element(part_pairs_.begin(), part_pairs_.end());
  if (2 * most * ranks <= 3 * total + ranks) return gather_parts();
  std::vector<std::uint64_t> targets;
  for (std::uint64_t rank = 0; rank <= ranks; ++rank) targets.push_back(total * rank / ranks);
  const auto me = static_cast<std::size_t>(rank());
  const auto common = [&](std::size_t owner, std::size_t target) {  // of an owner's pairs and a target block
    const std::uint64_t begin = std::max(begins[owner], targets[target]);
    const std::uint64_t end = std::min(begins[owner + 1], targets[target + 1]);
    return std::pair{begin, end > begin ? end - begin : 0};
  };
  arrivals_ = make_pairs(targets[me + 1] - targets[me]);
  arrivals_.set_count(targets[me + 1] - targets[me]);
  Exchange plan(size());
  for (int peer = 0; peer < size(); ++peer) {
    const auto at = static_cast<std::size_t>(peer);
    const auto [out_begin, out] = common(me, at);
    const auto [in_begin, in] = common(at, me);
    if (peer == rank() && out > 0)
      copy_pairs(arrivals_, out_begin - targets[me], current_, out_begin - begins[me], out);
    if (peer == rank()) continue;
    if (out > 0) send_pairs(plan, peer, current_, out_begin - begins[me], out);
    if (in > 0) receive_pairs(plan, peer, arrivals_, in_begin - targets[me], in);
  }
  for (std::size_t part = 0; part < ranks; ++part) part_pairs_[part] = targets[part + 1] - targets[part];
  then_ = &SparseAllreduce::balanced;
  return exchange(plan, current_.base(), arrivals_.base());
}

Execution* SparseAllreduce::balanced() {
  current_ = std::move(arrivals_);
  arrivals_ = make_pairs(0);
  return gather_parts();
}

}  // namespace tutti
