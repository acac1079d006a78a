// The sparse allreduce as a composite: the sum of what each rank selected, or the k largest of that sum. One class,
// whose stages stand in files of their own: sparse_split.cpp, sparse_doubling.cpp and sparse_threshold.cpp (Ok-Topk).
// docs/sparse.md tells the method.
#pragma once

#include "payload/sparse_selection.hpp"
#include "runtime/composite.hpp"
#include "scheduler/sparse_choice.hpp"

namespace tutti {

// What the caller hands in and wants back. Buffers stay his until the request is complete.
struct SparseTask {
  const void* values = nullptr;  // top-k: the dense vector,
  void* residual = nullptr;      // and what was not sent before; may be null
  bool estimated = false;
  PairsView given;                        // or the caller's pairs
  void* out = nullptr;                    // dense result; may be null
  tutti_pairs* pairs = nullptr;           // sparse result; may be null
  tutti_sparse_report* report = nullptr;  // may be null
};

class SparseAllreduce : public Composite {
 public:
  SparseAllreduce(Communicator& communicator, const Call& call, const SparseTask& task);

  void finish() override;

 private:
  using Stage = Execution* (SparseAllreduce::*)();
  Execution* proceed() override;

  // ---- what is brought, and who decides (sparse_allreduce.cpp) ----
  Execution* bring();
  Execution* learn_most();  // the caller's own pairs: how many others have
  Execution* choose();
  Execution* sum_dense();
  Execution* summed_dense();

  // ---- split by index (sparse_split.cpp) ----
  Execution* split();
  Execution* exchange_slices();
  Execution* merge_slices();
  Execution* tell_part();
  Execution* gather_pairs();
  Execution* gather_parts();
  Execution* gather_dense();
  Execution* gathered();

  // ---- recursive doubling (sparse_doubling.cpp) ----
  Execution* double_round();
  Execution* double_streams();
  Execution* doubled();

  // ---- Ok-Topk (sparse_threshold.cpp) ----
  Execution* agree_on_parts();
  Execution* split_by_agreement();
  Execution* count_magnitudes();
  Execution* narrow();
  Execution* balance();
  Execution* balanced();

  // Eight bytes or more from everybody to everybody: `words` of them from words_out_ into words_in_, by rank.
  Execution* share_words(std::size_t words);
  // Adds the exchange of pairs [first, first + count) of `from` and of `to`.
  static void send_pairs(Exchange& plan, int peer, const Pairs& from, std::uint64_t first, std::uint64_t count);
  static void receive_pairs(Exchange& plan, int peer, const Pairs& to, std::uint64_t first, std::uint64_t count);
  void copy_pairs(Pairs& to, std::uint64_t at, const Pairs& from, std::uint64_t first, std::uint64_t count) const;
  Pairs make_pairs(std::uint64_t room) const;
  std::byte* dense_vector();  // the caller's result, or room of its own
  void add_dense(std::byte* to, const std::byte* left, const std::byte* right, std::uint64_t count) const;
  bool is_dense_part(int part) const;
  bool all_dense() const { return choice_.algorithm->name == "split-dense"; }
  std::uint64_t part_length(int part) const {
    return bounds_[static_cast<std::size_t>(part) + 1] - bounds_[static_cast<std::size_t>(part)];
  }
  void return_unused();
  void hand_over();

  const SparseKernels& kernels_;
  SparseTask task_;
  Stage then_ = nullptr;

  Pairs own_;       // what this rank brings
  Pairs arrivals_;  // slices of the others, or a partner's stream
  Pairs current_;   // the sum so far, of this rank's part or of all
  Pairs result_;
  bool dense_result_ = false;  // it stands in dense_ instead
  std::byte* dense_ = nullptr;
  std::unique_ptr<std::byte[]> dense_room_;
  std::unique_ptr<std::byte[]> partner_room_;
  std::uint64_t selected_ = 0;

  std::vector<std::uint64_t> words_out_, words_in_;
  std::vector<std::uint64_t> bounds_;      // of the parts, size + 1
  std::vector<std::uint64_t> cuts_;        // where they begin in own_
  std::vector<std::uint64_t> starts_;      // where each rank's slice begins in arrivals_
  std::vector<std::uint64_t> part_pairs_;  // of each part's sum

  std::int64_t distance_ = 0;  // of recursive doubling
  int partner_ = -1;
  bool sends_ = true, receives_ = true;

  Magnitude low_ = 0;  // of the bins that are counted now
  std::uint32_t shift_ = 0;
  std::size_t bins_ = 0;
  std::uint64_t above_ = 0;  // pairs of all ranks above those bins
  std::vector<std::uint64_t> above_by_rank_;
};

}  // namespace tutti
