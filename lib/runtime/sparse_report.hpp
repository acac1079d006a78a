// What every sparse call hands back at its end: how much travelled, and the pairs in the caller's memory.
#pragma once

#include <string_view>

#include "payload/sparse.hpp"
#include "runtime/plan.hpp"

namespace tutti {

tutti_sparse_report make_report(std::string_view algorithm, std::uint64_t selected, std::uint64_t result_pairs,
                                std::uint64_t sent_bytes, std::uint64_t control_bytes, std::uint64_t dense_bytes);

// Throws TUTTI_ERROR_ARGUMENT where there is not enough room; `to.count` then says how much is needed.
void store_pairs(const SparseKernels& kernels, const Call& call, const Pairs& from, tutti_pairs& to);

}  // namespace tutti
