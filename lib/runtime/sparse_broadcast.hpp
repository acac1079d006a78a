// Pairs from one rank to all others: how many first, then the pairs by dense broadcasts.
#pragma once

#include "payload/sparse.hpp"
#include "runtime/composite.hpp"

namespace tutti {

class SparseBroadcast : public Composite {
 public:
  // `pairs`: read at the root, written elsewhere. `vector`, if not null, gets them added on every rank.
  SparseBroadcast(Communicator& communicator, const Call& call, tutti_pairs* pairs, void* vector,
                  tutti_sparse_report* report);
  void finish() override;

 private:
  using Stage = Execution* (SparseBroadcast::*)();
  Execution* proceed() override;
  Execution* tell();
  Execution* send_values();
  Execution* send_indices();

  const SparseKernels& kernels_;
  tutti_pairs* pairs_;
  void* vector_;
  tutti_sparse_report* report_;
  std::uint64_t count_ = 0;
  Pairs stream_;
  Stage then_;
};

}  // namespace tutti
