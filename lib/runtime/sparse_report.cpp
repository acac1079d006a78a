// See sparse_report.hpp.
#include "runtime/sparse_report.hpp"

#include <algorithm>
#include <cstring>

#include "error.hpp"

namespace tutti {

tutti_sparse_report make_report(std::string_view algorithm, std::uint64_t selected, std::uint64_t result_pairs,
                                std::uint64_t sent_bytes, std::uint64_t control_bytes, std::uint64_t dense_bytes) {
  tutti_sparse_report report{};
  std::memcpy(report.algorithm, algorithm.data(), std::min(algorithm.size(), sizeof report.algorithm - 1));
  report.selected = selected;
  report.result_pairs = result_pairs;
  report.bytes_sent = sent_bytes;
  report.bytes_control = control_bytes;
  report.bytes_dense = dense_bytes;
  report.ratio = sent_bytes ? static_cast<double>(dense_bytes) / static_cast<double>(sent_bytes) : 0;
  return report;
}

void store_pairs(const SparseKernels& kernels, const Call& call, const Pairs& from, tutti_pairs& to) {
  to.count = from.count();
  if (to.count > to.room)
    throw error(
        TUTTI_ERROR_ARGUMENT,
        "{}: the result has {} pairs, and there is room for {}; `count` says how many there are. The call itself "
        "is complete, on all ranks",
        describe(call), to.count, to.room);
  if (to.count == 0) return;
  std::memcpy(to.indices, from.indices(), to.count * kernels.index_bytes);
  std::memcpy(to.values, from.values(), to.count * kernels.value_bytes);
}

}  // namespace tutti
