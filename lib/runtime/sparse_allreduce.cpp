// What a sparse allreduce brings, which algorithm it takes, and what it hands over; see sparse_allreduce.hpp.
#include "runtime/sparse_allreduce.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/sparse_report.hpp"

namespace tutti {

SparseAllreduce::SparseAllreduce(Communicator& communicator, const Call& call, const SparseTask& task)
    : Composite(communicator, call),
      kernels_(sparse_kernels(call.type, call.sparse.index_bytes, call.count)),
      task_(task),
      then_(&SparseAllreduce::bring),
      own_(make_pairs(0)),
      arrivals_(make_pairs(0)),
      current_(make_pairs(0)),
      result_(make_pairs(0)),
      words_in_(static_cast<std::size_t>(communicator.size())) {
  choice_.algorithm = &sparse_algorithm("split-sparse");  // until it is chosen: named in errors
}

// Runs on until a stage has messages to wait for.
Execution* SparseAllreduce::proceed() {
  while (then_ != nullptr) {
    const Stage stage = std::exchange(then_, nullptr);
    if (Execution* running = (this->*stage)()) return running;
  }
  return nullptr;
}

Execution* SparseAllreduce::bring() {
  const SparseCall& sparse = call_.sparse;
  if (sparse.brings == Sparse::top_k) {
    SelectionRoom room;
    select_top(kernels_, task_.values, task_.residual, call_.count, {sparse.k, sparse.bucket, task_.estimated}, own_,
               room);
  } else {
    own_.reserve(task_.given.count);
    if (task_.given.count != 0) {
      std::memcpy(own_.indices(), task_.given.indices, task_.given.count * kernels_.index_bytes);
      std::memcpy(own_.values(), task_.given.values, task_.given.count * kernels_.value_bytes);
    }
    own_.set_count(kernels_.drop_zeros(own_.indices(), own_.values(), task_.given.count));
  }
  selected_ = own_.count();
  if (size() == 1) {
    result_ = make_pairs(selected_);
    copy_pairs(result_, 0, own_, 0, selected_);
    return nullptr;
  }
  if (sparse.brings == Sparse::top_k) return choose();
  words_out_.assign(1, own_.count());
  then_ = &SparseAllreduce::learn_most;
  return share_words(1);
}

Execution* SparseAllreduce::learn_most() { return choose(); }

// Top-k: every rank knows how many the others select at most. The caller's own pairs: the most that was told.
Execution* SparseAllreduce::choose() {
  SparseQuestion question;
  const SparseCall& sparse = call_.sparse;
  question.top_k = sparse.brings == Sparse::top_k;
  question.global = sparse.global;
  question.count = call_.count;
  question.value_bytes = kernels_.value_bytes;
  question.index_bytes = kernels_.index_bytes;
  question.k = sparse.keep;
  question.size = size();
  if (question.top_k) {
    const std::uint64_t buckets = sparse.bucket ? (call_.count + sparse.bucket - 1) / sparse.bucket : 1;
    question.pairs = sparse.k > call_.count / buckets ? call_.count : sparse.k * buckets;
  } else {
    question.pairs = *std::max_element(words_in_.begin(), words_in_.end());
  }
  choice_ = communicator_.choose_sparse(question);
  if (choice_.algorithm->name == "dense") return sum_dense();
  if (choice_.algorithm->name == "ok-topk") return agree_on_parts();
  if (choice_.algorithm->name == "recursive-doubling") {
    current_ = std::move(own_);
    if (sparse.global && task_.residual) copy_pairs(own_ = make_pairs(selected_), 0, current_, 0, selected_);
    distance_ = 0;
    return double_round();
  }
  bounds_.clear();
  for (int part = 0; part <= size(); ++part)
    bounds_.push_back(
        call_.count / static_cast<std::uint64_t>(size()) * static_cast<std::uint64_t>(part) +
        std::min<std::uint64_t>(static_cast<std::uint64_t>(part), call_.count % static_cast<std::uint64_t>(size())));
  return split();
}

// The dense allreduce, of what was selected alone.
Execution* SparseAllreduce::sum_dense() {
  std::memset(dense_vector(), 0, call_.count * kernels_.value_bytes);
  kernels_.scatter(dense_, 0, own_.view());
  then_ = &SparseAllreduce::summed_dense;
  return dense({Kind::allreduce, call_.type, TUTTI_SUM, 0, call_.count}, dense_, dense_);
}

Execution* SparseAllreduce::summed_dense() {
  dense_result_ = true;
  return nullptr;
}

Execution* SparseAllreduce::share_words(std::size_t words) {
  const auto ranks = static_cast<std::size_t>(size()), me = static_cast<std::size_t>(rank());
  const std::uint64_t bytes = words * sizeof(std::uint64_t);
  words_in_.assign(ranks * words, 0);
  std::copy(words_out_.begin(), words_out_.end(), words_in_.begin() + static_cast<std::ptrdiff_t>(me * words));
  Exchange plan(size());
  for (std::size_t peer = 0; peer < ranks; ++peer) {
    if (peer == me) continue;
    plan.send[peer] = {{0, bytes}};
    plan.receive[peer] = {{peer * bytes, bytes}};
  }
  return exchange(plan, words_out_.data(), words_in_.data(), true);
}

void SparseAllreduce::send_pairs(Exchange& plan, int peer, const Pairs& from, std::uint64_t first,
                                 std::uint64_t count) {
  plan.send[static_cast<std::size_t>(peer)] = {
      {from.values_offset(first), from.values_offset(count)},
      {from.indices_offset(first), from.indices_offset(first + count) - from.indices_offset(first)}};
}

void SparseAllreduce::receive_pairs(Exchange& plan, int peer, const Pairs& to, std::uint64_t first,
                                    std::uint64_t count) {
  plan.receive[static_cast<std::size_t>(peer)] = {
      {to.values_offset(first), to.values_offset(count)},
      {to.indices_offset(first), to.indices_offset(first + count) - to.indices_offset(first)}};
}

void SparseAllreduce::copy_pairs(Pairs& to, std::uint64_t at, const Pairs& from, std::uint64_t first,
                                 std::uint64_t count) const {
  if (count == 0) return;
  std::memcpy(to.indices(at), from.indices(first), count * kernels_.index_bytes);
  std::memcpy(to.values(at), from.values(first), count * kernels_.value_bytes);
  to.set_count(std::max(to.count(), at + count));
}

Pairs SparseAllreduce::make_pairs(std::uint64_t room) const {
  Pairs pairs(kernels_.index_bytes, kernels_.value_bytes);
  pairs.reserve(room);
  return pairs;
}

std::byte* SparseAllreduce::dense_vector() {
  if (dense_ == nullptr) {
    if (task_.out == nullptr)
      dense_room_ = std::make_unique_for_overwrite<std::byte[]>(call_.count * kernels_.value_bytes);
    dense_ = task_.out ? static_cast<std::byte*>(task_.out) : dense_room_.get();
  }
  return dense_;
}

void SparseAllreduce::add_dense(std::byte* to, const std::byte* left, const std::byte* right,
                                std::uint64_t count) const {
  const Operation sum = operation(call_.type, TUTTI_SUM);
  sum.combine(to, left, right, count, false, sum.context);
}

// ---- the end ----

// Global: what was selected here and did not make it goes back into the residual.
void SparseAllreduce::return_unused() {
  if (!call_.sparse.global || !task_.residual || own_.count() == 0) return;
  Pairs unused = make_pairs(own_.count());
  unused.set_count(kernels_.difference(unused.indices(), unused.values(), own_.view(), result_.view()));
  kernels_.scatter(task_.residual, 0, unused.view());
}

void SparseAllreduce::hand_over() {
  if (task_.report) {
    const auto ranks = static_cast<std::uint64_t>(size());
    const std::uint64_t dense_bytes = 2 * (ranks - 1) * (call_.count * kernels_.value_bytes / ranks);
    *task_.report = make_report(size() == 1 ? "none" : choice_.algorithm->name, selected_, result_.count(), sent_bytes_,
                                control_bytes_, dense_bytes);
  }
  if (task_.pairs) store_pairs(kernels_, call_, result_, *task_.pairs);
}

void SparseAllreduce::finish() {
  const bool counts = task_.pairs || task_.report || call_.sparse.global;
  if (dense_result_ && counts) {
    result_ = make_pairs(0);
    constexpr std::uint64_t step = 8192;
    for (std::uint64_t at = 0; at < call_.count; at += step) {
      const std::uint64_t have = result_.count(), some = std::min(step, call_.count - at);
      result_.reserve(have + some);
      result_.set_count(have + kernels_.collect(dense_ + at * kernels_.value_bytes, nullptr, some, 1, at,
                                                result_.indices(have), result_.values(have)));
    }
  }
  if (call_.sparse.global) keep_top(kernels_, result_, call_.sparse.keep);
  return_unused();
  if (task_.out && (!dense_result_ || call_.sparse.global)) {
    std::memset(task_.out, 0, call_.count * kernels_.value_bytes);
    kernels_.scatter(task_.out, 0, result_.view());
  }
  hand_over();
}

}  // namespace tutti
