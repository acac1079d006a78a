// Top-k selection at the speed of memory. A sample of the vector gives a threshold that a little more than k elements
// pass; one pass packs those, adding the residual on its way; the exact choice is made among them. Where the sample
// misjudged, the pass is made again with a lower threshold. The result does not depend on the sample.
#pragma once

#include "lib/payload/sparse.hpp"

namespace tutti {

struct Selection {
  std::uint64_t k = 0;       // of the whole vector, or of each bucket
  std::uint64_t bucket = 0;  // elements; 0: the whole vector
  // Any number from 4/5 k to 5/4 k will do: what passes the sampled threshold is taken as it is.
  bool estimated = false;
};

// What a selection keeps from call to call, so that it allocates once, and the threshold that it found.
struct SelectionRoom {
  Pairs bucket;
  std::unique_ptr<std::byte[]> sample;
  Magnitude threshold = 0;  // the least magnitude that was selected; 0: nothing was
  int passes = 0;           // over the vector
};

// Selects the k elements of largest magnitude, in the order of their indices; of equal ones, those of lower index. NaN
// is larger than infinity, infinity than all numbers; zeros are never selected, so that fewer than k may be.
// With a residual, the elements are values + residual, and the residual becomes what was not selected.
void select_top(const SparseKernels& kernels, const void* values, void* residual, std::uint64_t count,
                const Selection& how, Pairs& out, SelectionRoom& room);

// Keeps the k pairs of largest magnitude, the order of their indices, and of equal ones those of lower index.
void keep_top(const SparseKernels& kernels, Pairs& pairs, std::uint64_t k);

}  // namespace tutti
