// See sparse_broadcast.hpp.
#include "runtime/sparse_broadcast.hpp"

#include <cstring>

#include "runtime/sparse_report.hpp"

namespace tutti {

SparseBroadcast::SparseBroadcast(Communicator& communicator, const Call& call, tutti_pairs* pairs, void* vector,
                                 tutti_sparse_report* report)
    : Composite(communicator, call),
      kernels_(sparse_kernels(call.type, call.sparse.index_bytes, call.count)),
      pairs_(pairs),
      vector_(vector),
      report_(report),
      stream_(kernels_.index_bytes, kernels_.value_bytes),
      then_(&SparseBroadcast::tell) {
  if (rank() != call.root) return;
  count_ = pairs->count;
  stream_.reserve(count_);
  stream_.set_count(count_);
  if (count_ == 0) return;
  std::memcpy(stream_.values(), pairs->values, count_ * kernels_.value_bytes);
  std::memcpy(stream_.indices(), pairs->indices, count_ * kernels_.index_bytes);
}

Execution* SparseBroadcast::proceed() {
  while (then_ != nullptr) {
    const Stage stage = std::exchange(then_, nullptr);
    if (Execution* running = (this->*stage)()) return running;
  }
  return nullptr;
}

Execution* SparseBroadcast::tell() {
  then_ = &SparseBroadcast::send_values;
  return dense({Kind::broadcast, TUTTI_UINT64, TUTTI_SUM, call_.root, 1}, &count_, &count_, true);
}

Execution* SparseBroadcast::send_values() {
  if (rank() != call_.root) {
    stream_.reserve(count_);
    stream_.set_count(count_);
  }
  if (count_ == 0) return nullptr;
  then_ = &SparseBroadcast::send_indices;
  return dense({Kind::broadcast, call_.type, TUTTI_SUM, call_.root, count_}, stream_.values(), stream_.values());
}

Execution* SparseBroadcast::send_indices() {
  const tutti_type type = kernels_.index_bytes == 4 ? TUTTI_UINT32 : TUTTI_UINT64;
  return dense({Kind::broadcast, type, TUTTI_SUM, call_.root, count_}, stream_.indices(), stream_.indices());
}

void SparseBroadcast::finish() {
  if (vector_) kernels_.scatter_add(vector_, 0, stream_.view());
  if (report_) {
    const std::uint64_t dense_bytes = rank() == call_.root ? call_.count * kernels_.value_bytes : 0;
    *report_ = make_report("broadcast", count_, count_, sent_bytes_, control_bytes_, dense_bytes);
  }
  if (rank() != call_.root && pairs_) store_pairs(kernels_, call_, stream_, *pairs_);
}

}  // namespace tutti
