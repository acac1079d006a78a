// What no library can avoid, as measured parts: docs/benchmarking.md has the table and the reasons.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "perf/options.hpp"
#include "perf/rounds.hpp"

namespace tutti::perf {

struct BoundPart {
  std::string part;     // copy-all, copy-root, copy-from-root, pass, hop, switch
  std::string variant;  // the fastest of a part's variants counts
  std::uint64_t bytes = 0;
};

// Which parts a cell's bound is made of.
std::vector<BoundPart> bound_parts(const Options& options, const Cell& cell, bool more_ranks_than_cores);

// The bound of one call in microseconds, from the series of the parts; 0 where there is none.
double bound_us(const Options& options, std::size_t cores, unsigned batch, std::span<const Series> parts);

}  // namespace tutti::perf
