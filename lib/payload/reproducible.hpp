// Sums whose bits depend on the multiset of summands alone: see docs/reproducible.md.
#pragma once

#include "lib/payload/encoding.hpp"

namespace tutti {

std::unique_ptr<const Encoding> make_reproducible(const PayloadSetting& setting, tutti_type type, tutti_op op);

// The reproducible sum of vectors of this process: the bits that a collective gives for the same summands. `output` may
// be one of the inputs.
void sum_here(std::span<const void* const> inputs, void* output, std::uint64_t count, tutti_type type, tutti_op op);

}  // namespace tutti
